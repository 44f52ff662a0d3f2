/** An answer as data, its records as zone files write them. Whatever is broken leaves the rest readable. */

import { edns } from '../../../wire/app/dns-edns.ts';
import { HEAD, shapeOf } from '../../../wire/app/dns-message.ts';
import { className, opcodeName, rcodeName, typeName } from '../../../wire/app/dns-names.ts';
import { rdata } from '../../../wire/app/dns-rdata.ts';
import { name, type Reader, readerAt, take, u16, u32 } from '../../../wire/app/dns-read.ts';
import type { Value } from '../../../wire/value.ts';

export interface ReplyRecord {
  readonly name: string;
  readonly ttl: number;
  readonly class: string;
  readonly type: string;
  readonly data: string;
}

export interface ReplyEdns {
  readonly version: number;
  readonly udp: number;
  readonly dnssec: boolean;
  readonly options: readonly string[];
}

export interface Reply {
  readonly id: number;
  readonly opcode: string;
  readonly status: string;
  readonly flags: readonly string[];
  readonly question: { readonly name: string; readonly class: string; readonly type: string } | null;
  readonly answer: readonly ReplyRecord[];
  readonly authority: readonly ReplyRecord[];
  readonly additional: readonly ReplyRecord[];
  readonly edns: ReplyEdns | null;
  /** '' when all of it could be read. */
  readonly malformed: string;
}

const OPT = 41;
const FLAGS: readonly (readonly [number, string])[] = [
  [0x8000, 'qr'],
  [0x0400, 'aa'],
  [0x0200, 'tc'],
  [0x0100, 'rd'],
  [0x0080, 'ra'],
  [0x0020, 'ad'],
  [0x0010, 'cd'],
];

/** Null: not even its questions can be read. */
export function readReply(bytes: Uint8Array): Reply | null {
  const shape = shapeOf(bytes, 0, bytes.length, false);
  if (shape === null) {
    return null;
  }
  const reader = readerAt(bytes, 0, bytes.length, HEAD);
  let question: Reply['question'] = null;
  for (let i = 0; i < shape.questions; i++) {
    const asked = { name: name(reader), type: typeName(u16(reader)), class: className(u16(reader)) };
    question ??= asked;
  }
  const answer = section(reader, shape.answers);
  const authority = section(reader, shape.authority);
  const additional = section(reader, shape.additional);
  return {
    id: shape.id,
    opcode: opcodeName((shape.flags >> 11) & 15),
    status: rcodeName(shape.rcode),
    flags: FLAGS.filter(([bit]) => (shape.flags & bit) !== 0).map(([, word]) => word),
    question,
    answer,
    authority,
    additional,
    edns: shape.opt < 0 ? null : readEdns(bytes, shape.opt),
    malformed:
      shape.broken !== null
        ? `the section ${shape.broken} ends early`
        : reader.bad
          ? 'a name leads nowhere'
          : '',
  };
}

function section(reader: Reader, count: number): ReplyRecord[] {
  const records: ReplyRecord[] = [];
  for (let i = 0; i < count && !reader.bad; i++) {
    const owner = name(reader);
    const type = u16(reader);
    const klass = u16(reader);
    const ttl = u32(reader);
    const length = u16(reader);
    const at = take(reader, length);
    if (!reader.bad && type !== OPT) {
      const data = rdata(type, reader.bytes, reader.start, reader.messageEnd, at, at + length);
      records.push({ name: owner, ttl, class: className(klass), type: typeName(type), data });
    }
  }
  return records;
}

function readEdns(bytes: Uint8Array, at: number): ReplyEdns {
  const fields: { [name: string]: Value } = {};
  edns(bytes, 0, bytes.length, at, fields);
  const options = fields['edns.options'];
  return {
    version: Number(fields['edns.version']),
    udp: Number(fields['edns.udp']),
    dnssec: fields['edns.do'] === true,
    options: Array.isArray(options) ? options.map(String) : [],
  };
}
