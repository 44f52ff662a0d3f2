/** Reading inside one MQTT packet, never beyond its end. A reader that ran out of bytes stays `short`. */

import type { Value } from '../value.ts';
import { isTelling } from './http1-secrets.ts';
import { shown } from './lines-shown.ts';
import { MASK } from './mask.ts';
import { PROPERTIES, type PropertyKind } from './mqtt-names.ts';

const TEXT_SHOWN = 16 * 1024;
/** Properties of one packet that are listed. */
const MAX_PROPERTIES = 200;

export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  short: boolean;
}

export const readerOf = (bytes: Uint8Array, at: number, end: number): Reader => ({
  bytes,
  at,
  end,
  short: false,
});

/** `count` bytes from the position this returns; what is missing makes it -1. */
function take(reader: Reader, count: number): number {
  const { at } = reader;
  if (count > reader.end - at) {
    reader.short = true;
    reader.at = reader.end;
    return -1;
  }
  reader.at = at + count;
  return at;
}

export function u8(reader: Reader): number {
  const at = take(reader, 1);
  return at < 0 ? 0 : reader.bytes[at]!;
}

export const u16 = (reader: Reader): number => (u8(reader) << 8) | u8(reader);
export const u32 = (reader: Reader): number => u16(reader) * 65536 + u16(reader);

/** Seven bits a byte, the lowest first, four bytes at most. */
export function varint(reader: Reader): number {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = u8(reader);
    value += (byte & 127) << shift;
    if (byte < 128) {
      return value;
    }
  }
  reader.short = true;
  return value;
}

/** A string, or bytes: what is not text is escaped. */
export function string(reader: Reader): string {
  const length = u16(reader);
  const at = take(reader, length);
  return at < 0 ? '' : shown(reader.bytes, at, at + length, TEXT_SHOWN);
}

/** The properties that begin here, each under `prefix` and its name, into `fields`. */
export function properties(reader: Reader, prefix: string, fields: { [name: string]: Value }): void {
  const length = varint(reader);
  const outer = reader.end;
  if (length > outer - reader.at) {
    reader.short = true;
  }
  const end = Math.min(outer, reader.at + length);
  reader.end = end;
  const users: string[] = [];
  const open: string[] = [];
  let secret = false;
  const identifiers: number[] = [];
  for (let count = 0; reader.at < end && !reader.short && count < MAX_PROPERTIES; count++) {
    const id = varint(reader);
    const known = PROPERTIES[id];
    if (known === undefined) {
      // Without knowing it one cannot know where it ends.
      fields[`${prefix}unknown`] = id;
      break;
    }
    const [name, kind] = known;
    if (kind === 'pair') {
      const key = string(reader);
      const said = string(reader);
      const hidden = said !== '' && isTelling(key);
      secret ||= hidden;
      users.push(`${key}=${said}`);
      open.push(`${key}=${hidden ? MASK : said}`);
    } else if (id === 11) {
      identifiers.push(varint(reader));
    } else {
      fields[prefix + name] = value(reader, kind);
    }
  }
  if (users.length > 0) {
    fields[`${prefix}user`] = open;
    if (secret) {
      fields[`${prefix}user.raw`] = users;
    }
  }
  if (identifiers.length > 0) {
    fields[`${prefix}subscription_identifier`] = identifiers.length === 1 ? identifiers[0]! : identifiers;
  }
  reader.at = end;
  reader.end = outer;
}

function value(reader: Reader, kind: PropertyKind): Value {
  switch (kind) {
    case 'byte':
      return u8(reader);
    case 'u16':
      return u16(reader);
    case 'u32':
      return u32(reader);
    case 'varint':
      return varint(reader);
    default:
      return string(reader);
  }
}

const TOPIC_ALIAS = 35;

/**
 * Walks over the properties that begin here and leaves the reader behind them: the topic alias among them, 0 without one, -1
 * where they are none. `allowed`: those that this packet may have.
 */
export function walk(reader: Reader, allowed: ReadonlySet<number> | null): number {
  const length = varint(reader);
  const outer = reader.end;
  if (reader.short || length > outer - reader.at) {
    reader.at = outer;
    return -1;
  }
  const end = reader.at + length;
  reader.end = end;
  let alias = 0;
  while (reader.at < end) {
    const id = varint(reader);
    const kind = allowed?.has(id) === false ? undefined : PROPERTIES[id]?.[1];
    if (id === TOPIC_ALIAS) {
      alias = u16(reader);
    } else if (kind !== undefined) {
      pass(reader, kind);
    }
    if (kind === undefined || reader.short) {
      alias = -1;
      break;
    }
  }
  reader.at = end;
  reader.end = outer;
  return alias;
}

function pass(reader: Reader, kind: PropertyKind): void {
  switch (kind) {
    case 'byte':
      take(reader, 1);
      break;
    case 'u16':
      take(reader, 2);
      break;
    case 'u32':
      take(reader, 4);
      break;
    case 'varint':
      varint(reader);
      break;
    case 'pair':
      take(reader, u16(reader));
      take(reader, u16(reader));
      break;
    default:
      take(reader, u16(reader));
  }
}

/** Filters, with a byte of options behind each where `optioned`, up to the very end: at least one, none of them empty. */
export function isFilterList(reader: Reader, optioned: boolean, mostOptions: number): boolean {
  do {
    const length = u16(reader);
    take(reader, length);
    const options = optioned ? u8(reader) : 0;
    if (reader.short || length === 0 || options > mostOptions || (options & 3) === 3) {
      return false;
    }
  } while (reader.at < reader.end);
  return true;
}
