/** One DNS message: its shape at once, its records when somebody asks. */
import type { Value, Values } from '../value.ts';
import { edns } from './dns-edns.ts';
import { className, opcodeName, rcodeName, TYPES, typeName } from './dns-names.ts';
import { rdata } from './dns-rdata.ts';
import { name, type Reader, readerAt, skipName, take, u16, u32 } from './dns-read.ts';

export const HEAD = 12;
/** Records of a section that are written out, and characters of them all together. */
const RECORDS_SHOWN = 256;
const TEXT_SHOWN = 64 * 1024;

const FLAGS: readonly (readonly [number, string])[] = [
  [0x0400, 'aa'],
  [0x0200, 'tc'],
  [0x0100, 'rd'],
  [0x0080, 'ra'],
  [0x0040, 'z'],
  [0x0020, 'ad'],
  [0x0010, 'cd'],
];

/** What a message is, found by passing over it once. */
export interface Shape {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly id: number;
  readonly flags: number;
  readonly questions: number;
  readonly answers: number;
  readonly authority: number;
  readonly additional: number;
  /** The first question's type and class; -1: there is none. */
  readonly type: number;
  readonly class: number;
  /** With the upper bits that EDNS adds. */
  readonly rcode: number;
  /** Where the OPT record's fixed part begins; -1: none. */
  readonly opt: number;
  /** Of the answers: how many are SOA, the first and last records' serial (-1: not SOA). */
  readonly serials: Serials;
  /** Which section is broken, or null. */
  readonly broken: string | null;
  /** Behind the last record. */
  readonly read: number;
  /** Multicast: the top bit of a class is not part of it (RFC 6762 sections 5.4 and 10.2). */
  readonly multicast: boolean;
}

export interface Serials {
  first: number;
  last: number;
}

const SECTIONS = ['answers', 'authority', 'additional'] as const;

/** The shape of bytes[start, end), or null when not even the questions can be read. */
export function shapeOf(bytes: Uint8Array, start: number, end: number, multicast: boolean): Shape | null {
  if (end - start < HEAD) {
    return null;
  }
  const reader = readerAt(bytes, start, end, start);
  const id = u16(reader);
  const flags = u16(reader);
  const questions = u16(reader);
  const counts = [u16(reader), u16(reader), u16(reader)] as const;
  let type = -1;
  let klass = -1;
  for (let i = 0; i < questions; i++) {
    skipName(reader);
    const ownType = u16(reader);
    const ownClass = u16(reader);
    if (reader.bad) {
      return null;
    }
    if (i === 0) {
      type = ownType;
      klass = ownClass;
    }
  }
  let broken: string | null = null;
  let opt = -1;
  let rcode = flags & 15;
  const serials: Serials = { first: -1, last: -1 };
  for (let section = 0; section < 3 && broken === null; section++) {
    for (let i = 0; i < counts[section]!; i++) {
      skipName(reader);
      const { at } = reader;
      const ownType = u16(reader);
      take(reader, 6);
      const length = u16(reader);
      const data = take(reader, length);
      if (reader.bad) {
        broken = SECTIONS[section]!;
        break;
      }
      if (ownType === 41 && section === 2) {
        opt = at;
        rcode |= bytes[at + 4]! << 4;
      }
      if (section === 0) {
        const serial = ownType === 6 ? serialOf(bytes, start, end, data, data + length) : -1;
        serials.last = serial;
        if (i === 0) {
          serials.first = serial;
        }
      }
    }
  }
  return {
    bytes,
    start,
    end,
    id,
    flags,
    questions,
    answers: counts[0],
    authority: counts[1],
    additional: counts[2],
    type,
    class: klass,
    rcode,
    opt,
    serials,
    broken,
    read: reader.at,
    multicast,
  };
}

function serialOf(bytes: Uint8Array, start: number, messageEnd: number, from: number, to: number): number {
  const reader = readerAt(bytes, start, messageEnd, from);
  reader.end = to;
  skipName(reader);
  skipName(reader);
  return u32(reader);
}

/** What statistics group by: the type asked for, or the operation when it is not a query. */
export function nameOf(shape: Shape): string {
  const opcode = (shape.flags >> 11) & 15;
  if (opcode !== 0) {
    return opcodeName(opcode);
  }
  return shape.type < 0 ? 'none' : (TYPES[shape.type] ?? 'TYPE?');
}

export function fieldsOf(shape: Shape): Values {
  const { flags, multicast } = shape;
  const fields: { [name: string]: Value } = { id: shape.id };
  const opcode = (flags >> 11) & 15;
  if (opcode !== 0) {
    fields.opcode = opcodeName(opcode);
  }
  const reader = readerAt(shape.bytes, shape.start, shape.end, shape.start + HEAD);
  const room = { left: TEXT_SHOWN };
  const listed: string[] = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, word]) => word);
  const questions: string[] = [];
  let question = '';
  for (let i = 0; i < shape.questions; i++) {
    const asked = name(reader);
    const type = u16(reader);
    const klass = u16(reader);
    if (i === 0) {
      question = asked;
      fields.question = asked;
      fields.type = typeName(type);
      fields.class = className(multicast ? klass & 0x7fff : klass);
      if (multicast && (klass & 0x8000) !== 0) {
        // A unicast answer will do.
        listed.push('qu');
      }
    }
    if (questions.length < RECORDS_SHOWN) {
      questions.push(`${typeName(type)} ${asked}`);
    }
  }
  if (questions.length > 1) {
    fields.questions = questions;
  }
  if ((flags & 0x8000) !== 0) {
    fields.rcode = rcodeName(shape.rcode);
  }
  fields.flags = listed;
  let least = Number.POSITIVE_INFINITY;
  for (const section of SECTIONS) {
    const count = shape[section];
    const texts: string[] = [];
    for (let i = 0; i < count && !reader.bad; i++) {
      const record = recordOf(reader, question, multicast, room);
      if (record === null) {
        continue;
      }
      if (section === 'answers') {
        least = Math.min(least, record.ttl);
      }
      if (texts.length < RECORDS_SHOWN && room.left > 0) {
        texts.push(record.text);
      } else if (texts.at(-1) !== '…') {
        texts.push('…');
      }
    }
    if (texts.length > 0 || (section === 'answers' && (flags & 0x8000) !== 0)) {
      fields[section] = texts;
    }
  }
  if (least !== Number.POSITIVE_INFINITY) {
    fields['ttl.min'] = least;
  }
  if (shape.opt >= 0) {
    edns(shape.bytes, shape.start, shape.end, shape.opt, fields);
  }
  if (shape.broken !== null) {
    fields.malformed = `the section ${shape.broken} ends early`;
  } else if (reader.bad) {
    fields.malformed = 'a name leads nowhere';
  } else if (shape.read < shape.end) {
    fields.trailing = shape.end - shape.read;
  }
  return fields;
}

/** One record as text; null for OPT, which is none. Its owner is left out when it is what was asked for. */
function recordOf(
  reader: Reader,
  question: string,
  multicast: boolean,
  room: { left: number },
): { text: string; ttl: number } | null {
  const owner = name(reader);
  const type = u16(reader);
  const klass = u16(reader);
  const ttl = u32(reader);
  const length = u16(reader);
  const data = take(reader, length);
  if (reader.bad || type === 41) {
    return null;
  }
  if (room.left <= 0) {
    return { text: '…', ttl };
  }
  const said = rdata(type, reader.bytes, reader.start, reader.messageEnd, data, data + length);
  const plain = multicast ? klass & 0x7fff : klass;
  const of = sameName(owner, question) ? '' : `${owner} `;
  const text = `${of}${plain === 1 ? '' : `${className(plain)} `}${typeName(type)} ${said}`;
  room.left -= text.length;
  return { text, ttl };
}

function sameName(one: string, other: string): boolean {
  return one === other || one.toLowerCase() === other.toLowerCase();
}

/** For `recognises`: everything in it is what DNS knows. */
export function plausible(shape: Shape): boolean {
  const opcode = (shape.flags >> 11) & 15;
  if (opcode === 3 || opcode > 6 || shape.broken !== null || shape.read !== shape.end) {
    return false;
  }
  const klass = shape.class & 0x7fff;
  const knownQuestion =
    shape.type >= 0 &&
    TYPES[shape.type] !== undefined &&
    (klass === 1 || klass === 3 || klass === 4 || klass >= 254);
  const response = (shape.flags & 0x8000) !== 0;
  // Without a question: multicast answers, and errors that repeat nothing.
  return shape.questions > 0 ? knownQuestion : response && (shape.answers > 0 || shape.rcode > 0);
}
