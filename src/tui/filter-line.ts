/** The filter as it is typed: what it means so far, or where it stops making sense. */
import { type Filter, parseFilter } from '../see/filter/index.ts';
import { type Socket, TCP_STATES } from '../session/socket.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';

export interface FilterProblem {
  /** First character of the fault. */
  at: number;
  text: string;
}

const WORDS = 6;

export function readFilter(text: string): { filter: Filter | null } | { problem: FilterProblem } {
  if (text.trim() === '') {
    return { filter: null };
  }
  const parsed = parseFilter(text);
  if (parsed.ok) {
    return { filter: parsed.filter };
  }
  const { at, message, expected } = parsed;
  const words = expected.slice(0, WORDS).join(', ') + (expected.length > WORDS ? ', …' : '');
  return { problem: { at, text: words === '' ? message : `${message}; possible: ${words}` } };
}

const LAST_WORD = /(?:^|[\s(])([a-z-]+)$/i;

/**
 * The last word may still become a word of the language: `an` on its way to `and` is no program of that name yet.
 * The words are those the parser itself would accept in that place.
 */
export function isUnfinished(text: string): boolean {
  const word = LAST_WORD.exec(text)?.[1]?.toLowerCase();
  if (word === undefined) {
    return false;
  }
  const parsed = parseFilter(`${text.slice(0, -word.length)})`);
  return !parsed.ok && parsed.expected.some((known) => known !== word && known.startsWith(word));
}

/** A filter for one TCP socket, which the kernel itself applies; null where addresses do not identify it. */
export function pinpoint(socket: Socket): Filter | null {
  if (socket.protocol !== 'tcp' || socket.family === 0) {
    return null;
  }
  const { family, local, peer } = socket;
  const parse = family === 4 ? parseIpv4 : parseIpv6;
  const here = parse(local.address);
  const there = parse(peer.address);
  if (here === null || there === null) {
    return null;
  }
  const prefix = family === 4 ? 32 : 128;
  const port = (side: 'local' | 'peer', number: number): Filter => ({
    kind: 'port',
    side,
    from: number,
    to: number,
  });
  const ends: Filter[] = [
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'family', family },
    port('local', local.port),
  ];
  if (socket.accept !== undefined) {
    return { kind: 'and', of: [...ends, { kind: 'state', mask: 1 << TCP_STATES.indexOf('LISTEN') }] };
  }
  return {
    kind: 'and',
    of: [
      ...ends,
      port('peer', peer.port),
      { kind: 'host', side: 'local', family, bytes: here, prefix },
      { kind: 'host', side: 'peer', family, bytes: there, prefix },
    ],
  };
}
