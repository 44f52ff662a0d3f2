/** Finds the ends of HTTP/1 answers in a stream, wherever its bytes are cut (RFC 9112 section 6.3). */
import { type Head, headEnd, mayBeHead, readHead } from './http-head.ts';
import { NOT_THIS_PROTOCOL, type Recogniser } from './kind.ts';

const LARGEST_HEAD = 256 * 1024;
const FIRST_HOLD = 1024;
const LARGEST_CHUNK = 2 ** 50;
const LINE_FEED = 10;

const HEAD = 0;
const BODY = 1;
const CHUNK_SIZE = 2;
const CHUNK_REST_OF_LINE = 3;
const CHUNK_DATA = 4;
const CHUNK_END = 5;
const TRAILER = 6;
const UNTIL_CLOSE = 7;

/**
 * Most answers of one run have the same head, byte for byte, until the clock in `Date` moves on. It is compared with the last one that
 * was read, and read anew when one byte differs. Shared by all connections of a thread.
 */
const last: { bytes: Uint8Array; length: number; head: Head } = {
  bytes: new Uint8Array(FIRST_HOLD),
  length: 0,
  head: { status: 0, length: -1, chunked: false, close: false },
};

/** Behind the head when it is the last one again, otherwise -1. */
function sameAsLast(bytes: Uint8Array, from: number, to: number): number {
  const { bytes: known, length } = last;
  if (length === 0 || to - from < length) {
    return -1;
  }
  for (let index = 0; index < length; index++) {
    if (bytes[from + index] !== known[index]) {
      return -1;
    }
  }
  return from + length;
}

function remember(bytes: Uint8Array, from: number, to: number): boolean {
  last.length = 0;
  if (!readHead(bytes, from, to, last.head)) {
    return false;
  }
  if (last.bytes.length < to - from) {
    last.bytes = new Uint8Array((to - from) * 2);
  }
  last.bytes.set(bytes.subarray(from, to));
  last.length = to - from;
  return true;
}

/** `bodyless`: the requests are HEAD, whose answers announce a body that does not come. */
export function httpAnswers(bodyless: boolean): Recogniser {
  let state = HEAD;
  /** Of the body, or of a chunk, still to come. */
  let left = 0;
  let digitsSeen = 0;
  let lineLength = 0;
  /** A head that came in pieces. */
  let held = new Uint8Array(0);
  let heldLength = 0;

  const made = {
    done: false,
    status: 0,
    last: false,

    take(bytes: Uint8Array, from: number, to: number): number {
      made.done = false;
      let at = from;
      while (at < to && !made.done) {
        switch (state) {
          case HEAD:
            at = heldLength === 0 ? wholeHead(bytes, at, to) : moreHead(bytes, at, to);
            if (at < 0) {
              return NOT_THIS_PROTOCOL;
            }
            break;
          case BODY:
          case CHUNK_DATA: {
            const passed = Math.min(left, to - at);
            left -= passed;
            at += passed;
            if (left === 0) {
              if (state === BODY) {
                answered();
              } else {
                state = CHUNK_END;
              }
            }
            break;
          }
          case UNTIL_CLOSE:
            at = to;
            break;
          default:
            if (!framing(bytes[at++]!)) {
              return NOT_THIS_PROTOCOL;
            }
        }
      }
      return at;
    },

    ended(): boolean {
      const was = state === UNTIL_CLOSE;
      if (was) {
        answered();
      }
      return was;
    },

    reset() {
      state = HEAD;
      heldLength = 0;
      made.done = false;
      made.last = false;
    },
  };

  function wholeHead(bytes: Uint8Array, from: number, to: number): number {
    const same = sameAsLast(bytes, from, to);
    if (same > 0) {
      return afterHead(same);
    }
    const end = headEnd(bytes, from, to);
    if (end > 0) {
      return remember(bytes, from, end) ? afterHead(end) : NOT_THIS_PROTOCOL;
    }
    return hold(bytes, from, to);
  }

  function moreHead(bytes: Uint8Array, from: number, to: number): number {
    const before = heldLength;
    const took = hold(bytes, from, to);
    if (took < 0) {
      return took;
    }
    // The empty line may have begun in what came earlier.
    const end = headEnd(held, Math.max(0, before - 3), heldLength);
    if (end < 0) {
      return to;
    }
    heldLength = 0;
    return remember(held, 0, end) ? afterHead(from + end - before) : NOT_THIS_PROTOCOL;
  }

  function hold(bytes: Uint8Array, from: number, to: number): number {
    const length = heldLength + to - from;
    if (length > LARGEST_HEAD) {
      return NOT_THIS_PROTOCOL;
    }
    if (held.length < length) {
      const larger = new Uint8Array(Math.max(FIRST_HOLD, length * 2));
      larger.set(held.subarray(0, heldLength));
      held = larger;
    }
    held.set(bytes.subarray(from, to), heldLength);
    heldLength = length;
    // Another protocol may never send the empty line that is waited for.
    return mayBeHead(held, heldLength) ? to : NOT_THIS_PROTOCOL;
  }

  function afterHead(at: number): number {
    const { status, length, chunked, close } = last.head;
    if (status < 200 && status !== 101) {
      // An interim answer; the real one follows.
      return at;
    }
    made.status = status;
    made.last = close;
    if (bodyless || status === 204 || status === 304 || status === 101) {
      answered();
    } else if (chunked) {
      beginChunk();
    } else if (length === 0) {
      answered();
    } else if (length > 0) {
      left = length;
      state = BODY;
    } else {
      made.last = true;
      state = UNTIL_CLOSE;
    }
    return at;
  }

  function beginChunk(): void {
    state = CHUNK_SIZE;
    left = 0;
    digitsSeen = 0;
  }

  /** One byte between chunks. */
  function framing(byte: number): boolean {
    switch (state) {
      case CHUNK_SIZE: {
        const digit = hexDigit(byte);
        if (digit >= 0) {
          left = left * 16 + digit;
          digitsSeen++;
          return left < LARGEST_CHUNK;
        }
        if (digitsSeen === 0) {
          return false;
        }
        state = CHUNK_REST_OF_LINE;
        return byte === LINE_FEED ? sizeEnded() : byte === 13 || byte === 0x3b || byte === 0x20 || byte === 9;
      }
      case CHUNK_REST_OF_LINE:
        return byte === LINE_FEED ? sizeEnded() : true;
      case CHUNK_END:
        if (byte === LINE_FEED) {
          beginChunk();
        }
        return byte === LINE_FEED || byte === 13;
      default:
        if (byte === LINE_FEED) {
          if (lineLength === 0) {
            answered();
          }
          lineLength = 0;
        } else if (byte !== 13) {
          lineLength++;
        }
        return true;
    }
  }

  function sizeEnded(): boolean {
    state = left === 0 ? TRAILER : CHUNK_DATA;
    lineLength = 0;
    return true;
  }

  function answered(): void {
    state = HEAD;
    made.done = true;
  }

  return made;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) {
    return byte - 0x30;
  }
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
