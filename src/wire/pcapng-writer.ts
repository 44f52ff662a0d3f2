/** Appends the blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, times in nanoseconds. */
import { type Out, putText, reserve } from './bytes-out.ts';
import {
  BLOCK,
  COMMENT,
  COUNTER_OPTION,
  INTERFACE_OPTION,
  NAME_RECORD,
  ORDER_MAGIC,
  PACKET_DATA,
  PACKET_OPTION,
  SECTION_OPTION,
} from './pcapng-block-types.ts';
import { type Field, journalEntry } from './pcapng-journal.ts';
import { padded } from './pcapng-options.ts';
import { SECRET_TLS_KEY_LOG, type Statistics } from './pcapng-sink.ts';

const NANOSECONDS = 9;
/** An option's length has 16 bits. */
const LONGEST_OPTION = 0xffff;
/** Below this, a loop copies faster than `set`, which needs a view made for it. */
const SHORT_COPY = 32;
/** 2^64 nanoseconds: the year 2554. */
const TIME_LIMIT = 18_446_744_073;

export function writeSection(
  out: Out,
  about: { application: string; os: string; hardware: string; comment?: string },
): void {
  const block = begin(out, BLOCK.section);
  append32(out, ORDER_MAGIC);
  append32(out, 1);
  // The section's length: -1, not known beforehand.
  append32(out, 0xffffffff);
  append32(out, 0xffffffff);
  if (about.comment !== undefined) {
    textOption(out, COMMENT, about.comment);
  }
  textOption(out, SECTION_OPTION.hardware, about.hardware);
  textOption(out, SECTION_OPTION.os, about.os);
  textOption(out, SECTION_OPTION.application, about.application);
  append32(out, 0);
  finish(out, block);
}

export function writeInterface(
  out: Out,
  about: { linkType: number; snapLength: number; name: string; filter?: string },
): void {
  const block = begin(out, BLOCK.interface);
  append32(out, about.linkType & 0xffff);
  append32(out, about.snapLength);
  textOption(out, INTERFACE_OPTION.name, about.name);
  append32(out, INTERFACE_OPTION.resolution | (1 << 16));
  append32(out, NANOSECONDS);
  if (about.filter !== undefined) {
    // A zero byte in front: the filter as it was typed.
    textOption(out, INTERFACE_OPTION.filter, `\0${about.filter}`);
  }
  append32(out, 0);
  finish(out, block);
}

/** One packet, bytes[from, to). A time before 1970 or after 2554 does not fit and is written as 0. */
export function writePacket(
  out: Out,
  interfaceIndex: number,
  seconds: number,
  nanoseconds: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  wireLength: number,
  comments?: readonly string[],
  flags = 0,
): void {
  const start = out.length;
  const captured = to - from;
  const dataEnd = start + PACKET_DATA + padded(captured);
  reserve(out, dataEnd - start + 16);
  const target = out.bytes;
  // The padding first: the buffer may hold old bytes. (Of an empty packet it is the header's last word, written below.)
  put32(target, dataEnd - 4, 0);
  put32(target, start, BLOCK.packet);
  put32(target, start + 8, interfaceIndex);
  putTime(target, start + 12, seconds, nanoseconds);
  put32(target, start + 20, captured);
  put32(target, start + 24, wireLength);
  if (captured <= SHORT_COPY) {
    const distance = start + PACKET_DATA - from;
    for (let i = from; i < to; i++) {
      target[i + distance] = bytes[i]!;
    }
  } else {
    target.set(bytes.subarray(from, to), start + PACKET_DATA);
  }
  out.length = dataEnd;
  if (flags !== 0) {
    put32(target, dataEnd, PACKET_OPTION.flags | (4 << 16));
    put32(target, dataEnd + 4, flags);
    out.length = dataEnd + 8;
  }
  if (comments !== undefined) {
    for (let i = 0; i < comments.length; i++) {
      textOption(out, COMMENT, comments[i]!);
    }
  }
  if (out.length > dataEnd) {
    append32(out, 0);
  }
  finish(out, start);
}

/** What the interface counted until now; only what is known is written. */
export function writeStatistics(
  out: Out,
  interfaceIndex: number,
  seconds: number,
  nanoseconds: number,
  about: Partial<Statistics>,
): void {
  const block = begin(out, BLOCK.statistics);
  append32(out, interfaceIndex);
  appendTime(out, seconds, nanoseconds);
  countOption(out, COUNTER_OPTION.received, about.received);
  countOption(out, COUNTER_OPTION.dropped, about.dropped);
  countOption(out, COUNTER_OPTION.accepted, about.accepted);
  countOption(out, COUNTER_OPTION.osDropped, about.osDropped);
  countOption(out, COUNTER_OPTION.delivered, about.delivered);
  append32(out, 0);
  finish(out, block);
}

/** Addresses of 4 or 16 bytes and their names; others are passed over. */
export function writeNames(
  out: Out,
  entries: readonly { address: Uint8Array; names: readonly string[] }[],
): void {
  const block = begin(out, BLOCK.names);
  for (const { address, names } of entries) {
    const type =
      address.length === 4 ? NAME_RECORD.ipv4 : address.length === 16 ? NAME_RECORD.ipv6 : NAME_RECORD.end;
    // A record without a name would say nothing, and readers take it for damage.
    if (type === NAME_RECORD.end || names.length === 0) {
      continue;
    }
    const record = out.length;
    append32(out, 0);
    reserve(out, address.length);
    out.bytes.set(address, out.length);
    out.length += address.length;
    for (const name of names) {
      const room = LONGEST_OPTION - (out.length - record - 4);
      if (room <= 0) {
        break;
      }
      putText(out, name.replaceAll('\0', ''), room - 1);
      reserve(out, 1);
      out.bytes[out.length++] = 0;
    }
    put32(out.bytes, record, type | ((out.length - record - 4) << 16));
    pad(out);
  }
  append32(out, 0);
  finish(out, block);
}

/** TLS key log lines (SSLKEYLOGFILE). Readers need them in front of the packets they open. */
export function writeSecrets(out: Out, keyLog: string): void {
  const block = begin(out, BLOCK.secrets);
  append32(out, SECRET_TLS_KEY_LOG);
  append32(out, 0);
  const length = putText(out, keyLog, Number.POSITIVE_INFINITY);
  put32(out.bytes, block + 12, length);
  pad(out);
  finish(out, block);
}

/** One entry of the journal, at a time (readers refuse entries without one); `fields` are its other fields. */
export function writeJournal(out: Out, seconds: number, nanoseconds: number, fields: readonly Field[]): void {
  const microseconds = String(seconds * 1e6 + Math.floor(nanoseconds / 1e3));
  const entry = journalEntry([['__REALTIME_TIMESTAMP', microseconds], ...fields]);
  const block = begin(out, BLOCK.journal);
  reserve(out, entry.length);
  out.bytes.set(entry, out.length);
  out.length += entry.length;
  pad(out);
  finish(out, block);
}

function begin(out: Out, type: number): number {
  const start = out.length;
  append32(out, type);
  append32(out, 0);
  return start;
}

/** Writes the block's length at both its ends. */
function finish(out: Out, start: number): void {
  reserve(out, 4);
  const length = out.length + 4 - start;
  put32(out.bytes, start + 4, length);
  put32(out.bytes, out.length, length);
  out.length += 4;
}

function textOption(out: Out, code: number, text: string): void {
  const start = out.length;
  append32(out, 0);
  const length = putText(out, text, LONGEST_OPTION);
  put32(out.bytes, start, code | (length << 16));
  pad(out);
}

function countOption(out: Out, code: number, count: number | null | undefined): void {
  if (count === null || count === undefined) {
    return;
  }
  append32(out, code | (8 << 16));
  append32(out, count);
  append32(out, Math.floor(count / 0x100000000));
}

/**
 * Nanoseconds since 1970 as two halves of 32 bits, the high one first. The product has up to 64 bits, more than a number
 * holds: it is made from two products of 48.
 */
function putTime(bytes: Uint8Array, at: number, seconds: number, nanoseconds: number): void {
  if (!(seconds >= 0 && seconds < TIME_LIMIT)) {
    put32(bytes, at, 0);
    put32(bytes, at + 4, 0);
    return;
  }
  const upper = Math.floor(seconds / 0x10000) * 1e9;
  const lower = (seconds % 0x10000) * 1e9 + nanoseconds;
  const upperHigh = Math.floor(upper / 0x10000);
  const low = (upper - upperHigh * 0x10000) * 0x10000 + lower;
  put32(bytes, at, upperHigh + Math.floor(low / 0x100000000));
  put32(bytes, at + 4, low);
}

function appendTime(out: Out, seconds: number, nanoseconds: number): void {
  reserve(out, 8);
  putTime(out.bytes, out.length, seconds, nanoseconds);
  out.length += 8;
}

function append32(out: Out, value: number): void {
  reserve(out, 4);
  put32(out.bytes, out.length, value);
  out.length += 4;
}

/** The lowest 32 bits of a whole number below 2^53. */
function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function pad(out: Out): void {
  reserve(out, 3);
  while ((out.length & 3) !== 0) {
    out.bytes[out.length++] = 0;
  }
}
