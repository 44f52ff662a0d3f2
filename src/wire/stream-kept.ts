/**
 * Segments that came before their turn, per direction, in order and without overlap: of bytes that come twice the first seen
 * count, whatever the second ones say.
 */
import type { Half, Kept } from './flow.ts';

/** What a kept segment costs beside its bytes: tiny segments must not be free. */
export const KEPT_COST = 160;

/** Keeps what is new of a segment beyond `half.next`, `captured` bytes of `length`. Returns how many of its bytes were new. */
export function keep(
  half: Half,
  seq: number,
  length: number,
  bytes: Uint8Array,
  from: number,
  captured: number,
): number {
  const end = (seq + length) | 0;
  let before: Kept | null = null;
  let after = half.kept;
  // Behind a hole the segments come in order: mostly the place is the end.
  if (half.keptLast !== null && ((seq - half.keptLast.end) | 0) >= 0) {
    before = half.keptLast;
    after = null;
  }
  let position = seq;
  let fresh = 0;
  while (((end - position) | 0) > 0) {
    while (after !== null && ((after.end - position) | 0) <= 0) {
      before = after;
      after = after.later;
    }
    const limit: number = after === null || ((end - after.seq) | 0) <= 0 ? end : after.seq;
    const count = (limit - position) | 0;
    if (count > 0) {
      const skipped = (position - seq) | 0;
      const start = from + Math.min(skipped, captured);
      const stop = from + Math.min(skipped + count, captured);
      const piece: Kept = { seq: position, end: limit, bytes: bytes.slice(start, stop), later: after };
      if (before === null) {
        half.kept = piece;
      } else {
        before.later = piece;
      }
      if (after === null) {
        half.keptLast = piece;
      }
      half.keptCount++;
      half.keptBytes += piece.bytes.length + KEPT_COST;
      fresh += count;
      before = piece;
    }
    if (after === null) {
      break;
    }
    position = after.end;
  }
  return fresh;
}

/** Takes the first kept segment off. */
export function takeKept(half: Half): Kept | null {
  const first = half.kept;
  if (first !== null) {
    half.kept = first.later;
    if (first.later === null) {
      half.keptLast = null;
    }
    half.keptCount--;
    half.keptBytes -= first.bytes.length + KEPT_COST;
  }
  return first;
}
