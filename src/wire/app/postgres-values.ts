/** PostgreSQL's values as people read them: by the type's number (pg_type.dat) and the format, text or binary. */
import type { Value } from '../value.ts';
import { type Columns, i32, nameAt, u16, zero } from './postgres-state.ts';
import { text } from './text.ts';

const VALUE_KEPT = 1024;
const COLUMNS_KEPT = 256;
const PARAMETERS_KEPT = 256;

const TYPES = new Map<number, string>([
  [16, 'bool'],
  [17, 'bytea'],
  [18, 'char'],
  [19, 'name'],
  [20, 'int8'],
  [21, 'int2'],
  [23, 'int4'],
  [25, 'text'],
  [26, 'oid'],
  [114, 'json'],
  [142, 'xml'],
  [700, 'float4'],
  [701, 'float8'],
  [705, 'unknown'],
  [790, 'money'],
  [869, 'inet'],
  [1007, 'int4[]'],
  [1009, 'text[]'],
  [1016, 'int8[]'],
  [1042, 'bpchar'],
  [1043, 'varchar'],
  [1082, 'date'],
  [1083, 'time'],
  [1114, 'timestamp'],
  [1184, 'timestamptz'],
  [1186, 'interval'],
  [1700, 'numeric'],
  [2249, 'record'],
  [2278, 'void'],
  [2950, 'uuid'],
  [3802, 'jsonb'],
]);
const POSTGRES_EPOCH = Date.UTC(2000, 0, 1);
const LAST_DATE = 8.64e15;

export function typeName(oid: number): string {
  return TYPES.get(oid) ?? String(oid >>> 0);
}

export function columnsOf(bytes: Uint8Array, from: number, to: number): Columns {
  const total = to - from >= 2 ? u16(bytes, from) : 0;
  const columns: Columns = { names: [], types: [], formats: [], total };
  let at = from + 2;
  for (let i = 0; i < total && i < COLUMNS_KEPT; i++) {
    const end = zero(bytes, at, to);
    if (to - end < 19) {
      break;
    }
    columns.names.push(nameAt(bytes, at, end));
    columns.types.push(i32(bytes, end + 7));
    columns.formats.push(u16(bytes, end + 17));
    at = end + 19;
  }
  return columns;
}

/** A count and that many 16-bit numbers; `after` is where they end, or -1. */
export function formatsAt(
  bytes: Uint8Array,
  from: number,
  to: number,
): { formats: readonly number[]; after: number } {
  if (to - from < 2) {
    return { formats: [], after: -1 };
  }
  const count = u16(bytes, from);
  const after = from + 2 + 2 * count;
  if (after > to) {
    return { formats: [], after: -1 };
  }
  const formats: number[] = [];
  for (let i = 0; i < count && i < COLUMNS_KEPT; i++) {
    formats.push(u16(bytes, from + 2 + 2 * i));
  }
  return { formats, after };
}

/** One format stands for all, none for text (the Bind message's rule). */
function formatOf(formats: readonly number[], index: number): number {
  return formats.length === 1 ? formats[0]! : (formats[index] ?? 0);
}

/** Bind's parameters; `body` is what follows the names. */
export function parametersOf(body: Uint8Array, types: readonly number[]): Value[] {
  const { formats, after } = formatsAt(body, 0, body.length);
  if (after < 0 || body.length - after < 2) {
    return [];
  }
  return valuesAt(body, after, types, formats, PARAMETERS_KEPT);
}

/** Where Bind's result formats begin, or -1 when the body is cut before. */
export function afterParameters(bytes: Uint8Array, from: number, to: number): number {
  const { after } = formatsAt(bytes, from, to);
  if (after < 0 || to - after < 2) {
    return -1;
  }
  let at = after + 2;
  for (let left = u16(bytes, after); left > 0; left--) {
    if (to - at < 4) {
      return -1;
    }
    at += 4 + Math.max(0, i32(bytes, at));
  }
  return at <= to ? at : -1;
}

export function rowOf(body: Uint8Array, columns: Columns | null, formats: readonly number[] | null): Value[] {
  return body.length < 2
    ? []
    : valuesAt(body, 0, columns?.types ?? [], formats ?? columns?.formats ?? [], COLUMNS_KEPT);
}

/** A 16-bit count, then length and bytes of each; -1 is NULL. What is cut off at the end reads as far as it is there. */
function valuesAt(
  body: Uint8Array,
  from: number,
  types: readonly number[],
  formats: readonly number[],
  limit: number,
): Value[] {
  const values: Value[] = [];
  const count = Math.min(limit, u16(body, from));
  let at = from + 2;
  for (let i = 0; i < count && body.length - at >= 4; i++) {
    const length = i32(body, at);
    at += 4;
    if (length < 0) {
      values.push(null);
      continue;
    }
    const end = at + length;
    values.push(
      formatOf(formats, i) === 1
        ? binary(types[i] ?? 0, body, at, Math.min(end, body.length), length)
        : shortText(body, at, Math.min(end, body.length), length),
    );
    if (end > body.length) {
      break;
    }
    at = end;
  }
  return values;
}

function shortText(bytes: Uint8Array, from: number, to: number, length: number): string {
  const shown = Math.min(to, from + VALUE_KEPT);
  return shown - from < length ? `${text(bytes, from, shown)}…` : text(bytes, from, shown);
}

function binary(oid: number, bytes: Uint8Array, from: number, to: number, length: number): Value {
  if (to - from === length) {
    const known = fixed(oid, bytes, from, length);
    if (known !== undefined) {
      return known;
    }
  }
  switch (oid) {
    case 18:
    case 19:
    case 25:
    case 114:
    case 142:
    case 705:
    case 1042:
    case 1043:
      return shortText(bytes, from, to, length);
    case 3802:
      return shortText(bytes, Math.min(from + 1, to), to, length - 1);
    default:
      return length > 16 ? `(${length} bytes)` : `\\x${hex(bytes, from, to)}`;
  }
}

function fixed(oid: number, bytes: Uint8Array, from: number, length: number): Value | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, length);
  switch (oid) {
    case 16:
      return length === 1 ? view.getUint8(0) !== 0 : undefined;
    case 20:
      return length === 8 ? plain(view.getBigInt64(0)) : undefined;
    case 21:
      return length === 2 ? view.getInt16(0) : undefined;
    case 23:
      return length === 4 ? view.getInt32(0) : undefined;
    case 26:
      return length === 4 ? view.getUint32(0) : undefined;
    case 700:
      return length === 4 ? Math.fround(view.getFloat32(0)) : undefined;
    case 701:
      return length === 8 ? view.getFloat64(0) : undefined;
    case 1082:
      return length === 4 ? day(view.getInt32(0)) : undefined;
    case 1114:
    case 1184:
      return length === 8 ? moment(view.getBigInt64(0), oid === 1184) : undefined;
    case 2950:
      return length === 16
        ? hex(bytes, from, from + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
        : undefined;
    default:
      return undefined;
  }
}

function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function day(days: number): string | undefined {
  const ms = POSTGRES_EPOCH + days * 86_400_000;
  return Math.abs(ms) <= LAST_DATE ? new Date(ms).toISOString().slice(0, 10) : undefined;
}

/** Microseconds since 2000; the ends of the range mean infinity and stay hex. */
function moment(micros: bigint, zone: boolean): string | undefined {
  const ms = POSTGRES_EPOCH + Number(micros / 1000n);
  if (Math.abs(ms) > LAST_DATE) {
    return undefined;
  }
  const iso = new Date(ms).toISOString();
  return zone ? iso : iso.slice(0, -1);
}

export function hex(bytes: Uint8Array, from: number, to: number): string {
  let result = '';
  for (let i = from; i < to; i++) {
    result += bytes[i]!.toString(16).padStart(2, '0');
  }
  return result;
}
