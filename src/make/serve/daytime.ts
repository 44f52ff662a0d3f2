/** Says the time of day as a line of text, and goodbye (RFC 867). */
import { greeter } from './greeter.ts';
import type { ServerKind } from './kind.ts';

/** As a person reads it; the RFC leaves the form open. */
function moment(): Buffer {
  return Buffer.from(`${new Date().toISOString()}\r\n`);
}

export const kind: ServerKind<null> = {
  name: 'daytime',
  about: 'the time of day as a line of text, and goodbye',
  words: '',
  options: [],
  examples: ['sockscope serve daytime :1313'],
  port: 1313,
  over: ['tcp', 'udp', 'unix', 'unix-dgram'],
  tls: true,
  lines: 'connections',
  plan: () => null,
  tries: ({ over, host, port, path }) =>
    path === ''
      ? `nc${over === 'udp' ? ' -uw1' : ''} ${host} ${port}${over === 'udp' ? ' <<<x' : ''}`
      : `nc -U ${path}`,
  raw: () => greeter(moment),
};
