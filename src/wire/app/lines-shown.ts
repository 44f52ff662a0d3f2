/** Bytes of any kind as text that a person reads: UTF-8 where they are that, escaped where they are not. */
import { shortened, text } from './text.ts';

const strict = new TextDecoder('utf-8', { fatal: true });
/** Escapes are four characters a byte: of what is not text, this much is enough to tell what it is. */
const BINARY_SHOWN = 1024;

/** bytes[from, to) as UTF-8, or byte by byte with `\xNN`; at most `limit` bytes of it, then `…`. */
export function shown(bytes: Uint8Array, from: number, to: number, limit = 16384): string {
  const cut = to - from > limit;
  const end = cut ? wholeCharacters(bytes, from, from + limit) : to;
  const plain = utf8(bytes, from, end);
  if (plain !== null) {
    return cut ? `${plain}…` : plain;
  }
  const last = Math.min(end, from + BINARY_SHOWN);
  return escapedBytes(bytes, from, last) + (cut || last < end ? '…' : '');
}

/** As text, or null when the bytes are not UTF-8 or hold control characters that no text has. */
function utf8(bytes: Uint8Array, from: number, to: number): string | null {
  let ascii = true;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte > 127) {
      ascii = false;
    } else if (byte < 32 && byte !== 10 && byte !== 13 && byte !== 9 && byte !== 27) {
      return null;
    }
  }
  if (ascii) {
    return text(bytes, from, to);
  }
  try {
    return strict.decode(bytes.subarray(from, to));
  } catch {
    return null;
  }
}

/** The last place at or before `end` where no character is cut in two. */
function wholeCharacters(bytes: Uint8Array, from: number, end: number): number {
  let at = end;
  while (at > from && end - at < 4 && (bytes[at]! & 0xc0) === 0x80) {
    at--;
  }
  return at;
}

export function escapedBytes(bytes: Uint8Array, from: number, to: number): string {
  let out = '';
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === 92) {
      out += '\\\\';
    } else if (byte >= 32 && byte < 127) {
      out += String.fromCharCode(byte);
    } else {
      out += `\\x${hexByte(byte)}`;
    }
  }
  return out;
}

export function hexByte(byte: number): string {
  return (byte < 16 ? '0' : '') + byte.toString(16);
}

export function hexText(bytes: Uint8Array, from: number, to: number): string {
  let out = '';
  for (let i = from; i < to; i++) {
    out += hexByte(bytes[i]!);
  }
  return out;
}

/** One line without control characters, at most `limit` long. */
export function oneLine(value: string, limit = 200): string {
  const start = value.length > limit ? value.slice(0, limit + 1) : value;
  return shortened(start.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escapedCharacter), limit);
}

function escapedCharacter(character: string): string {
  switch (character) {
    case '\n':
      return '\\n';
    case '\r':
      return '\\r';
    case '\t':
      return '\\t';
    default: {
      const code = character.codePointAt(0)!;
      return code < 256 ? `\\x${hexByte(code)}` : `\\u{${code.toString(16)}}`;
    }
  }
}
