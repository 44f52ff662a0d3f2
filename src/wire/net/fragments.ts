/**
 * Datagrams put together from their fragments, IPv4 and IPv6. Overlaps are judged as Linux does for both
 * (net/ipv4/inet_fragment.c, inet_frag_queue_insert): a piece that lies wholly within what is there is a duplicate and
 * ignored, any other overlap drops the datagram (RFC 5722 asks for that).
 */

import { latin1 } from '../app/text.ts';
import { dissect } from '../dissect.ts';
import { type Headers, LINK, PROBLEM } from '../headers.ts';
import { u16 } from '../link/fields.ts';
import { expectedIp } from './checksum.ts';
import { extensionSize, FRAGMENT, IPV6_HEADER } from './ipv6.ts';

export interface FragmentLimits {
  readonly datagrams: number;
  readonly bytes: number;
  /** Nanoseconds by the packets' own clock. */
  readonly age: number;
}

const LIMITS: FragmentLimits = { datagrams: 256, bytes: 4 << 20, age: 30e9 };
const LARGEST = 65_535;
/** Holes in one datagram: fragments arrive nearly in order. */
const MAX_RUNS = 64;
const NEXT_HEADER = 6;

export interface Fragments {
  /** True when the datagram became whole: `h` is then the datagram, in a buffer of its own, dissected. */
  add(h: Headers): boolean;
  /** Datagrams given up: overlapping, contradictory, too old, or too many. */
  readonly dropped: number;
}

interface Datagram {
  readonly began: number;
  /** Everything before the fragmented part, from the fragment with offset 0. */
  header: Uint8Array | null;
  /** In IPv6: where in `header` the number of the fragment header stands, and what takes its place. */
  nextAt: number;
  next: number;
  data: Uint8Array;
  /** Pairs of ends, sorted, not touching. */
  readonly runs: number[];
  /** Known from the last fragment; -1 before. */
  length: number;
  /** Given up: what is still to come of it is ignored (RFC 5722 section 4). */
  dead: boolean;
}

/** One fragment, taken apart; used again for each. */
interface Piece {
  key: string;
  headerEnd: number;
  nextAt: number;
  next: number;
  dataAt: number;
  offset: number;
  length: number;
  last: boolean;
}

export function createFragments(limits: FragmentLimits = LIMITS): Fragments {
  /** In order of arrival, so the oldest comes first. */
  const datagrams = new Map<string, Datagram>();
  const piece: Piece = {
    key: '',
    headerEnd: 0,
    nextAt: 0,
    next: 0,
    dataAt: 0,
    offset: 0,
    length: 0,
    last: false,
  };
  let held = 0;

  const fragments = { add, dropped: 0 };

  function add(h: Headers): boolean {
    expire(h.at);
    if (h.problem !== PROBLEM.fragment || !(h.net === 4 ? readPiece4(h, piece) : readPiece6(h, piece))) {
      return false;
    }
    let datagram = datagrams.get(piece.key);
    if (datagram === undefined) {
      datagram = {
        began: h.at,
        header: null,
        nextAt: 0,
        next: 0,
        data: new Uint8Array(0),
        runs: [],
        length: -1,
        dead: false,
      };
      datagrams.set(piece.key, datagram);
    }
    if (datagram.dead) {
      return false;
    }
    if (!take(datagram, h, piece)) {
      kill(datagram);
      return false;
    }
    if (isWhole(datagram)) {
      if (isOversize(h, datagram)) {
        kill(datagram);
        return false;
      }
      held -= sizeOf(datagram);
      datagrams.delete(piece.key);
      rewrite(h, datagram);
      return true;
    }
    shrink();
    return false;
  }

  /** False when the piece contradicts what is there. */
  function take(datagram: Datagram, h: Headers, p: Piece): boolean {
    const end = p.offset + p.length;
    const most = datagram.runs.at(-1) ?? 0;
    if (end > LARGEST || p.length === 0 || (datagram.length >= 0 && end > datagram.length)) {
      return false;
    }
    if (p.last) {
      if (end < most || (datagram.length >= 0 && end !== datagram.length)) {
        return false;
      }
      datagram.length = end;
    }
    const found = insert(datagram.runs, p.offset, end);
    if (found !== 'new') {
      return found === 'duplicate';
    }
    held -= sizeOf(datagram);
    if (datagram.data.length < end) {
      const grown = new Uint8Array(Math.min(LARGEST, Math.max(end, 2 * datagram.data.length)));
      grown.set(datagram.data);
      datagram.data = grown;
    }
    datagram.data.set(h.bytes.subarray(p.dataAt, p.dataAt + p.length), p.offset);
    if (p.offset === 0) {
      datagram.header = h.bytes.slice(h.netAt, p.headerEnd);
      datagram.nextAt = p.nextAt - h.netAt;
      datagram.next = p.next;
    }
    held += sizeOf(datagram);
    return true;
  }

  function kill(datagram: Datagram): void {
    fragments.dropped++;
    held -= sizeOf(datagram);
    datagram.dead = true;
    datagram.data = new Uint8Array(0);
    datagram.header = null;
    datagram.runs.length = 0;
  }

  function forget(key: string, datagram: Datagram): void {
    if (!datagram.dead) {
      kill(datagram);
    }
    datagrams.delete(key);
  }

  function expire(now: number): void {
    for (const [key, datagram] of datagrams) {
      if (now - datagram.began <= limits.age) {
        return;
      }
      forget(key, datagram);
    }
  }

  function shrink(): void {
    for (const [key, datagram] of datagrams) {
      if (datagrams.size <= limits.datagrams && held <= limits.bytes) {
        return;
      }
      forget(key, datagram);
    }
  }

  return fragments;
}

function sizeOf(datagram: Datagram): number {
  return datagram.data.length + (datagram.header?.length ?? 0);
}

function isWhole({ header, length, runs }: Datagram): boolean {
  return header !== null && runs.length === 2 && runs[0] === 0 && runs[1] === length;
}

/** The length fields have 16 bits; IPv6 does not count its own header. */
function isOversize(h: Headers, { header, length }: Datagram): boolean {
  return header!.length - (h.net === 4 ? 0 : IPV6_HEADER) + length > LARGEST;
}

/** Makes [from, to) part of the runs; touching runs become one. */
function insert(runs: number[], from: number, to: number): 'new' | 'duplicate' | 'overlap' {
  let i = 0;
  while (i < runs.length && runs[i + 1]! < from) {
    i += 2;
  }
  // runs[i] is the first that touches, overlaps or follows.
  if (i < runs.length && runs[i]! <= from && to <= runs[i + 1]!) {
    return 'duplicate';
  }
  const touchesLeft = i < runs.length && runs[i + 1] === from;
  const follower = touchesLeft ? i + 2 : i;
  if (follower < runs.length && runs[follower]! < to) {
    return 'overlap';
  }
  const touchesRight = follower < runs.length && runs[follower] === to;
  if (touchesLeft && touchesRight) {
    runs.splice(i + 1, 2);
  } else if (touchesLeft) {
    runs[i + 1] = to;
  } else if (touchesRight) {
    runs[follower] = from;
  } else {
    if (runs.length >= 2 * MAX_RUNS) {
      return 'overlap';
    }
    runs.splice(i, 0, from, to);
  }
  return 'new';
}

/** False for a piece that was not captured whole. */
function readPiece4(h: Headers, p: Piece): boolean {
  const { bytes, netAt } = h;
  const place = u16(bytes, netAt + 6);
  p.headerEnd = netAt + ((bytes[netAt]! & 15) << 2);
  p.dataAt = p.headerEnd;
  p.offset = (place & 0x1fff) << 3;
  p.last = (place & 0x2000) === 0;
  const length = h.netEnd - p.dataAt;
  // Only the last may end anywhere; the kernel cuts the others (net/ipv4/ip_fragment.c, ip_frag_queue).
  p.length = p.last ? length : length & ~7;
  // RFC 791 section 3.2: source, destination, protocol and identification make the datagram.
  p.key =
    latin1(bytes, netAt + 12, netAt + 20) +
    latin1(bytes, netAt + 9, netAt + 10) +
    latin1(bytes, netAt + 4, netAt + 6);
  return h.netEnd <= h.to;
}

/** In IPv6 a piece of wrong length is refused (RFC 8200 section 4.5). */
function readPiece6(h: Headers, p: Piece): boolean {
  const { bytes, netAt } = h;
  p.nextAt = netAt + NEXT_HEADER;
  let at = netAt + IPV6_HEADER;
  while (bytes[p.nextAt] !== FRAGMENT) {
    const size = extensionSize(bytes, at, bytes[p.nextAt]!);
    if (size === 0 || at + size > h.to) {
      return false;
    }
    p.nextAt = at;
    at += size;
  }
  const place = u16(bytes, at + 2);
  p.headerEnd = at;
  p.dataAt = at + 8;
  p.next = bytes[at]!;
  p.offset = place & 0xfff8;
  p.last = (place & 1) === 0;
  p.length = h.netEnd - p.dataAt;
  p.key = latin1(bytes, netAt + 8, netAt + IPV6_HEADER) + latin1(bytes, at + 4, at + 8);
  return h.netEnd <= h.to && (p.last || p.length % 8 === 0);
}

/** As if it had never been taken apart: the length and the fragment fields say so, and the checksum fits. */
function rewrite(h: Headers, { header, nextAt, next, data, length }: Datagram): void {
  const bytes = new Uint8Array(header!.length + length);
  bytes.set(header!);
  bytes.set(data.subarray(0, length), header!.length);
  if (h.net === 4) {
    setU16(bytes, 2, bytes.length);
    setU16(bytes, 6, u16(bytes, 6) & 0xc000);
    setU16(bytes, 10, expectedIp(bytes, 0));
  } else {
    setU16(bytes, 4, bytes.length - IPV6_HEADER);
    bytes[nextAt] = next;
  }
  const { vlan, vlans, etherType } = h;
  h.bytes = bytes;
  h.from = 0;
  h.to = bytes.length;
  h.wireLength = bytes.length;
  h.linkType = LINK.raw;
  dissect(h);
  h.vlan = vlan;
  h.vlans = vlans;
  h.etherType = etherType;
  h.reassembled = true;
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}
