/** The records of somebody else's answer, so that they can be sent on behind our own: names in them may be pointers. */
import { readerAt, skipName, take, u16, u32 } from '../../../wire/app/dns-read.ts';
import { keyOf, readName } from './name.ts';
import { HEAD } from './query.ts';
import { BY_CODE, type Field, type Piece } from './record.ts';
import type { RecordSet } from './zone.ts';

const IN = 1;
const SIZES: Readonly<Partial<Record<Field, number>>> = { ip4: 4, ip6: 16, u8: 1, u16: 2, u32: 4, time: 4 };

export interface Foreign {
  readonly answers: readonly RecordSet[];
  readonly authority: readonly RecordSet[];
}

/** Null: it cannot be read. */
export function readForeign(bytes: Uint8Array): Foreign | null {
  const reader = readerAt(bytes, 0, bytes.length, 4);
  const questions = u16(reader);
  const counts = [u16(reader), u16(reader)];
  reader.at = HEAD;
  for (let i = 0; i < questions; i++) {
    skipName(reader);
    take(reader, 4);
  }
  const sections: RecordSet[][] = [];
  for (const count of counts) {
    const sets: (RecordSet & { readonly data: (readonly Piece[])[] })[] = [];
    for (let i = 0; i < count; i++) {
      const owner = readName(bytes, 0, bytes.length, reader.at);
      reader.at = owner?.next ?? bytes.length;
      const type = u16(reader);
      const klass = u16(reader);
      const ttl = u32(reader);
      const length = u16(reader);
      const at = take(reader, length);
      const data = reader.bad || owner === null ? null : piecesOf(bytes, type, at, at + length);
      if (data === null || klass !== IN) {
        return null;
      }
      const last = sets.at(-1);
      if (last !== undefined && last.type === type && keyOf(last.name) === keyOf(owner!.name)) {
        last.data.push(data);
      } else {
        sets.push({ name: owner!.name, type, ttl, data: [data] });
      }
    }
    sections.push(sets);
  }
  return { answers: sections[0]!, authority: sections[1]! };
}

function piecesOf(bytes: Uint8Array, type: number, from: number, to: number): readonly Piece[] | null {
  const pieces: Piece[] = [];
  let at = from;
  // Types that are not known here have no pointers in them (RFC 3597 section 4).
  for (const field of BY_CODE.get(type)?.[1].fields ?? []) {
    if (field === 'name') {
      const read = readName(bytes, 0, bytes.length, at);
      if (read === null || read.next > to) {
        return null;
      }
      pieces.push({ name: read.name });
      at = read.next;
    } else {
      const end = SIZES[field] === undefined ? to : at + SIZES[field];
      if (end > to) {
        return null;
      }
      pieces.push(text(bytes, at, end));
      at = end;
    }
  }
  if (at < to) {
    pieces.push(text(bytes, at, to));
  }
  return pieces;
}

function text(bytes: Uint8Array, from: number, to: number): string {
  let value = '';
  for (let i = from; i < to; i++) {
    value += String.fromCharCode(bytes[i]!);
  }
  return value;
}
