/** Writes IP packets as they would have been on a wire: headers with right checksums (RFC 791, 8200, 9293, 768) in front of a payload. */
import { fold, sum } from '../../wire/net/checksum.ts';

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

const TCP = 6;
const UDP = 17;
const IPV4 = 20;
const IPV6 = 40;
const UDP_HEADER = 8;
const TCP_HEADER = 20;
const TTL = 64;
/** What Linux announces on the loopback, less the room for options: fits a datagram over IPv4 and IPv6. */
export const SEGMENT = 65_483;
/** Shifted by 14 (RFC 7323 section 2.3) the window is 1 GiB: who records never makes a sender wait. */
const WINDOW = 0xffff;
const SCALE = 14;
/** Maximum segment size, and a window scale behind a byte that does nothing. */
const SYN_OPTIONS = Uint8Array.of(2, 4, SEGMENT >> 8, SEGMENT & 0xff, 1, 3, 3, SCALE);
/** The longest payload of UDP over IPv4; over IPv6 there would be 20 more. */
export const LONGEST_DATAGRAM = 0xffff - IPV4 - UDP_HEADER;
/** No frame made here is longer. */
export const LONGEST_FRAME = IPV6 + TCP_HEADER + SYN_OPTIONS.length + 0xffff;

/** One end of a conversation; both ends have addresses of the same length, 4 or 16 bytes. */
export interface End {
  readonly address: Uint8Array;
  readonly port: number;
}

/** The packet's length; it lies at the beginning of `target`, which has room for LONGEST_FRAME. */
export function tcpFrame(
  target: Uint8Array,
  from: End,
  to: End,
  seq: number,
  ack: number,
  flags: number,
  payload: Uint8Array,
  start: number,
  end: number,
): number {
  const options = (flags & SYN) === 0 ? 0 : SYN_OPTIONS.length;
  const length = TCP_HEADER + options + end - start;
  const at = ipHeader(target, from, to, TCP, length);
  put16(target, at, from.port);
  put16(target, at + 2, to.port);
  put32(target, at + 4, seq);
  put32(target, at + 8, (flags & ACK) === 0 ? 0 : ack);
  target[at + 12] = (TCP_HEADER + options) << 2;
  target[at + 13] = flags;
  put16(target, at + 14, WINDOW);
  put32(target, at + 16, 0);
  if (options > 0) {
    target.set(SYN_OPTIONS, at + TCP_HEADER);
  }
  target.set(payload.subarray(start, end), at + TCP_HEADER + options);
  put16(target, at + 16, checksum(target, from, to, TCP, at, length));
  return at + length;
}

export function udpFrame(
  target: Uint8Array,
  from: End,
  to: End,
  payload: Uint8Array,
  start: number,
  end: number,
): number {
  const length = UDP_HEADER + end - start;
  const at = ipHeader(target, from, to, UDP, length);
  put16(target, at, from.port);
  put16(target, at + 2, to.port);
  put16(target, at + 4, length);
  put16(target, at + 6, 0);
  target.set(payload.subarray(start, end), at + UDP_HEADER);
  // A field of zero would mean "no checksum".
  put16(target, at + 6, checksum(target, from, to, UDP, at, length) || 0xffff);
  return at + length;
}

function ipHeader(target: Uint8Array, from: End, to: End, protocol: number, length: number): number {
  if (from.address.length === 4) {
    target[0] = 0x45;
    target[1] = 0;
    put16(target, 2, IPV4 + length);
    put16(target, 4, 0);
    // Do not fragment: then an identification of 0 is right (RFC 6864 section 4.1).
    put16(target, 6, 0x4000);
    target[8] = TTL;
    target[9] = protocol;
    put16(target, 10, 0);
    target.set(from.address, 12);
    target.set(to.address, 16);
    put16(target, 10, ~fold(sum(target, 0, IPV4)) & 0xffff);
    return IPV4;
  }
  put32(target, 0, 0x60000000);
  put16(target, 4, length);
  target[6] = protocol;
  target[7] = TTL;
  target.set(from.address, 8);
  target.set(to.address, 24);
  return IPV6;
}

function checksum(
  target: Uint8Array,
  from: End,
  to: End,
  protocol: number,
  at: number,
  length: number,
): number {
  const addresses = from.address.length;
  const pseudo =
    sum(from.address, 0, addresses) + sum(to.address, 0, addresses) + protocol + (length & 0xffff);
  return ~fold(pseudo + (length >>> 16) + sum(target, at, at + length)) & 0xffff;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
