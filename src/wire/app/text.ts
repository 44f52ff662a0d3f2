/** Bytes as text, for what people read. Measured: see SHORT. */

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** Up to here a string is made by hand; from here on a TextDecoder (100 ns, whatever the length) is faster. */
const SHORT = 8;

/** Each byte is one character (ISO 8859-1). */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT) {
    let text = '';
    for (let i = from; i < to; i++) {
      text += String.fromCharCode(bytes[i]!);
    }
    return text;
  }
  let text = '';
  for (let at = from; at < to; at += MOST_ARGUMENTS) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(to, at + MOST_ARGUMENTS)));
  }
  return text;
}

/** A call with more arguments may run out of stack. */
const MOST_ARGUMENTS = 4096;

/** UTF-8; what is not valid becomes U+FFFD. */
export function text(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT) {
    let ascii = '';
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      if (byte > 127) {
        return utf8.decode(bytes.subarray(from, to));
      }
      ascii += String.fromCharCode(byte);
    }
    return ascii;
  }
  return utf8.decode(bytes.subarray(from, to));
}

/** The position of `\n` in bytes[from, to), or -1. */
export function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  const at = bytes.indexOf(10, from);
  return at >= 0 && at < to ? at : -1;
}

/** True when bytes[at…] is `word` in ASCII. */
export function startsWith(bytes: Uint8Array, from: number, to: number, word: string): boolean {
  if (to - from < word.length) {
    return false;
  }
  for (let i = 0; i < word.length; i++) {
    if (bytes[from + i] !== word.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}

/** At most `limit` characters, with `…` where something was cut. */
export function shortened(value: string, limit: number): string {
  return value.length <= limit ? value : `${value.slice(0, limit - 1)}…`;
}
