/**
 * Where a RESP value ends (RESP2 and RESP3, redis.io/docs/reference/protocol-spec), across any number of calls. Values up to
 * DIRECT_MAX are buffered by the caller and read where they lie. What is larger is consumed as it comes, and a bounded copy of
 * it kept: the same bytes, with long strings cut to BODY_KEPT.
 */

import { header, lineFeed, NULL, plausible, UNTIL_DOT } from './redis-header.ts';
import { find } from './text.ts';

export const BODY_KEPT = 16 * 1024;
/** The copy of a large value, and as much of any value as `fields` looks at. */
export const KEPT_MAX = 64 * 1024;
const DIRECT_MAX = 64 * 1024;
/** Of a long line: its first byte, and one byte more than is shown, which says that it was cut. */
const LINE_KEPT = BODY_KEPT + 2;
const LONGEST_NUMBER = 4096;
/** Aggregates within aggregates. */
export const MAX_DEPTH = 128;

export const DONE = 0;
export const MORE = 1;
export const SKIP = 2;
export const BAD = 3;
export type Outcome = typeof DONE | typeof MORE | typeof SKIP | typeof BAD;

/** Frames on the stack count elements; this one, and UNTIL_DOT, end by a mark of their own. */
const UNTIL_EMPTY_CHUNK = -2;

export interface Scan {
  /** Requests are arrays of bulk strings, nothing else. */
  readonly requests: boolean;
  /** Position of the next element, from the first byte not consumed. */
  at: number;
  /** No line end lies before this position. */
  searched: number;
  readonly stack: number[];
  /** The first byte of the value itself, behind its attributes. */
  type: number;
  attributes: boolean;
  /** What was consumed of this value already, and the copy of it; null: it lies whole where it is read. */
  taken: number;
  kept: Uint8Array | null;
  keptLength: number;
  /** Of a long string: payload still to come, payload still to be copied; -1 outside one. */
  blobLeft: number;
  blobKeep: number;
  /** Of a long line: bytes still to be copied; -1 outside one. */
  lineKeep: number;
  /** Answers: how far the bytes are consumed, how many bytes to wait for or to skip, what is wrong. */
  end: number;
  wanted: number;
  why: string;
  number: number;
}

export function newScan(requests: boolean): Scan {
  return {
    requests,
    at: 0,
    searched: 0,
    stack: [],
    type: 0,
    attributes: false,
    taken: 0,
    kept: null,
    keptLength: 0,
    blobLeft: -1,
    blobKeep: 0,
    lineKeep: -1,
    end: 0,
    wanted: 0,
    why: '',
    number: 0,
  };
}

/** Ready for the next value. */
export function restart(scan: Scan): void {
  scan.at = 0;
  scan.searched = 0;
  scan.type = 0;
  scan.attributes = false;
  scan.taken = 0;
  scan.kept = null;
  scan.keptLength = 0;
}

/** Goes on with the value that begins (or continues) at `from`. `scan.end` is behind what was consumed of it. */
export function advance(bytes: Uint8Array, from: number, to: number, scan: Scan): Outcome {
  let next = from;
  for (;;) {
    if (scan.blobLeft >= 0) {
      const outcome = passBlob(bytes, next, to, scan);
      if (outcome !== DONE) {
        return outcome;
      }
      next = scan.end;
      if (leaf(scan)) {
        return DONE;
      }
    } else if (scan.lineKeep >= 0) {
      if (!passLine(bytes, next, to, scan)) {
        return MORE;
      }
      next = scan.end;
      if (leaf(scan)) {
        return DONE;
      }
    }
    const outcome = elements(bytes, next, to, scan);
    if (outcome === DONE && scan.kept !== null) {
      flush(bytes, next, scan.end, scan);
      return DONE;
    }
    if (outcome !== MORE) {
      return outcome;
    }
    if (scan.kept === null && scan.blobLeft < 0 && scan.lineKeep < 0 && scan.at <= DIRECT_MAX) {
      scan.end = next;
      return MORE;
    }
    // A large value: what is complete of it is copied and given back.
    scan.kept ??= new Uint8Array(2 * BODY_KEPT);
    flush(bytes, next, next + scan.at, scan);
    next += scan.at;
    scan.searched = Math.max(0, scan.searched - scan.at);
    scan.at = 0;
    scan.end = next;
    if (scan.blobLeft < 0 && scan.lineKeep < 0) {
      return MORE;
    }
  }
}

/** Elements from `scan.at` on. MORE also says that a long string or line begins at `scan.at`. */
function elements(bytes: Uint8Array, from: number, to: number, scan: Scan): Outcome {
  const { stack } = scan;
  let at = from + scan.at;
  for (;;) {
    if (at >= to) {
      return wait(scan, at - from, to - from + 1);
    }
    const type = bytes[at]!;
    if (stack.length === 0) {
      scan.type = type;
      scan.attributes = type === 124;
    } else if (scan.attributes && stack.length === 1 && stack[0] === 1) {
      scan.type = type;
    }
    if (type !== 59 && stack.length > 0 && stack[stack.length - 1] === UNTIL_EMPTY_CHUNK) {
      return bad(scan, at, 'a streamed string holds chunks only');
    }
    if (scan.requests && type !== (stack.length === 0 ? 42 : 36)) {
      return bad(scan, at, stack.length === 0 ? 'no command begins here' : 'a command holds strings only');
    }
    let ends = false;
    switch (type) {
      case 36: // $
      case 61: // =
      case 33: // !
      case 59: {
        // ; a chunk of a streamed string
        const after = header(bytes, at + 1, to, scan);
        if (after < 0) {
          return after === -1 ? wait(scan, at - from, to - from + 1) : bad(scan, at, 'no length');
        }
        const length = scan.number;
        if (type === 59) {
          if (stack.at(-1) !== UNTIL_EMPTY_CHUNK) {
            return bad(scan, at, 'a chunk outside a streamed string');
          }
          if (length === 0) {
            stack.pop();
            at = after;
            ends = true;
            break;
          }
        }
        if (length === UNTIL_DOT && type === 36) {
          stack.push(UNTIL_EMPTY_CHUNK);
          at = after;
          break;
        }
        if (length === NULL && type !== 59) {
          at = after;
          ends = true;
          break;
        }
        if (length < 0) {
          return bad(scan, at, 'no length');
        }
        const end = after + length + 2;
        // Inside an aggregate of which more is to come, a long string could not be cut any more when the copy begins.
        if (length > BODY_KEPT && (end > to || stack.length > 0)) {
          scan.blobLeft = length;
          scan.blobKeep = BODY_KEPT;
          scan.at = after - from;
          return MORE;
        }
        if (end > to) {
          return wait(scan, at - from, end - from);
        }
        if (bytes[end - 2] !== 13 || bytes[end - 1] !== 10) {
          return bad(scan, end - 2, 'a string does not end where its length says');
        }
        at = end;
        ends = type !== 59;
        break;
      }
      case 42: // *
      case 126: // ~
      case 62: // >
      case 37: // %
      case 124: {
        // |
        const after = header(bytes, at + 1, to, scan);
        if (after < 0) {
          return after === -1 ? wait(scan, at - from, to - from + 1) : bad(scan, at, 'no count');
        }
        at = after;
        if (scan.number === NULL || (scan.number === 0 && type !== 124)) {
          ends = true;
          break;
        }
        if (stack.length >= MAX_DEPTH) {
          return bad(scan, at, `nested deeper than ${MAX_DEPTH}`);
        }
        // An attribute is one more aggregate whose last element is the value it speaks of.
        const count = scan.number;
        stack.push(count < 0 ? UNTIL_DOT : type === 37 ? 2 * count : type === 124 ? 2 * count + 1 : count);
        break;
      }
      case 46: // .
        if (at + 3 > to) {
          return wait(scan, at - from, at + 3 - from);
        }
        if (stack.at(-1) !== UNTIL_DOT || bytes[at + 1] !== 13 || bytes[at + 2] !== 10) {
          return bad(scan, at, 'the end of an aggregate that was not begun');
        }
        stack.pop();
        at += 3;
        ends = true;
        break;
      case 43: // +
      case 45: // -
      case 58: // :
      case 44: // ,
      case 40: // (
      case 95: // _
      case 35: {
        // #
        const end = lineFeed(bytes, Math.max(at + 1, from + scan.searched), to);
        const length = (end < 0 ? to : end) - at;
        const text = type === 43 || type === 45;
        if (!text && length > LONGEST_NUMBER) {
          return bad(scan, at, 'a number of more digits than anybody writes');
        }
        if (end < 0 ? length > DIRECT_MAX : length > LINE_KEPT && stack.length > 0) {
          scan.lineKeep = LINE_KEPT;
          scan.at = at - from;
          return MORE;
        }
        if (end < 0) {
          scan.searched = to - from;
          return wait(scan, at - from, to - from + 1);
        }
        // A long line may have been passed by in pieces, its last byte but one unseen: it need not be CR.
        if (length <= LINE_KEPT && (bytes[end - 1] !== 13 || !plausible(bytes, at, end - 1))) {
          return bad(scan, at, 'a line that is not what its first byte says');
        }
        at = end + 1;
        ends = true;
        break;
      }
      default:
        return bad(scan, at, 'no value begins here');
    }
    scan.at = at - from;
    if (ends && leaf(scan)) {
      scan.end = at;
      return DONE;
    }
  }
}

function wait(scan: Scan, at: number, wanted: number): Outcome {
  scan.at = at;
  scan.wanted = wanted;
  return MORE;
}

function bad(scan: Scan, at: number, why: string): Outcome {
  scan.end = at;
  scan.why = why;
  scan.stack.length = 0;
  return BAD;
}

/** One element is complete; true when the whole value is. */
function leaf(scan: Scan): boolean {
  const { stack } = scan;
  for (let top = stack.length - 1; top >= 0; top--) {
    const left = stack[top]!;
    if (left < 0) {
      return false;
    }
    if (left > 1) {
      stack[top] = left - 1;
      return false;
    }
    stack.pop();
  }
  return true;
}

/** The payload of a long string: its beginning is copied, the rest skipped, and its CR LF checked. */
function passBlob(bytes: Uint8Array, from: number, to: number, scan: Scan): Outcome {
  let next = from;
  if (scan.blobKeep > 0) {
    const count = Math.min(scan.blobKeep, to - next);
    flush(bytes, next, next + count, scan);
    scan.blobKeep -= count;
    scan.blobLeft -= count;
    next += count;
    if (scan.blobKeep > 0 || count > 0) {
      // What was copied is given back before anything is skipped.
      scan.end = next;
      scan.wanted = 1;
      return MORE;
    }
  }
  scan.end = next;
  if (scan.blobLeft > 0) {
    scan.wanted = scan.blobLeft;
    scan.taken += scan.blobLeft;
    scan.blobLeft = 0;
    return SKIP;
  }
  if (to - next < 2) {
    scan.wanted = 2;
    return MORE;
  }
  if (bytes[next] !== 13 || bytes[next + 1] !== 10) {
    scan.blobLeft = -1;
    return bad(scan, next, 'a string does not end where its length says');
  }
  flush(bytes, next, next + 2, scan);
  scan.end = next + 2;
  scan.blobLeft = -1;
  return DONE;
}

/** A line of no known length; true at its end. */
function passLine(bytes: Uint8Array, from: number, to: number, scan: Scan): boolean {
  const found = find(bytes, 10, from, to);
  const ended = found >= 0;
  const end = ended ? found + 1 : to;
  const copied = Math.min(scan.lineKeep, end - from);
  flush(bytes, from, from + copied, scan);
  scan.lineKeep -= copied;
  scan.taken += end - from - copied;
  scan.end = end;
  scan.wanted = 1;
  if (ended) {
    append(scan, CRLF, 0, 2);
    scan.lineKeep = -1;
  }
  return ended;
}

const CRLF = Uint8Array.of(13, 10);

function flush(bytes: Uint8Array, from: number, to: number, scan: Scan): void {
  scan.taken += to - from;
  append(scan, bytes, from, to);
}

function append(scan: Scan, bytes: Uint8Array, from: number, to: number): void {
  let kept = scan.kept!;
  const count = Math.min(to - from, KEPT_MAX - scan.keptLength);
  if (count <= 0) {
    return;
  }
  if (scan.keptLength + count > kept.length) {
    kept = new Uint8Array(KEPT_MAX);
    kept.set(scan.kept!.subarray(0, scan.keptLength));
    scan.kept = kept;
  }
  kept.set(bytes.subarray(from, from + count), scan.keptLength);
  scan.keptLength += count;
}
