/** A query as it came (RFC 1035 section 4, EDNS as RFC 6891). */
import { readerAt, skipName, take, u8, u16 } from '../../../wire/app/dns-read.ts';
import { type Name, ROOT, readName } from './name.ts';

export const HEAD = 12;
export const FLAG_QR = 0x8000;
export const FLAG_AA = 0x0400;
export const FLAG_TC = 0x0200;
export const FLAG_RD = 0x0100;
export const FLAG_RA = 0x0080;
export const FLAG_CD = 0x0010;
const OPT = 41;

export interface Edns {
  /** What the client takes over UDP. */
  readonly size: number;
  readonly version: number;
  /** DO, which is repeated (RFC 3225 section 3). */
  readonly dnssec: boolean;
  /** Where its size stands in the message. */
  readonly sizeAt: number;
}

export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

export interface Query {
  readonly id: number;
  readonly flags: number;
  readonly opcode: number;
  /** Null: there is none, or more than one. */
  readonly question: Question | null;
  readonly edns: Edns | null;
  /** It cannot be read as a whole. */
  readonly broken: boolean;
}

/** Null: no query at all (too short, or an answer), which is never answered. */
export function readQuery(bytes: Uint8Array, from: number, to: number): Query | null {
  if (to - from < HEAD) {
    return null;
  }
  const reader = readerAt(bytes, from, to, from);
  const id = u16(reader);
  const flags = u16(reader);
  if ((flags & FLAG_QR) !== 0) {
    return null;
  }
  const opcode = (flags >> 11) & 15;
  const questions = u16(reader);
  const records = [u16(reader), u16(reader), u16(reader)] as const;
  const head = { id, flags, opcode };
  let question: Question | null = null;
  if (questions === 1) {
    const read = readName(bytes, from, to, reader.at);
    if (read === null) {
      return { ...head, question, edns: null, broken: true };
    }
    reader.at = read.next;
    question = { name: read.name, type: u16(reader), class: u16(reader) };
  }
  // RFC 9619: a query has one question. What stands behind the last record is left alone.
  let broken = questions !== 1 || reader.bad;
  let edns: Edns | null = null;
  for (const [section, count] of records.entries()) {
    for (let i = 0; i < count && !broken; i++) {
      const { at } = reader;
      skipName(reader);
      const type = u16(reader);
      const sizeAt = reader.at;
      const size = u16(reader);
      take(reader, 1);
      const version = u8(reader);
      const flags = u16(reader);
      take(reader, u16(reader));
      broken = reader.bad;
      if (type === OPT && !broken) {
        // RFC 6891 section 6.1.1: one at most, at the root.
        broken = edns !== null || section !== 2 || readName(bytes, from, to, at)?.name !== ROOT;
        edns = { size, version, dnssec: (flags & FLAG_QR) !== 0, sizeAt: sizeAt - from };
      }
    }
  }
  return { ...head, question, edns, broken };
}
