/** The data of one record as zone files write it. What has no such form here, or is broken, is `\# length hex` (RFC 3597). */
import { ipv4Text, ipv6Text } from '../net/address.ts';
import { SERVICE_KEYS, typeName } from './dns-names.ts';
import {
  base64,
  characterString,
  hex,
  name,
  quoted,
  type Reader,
  readerAt,
  rest,
  take,
  u8,
  u16,
  u32,
} from './dns-read.ts';
import { hexText } from './lines-shown.ts';

/** Of what is written in hex. */
const HEX_SHOWN = 1024;

export function rdata(
  type: number,
  bytes: Uint8Array,
  start: number,
  messageEnd: number,
  from: number,
  to: number,
): string {
  const form = FORMS[type];
  if (form !== undefined) {
    const reader = readerAt(bytes, start, messageEnd, from);
    reader.end = to;
    const text = form(reader);
    if (!reader.bad && reader.at === to) {
      return text;
    }
  }
  const shownTo = Math.min(to, from + HEX_SHOWN);
  return `\\# ${to - from}${to > from ? ` ${hexText(bytes, from, shownTo)}` : ''}${shownTo < to ? '…' : ''}`;
}

const strings = (reader: Reader): string => {
  const parts: string[] = [];
  while (rest(reader) > 0 && !reader.bad) {
    parts.push(characterString(reader));
  }
  return parts.join(' ');
};

const preferred = (reader: Reader): string => `${u16(reader)} ${name(reader)}`;
const digest = (reader: Reader): string =>
  `${u16(reader)} ${u8(reader)} ${u8(reader)} ${hex(reader, rest(reader))}`;
const key = (reader: Reader): string =>
  `${u16(reader)} ${u8(reader)} ${u8(reader)} ${base64(reader, rest(reader))}`;
const association = (reader: Reader): string =>
  `${u8(reader)} ${u8(reader)} ${u8(reader)} ${hex(reader, rest(reader))}`;

const FORMS: Readonly<Record<number, (reader: Reader) => string>> = {
  1: (reader) => address(reader, 4),
  2: name,
  5: name,
  6: (reader) =>
    `${name(reader)} ${name(reader)} ${u32(reader)} ${u32(reader)} ${u32(reader)} ${u32(reader)} ${u32(reader)}`,
  12: name,
  13: strings,
  15: preferred,
  16: strings,
  17: (reader) => `${name(reader)} ${name(reader)}`,
  18: preferred,
  21: preferred,
  24: signature,
  25: key,
  28: (reader) => address(reader, 16),
  33: (reader) => `${u16(reader)} ${u16(reader)} ${u16(reader)} ${name(reader)}`,
  35: (reader) =>
    `${u16(reader)} ${u16(reader)} ${characterString(reader)} ${characterString(reader)} ${characterString(reader)} ${name(reader)}`,
  36: preferred,
  39: name,
  43: digest,
  44: (reader) => `${u8(reader)} ${u8(reader)} ${hex(reader, rest(reader))}`,
  46: signature,
  47: (reader) => `${name(reader)}${typeMap(reader)}`,
  48: key,
  50: (reader) => {
    const head = `${u8(reader)} ${u8(reader)} ${u16(reader)} ${hex(reader, u8(reader)) || '-'}`;
    return `${head} ${base32(reader, u8(reader))}${typeMap(reader)}`;
  },
  51: (reader) => `${u8(reader)} ${u8(reader)} ${u16(reader)} ${hex(reader, u8(reader)) || '-'}`,
  52: association,
  53: association,
  59: digest,
  60: key,
  61: (reader) => base64(reader, rest(reader)),
  62: (reader) => `${u32(reader)} ${u16(reader)}${typeMap(reader)}`,
  63: (reader) => `${u32(reader)} ${u8(reader)} ${u8(reader)} ${hex(reader, rest(reader))}`,
  64: service,
  65: service,
  99: strings,
  108: (reader) => dashed(reader, 6),
  109: (reader) => dashed(reader, 8),
  250: transaction,
  256: (reader) => {
    const head = `${u16(reader)} ${u16(reader)}`;
    return `${head} ${remaining(reader)}`;
  },
  257: (reader) => {
    const flags = u8(reader);
    const length = u8(reader);
    const at = take(reader, length);
    const tag = reader.bad ? '' : quoted(reader.bytes, at, at + length).slice(1, -1);
    return `${flags} ${tag} ${remaining(reader)}`;
  },
  32768: digest,
  32769: digest,
};

function remaining(reader: Reader): string {
  const count = rest(reader);
  const at = take(reader, count);
  return quoted(reader.bytes, at, at + count);
}

function address(reader: Reader, length: 4 | 16): string {
  const at = take(reader, length);
  if (reader.bad) {
    return '';
  }
  return length === 4 ? ipv4Text(reader.bytes, at) : ipv6Text(reader.bytes, at);
}

function dashed(reader: Reader, length: number): string {
  return hex(reader, length).replace(/..(?=.)/g, '$&-');
}

function signature(reader: Reader): string {
  const covered = typeName(u16(reader));
  const head = `${covered} ${u8(reader)} ${u8(reader)} ${u32(reader)}`;
  const times = `${moment(u32(reader))} ${moment(u32(reader))} ${u16(reader)}`;
  return `${head} ${times} ${name(reader)} ${base64(reader, rest(reader))}`;
}

/** YYYYMMDDHHmmSS (RFC 4034 section 3.2). */
function moment(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\..*$/, '').replace(/\D/g, '');
}

/** Windows of 256 types, a bit each (RFC 4034 section 4.1.2). */
function typeMap(reader: Reader): string {
  let text = '';
  while (rest(reader) > 0 && !reader.bad) {
    const window = u8(reader);
    const length = u8(reader);
    if (length === 0 || length > 32) {
      reader.bad = true;
    }
    const at = take(reader, length);
    for (let bit = 0; bit < 8 * length && !reader.bad; bit++) {
      if ((reader.bytes[at + (bit >> 3)]! & (0x80 >> (bit & 7))) !== 0) {
        text += ` ${typeName(window * 256 + bit)}`;
      }
    }
  }
  return text;
}

const BASE32 = '0123456789ABCDEFGHIJKLMNOPQRSTUV';

/** "Base 32 with extended hex", without padding (RFC 5155 section 3.3). */
function base32(reader: Reader, count: number): string {
  const at = take(reader, count);
  let text = '';
  let bits = 0;
  let held = 0;
  for (let i = at; i < at + count && !reader.bad; i++) {
    held = ((held << 8) | reader.bytes[i]!) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(held >> bits) & 31];
    }
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text;
}

/** SVCB and HTTPS (RFC 9460). */
function service(reader: Reader): string {
  let text = `${u16(reader)} ${name(reader)}`;
  while (rest(reader) > 0 && !reader.bad) {
    const code = u16(reader);
    const length = u16(reader);
    const at = take(reader, length);
    if (reader.bad) {
      break;
    }
    const inner = readerAt(reader.bytes, reader.start, reader.messageEnd, at);
    inner.end = at + length;
    const value = parameter(code, inner);
    const broken = inner.bad || inner.at !== inner.end;
    const word = SERVICE_KEYS[code] ?? `key${code}`;
    const shownValue = broken ? `"\\# ${hexText(reader.bytes, at, at + length)}"` : value;
    text += shownValue === '' ? ` ${word}` : ` ${word}=${shownValue}`;
  }
  return text;
}

function parameter(code: number, reader: Reader): string {
  const parts: string[] = [];
  switch (code) {
    case 0:
      while (rest(reader) > 0 && !reader.bad) {
        const one = u16(reader);
        parts.push(SERVICE_KEYS[one] ?? `key${one}`);
      }
      return parts.join(',');
    case 1:
      while (rest(reader) > 0 && !reader.bad) {
        parts.push(characterString(reader).slice(1, -1));
      }
      return parts.join(',');
    case 2:
    case 8:
      return '';
    case 3:
      return String(u16(reader));
    case 4:
    case 6:
      while (rest(reader) > 0 && !reader.bad) {
        parts.push(address(reader, code === 4 ? 4 : 16));
      }
      return parts.join(',');
    case 5:
      return base64(reader, rest(reader));
    default:
      return remaining(reader);
  }
}

/** RFC 8945 section 4.2. */
function transaction(reader: Reader): string {
  const algorithm = name(reader);
  const time = u16(reader) * 2 ** 32 + u32(reader);
  const fudge = u16(reader);
  const mac = hex(reader, u16(reader));
  const id = u16(reader);
  const error = u16(reader);
  const other = hex(reader, u16(reader));
  return `${algorithm} ${time} ${fudge} ${mac || '-'} ${id} ${error}${other === '' ? '' : ` ${other}`}`;
}
