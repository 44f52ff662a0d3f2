/** The data types of SSH (RFC 4251, section 5), read with offsets. -1 where something does not fit before `to`. */
import { shortened, text } from './text.ts';

/** The most of a text that is shown. */
export const TEXT_SHOWN = 4096;

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Where the string that begins at `at` (its length first) ends. */
export function stringEnd(bytes: Uint8Array, at: number, to: number): number {
  if (at < 0 || to - at < 4) {
    return -1;
  }
  const length = u32(bytes, at);
  return length > to - at - 4 ? -1 : at + 4 + length;
}

/** A string as text, or null. */
export function stringAt(bytes: Uint8Array, at: number, to: number, limit = TEXT_SHOWN): string | null {
  const end = stringEnd(bytes, at, to);
  return end < 0 ? null : shortened(text(bytes, at + 4, Math.min(end, at + 4 + 4 * limit)), limit);
}

/** How many bits the number of an mpint has. */
export function mpintBits(bytes: Uint8Array, at: number, to: number): number {
  const end = stringEnd(bytes, at, to);
  if (end < 0) {
    return -1;
  }
  let first = at + 4;
  while (first < end && bytes[first] === 0) {
    first++;
  }
  return first === end ? 0 : 8 * (end - first) - (Math.clz32(bytes[first]!) - 24);
}
