/** One direction of a TCP conversation. Sequence numbers are signed 32-bit: differences wrap by themselves with `| 0`. */
import type { Flow } from './flow.ts';
import type { Kept } from './stream-kept.ts';

/** Window scale: not known because the SYN was not seen, and known not to be used. */
export const SCALE_UNKNOWN = -1;
export const SCALE_NONE = -2;

export class Half {
  readonly flow: Flow;
  readonly side: 0 | 1;

  /** Where relative numbers count from: the SYN's own number, or what precedes the first number seen. */
  based = false;
  base = 0;

  // Reassembly.
  /** `next` is meaningful: the number of the next byte to hand over. */
  started = false;
  next = 0;
  /** The FIN's number, once one was seen. */
  finSeen = false;
  finAt = 0;
  ended = false;
  /** Segments beyond a hole, in order, without overlap. */
  kept: Kept | null = null;
  keptLast: Kept | null = null;
  keptCount = 0;
  keptBytes = 0;
  /** There is a hole before the first kept segment, or before the FIN; and when it was noticed. */
  holed = false;
  holedAt = 0;
  /** The other side has acknowledged more than was handed over; since when, and how far that was noted. */
  ahead = false;
  aheadAt = 0;
  aheadNoted = 0;

  // What it has sent, for the notes.
  sent = false;
  /** One beyond the highest number seen, and when that was sent. */
  highest = 0;
  highestAt = 0;
  /** The last note bits of this direction. */
  lastNotes = 0;
  /** A probe of a closed window is out: one byte at `highest` that does not count as sent until it is acknowledged. */
  probed = false;

  // What it has said of the other direction.
  acked = false;
  lastAck = 0;
  highestAck = 0;
  /** Of its last segment, whatever that was. */
  lastAt = 0;
  dupAcks = 0;
  /** As on the wire, -1 before the first; a SYN's is never scaled (RFC 7323 section 2.2). */
  window = -1;
  windowFromSyn = false;
  scale = SCALE_UNKNOWN;
  /** The furthest right edge it has announced, and the largest window. */
  edgeKnown = false;
  edge = 0;
  largestWindow = 0;

  constructor(flow: Flow, side: 0 | 1) {
    this.flow = flow;
    this.side = side;
  }
}
