/** Sockets for an event loop: addresses as the kernel has them, and the calls of the byte path. Results below zero are -errno. */
import koffi from 'koffi';
import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from '../wire/net/address.ts';
import { fixedMemory, lastError } from './epoll.ts';
import * as libc from './libc.ts';

export type SocketAddress =
  | { readonly kind: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;

const CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const EINVAL = -22;
const ENAMETOOLONG = -36;

/** sun_path has 108 bytes; the kernel wants one of them for the NUL of a path in the file system. */
const SUN_PATH = 108;
/** sizeof(struct sockaddr_storage) */
export const LONGEST_ADDRESS = 128;

const library = process.platform === 'linux' ? koffi.load(null) : null;

type Call<A extends number[]> = (...args: A) => number;

function bind<A extends number[]>(declaration: string): Call<A> {
  return library === null ? () => -1 : library.func(declaration);
}

const socketCall = bind<[family: number, type: number, protocol: number]>('int socket(int, int, int)');
const bindCall = bind<[fd: number, address: number, length: number]>('int bind(int, intptr_t, uint)');
const connectCall = bind<[fd: number, address: number, length: number]>('int connect(int, intptr_t, uint)');
const listenCall = bind<[fd: number, backlog: number]>('int listen(int, int)');
const acceptCall = bind<[fd: number, address: number, length: number, flags: number]>(
  'int accept4(int, intptr_t, intptr_t, int)',
);
const recvCall = bind<[fd: number, into: number, length: number, flags: number]>(
  'long recv(int, intptr_t, size_t, int)',
);
const sendCall = bind<[fd: number, from: number, length: number, flags: number]>(
  'long send(int, intptr_t, size_t, int)',
);
const recvfromCall = bind<
  [fd: number, into: number, length: number, flags: number, address: number, addressLength: number]
>('long recvfrom(int, intptr_t, size_t, int, intptr_t, intptr_t)');
const sendtoCall = bind<
  [fd: number, from: number, length: number, flags: number, address: number, addressLength: number]
>('long sendto(int, intptr_t, size_t, int, intptr_t, uint)');
const shutdownCall = bind<[fd: number, how: number]>('int shutdown(int, int)');
const setsockoptCall = bind<[fd: number, level: number, name: number, value: number, length: number]>(
  'int setsockopt(int, int, int, intptr_t, uint)',
);
const getsockoptCall = bind<[fd: number, level: number, name: number, value: number, length: number]>(
  'int getsockopt(int, int, int, intptr_t, intptr_t)',
);
const getsocknameCall = bind<[fd: number, address: number, length: number]>(
  'int getsockname(int, intptr_t, intptr_t)',
);
const getpeernameCall = bind<[fd: number, address: number, length: number]>(
  'int getpeername(int, intptr_t, intptr_t)',
);

/** An address as the kernel has it, in memory that stays where it is. */
export interface RawAddress {
  readonly family: number;
  readonly bytes: Uint8Array;
  readonly address: number;
  readonly length: number;
}

export function encodeAddress(address: SocketAddress): RawAddress | number {
  return address.kind === 'unix' ? encodePath(address.path) : encodeHost(address.host, address.port);
}

function encodeHost(host: string, port: number): RawAddress | number {
  const v4 = parseIpv4(host);
  const ip = v4 ?? parseIpv6(host);
  if (ip === null || !Number.isInteger(port) || port < 0 || port > 0xffff) {
    return EINVAL;
  }
  const family = v4 === null ? AF_INET6 : AF_INET;
  const raw = emptyAddress(family, family === AF_INET ? 16 : 28);
  raw.bytes[2] = port >> 8;
  raw.bytes[3] = port & 0xff;
  raw.bytes.set(ip, family === AF_INET ? 4 : 8);
  return raw;
}

function encodePath(path: string): RawAddress | number {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.includes(0)) {
    return EINVAL;
  }
  const abstract = name[0] === 0x40;
  if (name.length > (abstract ? SUN_PATH : SUN_PATH - 1)) {
    return ENAMETOOLONG;
  }
  // An abstract name is as long as the address says, NULs included; one in the file system ends with a NUL (unix(7)).
  const raw = emptyAddress(AF_UNIX, 2 + name.length + (abstract ? 0 : 1));
  raw.bytes.set(name, 2);
  if (abstract) {
    raw.bytes[2] = 0;
  }
  return raw;
}

function emptyAddress(family: number, length: number): RawAddress {
  const memory = fixedMemory(LONGEST_ADDRESS);
  memory.bytes[0] = family;
  return { family, bytes: memory.bytes, address: memory.address, length };
}

/** null for a family that is none of ours. A socket without a name has the path ''. */
export function decodeAddress(
  bytes: Uint8Array,
  length: number,
  kind: 'tcp' | 'udp' | 'unix',
): SocketAddress | null {
  const family = bytes[0]! | (bytes[1]! << 8);
  if (family === AF_UNIX) {
    return { kind: 'unix', path: pathText(bytes, Math.min(length, 2 + SUN_PATH)) };
  }
  if (kind === 'unix' || (family !== AF_INET && family !== AF_INET6)) {
    return null;
  }
  const port = (bytes[2]! << 8) | bytes[3]!;
  return { kind, host: family === AF_INET ? ipv4Text(bytes, 4) : ipv6Text(bytes, 8), port };
}

function pathText(bytes: Uint8Array, length: number): string {
  if (length <= 2) {
    return '';
  }
  const name = new TextDecoder().decode(bytes.subarray(2, length));
  return name[0] === '\0' ? `@${name.slice(1)}` : name.split('\0', 1)[0]!;
}

const peer = fixedMemory(LONGEST_ADDRESS);
const peerLength = fixedMemory(4);

/** Who it was at the last `acceptSocket` or `receiveFrom`; overwritten by the next call that asks for an address. */
export const came = { bytes: peer.bytes, length: 0 };

const scratch = fixedMemory(16);
const scratchLength = fixedMemory(4);

export function openSocket(family: number, type: number): number {
  const fd = socketCall(family, type | CLOEXEC_NONBLOCK, 0);
  return fd === -1 ? lastError() : fd;
}

export function bindSocket(fd: number, to: RawAddress): number {
  return bindCall(fd, to.address, to.length) === -1 ? lastError() : 0;
}

export function connectSocket(fd: number, to: RawAddress): number {
  return connectCall(fd, to.address, to.length) === -1 ? lastError() : 0;
}

export function listenOn(fd: number, backlog: number): number {
  return listenCall(fd, backlog) === -1 ? lastError() : 0;
}

/** The new descriptor; `came` says who it is. */
export function acceptSocket(fd: number): number {
  peerLength.words[0] = LONGEST_ADDRESS;
  const accepted = acceptCall(fd, peer.address, peerLength.address, CLOEXEC_NONBLOCK);
  if (accepted === -1) {
    return lastError();
  }
  came.length = peerLength.words[0]!;
  return accepted;
}

export function receive(fd: number, into: number, length: number): number {
  const got = recvCall(fd, into, length, MSG_DONTWAIT);
  return got === -1 ? lastError() : got;
}

export function transmit(fd: number, from: number, length: number): number {
  const sent = sendCall(fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent === -1 ? lastError() : sent;
}

/** One datagram; `came` says from whom. */
export function receiveFrom(fd: number, into: number, length: number): number {
  peerLength.words[0] = LONGEST_ADDRESS;
  const got = recvfromCall(fd, into, length, MSG_DONTWAIT, peer.address, peerLength.address);
  if (got === -1) {
    return lastError();
  }
  came.length = peerLength.words[0]!;
  return got;
}

export function transmitTo(fd: number, from: number, length: number, to: RawAddress): number {
  const sent = sendtoCall(fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL, to.address, to.length);
  return sent === -1 ? lastError() : sent;
}

const SHUT_WR = 1;

export function shutdownWrites(fd: number): number {
  return shutdownCall(fd, SHUT_WR) === -1 ? lastError() : 0;
}

/** The next close sends RST and drops what was not sent (SO_LINGER with no time, socket(7)). */
export function resetOnClose(fd: number): number {
  scratch.words[0] = 1;
  scratch.words[1] = 0;
  return setOption(fd, SOL_SOCKET, SO_LINGER, 8);
}

/** The error that waits at the socket, as a positive errno, and takes it away; 0 for none. */
export function takeError(fd: number): number {
  return getInt(fd, SOL_SOCKET, SO_ERROR);
}

/** SOCK_STREAM or SOCK_DGRAM; -ENOTSOCK for what is no socket. */
export function socketType(fd: number): number {
  return getInt(fd, SOL_SOCKET, SO_TYPE);
}

export function reuseAddress(fd: number): number {
  return setInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

export function reusePort(fd: number): number {
  return setInt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

/** bind(2) with port 0 leaves the port to connect(2), so that one local port serves many destinations (ip(7)). */
export function bindWithoutPort(fd: number): number {
  return setInt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
}

/** struct sock_fprog and struct sock_filter (linux/filter.h). A filter on a TCP socket sees packets from the TCP header on. */
const program = fixedMemory(16);
const instructions = fixedMemory(5 * 8);
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number];
const BPF_LOAD_BYTE = 0x30;
const BPF_AND = 0x54;
const BPF_JUMP_IF_EQUAL = 0x15;
const BPF_RET = 0x06;
const FLAGS_OFFSET = 13;
const SYN = 0x02;
const SYN_OR_ACK = 0x12;
const DROP_ALL: readonly Instruction[] = [[BPF_RET, 0, 0, 0]];
const DROP_FIRST_SYN: readonly Instruction[] = [
  [BPF_LOAD_BYTE, 0, 0, FLAGS_OFFSET],
  [BPF_AND, 0, 0, SYN_OR_ACK],
  [BPF_JUMP_IF_EQUAL, 0, 1, SYN],
  [BPF_RET, 0, 0, 0],
  [BPF_RET, 0, 0, 0xffff_ffff],
];

/** Everything that arrives for this socket is dropped before the protocol sees it, as if the cable were cut. */
export function dropArrivals(fd: number): number {
  return attach(fd, DROP_ALL);
}

/** Nobody new gets in: a SYN is dropped, and its sender tries again in a second. Handshakes that have begun come to their end. */
export function dropNewcomers(fd: number): number {
  return attach(fd, DROP_FIRST_SYN);
}

function attach(fd: number, filter: readonly Instruction[]): number {
  const view = new DataView(instructions.bytes.buffer, instructions.bytes.byteOffset);
  filter.forEach(([code, whenTrue, whenFalse, value], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, whenTrue);
    view.setUint8(index * 8 + 3, whenFalse);
    view.setUint32(index * 8 + 4, value, true);
  });
  program.words[0] = filter.length;
  new DataView(program.bytes.buffer, program.bytes.byteOffset).setBigUint64(
    8,
    BigInt(instructions.address),
    true,
  );
  return setsockoptCall(fd, SOL_SOCKET, SO_ATTACH_FILTER, program.address, 16) === -1 ? lastError() : 0;
}

export function keepArrivals(fd: number): number {
  return setInt(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

export function localAddress(fd: number, kind: 'tcp' | 'udp' | 'unix'): SocketAddress | number {
  peerLength.words[0] = LONGEST_ADDRESS;
  return getsocknameCall(fd, peer.address, peerLength.address) === -1 ? lastError() : decoded(kind);
}

export function peerAddress(fd: number, kind: 'tcp' | 'udp' | 'unix'): SocketAddress | number {
  peerLength.words[0] = LONGEST_ADDRESS;
  return getpeernameCall(fd, peer.address, peerLength.address) === -1 ? lastError() : decoded(kind);
}

function decoded(kind: 'tcp' | 'udp' | 'unix'): SocketAddress | number {
  return decodeAddress(peer.bytes, peerLength.words[0]!, kind) ?? -97;
}

function setInt(fd: number, level: number, name: number, value: number): number {
  scratch.words[0] = value;
  return setOption(fd, level, name, 4);
}

function setOption(fd: number, level: number, name: number, length: number): number {
  return setsockoptCall(fd, level, name, scratch.address, length) === -1 ? lastError() : 0;
}

function getInt(fd: number, level: number, name: number): number {
  scratchLength.words[0] = 4;
  const result = getsockoptCall(fd, level, name, scratch.address, scratchLength.address);
  return result === -1 ? lastError() : scratch.words[0]!;
}

const POLLIN = 1;
const pollfd = new Uint8Array(8);
const pollView = new DataView(pollfd.buffer);

/** Something can be accepted, or read. */
export function somebodyWaits(fd: number): boolean {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, POLLIN, true);
  return libc.poll(pollfd, 1, 0) > 0;
}
