/** Arguments that lie in a program's memory, as a person reads them. Nothing here trusts an address or a length. */
import { errnoName } from '../../kernel/errno.ts';
import { endpointText } from '../../session/connection.ts';
import type { Value } from '../../session/events.ts';
import { ipv4Text, ipv6Text } from '../../wire/net/address.ts';
import { EPOLL_EVENTS, FAMILIES, flagNames, oneOf, optionName, POLL_EVENTS } from './names.ts';
import type { TracedEnd } from './traced-call.ts';

/** As many bytes as are there, up to `length`; borrowed until the next read. */
export type Read = (address: number, length: number) => Uint8Array;

export const PREVIEW = 64;
const MOST_ITEMS = 32;
const MOST_VECTORS = 16;
const SOCKADDR = 128;

export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** As C sees an argument of type int. */
export function int(argument: number): number {
  return (argument % 0x1_0000_0000) | 0;
}

export function pointer(address: number): Value {
  return address === 0 ? 'NULL' : `0x${address.toString(16)}`;
}

function word(bytes: DataView, at: number): number {
  return bytes.getUint32(at, true) + bytes.getUint32(at + 4, true) * 0x1_0000_0000;
}

/** `"GET / HTTP/1.1\r\n"`; three dots behind it when there was more. */
export function quoted(bytes: Uint8Array, whole: number): string {
  let text = '';
  for (const byte of bytes) {
    text += ESCAPED[byte] ?? '';
  }
  return `"${text}"${whole > bytes.length ? '…' : ''}`;
}

const ESCAPED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  const known = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' }[character];
  const plain = byte >= 0x20 && byte < 0x7f;
  return known ?? (plain ? character : `\\x${byte.toString(16).padStart(2, '0')}`);
});

export function payload(read: Read, address: number, length: number): Value {
  if (length === 0) {
    return '""';
  }
  const bytes = read(address, Math.min(length, PREVIEW));
  return bytes.length === 0 ? pointer(address) : quoted(bytes, length);
}

export function text(read: Read, address: number): string | null {
  const bytes = read(address, 256);
  const end = bytes.indexOf(0);
  return bytes.length === 0
    ? null
    : Buffer.from(bytes.subarray(0, end === -1 ? bytes.length : end)).toString();
}

/** An IPv4 or IPv6 end, or null for every other family and for what is cut off. */
export function endOf(bytes: Uint8Array): TracedEnd | null {
  const family = bytes.length >= 2 ? view(bytes).getUint16(0, true) : -1;
  if (family === 2 && bytes.length >= 8) {
    return { address: ipv4Text(bytes, 4), port: view(bytes).getUint16(2) };
  }
  if (family === 10 && bytes.length >= 24) {
    return { address: ipv6Text(bytes, 8), port: view(bytes).getUint16(2) };
  }
  return null;
}

export function sockaddrText(bytes: Uint8Array): string {
  const end = endOf(bytes);
  if (end !== null) {
    return endpointText(end);
  }
  if (bytes.length < 2) {
    return '';
  }
  const family = view(bytes).getUint16(0, true);
  if (family !== 1) {
    return String(oneOf(FAMILIES, family));
  }
  const path = bytes.subarray(2);
  if (path.length === 0) {
    return 'unix:*';
  }
  if (path[0] === 0) {
    return `unix:@${Buffer.from(path.subarray(1)).toString()}`;
  }
  const stop = path.indexOf(0);
  return `unix:${Buffer.from(stop === -1 ? path : path.subarray(0, stop)).toString()}`;
}

export function sockaddr(
  read: Read,
  address: number,
  length: number,
): { value: Value; end: TracedEnd | null } {
  const bytes = address === 0 || length <= 0 ? null : read(address, Math.min(length, SOCKADDR));
  return bytes === null || bytes.length < 2
    ? { value: pointer(address), end: null }
    : { value: sockaddrText(bytes), end: endOf(bytes) };
}

/** An int in memory, or null. */
export function intAt(read: Read, address: number): number | null {
  const bytes = read(address, 4);
  return bytes.length < 4 ? null : view(bytes).getInt32(0, true);
}

/** struct iovec[]: the first bytes of all they hold, of which `whole` count. */
export function vectors(read: Read, address: number, count: number, whole: number): Value {
  const table = read(address, 16 * Math.max(0, Math.min(count, MOST_VECTORS))).slice();
  const pieces: Uint8Array[] = [];
  let got = 0;
  for (let at = 0; at + 16 <= table.length && got < Math.min(PREVIEW, whole); at += 16) {
    const wanted = Math.min(word(view(table), at + 8), PREVIEW - got, whole - got);
    const piece = read(word(view(table), at), wanted).slice();
    pieces.push(piece);
    got += piece.length;
    if (piece.length < wanted) {
      break;
    }
  }
  if (table.length === 0 && count > 0) {
    return pointer(address);
  }
  return quoted(Buffer.concat(pieces), Number.isFinite(whole) ? whole : vectorsLength(table));
}

function vectorsLength(table: Uint8Array): number {
  let length = 0;
  for (let at = 0; at + 16 <= table.length; at += 16) {
    length += word(view(table), at + 8);
  }
  return length;
}

export interface MessageHeader {
  readonly value: Value;
  readonly end: TracedEnd | null;
  readonly flags: number;
}

const MSGHDR = 56;
const MMSGHDR = 64;

/** struct msghdr. `whole`: how many bytes of its vectors count; Infinity for all of them. */
export function messageHeader(read: Read, address: number, whole: number): MessageHeader {
  const bytes = read(address, MSGHDR).slice();
  if (bytes.length < MSGHDR) {
    return { value: pointer(address), end: null, flags: 0 };
  }
  const header = view(bytes);
  const name = sockaddr(read, word(header, 0), header.getUint32(8, true));
  const data = vectors(read, word(header, 16), word(header, 24), whole);
  const control = word(header, 40);
  const value: Record<string, Value> = {};
  if (word(header, 0) !== 0 && header.getUint32(8, true) > 0) {
    value.name = name.value;
  }
  value.data = data;
  if (word(header, 32) !== 0 && control > 0) {
    value.control = control;
  }
  return { value, end: name.end, flags: header.getInt32(48, true) };
}

/** struct mmsghdr[], of which `done` were sent or received. */
export function messageHeaders(read: Read, address: number, done: number): Value {
  const list: Value[] = [];
  for (let i = 0; i < Math.min(done, MOST_ITEMS); i++) {
    const length = intAt(read, address + i * MMSGHDR + MSGHDR);
    list.push(messageHeader(read, address + i * MMSGHDR, Math.max(0, length ?? 0)).value);
  }
  return done > MOST_ITEMS ? [...list, '…'] : list;
}

export interface Polled {
  readonly fd: number;
  readonly asked: number;
  readonly came: number;
}

export function pollSet(read: Read, address: number, count: number): Polled[] {
  const bytes = read(address, 8 * Math.max(0, Math.min(count, MOST_ITEMS)));
  const words = view(bytes);
  const list: Polled[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const [fd, asked, came] = [
      words.getInt32(at, true),
      words.getUint16(at + 4, true),
      words.getUint16(at + 6, true),
    ];
    list.push({ fd, asked, came });
  }
  return list;
}

/** `{"5": "POLLIN"}`, and with an answer `{"5": "POLLIN → POLLIN|POLLHUP"}`. */
export function pollValue(set: readonly Polled[], answered: boolean): Value {
  return Object.fromEntries(
    set.map(({ fd, asked, came }) => {
      const wish = String(flagNames(POLL_EVENTS, asked));
      return [String(fd), answered && came !== 0 ? `${wish} → ${flagNames(POLL_EVENTS, came)}` : wish];
    }),
  );
}

/** struct epoll_event is packed on x86-64 only. */
const EPOLL = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };

export interface EpollEvent {
  readonly events: number;
  /** Both halves of the program's 64 bits. */
  readonly low: number;
  readonly high: number;
}

export function epollEvents(read: Read, address: number, count: number): EpollEvent[] {
  const bytes = read(address, EPOLL.size * Math.max(0, Math.min(count, MOST_ITEMS)));
  const words = view(bytes);
  const list: EpollEvent[] = [];
  for (let at = 0; at + EPOLL.size <= bytes.length; at += EPOLL.size) {
    list.push({
      events: words.getUint32(at, true),
      low: words.getInt32(at + EPOLL.data, true),
      high: words.getInt32(at + EPOLL.data + 4, true),
    });
  }
  return list;
}

export function epollNames(events: number): string | number {
  return flagNames(EPOLL_EVENTS, events);
}

/** The members of an fd_set below `count`. */
export function fdSet(read: Read, address: number, count: number): number[] | null {
  if (address === 0) {
    return null;
  }
  const bytes = read(address, Math.ceil(Math.max(0, Math.min(count, 1024)) / 8));
  const members: number[] = [];
  for (let fd = 0; fd < count && fd < bytes.length * 8; fd++) {
    if (((bytes[fd >> 3]! >> (fd & 7)) & 1) === 1) {
      members.push(fd);
    }
  }
  return members;
}

/** struct timespec as seconds; null for "for ever". */
export function seconds(read: Read, address: number, perSecond: number): Value {
  const bytes = address === 0 ? null : read(address, 16);
  if (bytes === null) {
    return 'NULL';
  }
  if (bytes.length < 16) {
    return pointer(address);
  }
  return `${Number(view(bytes).getBigInt64(0, true)) + Number(view(bytes).getBigInt64(8, true)) / perSecond} s`;
}

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_LINGER = 13;
const TIMEOUTS: ReadonlySet<number> = new Set([20, 21, 66, 67]);

/** What a socket option was set to, or is. */
export function optionValue(
  read: Read,
  level: number,
  option: number,
  address: number,
  length: number,
): Value {
  const bytes = read(address, Math.min(Math.max(0, length), PREVIEW));
  if (bytes.length === 0) {
    return pointer(address);
  }
  const words = view(bytes);
  if (level === SOL_SOCKET && option === SO_LINGER && bytes.length >= 8) {
    return words.getInt32(0, true) === 0 ? 'off' : `${words.getInt32(4, true)} s`;
  }
  if (level === SOL_SOCKET && TIMEOUTS.has(option) && bytes.length >= 16) {
    return seconds(read, address, 1e6);
  }
  if (level === SOL_SOCKET && option === SO_ERROR && bytes.length === 4 && words.getInt32(0, true) !== 0) {
    return errnoName(words.getInt32(0, true));
  }
  if (length === 4 && bytes.length === 4) {
    return words.getInt32(0, true);
  }
  return length > PREVIEW ? `${String(optionName(level, option))} of ${length} bytes` : quoted(bytes, length);
}

/** A NULL-terminated `char *[]`. */
export function textList(read: Read, address: number): Value {
  const table = read(address, 8 * MOST_ITEMS).slice();
  const list: Value[] = [];
  for (let at = 0; at + 8 <= table.length; at += 8) {
    const item = word(view(table), at);
    if (item === 0) {
      return list;
    }
    list.push(text(read, item) ?? pointer(item));
  }
  return [...list, '…'];
}
