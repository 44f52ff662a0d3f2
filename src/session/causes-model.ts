/** What a cause is, and one connection's events sorted out for those who look for causes. */
import type { Side } from './connection.ts';
import type { Event, Fate, Packet, StateChange, Syscall, TcpFlag } from './events.ts';

/**
 * Read from right to left: `to` was *sent by* `from`, is the *fate of* it, was *woken by* it or *read from* it, *acknowledges* it,
 * *retransmits* it, *answers* it, is an *error from* it, is a *state from* it.
 */
export const WHYS = [
  'sent by',
  'fate of',
  'woken by',
  'read from',
  'acknowledges',
  'retransmits',
  'answers',
  'error from',
  'state from',
] as const;
export type Why = (typeof WHYS)[number];

export interface Cause {
  readonly from: Event;
  readonly to: Event;
  readonly why: Why;
}

/** Stamps of different sources are converted to one clock and may be off by so much. */
export const STAMPS_DIFFER_NS = 1e6;
/** What a call sets off inside the kernel is on the wire by then, unless something holds it up. */
export const SOON_NS = 100e6;

/** A segment that a side's own host sent. Numbers count bytes from the SYN on: 0 is the SYN, 1 the first byte. */
export interface Segment {
  readonly packet: Packet;
  readonly from: Side;
  readonly start: number;
  /** Behind the last byte, SYN and FIN counted. */
  readonly end: number;
  /** Null without ACK, or when the other side's SYN was not seen. */
  readonly ack: number | null;
  /** The one segment before it that had all of its numbers. */
  readonly original: Segment | null;
  /** None of its numbers was sent before, or it has none. */
  readonly isNew: boolean;
}

/** A segment that reached the other side's host: `by` tells when. */
export interface Arrival {
  readonly segment: Segment;
  readonly by: Fate | Packet;
}

export interface End {
  readonly side: Side;
  /** Null when nothing of this side tells. */
  readonly host: string | null;
  readonly calls: readonly Syscall[];
  readonly states: readonly StateChange[];
  /** The side's SYN was seen, so that its bytes can be counted. */
  readonly counted: boolean;
  readonly sent: readonly Segment[];
  readonly arrived: readonly Arrival[];
}

export interface Both {
  readonly client: End;
  readonly server: End;
}

export function other(side: Side): Side {
  return side === 'client' ? 'server' : 'client';
}

export function endOf(call: Syscall): number {
  return call.took === null ? Number.POSITIVE_INFINITY : call.at + call.took;
}

export function has(packet: Packet, ...flags: readonly TcpFlag[]): boolean {
  return flags.every((flag) => packet.flags?.includes(flag) === true);
}

/** Changed on its way: the receiving kernel throws it away. */
export function isDamaged(fate: Fate): boolean {
  return fate.why?.includes('corrupt') === true;
}

/** A word of a call's arguments, alone or in a list or joined by bars: MSG_PEEK, SHUT_WR. */
export function mentions(value: unknown, word: string): boolean {
  if (typeof value === 'string') {
    return value.length < 200 && value.split('|').includes(word);
  }
  return Array.isArray(value) && value.some((one) => mentions(one, word));
}

const WRITERS = new Set(['send', 'sendto', 'sendmsg', 'write', 'writev', 'sendfile', 'sendfile64']);
const READERS = new Set(['recv', 'recvfrom', 'recvmsg', 'read', 'readv']);

export function isWriter({ name }: Syscall): boolean {
  return WRITERS.has(name);
}

export function isReader(call: Syscall): boolean {
  return READERS.has(call.name) && !mentions(call.args, 'MSG_ERRQUEUE');
}

/** Ends the side's own half of the connection, at least. */
export function isCloser({ name, args, result }: Syscall): boolean {
  return (
    result !== -1 &&
    (name === 'close' ||
      (name === 'shutdown' && ['write', 'both', 'SHUT_WR', 'SHUT_RDWR', 1, 2].some((how) => args[1] === how)))
  );
}
