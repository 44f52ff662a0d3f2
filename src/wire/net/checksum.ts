/** Internet checksums, RFC 1071, and the pseudo headers of RFC 9293 section 3.1, RFC 768 and RFC 8200 section 8.1. */
import { type Headers, PROBLEM } from '../headers.ts';
import { u16 } from '../link/fields.ts';
import { extensionSize, IPV6_HEADER, ROUTING } from './ipv6.ts';

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;

export type IpChecksum = 'good' | 'bad' | 'unknown' | 'none';
/** `partial`: what Linux leaves for the interface to finish; the packet was captured before it did. */
export type TransportChecksum = 'good' | 'bad' | 'partial' | 'unknown' | 'none';

export interface Checksums {
  readonly ip: IpChecksum;
  readonly transport: TransportChecksum;
}

/** Every answer there is, made once: the caller may keep what it gets. */
const ANSWERS = Object.fromEntries(
  (['good', 'bad', 'unknown', 'none'] as const).map((ip) => [
    ip,
    Object.fromEntries(
      (['good', 'bad', 'partial', 'unknown', 'none'] as const).map((transport) => [
        transport,
        Object.freeze({ ip, transport }),
      ]),
    ),
  ]),
) as Record<IpChecksum, Record<TransportChecksum, Checksums>>;

export function checksums(h: Headers): Checksums {
  return ANSWERS[ipChecksum(h)][transportChecksum(h)];
}

export function ipChecksum(h: Headers): IpChecksum {
  if (h.net !== 4) {
    return 'none';
  }
  const { bytes, netAt } = h;
  const end = netAt + ((bytes[netAt]! & 15) << 2);
  if (end > h.to || end < netAt + 20) {
    return 'unknown';
  }
  return fold(sum(bytes, netAt, end)) === 0xffff ? 'good' : 'bad';
}

export function transportChecksum(h: Headers): TransportChecksum {
  const at = h.transportAt;
  if (h.net === 0 || (at < 0 && h.problem === PROBLEM.none)) {
    return 'none';
  }
  if (h.problem !== PROBLEM.none) {
    return 'unknown';
  }
  const { bytes } = h;
  const end = coveredEnd(h);
  const place = checksumAt(h);
  if (place < 0 || end > h.to || place + 2 > end) {
    return 'unknown';
  }
  const field = (bytes[place]! << 8) | bytes[place + 1]!;
  if (field === 0 && h.protocol === UDP) {
    // Over IPv6 a zero is a fault, but for tunnels that agreed on it (RFC 8200 section 8.1, RFC 6935).
    return h.net === 4 ? 'none' : 'bad';
  }
  const pseudo = pseudoSum(h, end - at);
  if (pseudo < 0) {
    return 'unknown';
  }
  if (fold(pseudo + sum(bytes, at, end)) === 0xffff) {
    return 'good';
  }
  // CHECKSUM_PARTIAL (include/linux/skbuff.h): the field holds the pseudo header's sum, not complemented.
  return pseudo > 0 && field === fold(pseudo) ? 'partial' : 'bad';
}

/** What the IPv4 header's field should hold. The header was captured whole. */
export function expectedIp(bytes: Uint8Array, at: number): number {
  const end = at + ((bytes[at]! & 15) << 2);
  return complement(sum(bytes, at, end), u16(bytes, at + 10));
}

/** What the transport header's field should hold; only where transportChecksum() could tell. */
export function expectedTransport(h: Headers): number {
  const end = coveredEnd(h);
  const total = pseudoSum(h, end - h.transportAt) + sum(h.bytes, h.transportAt, end);
  const value = complement(total, u16(h.bytes, checksumAt(h)));
  return value === 0 && h.protocol === UDP ? 0xffff : value;
}

export function checksumText(field: number, status: TransportChecksum, expected: () => number): string {
  const value = hex(field);
  switch (status) {
    case 'good':
      return `${value} correct`;
    case 'bad':
      return `${value} wrong, should be ${hex(expected())}`;
    case 'partial':
      return `${value} not yet computed (offloaded to the interface)`;
    case 'none':
      return `${value} not used`;
    case 'unknown':
      return `${value} not checked`;
  }
}

const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;

/** Where the checksum field is; -1 for a protocol we do not check. */
function checksumAt(h: Headers): number {
  switch (h.protocol) {
    case TCP:
      return h.transportAt + 16;
    case UDP:
      return h.transportAt + 6;
    case ICMP:
      return h.net === 4 ? h.transportAt + 2 : -1;
    case ICMPV6:
      return h.net === 6 ? h.transportAt + 2 : -1;
    default:
      return -1;
  }
}

/** UDP may be shorter than the datagram says. */
function coveredEnd(h: Headers): number {
  return h.protocol === UDP && h.payloadAt >= 0 ? h.payloadAt + h.payloadLength : h.netEnd;
}

/** Not folded; 0 where the protocol has none, -1 when the final destination is not known. */
function pseudoSum(h: Headers, length: number): number {
  const { bytes, sourceAt } = h;
  if (h.protocol === ICMP) {
    return 0;
  }
  const rest = h.protocol + (length >>> 16) + (length & 0xffff);
  if (h.net === 4) {
    return sourceRouted(h) ? -1 : rest + short(bytes, sourceAt, sourceAt + 8);
  }
  if (h.transportAt === h.netAt + IPV6_HEADER) {
    return rest + short(bytes, sourceAt, sourceAt + 32);
  }
  const destination = finalDestination(h);
  return destination < 0
    ? -1
    : rest + short(bytes, sourceAt, sourceAt + 16) + short(bytes, destination, destination + 16);
}

/** A source route with hops to go: the destination of the pseudo header is the last hop. Seen so rarely that we do not say. */
function sourceRouted(h: Headers): boolean {
  const { bytes } = h;
  let at = h.netAt + 20;
  while (at + 2 < h.transportAt) {
    const kind = bytes[at]!;
    if (kind === 0) {
      return false;
    }
    if (kind === 131 || kind === 137) {
      return bytes[at + 2]! <= bytes[at + 1]!;
    }
    at += kind === 1 ? 1 : Math.max(2, bytes[at + 1]!);
  }
  return false;
}

/** With a routing header that has segments left, the address that the last segment names (RFC 8200 section 8.1). */
function finalDestination(h: Headers): number {
  const { bytes } = h;
  let at = h.netAt + IPV6_HEADER;
  let next = bytes[h.netAt + 6]!;
  while (at < h.transportAt) {
    const size = extensionSize(bytes, at, next);
    if (next === ROUTING && bytes[at + 3] !== 0) {
      if (size < 24) {
        return -1;
      }
      switch (bytes[at + 2]) {
        case 0:
          return at + size - 16;
        case 2:
        case 4:
          // RFC 8754 section 2: segments are listed last first.
          return at + 8;
        default:
          return -1;
      }
    }
    next = bytes[at]!;
    at += size;
  }
  return h.destinationAt;
}

function complement(total: number, field: number): number {
  return ~fold(total + (0xffff - field)) & 0xffff;
}

export function fold(total: number): number {
  let value = total;
  while (value > 0xffff) {
    value = (value & 0xffff) + (value >>> 16);
  }
  return value;
}

/** Below this the view costs more than it saves (measured: 40 bytes 25 ns against 87, 1448 bytes 680 ns against 290). */
const LONG = 160;
/** So many bytes cannot overflow 32 bits. */
const CHUNK = 0x10000;

/** The sum of big-endian 16-bit words, an odd last byte padded with zero. It fits 32 bits. */
export function sum(bytes: Uint8Array, from: number, to: number): number {
  if (to - from < LONG) {
    return short(bytes, from, to);
  }
  let total = 0;
  for (let at = from; at < to; at += CHUNK) {
    total += long(bytes, at, Math.min(to, at + CHUNK));
  }
  return total;
}

function short(bytes: Uint8Array, from: number, to: number): number {
  let high = 0;
  let low = 0;
  let at = from;
  for (; at + 8 <= to; at += 8) {
    high += bytes[at]! + bytes[at + 2]! + bytes[at + 4]! + bytes[at + 6]!;
    low += bytes[at + 1]! + bytes[at + 3]! + bytes[at + 5]! + bytes[at + 7]!;
  }
  for (; at + 2 <= to; at += 2) {
    high += bytes[at]!;
    low += bytes[at + 1]!;
  }
  if (at < to) {
    high += bytes[at]!;
  }
  return high * 256 + low;
}

/** Four words at a time, in the machine's likely order: a ones' complement sum does not mind, but for the swap at the end (RFC 1071 section 2). */
function long(bytes: Uint8Array, from: number, to: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, to - from);
  const end = to - from;
  let low = 0;
  let high = 0;
  let at = 0;
  for (; at + 16 <= end; at += 16) {
    const a = view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    low = (low + (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff)) | 0;
    high = (high + (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16)) | 0;
  }
  let rest = (low & 0xffff) + (low >>> 16) + (high & 0xffff) + (high >>> 16);
  for (; at + 2 <= end; at += 2) {
    rest += view.getUint16(at, true);
  }
  if (at < end) {
    rest += view.getUint8(at);
  }
  const folded = fold(rest);
  return ((folded & 0xff) << 8) | (folded >> 8);
}
