/** The pieces of RESP's framing: lengths, line ends, and lines that are what their first byte says. */
import { find } from './text.ts';

/** `scan.number` of `$?` and `*?`: as many as there are until a mark. */
export const UNTIL_DOT = -1;
/** `scan.number` of `$-1` and `*-1`. */
export const NULL = -3;
/** More digits than 2^53 has are nobody's length. */
const MAX_DIGITS = 15;

/** The number before CR LF into `scan.number`; the position behind, -1 for more bytes, -2 for not a number. */
export function header(bytes: Uint8Array, from: number, to: number, scan: { number: number }): number {
  let at = from;
  let number = 0;
  const first = at < to ? bytes[at]! : 0;
  if (first === 63) {
    number = UNTIL_DOT;
    at++;
  } else if (first === 45) {
    if (at + 1 < to && bytes[at + 1] !== 49) {
      return -2;
    }
    number = NULL;
    at += 2;
  } else {
    for (; at < to; at++) {
      const digit = bytes[at]! - 48;
      if (digit < 0 || digit > 9) {
        break;
      }
      number = number * 10 + digit;
    }
    if ((at === from && at < to) || at - from > MAX_DIGITS) {
      return -2;
    }
  }
  if ((at < to && bytes[at] !== 13) || (at + 1 < to && bytes[at + 1] !== 10)) {
    return -2;
  }
  scan.number = number;
  return at + 2 <= to ? at + 2 : -1;
}

export function lineFeed(bytes: Uint8Array, from: number, to: number): number {
  return find(bytes, 10, from, to);
}

/** Numbers, nulls and booleans say what they are; text may be anything. */
export function plausible(bytes: Uint8Array, at: number, end: number): boolean {
  switch (bytes[at]) {
    case 58:
    case 40: {
      const sign = bytes[at + 1] === 45 || bytes[at + 1] === 43 ? 1 : 0;
      for (let i = at + 1 + sign; i < end; i++) {
        if (bytes[i]! < 48 || bytes[i]! > 57) {
          return false;
        }
      }
      return end > at + 1 + sign;
    }
    case 95:
      return end === at + 1;
    case 35:
      return end === at + 2 && (bytes[at + 1] === 116 || bytes[at + 1] === 102);
    default:
      return true;
  }
}
