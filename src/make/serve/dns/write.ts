/**
 * Messages of our own. Names are compressed as BIND does (RFC 1035 section 4.1.4, letters as they are), because what fits into a
 * datagram depends on it; dns-packet does not compress, and takes an escaped dot for one that parts labels.
 */
import { type Name, parentOf, ROOT } from './name.ts';
import { FLAG_TC, HEAD, type Question } from './query.ts';
import { BY_CODE, type Piece } from './record.ts';
import type { RecordSet } from './zone.ts';

/** A message of 65 535 bytes, and one record beyond it that is taken back again. */
const ROOM = 3 * 65_536;
/** A pointer has 14 bits. */
const POINTED = 0x4000;
const OPT = 41;
const OPT_BYTES = 11;

export interface WrittenEdns {
  readonly size: number;
  readonly dnssec: boolean;
}

export interface Message {
  readonly id: number;
  readonly flags: number;
  /** May have eight bits more than the header has room for, when there is EDNS. */
  readonly rcode: number;
  readonly question: Question | null;
  readonly edns: WrittenEdns | null;
  readonly answers: readonly RecordSet[];
  readonly authority: readonly RecordSet[];
  readonly additional: readonly RecordSet[];
  /** The additional records are needed: without all of them the answer counts as truncated (RFC 9471 section 3). */
  readonly glue: boolean;
}

interface Writer {
  readonly bytes: Uint8Array;
  at: number;
  readonly names: Map<Name, number>;
}

/** One for all messages; what is written is used before the next one begins. */
const bytes = new Uint8Array(ROOM);

export interface Written {
  /** Borrowed, [0, length). */
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly truncated: boolean;
}

/** At most `limit` bytes: sets that do not fit are left out, and TC says so when they were asked for. */
export function writeMessage(message: Message, limit: number): Written {
  const writer: Writer = { bytes, at: HEAD, names: new Map() };
  const { question, edns } = message;
  if (question !== null) {
    name(writer, question.name, true);
    u16(writer, question.type);
    u16(writer, question.class);
  }
  const end = limit - (edns === null ? 0 : OPT_BYTES);
  const counts = [0, 0, 0];
  let truncated = false;
  for (const [section, sets] of [message.answers, message.authority, message.additional].entries()) {
    for (const set of truncated ? [] : sets) {
      if (fits(writer, set, end)) {
        counts[section]! += set.data.length;
      } else if (section < 2 || message.glue) {
        truncated = true;
        break;
      }
    }
  }
  if (edns !== null) {
    writer.bytes[writer.at++] = 0;
    u16(writer, OPT);
    u16(writer, edns.size);
    u16(writer, (message.rcode >> 4) << 8);
    u16(writer, edns.dnssec ? 0x8000 : 0);
    u16(writer, 0);
    counts[2]! += 1;
  }
  const length = writer.at;
  writer.at = 0;
  u16(writer, message.id);
  u16(writer, message.flags | (truncated ? FLAG_TC : 0) | (message.rcode & 15));
  for (const count of [question === null ? 0 : 1, ...counts]) {
    u16(writer, count);
  }
  return { bytes, length, truncated };
}

/** A set is sent whole or not at all (RFC 2181 section 9). */
function fits(writer: Writer, set: RecordSet, end: number): boolean {
  const from = writer.at;
  const compressed = BY_CODE.get(set.type)?.[1].compressed === true;
  for (const data of set.data) {
    record(writer, set, data, compressed);
    if (writer.at > end) {
      writer.at = from;
      for (const [known, at] of writer.names) {
        if (at >= from) {
          writer.names.delete(known);
        }
      }
      return false;
    }
  }
  return true;
}

function record(writer: Writer, set: RecordSet, data: readonly Piece[], compressed: boolean): void {
  name(writer, set.name, true);
  u16(writer, set.type);
  u16(writer, 1);
  u16(writer, set.ttl >>> 16);
  u16(writer, set.ttl & 0xffff);
  const sizeAt = writer.at;
  writer.at += 2;
  for (const piece of data) {
    if (typeof piece === 'string') {
      raw(writer, piece);
    } else {
      name(writer, piece.name, compressed);
    }
  }
  const end = writer.at;
  writer.at = sizeAt;
  u16(writer, end - sizeAt - 2);
  writer.at = end;
}

function name(writer: Writer, whole: Name, compressed: boolean): void {
  for (let at = whole; at !== ROOT; at = parentOf(at)) {
    const known = writer.names.get(at);
    if (known !== undefined && compressed) {
      u16(writer, 0xc000 | known);
      return;
    }
    if (known === undefined && writer.at < POINTED) {
      writer.names.set(at, writer.at);
    }
    raw(writer, at.slice(0, 1 + at.charCodeAt(0)));
  }
  writer.bytes[writer.at++] = 0;
}

function raw(writer: Writer, text: string): void {
  for (let i = 0; i < text.length; i++) {
    writer.bytes[writer.at++] = text.charCodeAt(i);
  }
}

function u16(writer: Writer, value: number): void {
  writer.bytes[writer.at++] = value >> 8;
  writer.bytes[writer.at++] = value & 255;
}
