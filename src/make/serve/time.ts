/** Says the time as four bytes, and goodbye (RFC 868). */
import { greeter } from './greeter.ts';
import type { ServerKind } from './kind.ts';

/** Seconds between 1900 and 1970. */
const BEFORE_UNIX = 2_208_988_800;

/** Seconds since 1900 as 32 bits, which end in February 2036. */
function moment(): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((Math.floor(Date.now() / 1000) + BEFORE_UNIX) % 2 ** 32);
  return bytes;
}

export const kind: ServerKind<null> = {
  name: 'time',
  about: 'the time as four bytes, and goodbye',
  words: '',
  options: [],
  examples: ['sockscope serve time :3737'],
  port: 3737,
  over: ['tcp', 'udp', 'unix', 'unix-dgram'],
  tls: true,
  lines: 'connections',
  plan: () => null,
  tries: ({ over, host, port, path }) =>
    path === ''
      ? `nc${over === 'udp' ? ' -uw1' : ''} ${host} ${port}${over === 'udp' ? ' <<<x' : ''} | od -An -tu4 --endian=big`
      : `nc -U ${path} | od -An -tu4 --endian=big`,
  raw: () => greeter(moment),
};
