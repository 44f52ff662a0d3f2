/** Reading inside one DNS message, never beyond its end. A reader that has met something impossible stays `bad`. */
import { hexText } from './lines-shown.ts';

/** RFC 1035 section 2.3.4. */
const LONGEST_NAME = 255;
/** Pointers followed in one name: 127 labels cannot need more. */
const MAX_JUMPS = 128;

export interface Reader {
  readonly bytes: Uint8Array;
  /** The message: where compression points into. */
  readonly start: number;
  readonly messageEnd: number;
  at: number;
  /** What is read now ends here: the message, or one record's data. */
  end: number;
  bad: boolean;
}

export function readerAt(bytes: Uint8Array, start: number, end: number, at: number): Reader {
  return { bytes, start, messageEnd: end, at, end, bad: false };
}

export function u8(reader: Reader): number {
  if (reader.at + 1 > reader.end) {
    reader.bad = true;
    return 0;
  }
  return reader.bytes[reader.at++]!;
}

export function u16(reader: Reader): number {
  return (u8(reader) << 8) | u8(reader);
}

export function u32(reader: Reader): number {
  return u16(reader) * 65536 + u16(reader);
}

/** `count` bytes from the position this returns; 0 and bad when there are fewer. */
export function take(reader: Reader, count: number): number {
  const { at } = reader;
  if (count > reader.end - at) {
    reader.bad = true;
    return 0;
  }
  reader.at = at + count;
  return at;
}

export function hex(reader: Reader, count: number): string {
  const at = take(reader, count);
  return reader.bad ? '' : hexText(reader.bytes, at, at + count);
}

export function base64(reader: Reader, count: number): string {
  const at = take(reader, count);
  let binary = '';
  if (!reader.bad) {
    for (let i = at; i < at + count; i++) {
      binary += String.fromCharCode(reader.bytes[i]!);
    }
  }
  return btoa(binary);
}

export const rest = (reader: Reader): number => Math.max(0, reader.end - reader.at);

/** Passes a name by without making text of it; pointers are not followed. */
export function skipName(reader: Reader): void {
  for (let length = 0; ; ) {
    const byte = u8(reader);
    if (reader.bad || byte === 0) {
      return;
    }
    if (byte >= 0xc0) {
      u8(reader);
      return;
    }
    length += byte + 1;
    if (byte > 63 || length > LONGEST_NAME) {
      reader.bad = true;
      return;
    }
    take(reader, byte);
  }
}

/**
 * A name as text, without the dot at its end. A pointer must lead to bytes before the label sequence it stands in
 * (RFC 1035 section 4.1.4 "prior occurrence"): so no chain of them can be endless.
 */
export function name(reader: Reader): string {
  const { bytes, start } = reader;
  let at = reader.at;
  let end = reader.end;
  let sequence = at;
  let jumps = 0;
  let length = 0;
  let text = '';
  for (;;) {
    if (at >= end) {
      reader.bad = true;
      return text;
    }
    const byte = bytes[at]!;
    if (byte >= 0xc0) {
      const target = start + (((byte & 0x3f) << 8) | (bytes[at + 1] ?? 0));
      if (at + 2 > end || target >= sequence || jumps >= MAX_JUMPS) {
        reader.bad = true;
        return text;
      }
      if (jumps++ === 0) {
        reader.at = at + 2;
      }
      end = reader.messageEnd;
      sequence = target;
      at = target;
      continue;
    }
    length += byte + 1;
    if (byte > 63 || length > LONGEST_NAME || at + 1 + byte > end) {
      reader.bad = true;
      return text;
    }
    if (byte === 0) {
      if (jumps === 0) {
        reader.at = at + 1;
      }
      return text === '' ? '.' : text;
    }
    text += `${text === '' ? '' : '.'}${escaped(bytes, at + 1, at + 1 + byte, 46)}`;
    at += 1 + byte;
  }
}

const strict = new TextDecoder('utf-8', { fatal: true });

/** RFC 1035 section 5.1 escapes; but UTF-8, of which mDNS names are full (RFC 6762 section 16), stays readable. */
function escaped(bytes: Uint8Array, from: number, to: number, mark: number): string {
  let text = '';
  let beyond = false;
  let control = false;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === mark || byte === 92) {
      text += `\\${String.fromCharCode(byte)}`;
    } else if (byte > 31 && byte < 127) {
      text += String.fromCharCode(byte);
    } else {
      beyond ||= byte > 127;
      control ||= byte <= 127;
      text += `\\${String(byte).padStart(3, '0')}`;
    }
  }
  if (!beyond || control) {
    return text;
  }
  try {
    const marked = mark === 46 ? /[.\\]/g : /["\\]/g;
    return strict.decode(bytes.subarray(from, to)).replace(marked, '\\$&');
  } catch {
    return text;
  }
}

/** `"…"` of a string with a length byte before it. */
export function characterString(reader: Reader): string {
  const length = u8(reader);
  const at = take(reader, length);
  return reader.bad ? '""' : quoted(reader.bytes, at, at + length);
}

export function quoted(bytes: Uint8Array, from: number, to: number): string {
  return `"${escaped(bytes, from, to, 34)}"`;
}
