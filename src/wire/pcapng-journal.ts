/**
 * Entries of the systemd journal in its export format (systemd.io/JOURNAL_EXPORT_FORMATS): `FIELD=value` lines; a value
 * that is not one line of text follows its field's name as a 64-bit little-endian length and the bytes.
 */
import { utf8Text } from './pcapng-options.ts';

const encoder = new TextEncoder();
const NEWLINE = 10;
const EQUALS = 61;
const LENGTH_BYTES = 8;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what makes a value binary.
const NOT_A_LINE = /[\x00-\x08\x0a-\x1f]/;

export type Field = readonly [name: string, value: string];

/** The entry's bytes, with the empty line at its end. Names are made valid: capital letters, digits and `_`. */
export function journalEntry(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of fields) {
    const key = name.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
    if (!NOT_A_LINE.test(value)) {
      parts.push(encoder.encode(`${key}=${value}\n`));
      continue;
    }
    const data = encoder.encode(value);
    const length = new Uint8Array(LENGTH_BYTES);
    new DataView(length.buffer).setUint32(0, data.length, true);
    parts.push(encoder.encode(`${key}\n`), length, data, Uint8Array.of(NEWLINE));
  }
  parts.push(Uint8Array.of(NEWLINE));
  return joined(parts);
}

/** The fields of one entry, up to the empty line or to where the bytes stop making sense. */
export function readJournal(bytes: Uint8Array): [name: string, value: string][] {
  const fields: [string, string][] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end <= at) {
      break;
    }
    const equals = bytes.indexOf(EQUALS, at);
    if (equals >= 0 && equals < end) {
      fields.push([utf8Text(bytes, at, equals), utf8Text(bytes, equals + 1, end)]);
      at = end + 1;
      continue;
    }
    const valueAt = end + 1 + LENGTH_BYTES;
    const length = valueAt <= bytes.length ? lengthAt(bytes, end + 1) : -1;
    if (length < 0 || length > bytes.length - valueAt) {
      break;
    }
    fields.push([utf8Text(bytes, at, end), utf8Text(bytes, valueAt, valueAt + length)]);
    at = valueAt + length + 1;
  }
  return fields;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_BYTES);
  return view.getUint32(4, true) * 0x100000000 + view.getUint32(0, true);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, bytes) => sum + bytes.length, 0));
  let at = 0;
  for (const bytes of parts) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}
