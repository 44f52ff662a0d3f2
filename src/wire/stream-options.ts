/** The options of a SYN that the analysis needs (RFC 9293 section 3.2, RFC 7323 section 2). */

/** RFC 7323 section 2.3: a larger shift count is to be taken as 14. */
const MAX_SCALE = 14;

const END = 0;
const NOP = 1;
const WINDOW_SCALE = 3;

/** The shift count of the window scale option; -1 without one. */
export function windowScale(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at >= 0 && at < to; ) {
    const kind = bytes[at]!;
    if (kind === END) {
      return -1;
    }
    if (kind === NOP) {
      at++;
      continue;
    }
    const length = at + 1 < to ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > to) {
      return -1;
    }
    if (kind === WINDOW_SCALE && length === 3) {
      return Math.min(bytes[at + 2]!, MAX_SCALE);
    }
    at += length;
  }
  return -1;
}
