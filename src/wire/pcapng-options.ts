/** Options of pcapng blocks: code, length, value, padding to four bytes (draft-ietf-opsawg-pcapng section 3.5). */
import { END_OF_OPTIONS } from './pcapng-block-types.ts';

/** More in one block is damage or malice, and each costs memory. */
const MAX_OPTIONS = 65_536;

// A byte order mark is part of what was written; it is not dropped.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function utf8Text(bytes: Uint8Array, from: number, to: number): string {
  return utf8.decode(bytes.subarray(from, to));
}

/** Names that some programs end with a zero byte, as C keeps them. */
export function label(bytes: Uint8Array, from: number, to: number): string {
  let end = to;
  while (end > from && bytes[end - 1] === 0) {
    end--;
  }
  return utf8Text(bytes, from, end);
}

export function padded(length: number): number {
  return (length + 3) & ~3;
}

/**
 * `from` and `to` lie a whole number of words apart. True: all options were read, to their end mark or to `to` (the mark
 * may be left out).
 */
export function eachOption(
  view: DataView,
  from: number,
  to: number,
  little: boolean,
  take: (code: number, from: number, to: number) => void,
): boolean {
  let at = from;
  for (let count = 0; count < MAX_OPTIONS; count++) {
    if (at === to) {
      return true;
    }
    const code = view.getUint16(at, little);
    if (code === END_OF_OPTIONS) {
      return true;
    }
    const valueAt = at + 4;
    const length = view.getUint16(at + 2, little);
    if (length > to - valueAt) {
      return false;
    }
    take(code, valueAt, valueAt + length);
    at = valueAt + padded(length);
  }
  return false;
}

/** An unsigned 64-bit number in the section's byte order, rounded beyond 2^53. */
export function wide(view: DataView, at: number, little: boolean): number {
  const first = view.getUint32(at, little);
  const second = view.getUint32(at + 4, little);
  return little ? second * 0x100000000 + first : first * 0x100000000 + second;
}
