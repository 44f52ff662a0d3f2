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

const NEAR = 32;

/** The position of `byte` in bytes[from, to), or -1. Never looks beyond `to`: behind it may lie a megabyte of other packets. */
export function find(bytes: Uint8Array, byte: number, from: number, to: number): number {
  const near = Math.min(to, from + NEAR);
  for (let i = from; i < near; i++) {
    if (bytes[i] === byte) {
      return i;
    }
  }
  const at = near < to ? bytes.subarray(near, to).indexOf(byte) : -1;
  return at < 0 ? -1 : near + at;
}

/** The position of `\n` in bytes[from, to), or -1. */
export function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  return find(bytes, 10, from, to);
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
