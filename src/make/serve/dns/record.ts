/** The types of records that a zone file may have here, and their fields in order: what is read from files, printed and sent. */
import { parseIpv4, parseIpv6 } from '../../../wire/net/address.ts';
import { type Name, readNameText, unescaped } from './name.ts';

/** A part of a record's data: bytes (a character a byte), or a name, which may be compressed. */
export type Piece = string | { readonly name: Name };

export interface ZoneRecord {
  readonly name: Name;
  readonly type: number;
  readonly ttl: number;
  readonly data: readonly Piece[];
}

export type Field =
  | 'ip4'
  | 'ip6'
  | 'u8'
  | 'u16'
  | 'u32'
  | 'time'
  | 'name'
  /** Letters and digits behind a length byte. */
  | 'tag'
  /** All that is left of the data, without a length. */
  | 'text'
  /** One or more, each behind a length byte. */
  | 'strings';

export interface RecordType {
  readonly code: number;
  readonly fields: readonly Field[];
  /** What each field is, for error messages. */
  readonly words: readonly string[];
  /** Only the types of RFC 1035 may have their names compressed (RFC 3597 section 4). */
  readonly compressed: boolean;
}

function type(
  code: number,
  compressed: boolean,
  ...fields: readonly (readonly [string, Field])[]
): RecordType {
  return { code, compressed, fields: fields.map(([, field]) => field), words: fields.map(([word]) => word) };
}

export const A = 1;
export const NS = 2;
export const CNAME = 5;
export const SOA = 6;
export const MX = 15;
export const AAAA = 28;
export const SRV = 33;

export const RECORD_TYPES: Readonly<Record<string, RecordType>> = {
  A: type(A, false, ['address', 'ip4']),
  AAAA: type(AAAA, false, ['address', 'ip6']),
  CAA: type(257, false, ['flags', 'u8'], ['tag', 'tag'], ['value', 'text']),
  CNAME: type(CNAME, true, ['target', 'name']),
  MX: type(MX, true, ['preference', 'u16'], ['mail server', 'name']),
  NS: type(NS, true, ['server', 'name']),
  PTR: type(12, true, ['name', 'name']),
  SOA: type(
    SOA,
    true,
    ['primary server', 'name'],
    ['mailbox', 'name'],
    ['serial', 'u32'],
    ['refresh', 'time'],
    ['retry', 'time'],
    ['expire', 'time'],
    ['minimum', 'time'],
  ),
  SRV: type(SRV, false, ['priority', 'u16'], ['weight', 'u16'], ['port', 'u16'], ['target', 'name']),
  TXT: type(16, false, ['text', 'strings']),
};

export const BY_CODE: ReadonlyMap<number, readonly [string, RecordType]> = new Map(
  Object.entries(RECORD_TYPES).map(([word, one]) => [one.code, [word, one]]),
);

/** RFC 2181 section 8. */
export const LONGEST_TTL = 2 ** 31 - 1;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `3600`, `1h30m`, `2W`: seconds, or null. */
export function readTime(text: string): number | null {
  if (/^\d{1,10}$/.test(text)) {
    return Number(text) > LONGEST_TTL ? null : Number(text);
  }
  if (!/^(\d{1,10}[smhdw])+$/i.test(text)) {
    return null;
  }
  let sum = 0;
  for (const [, number, unit] of text.toLowerCase().matchAll(/(\d+)([smhdw])/g)) {
    sum += Number(number) * SECONDS[unit!]!;
  }
  return sum > LONGEST_TTL ? null : sum;
}

type Read = Piece | { readonly error: string };

export function isError(read: Read): read is { readonly error: string } {
  return typeof read === 'object' && 'error' in read;
}

const BITS: Readonly<Partial<Record<Field, number>>> = { u8: 8, u16: 16, u32: 32 };

/** One field as a zone file writes it. */
export function readField(field: Field, text: string, origin: Name | null): Read {
  switch (field) {
    case 'ip4':
      return bytesOf(parseIpv4(text)) ?? { error: 'is no IPv4 address' };
    case 'ip6':
      return bytesOf(parseIpv6(text)) ?? { error: 'is no IPv6 address' };
    case 'u8':
    case 'u16':
    case 'u32': {
      const bits = BITS[field]!;
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      return value < 2 ** bits ? big(value, bits) : { error: `is no number from 0 to ${2 ** bits - 1}` };
    }
    case 'time': {
      const value = readTime(text);
      return value === null ? { error: 'is no time: write seconds, or 1h30m' } : big(value, 32);
    }
    case 'name': {
      const name = readNameText(text, origin);
      return typeof name === 'string' ? { name } : { error: `is no name: ${name.error}` };
    }
    case 'tag':
      // RFC 8659 section 4.1.
      return /^[a-z0-9]{1,255}$/i.test(text) ? counted(text) : { error: 'is no tag: letters and digits' };
    case 'text':
      return readString(text);
    case 'strings': {
      const read = readString(text);
      if (typeof read === 'string' && read.length > 255) {
        return { error: `has ${read.length} bytes, and one string has at most 255: split it, "…" "…"` };
      }
      return typeof read === 'string' ? counted(read) : read;
    }
  }
}

function bytesOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : String.fromCharCode(...bytes);
}

function counted(text: string): string {
  return String.fromCharCode(text.length) + text;
}

function big(value: number, bits: number): string {
  let text = '';
  for (let shift = bits - 8; shift >= 0; shift -= 8) {
    text += String.fromCharCode(Math.floor(value / 2 ** shift) & 255);
  }
  return text;
}

function readString(text: string): string | { readonly error: string } {
  let value = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] !== '\\') {
      value += text[at];
      at += 1;
      continue;
    }
    const one = unescaped(text, at);
    if (one === null) {
      return { error: 'has a backslash without a character or three digits up to 255 behind it' };
    }
    value += one.is;
    at += one.took;
  }
  return value;
}

/** The last four bytes of an SOA: how long "no" may be kept (RFC 2308 section 4). */
export function minimumOf(data: readonly Piece[]): number {
  const text = data.at(-1);
  let value = 0;
  for (const character of typeof text === 'string' ? text : '') {
    value = value * 256 + character.charCodeAt(0);
  }
  return value;
}

/** The name that the data leads to: the last one in it. Null: none. */
export function targetOf(data: readonly Piece[]): Name | null {
  const last = data.at(-1);
  return typeof last === 'object' ? last.name : null;
}

export function sizeOf(data: readonly Piece[]): number {
  return data.reduce(
    (sum, piece) => sum + (typeof piece === 'string' ? piece.length : piece.name.length + 1),
    0,
  );
}

/** The same data, whatever the case of its names. */
export function dataKey(data: readonly Piece[]): string {
  return data.map((piece) => (typeof piece === 'string' ? piece : piece.name.toLowerCase())).join('\0');
}
