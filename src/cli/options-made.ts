/** What the kernel makes of socket options: asked of a socket of the same kind, made for the purpose. */
import type { Over } from '../make/serve/kind.ts';
import { madeOf } from '../reactor/options-made.ts';
import type { SocketWishes } from '../reactor/reactor.ts';
import { SOCKET_OPTIONS } from '../reactor/socket-options.ts';

export interface OptionMade {
  readonly name: string;
  readonly asked: number;
  readonly made: number;
  readonly what: string;
}

export function optionsAsMade(wishes: SocketWishes, over: Over): OptionMade[] {
  const made = madeOf(wishes, over === 'udp' || over === 'unix-dgram' ? 'udp' : over);
  return Object.entries(wishes).map(([name, asked]) => ({
    name,
    asked,
    made: made[name] ?? asked,
    what: SOCKET_OPTIONS.find((option) => option.name === name)?.what ?? '',
  }));
}

export function optionLines(options: readonly OptionMade[]): string[] {
  return options.map(({ name, asked, made, what }) => {
    const as =
      made === asked ? 'as asked' : made < 0 ? 'not for this kind of socket' : `the kernel made it ${made}`;
    return `  ${name}=${asked}: ${as}. ${what}`;
  });
}
