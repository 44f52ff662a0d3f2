/** MySQL's values as people read them: rows as text and in binary, parameters, and the definitions of columns. */
import type { Value } from '../value.ts';
import { type Column, type ParameterType, u16, u24, u32 } from './mysql-state.ts';
import { text } from './text.ts';

const VALUE_KEPT = 1024;
const COLUMNS_KEPT = 256;
const NAME_KEPT = 128;
const BINARY_CHARSET = 63;
const UNSIGNED = 32;

/** Reads on from `at`; when the bytes are not enough `bad` is set and everything after is empty. */
export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly to: number;
  bad: boolean;
}

export function reader(bytes: Uint8Array, from: number, to: number): Reader {
  return { bytes, at: from, to, bad: from > to };
}

/** Moves on by `count`; the position before, or -1. */
export function take(from: Reader, count: number): number {
  if (from.bad || from.to - from.at < count) {
    from.bad = true;
    return -1;
  }
  const { at } = from;
  from.at += count;
  return at;
}

export function byte(from: Reader): number {
  const at = take(from, 1);
  return at < 0 ? 0 : from.bytes[at]!;
}

export function short(from: Reader): number {
  const at = take(from, 2);
  return at < 0 ? 0 : u16(from.bytes, at);
}

export function long(from: Reader): number {
  const at = take(from, 4);
  return at < 0 ? 0 : u32(from.bytes, at);
}

/** A length-encoded number; beyond 2^53 it is a bigint. NULL (0xfb) reads as 0. */
export function lenenc(from: Reader): number | bigint {
  const first = byte(from);
  if (first === 0xfc) {
    return short(from);
  }
  if (first === 0xfd) {
    const at = take(from, 3);
    return at < 0 ? 0 : u24(from.bytes, at);
  }
  if (first === 0xfe) {
    const at = take(from, 8);
    if (at < 0) {
      return 0;
    }
    const value = (BigInt(u32(from.bytes, at + 4)) << 32n) | BigInt(u32(from.bytes, at));
    return plain(value);
  }
  return first < 0xfb ? first : 0;
}

/** Where a length-encoded string lies; `end` may be beyond the bytes when they are cut. */
export function lenencSpan(from: Reader): { start: number; end: number; length: number } {
  const length = Number(lenenc(from));
  const start = from.at;
  const end = Math.min(from.to, start + length);
  if (end - start < length) {
    from.bad = true;
  }
  from.at = end;
  return { start, end, length };
}

export function lenencText(from: Reader, limit = VALUE_KEPT): string {
  const { start, end, length } = lenencSpan(from);
  return shown(from.bytes, start, end, length, limit);
}

export function zeroText(from: Reader, limit = VALUE_KEPT): string {
  const start = from.at;
  let end = start;
  while (end < from.to && from.bytes[end] !== 0) {
    end++;
  }
  from.at = Math.min(from.to, end + 1);
  return shown(from.bytes, start, end, end - start, limit);
}

function shown(bytes: Uint8Array, start: number, end: number, length: number, limit: number): string {
  const last = Math.min(end, start + limit);
  return last - start < length ? `${text(bytes, start, last)}…` : text(bytes, start, last);
}

export function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A column definition of protocol 4.1; `extended` with MariaDB's type info behind the names. Null: it does not fit. */
export function columnOf(bytes: Uint8Array, from: number, to: number, extended: boolean): Column | null {
  const definition = reader(bytes, from, to);
  for (let i = 0; i < 4; i++) {
    lenencSpan(definition);
  }
  const name = lenencText(definition, NAME_KEPT);
  lenencSpan(definition);
  if (extended) {
    lenencSpan(definition);
  }
  lenenc(definition);
  const charset = short(definition);
  take(definition, 4);
  const type = byte(definition);
  const flags = short(definition);
  return definition.bad
    ? null
    : { name, type, unsigned: (flags & UNSIGNED) !== 0, binary: charset === BINARY_CHARSET };
}

export function rowOf(body: Uint8Array, columns: readonly Column[], count: number, binary: boolean): Value[] {
  return binary ? binaryRow(body, columns, count) : textRow(body, columns, count);
}

function textRow(body: Uint8Array, columns: readonly Column[], count: number): Value[] {
  const row = reader(body, 0, body.length);
  const values: Value[] = [];
  for (let i = 0; i < count && i < COLUMNS_KEPT && row.at < row.to && !row.bad; i++) {
    if (body[row.at] === 0xfb) {
      row.at++;
      values.push(null);
    } else {
      const { start, end, length } = lenencSpan(row);
      const column = columns[i];
      values.push(
        column !== undefined && isBytes(column)
          ? raw(body, start, end, length)
          : shown(body, start, end, length, VALUE_KEPT),
      );
    }
  }
  return values;
}

/** A header byte, a bitmap of NULLs that begins at bit 2, the values without the NULLs. */
function binaryRow(body: Uint8Array, columns: readonly Column[], count: number): Value[] {
  const bitmap = 1;
  const row = reader(body, bitmap + ((count + 9) >> 3), body.length);
  const values: Value[] = [];
  for (let i = 0; i < count && i < columns.length && !row.bad; i++) {
    const bit = i + 2;
    const column = columns[i]!;
    values.push(
      (body[bitmap + (bit >> 3)]! >> (bit & 7)) & 1
        ? null
        : binaryValue(row, column.type, column.unsigned, isBytes(column)),
    );
  }
  return values;
}

/** Blob and string types of character set 63; numbers and dates have it as well and are not bytes. */
function isBytes({ type, binary }: Column): boolean {
  return binary && ((type >= 249 && type <= 255) || type === 15 || type === 16);
}

/** Parameter types as they stand before the values; `named` with a name behind each (query attributes). */
export function parameterTypesOf(from: Reader, count: number, named: boolean): ParameterType[] {
  const types: ParameterType[] = [];
  for (let i = 0; i < count && !from.bad; i++) {
    const type = byte(from);
    const unsigned = (byte(from) & 0x80) !== 0;
    types.push({ type, unsigned, name: named ? lenencText(from, NAME_KEPT) : '' });
  }
  return types;
}

/** The values; `nulls` is the bitmap that stands before them. Those in `long` were sent ahead. */
export function parameterValues(
  from: Reader,
  nulls: Uint8Array,
  types: readonly ParameterType[],
  sentAhead: ReadonlySet<number>,
): Value[] {
  const values: Value[] = [];
  for (let i = 0; i < types.length && !from.bad; i++) {
    if ((nulls[i >> 3]! >> (i & 7)) & 1) {
      values.push(null);
    } else if (sentAhead.has(i)) {
      values.push('(sent ahead)');
    } else {
      const { type, unsigned } = types[i]!;
      values.push(binaryValue(from, type, unsigned, false));
    }
  }
  return values;
}

function binaryValue(from: Reader, type: number, unsigned: boolean, bytes: boolean): Value {
  switch (type) {
    case 1: {
      const value = byte(from);
      return unsigned ? value : (value << 24) >> 24;
    }
    case 2:
    case 13: {
      const value = short(from);
      return unsigned || type === 13 ? value : (value << 16) >> 16;
    }
    case 3:
    case 9: {
      const value = long(from);
      return unsigned ? value : value | 0;
    }
    case 4: {
      const at = take(from, 4);
      return at < 0 ? null : view(from, at, 4).getFloat32(0, true);
    }
    case 5: {
      const at = take(from, 8);
      return at < 0 ? null : view(from, at, 8).getFloat64(0, true);
    }
    case 6:
      return null;
    case 8: {
      const at = take(from, 8);
      if (at < 0) {
        return null;
      }
      const eight = view(from, at, 8);
      return plain(unsigned ? eight.getBigUint64(0, true) : eight.getBigInt64(0, true));
    }
    case 7:
    case 10:
    case 12:
    case 14:
    case 17:
    case 18:
      return moment(from, type === 10 || type === 14);
    case 11:
    case 19:
      return duration(from);
    default: {
      const { start, end, length } = lenencSpan(from);
      return bytes ? raw(from.bytes, start, end, length) : shown(from.bytes, start, end, length, VALUE_KEPT);
    }
  }
}

function view(from: Reader, at: number, length: number): DataView {
  return new DataView(from.bytes.buffer, from.bytes.byteOffset + at, length);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** 0, 4, 7 or 11 bytes, as much as is not zero. */
function moment(from: Reader, dateOnly: boolean): string {
  const length = byte(from);
  const end = from.at + length;
  const date =
    length >= 4
      ? `${String(short(from)).padStart(4, '0')}-${two(byte(from))}-${two(byte(from))}`
      : '0000-00-00';
  const time = length >= 7 ? `${two(byte(from))}:${two(byte(from))}:${two(byte(from))}` : '00:00:00';
  const micros = length >= 11 ? fraction(long(from)) : '';
  skipTo(from, end);
  return dateOnly ? date : `${date} ${time}${micros}`;
}

/** 0, 8 or 12 bytes: sign, days, time, microseconds. */
function duration(from: Reader): string {
  const length = byte(from);
  const end = from.at + length;
  if (length < 8) {
    skipTo(from, end);
    return '00:00:00';
  }
  const sign = byte(from) === 1 ? '-' : '';
  const hours = long(from) * 24 + byte(from);
  const rest = `${two(byte(from))}:${two(byte(from))}`;
  const micros = length >= 12 ? fraction(long(from)) : '';
  skipTo(from, end);
  return `${sign}${two(hours)}:${rest}${micros}`;
}

function fraction(micros: number): string {
  return micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
}

function skipTo(from: Reader, end: number): void {
  if (end > from.to) {
    from.bad = true;
  } else {
    from.at = end;
  }
}

function raw(bytes: Uint8Array, start: number, end: number, length: number): string {
  return length > 16 ? `(${length} bytes)` : `0x${hex(bytes, start, end)}`;
}

export function hex(bytes: Uint8Array, from: number, to: number): string {
  let result = '';
  for (let i = from; i < to; i++) {
    result += bytes[i]!.toString(16).padStart(2, '0');
  }
  return result;
}
