/** The body of an HTTP/1 message as it comes in pieces (RFC 9112 6 and 7): a prefix is kept, the rest only counted. */
import type { Message } from './decoder.ts';
import { type Events, readEvents } from './http1-events.ts';
import { BODY_KEPT } from './http1-fields.ts';
import { type Head, newHead, Warn } from './http1-head.ts';

export const Phase = {
  head: 0,
  /** `remaining` bytes are to come. */
  length: 1,
  untilEnd: 2,
  chunkSize: 3,
  chunkExtension: 4,
  chunkData: 5,
  chunkEnd: 6,
  trailer: 7,
  done: 8,
} as const;

/** 13 hexadecimal digits are 52 bits, which a number holds exactly. */
const MAX_SIZE_DIGITS = 13;
const TRAILER_KEPT = 4096;
const NOTHING = new Uint8Array(0);

/** One direction. */
export interface Lane {
  phase: number;
  readonly head: Head;
  /** A copy of the head, once the message goes on beyond the bytes it was found in. */
  headBytes: Uint8Array;
  /** What is not body: head, chunk sizes, trailers. */
  framing: number;
  /** The body's length as far as it has been announced. */
  length: number;
  remaining: number;
  digits: number;
  lineLength: number;
  kept: Uint8Array;
  keptLength: number;
  trailer: Uint8Array;
  trailerLength: number;
  events: Events | null;
  /** The number a reply is paired by; -1: none. */
  pair: number;
  /** The path that events are said to come from. */
  path: string;
  why: string;
}

export function newLane(): Lane {
  return {
    phase: Phase.head,
    head: newHead(),
    headBytes: NOTHING,
    framing: 0,
    length: 0,
    remaining: 0,
    digits: 0,
    lineLength: 0,
    kept: NOTHING,
    keptLength: 0,
    trailer: NOTHING,
    trailerLength: 0,
    events: null,
    pair: -1,
    path: '',
    why: '',
  };
}

/** A body begins; `length` is 0 when it is not known. */
export function beginBody(
  lane: Lane,
  phase: number,
  headBytes: Uint8Array,
  framing: number,
  length: number,
): void {
  lane.phase = phase;
  lane.headBytes = headBytes;
  lane.framing = framing;
  lane.length = length;
  lane.remaining = length;
  lane.digits = 0;
  lane.lineLength = 0;
  lane.kept = length > 0 ? new Uint8Array(Math.min(length, BODY_KEPT)) : NOTHING;
  lane.keptLength = 0;
  lane.trailer = NOTHING;
  lane.trailerLength = 0;
  lane.events = null;
}

/** How many of the next bytes nobody needs to look at. The last byte of a body is not among them: with it the message ends. */
export function skippable(lane: Lane, available: number): number {
  if (lane.keptLength < BODY_KEPT || lane.events !== null || lane.remaining <= available) {
    return 0;
  }
  const rest = lane.phase === Phase.length ? 1 : lane.phase === Phase.chunkData ? 0 : lane.remaining;
  const passed = lane.remaining - rest;
  lane.remaining = rest;
  if (lane.phase === Phase.chunkData) {
    lane.phase = Phase.chunkEnd;
  }
  return passed;
}

/** Where it stopped: at `to`, or behind the body when the phase is `done`, or -1 and `why`. */
export function readBody(
  lane: Lane,
  bytes: Uint8Array,
  from: number,
  to: number,
  messages: Message[],
): number {
  let at = from;
  while (at < to && lane.phase !== Phase.done) {
    switch (lane.phase) {
      case Phase.length:
      case Phase.chunkData: {
        const stop = Math.min(to, at + lane.remaining);
        take(lane, bytes, at, stop, messages);
        lane.remaining -= stop - at;
        at = stop;
        if (lane.remaining === 0) {
          lane.phase = lane.phase === Phase.length ? Phase.done : Phase.chunkEnd;
        }
        break;
      }
      case Phase.untilEnd:
        lane.length += to - at;
        take(lane, bytes, at, to, messages);
        at = to;
        break;
      default: {
        const start = at;
        at = readFraming(lane, bytes, at, to);
        if (at < 0) {
          return -1;
        }
        lane.framing += at - start;
      }
    }
  }
  return at;
}

/** Bytes of framing up to where data begin, or the end of the message. */
function readFraming(lane: Lane, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to) {
    const byte = bytes[at++]!;
    switch (lane.phase) {
      case Phase.chunkSize: {
        const digit = hexadecimal(byte);
        if (digit >= 0 && lane.digits < MAX_SIZE_DIGITS) {
          lane.remaining = lane.remaining * 16 + digit;
          lane.digits++;
          break;
        }
        // RFC 9112 7.1.1: extensions after a semicolon, with white space before it that should not be there.
        if (lane.digits === 0 || (byte !== 10 && byte !== 13 && byte !== 59 && byte !== 32 && byte !== 9)) {
          lane.why = digit >= 0 ? 'a chunk size of too many digits' : 'not a chunk size';
          return -1;
        }
        lane.phase = Phase.chunkExtension;
        lane.lineLength = 0;
        if (byte !== 10) {
          lane.lineLength = byte === 13 ? 1 : 0;
          break;
        }
        if (endOfSize(lane)) {
          return at;
        }
        break;
      }
      case Phase.chunkExtension:
        // lineLength is 1 right behind a CR.
        if (byte !== 10) {
          lane.lineLength = byte === 13 ? 1 : 0;
        } else if (endOfSize(lane)) {
          return at;
        }
        break;
      case Phase.chunkEnd:
        if (byte === 10) {
          lane.phase = Phase.chunkSize;
          lane.head.warnings |= lane.digits === 0 ? Warn.bareLf : 0;
          lane.digits = 0;
        } else if (byte === 13 && lane.digits === 0) {
          lane.digits = 1;
        } else {
          lane.why = 'a chunk that is longer than its size';
          return -1;
        }
        break;
      default:
        keepTrailer(lane, byte);
        if (byte !== 10) {
          lane.lineLength += byte === 13 ? 0 : 1;
        } else if (lane.lineLength === 0) {
          lane.phase = Phase.done;
          return at;
        } else {
          lane.lineLength = 0;
        }
    }
  }
  return at;
}

/** The line with a chunk's size is over. True when data follow. */
function endOfSize(lane: Lane): boolean {
  lane.head.warnings |= lane.lineLength === 0 ? Warn.bareLf : 0;
  lane.digits = 0;
  lane.lineLength = 0;
  if (lane.remaining === 0) {
    lane.phase = Phase.trailer;
    return false;
  }
  lane.length += lane.remaining;
  lane.phase = Phase.chunkData;
  return true;
}

function keepTrailer(lane: Lane, byte: number): void {
  if (lane.trailerLength === lane.trailer.length) {
    if (lane.trailerLength === TRAILER_KEPT) {
      return;
    }
    const larger = new Uint8Array(Math.max(64, Math.min(TRAILER_KEPT, 2 * lane.trailerLength)));
    larger.set(lane.trailer);
    lane.trailer = larger;
  }
  lane.trailer[lane.trailerLength++] = byte;
}

function take(lane: Lane, bytes: Uint8Array, from: number, to: number, messages: Message[]): void {
  if (lane.events !== null) {
    lane.events.bytes += lane.framing;
    lane.framing = 0;
    readEvents(lane.events, bytes, from, to, lane.path, messages);
    return;
  }
  const length = Math.min(to - from, BODY_KEPT - lane.keptLength);
  if (length <= 0) {
    return;
  }
  const total = lane.keptLength + length;
  if (total > lane.kept.length) {
    const larger = new Uint8Array(Math.min(BODY_KEPT, Math.max(total, 2 * lane.kept.length, 512)));
    larger.set(lane.kept.subarray(0, lane.keptLength));
    lane.kept = larger;
  }
  lane.kept.set(bytes.subarray(from, from + length), lane.keptLength);
  lane.keptLength = total;
}

function hexadecimal(byte: number): number {
  if (byte >= 48 && byte <= 57) {
    return byte - 48;
  }
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
