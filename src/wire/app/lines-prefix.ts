/** A body of known length as it comes: its beginning is copied, the rest passed by. */

export const BODY_KEPT = 16 * 1024;

export interface Prefix {
  /** The whole length. */
  readonly size: number;
  left: number;
  readonly kept: Uint8Array;
  /** kept[0, length) is filled. */
  length: number;
}

export function prefixOf(size: number, limit = BODY_KEPT): Prefix {
  return { size, left: size, kept: new Uint8Array(Math.min(size, limit)), length: 0 };
}

/** Takes what there is of the body; how many bytes that was. 0 with `left` above it: the rest may be skipped. */
export function fill(prefix: Prefix, bytes: Uint8Array, from: number, to: number): number {
  const count = Math.min(to - from, prefix.kept.length - prefix.length);
  if (count > 0) {
    prefix.kept.set(bytes.subarray(from, from + count), prefix.length);
    prefix.length += count;
    prefix.left -= count;
  }
  return Math.max(0, count);
}

/** Nothing more of it is copied, but it goes on. */
export function isFull(prefix: Prefix): boolean {
  return prefix.left > 0 && prefix.length === prefix.kept.length;
}
