/** A byte buffer that grows. The owner writes `bytes[0, length)` out and sets `length` to 0 to use it again. */
export interface Out {
  bytes: Uint8Array;
  length: number;
}

export function emptyOut(capacity = 4096): Out {
  return { bytes: new Uint8Array(capacity), length: 0 };
}

/** After this, `bytes` has room for `more` bytes behind `length`. */
export function reserve(out: Out, more: number): void {
  const needed = out.length + more;
  if (needed > out.bytes.length) {
    grow(out, needed);
  }
}

function grow(out: Out, needed: number): void {
  const bytes = new Uint8Array(Math.max(needed, 2 * out.bytes.length));
  bytes.set(out.bytes.subarray(0, out.length));
  out.bytes = bytes;
}

const encoder = new TextEncoder();
const SHORT = 64;

/**
 * Appends `text` as UTF-8, at most `limit` bytes of it (whole characters only), and says how many bytes that were.
 * Short ASCII is written by hand: a TextEncoder costs more than the text.
 */
export function putText(out: Out, text: string, limit: number): number {
  reserve(out, 3 * text.length);
  const { bytes, length: at } = out;
  if (text.length <= SHORT && text.length <= limit) {
    let i = 0;
    for (; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        break;
      }
      bytes[at + i] = code;
    }
    if (i === text.length) {
      out.length = at + i;
      return i;
    }
  }
  const room = Math.min(limit, 3 * text.length);
  const { written } = encoder.encodeInto(text, bytes.subarray(at, at + room));
  out.length = at + written;
  return written;
}
