/**
 * RESP values as plain values. Reads a value where it lies or its bounded copy (redis-scan.ts), and stops at the same place
 * in both: what is beyond KEPT_MAX bytes or MAX_ITEMS elements is `…`.
 */
import type { Value } from '../value.ts';
import { shown } from './lines-shown.ts';
import { BODY_KEPT, KEPT_MAX, MAX_DEPTH } from './redis-scan.ts';
import { find, latin1 } from './text.ts';

const MAX_ITEMS = 1000;
const CUT = '…';
/** Making a bigint of decimal digits takes quadratic time. */
const BIGINT_DIGITS = 400;

export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly to: number;
  /** The bytes are the copy, in which long strings are cut. */
  readonly kept: boolean;
  budget: number;
  items: number;
  cut: boolean;
  /** What attributes said, before the value. */
  attributes: Value;
}

export function readerOf(bytes: Uint8Array, from: number, to: number, kept: boolean): Reader {
  return { bytes, at: from, to, kept, budget: KEPT_MAX, items: MAX_ITEMS, cut: false, attributes: null };
}

/** The next value. The bytes were scanned before: they are well formed, but a copy may end early. */
export function value(reader: Reader, depth = 0): Value {
  const { bytes } = reader;
  const start = reader.at;
  const end = find(bytes, 10, start, reader.to);
  if (reader.cut || end < 0 || depth > MAX_DEPTH || --reader.items < 0) {
    reader.cut = true;
    return CUT;
  }
  const type = bytes[start]!;
  const lineEnd = bytes[end - 1] === 13 ? end - 1 : end;
  const length = lineEnd - start - 1;
  reader.budget -= Math.min(length, BODY_KEPT + 1) + 3;
  if (reader.budget < 0) {
    reader.cut = true;
    return CUT;
  }
  reader.at = end + 1;
  switch (type) {
    case 36:
    case 33:
    case 61:
      return nested(type, depth, blob(reader, type, start + 1, lineEnd));
    case 42:
    case 126:
    case 62:
      return list(reader, count(bytes, start + 1, lineEnd), depth);
    case 37:
      return map(reader, count(bytes, start + 1, lineEnd), depth);
    case 124: {
      const attributes = map(reader, count(bytes, start + 1, lineEnd), depth);
      if (depth === 0) {
        reader.attributes = attributes;
      }
      return value(reader, depth + 1);
    }
    case 58:
      return integer(latin1(bytes, start + 1, lineEnd));
    case 40:
      return big(latin1(bytes, start + 1, lineEnd));
    case 44:
      return double(latin1(bytes, start + 1, lineEnd));
    case 35:
      return bytes[start + 1] === 116;
    case 95:
      return null;
    default:
      return nested(type, depth, shown(bytes, start + 1, lineEnd, BODY_KEPT));
  }
}

/** An error among the results of EXEC would look like a string. */
function nested(type: number, depth: number, text: Value): Value {
  return depth > 0 && (type === 45 || type === 33) ? `(error) ${text as string}` : text;
}

/** -1: null. -2: streamed. */
function count(bytes: Uint8Array, from: number, to: number): number {
  if (bytes[from] === 45) {
    return -1;
  }
  if (bytes[from] === 63) {
    return -2;
  }
  let number = 0;
  for (let i = from; i < to; i++) {
    number = number * 10 + bytes[i]! - 48;
  }
  return number;
}

function blob(reader: Reader, type: number, from: number, lineEnd: number): Value {
  const { bytes } = reader;
  const length = count(bytes, from, lineEnd);
  if (length === -1) {
    return null;
  }
  if (length === -2) {
    return chunks(reader);
  }
  const start = take(reader, length);
  if (start < 0) {
    return CUT;
  }
  const skipped = type === 61 && length >= 4 && bytes[start + 3] === 58 ? 4 : 0;
  return shown(bytes, start + skipped, start + length, BODY_KEPT - skipped);
}

/** Passes a payload and its CR LF; where it began, or -1 when it is beyond what is shown. */
function take(reader: Reader, length: number): number {
  const start = reader.at;
  const shownLength = Math.min(length, BODY_KEPT);
  reader.budget -= shownLength + 2;
  if (reader.budget < 0) {
    reader.cut = true;
    return -1;
  }
  reader.at = start + (reader.kept ? shownLength : length) + 2;
  return start;
}

function chunks(reader: Reader): Value {
  const { bytes } = reader;
  let text = '';
  for (;;) {
    const end = find(bytes, 10, reader.at, reader.to);
    if (end < 0 || --reader.items < 0) {
      reader.cut = true;
      return text + CUT;
    }
    const length = count(bytes, reader.at + 1, end - 1);
    reader.budget -= end - reader.at;
    reader.at = end + 1;
    if (length === 0) {
      return text;
    }
    const start = take(reader, length);
    if (start < 0) {
      return text + CUT;
    }
    // A character may lie across two chunks; that is what the escapes are for.
    text += shown(bytes, start, start + length, BODY_KEPT);
  }
}

function list(reader: Reader, length: number, depth: number): Value {
  if (length === -1) {
    return null;
  }
  const values: Value[] = [];
  for (let i = 0; (length === -2 || i < length) && !ended(reader, length); i++) {
    values.push(value(reader, depth + 1));
    if (reader.cut) {
      break;
    }
  }
  return values;
}

function map(reader: Reader, length: number, depth: number): Value {
  if (length === -1) {
    return null;
  }
  const entries: [string, Value][] = [];
  for (let i = 0; (length === -2 || i < length) && !ended(reader, length); i++) {
    const key = value(reader, depth + 1);
    if (reader.cut) {
      break;
    }
    entries.push([typeof key === 'string' ? key : JSON.stringify(key, withoutBig), value(reader, depth + 1)]);
    if (reader.cut) {
      break;
    }
  }
  // fromEntries defines, it does not assign: a key `__proto__` stays a key.
  return Object.fromEntries(entries);
}

function withoutBig(_key: string, inner: unknown): unknown {
  return typeof inner === 'bigint' ? inner.toString() : inner;
}

/** The mark that ends a streamed aggregate. */
function ended(reader: Reader, length: number): boolean {
  if (length === -2 && reader.at < reader.to && reader.bytes[reader.at] === 46) {
    reader.at += 3;
    return true;
  }
  return false;
}

function integer(digits: string): Value {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : big(digits);
}

function big(digits: string): Value {
  return digits.length > BIGINT_DIGITS ? digits : BigInt(digits.replace(/^\+/, ''));
}

/** JSON has no infinity: those stay words. */
function double(digits: string): Value {
  const number = Number(digits);
  return digits.trim() !== '' && Number.isFinite(number) ? number : digits;
}

/** The position and length of the payload of the first element of an array at `from`, when it is a bulk string. */
export function firstWord(bytes: Uint8Array, from: number, to: number): { start: number; end: number } {
  const header = find(bytes, 10, from, to) + 1;
  if (header <= 0 || header >= to || bytes[header] !== 36) {
    return NO_WORD;
  }
  let length = 0;
  let at = header + 1;
  for (; at < to && bytes[at] !== 13; at++) {
    length = length * 10 + bytes[at]! - 48;
  }
  const start = at + 2;
  return length >= 0 && start + length <= to ? { start, end: start + length } : NO_WORD;
}

const NO_WORD = { start: 0, end: 0 };
