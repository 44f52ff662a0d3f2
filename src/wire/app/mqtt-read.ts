/** Reading inside one MQTT packet, never beyond its end. A reader that ran out of bytes stays `short`. */

import type { Value } from '../value.ts';
import { shown } from './lines-shown.ts';
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
      users.push(`${string(reader)}=${string(reader)}`);
    } else if (id === 11) {
      identifiers.push(varint(reader));
    } else {
      fields[prefix + name] = value(reader, kind);
    }
  }
  if (users.length > 0) {
    fields[`${prefix}user`] = users;
  }
  if (identifiers.length > 0) {
    fields[`${prefix}subscription-identifier`] = identifiers.length === 1 ? identifiers[0]! : identifiers;
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

/** The topic alias among the properties that begin here; 0: none. The reader is left behind them. */
export function topicAlias(reader: Reader): number {
  const fields: { [name: string]: Value } = {};
  properties(reader, '', fields);
  return typeof fields['topic-alias'] === 'number' ? fields['topic-alias'] : 0;
}
