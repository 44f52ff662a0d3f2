/** IPv4, RFC 791. */
import { type Headers, PROBLEM } from '../headers.ts';
import { cut } from '../link/cut.ts';
import {
  address,
  bits,
  type Draft,
  draft,
  finished,
  flag,
  hex,
  hex16,
  type Layer,
  num,
  put,
  u16,
} from '../link/fields.ts';
import { dsText, protocolText } from '../link/protocols.ts';
import { checksumText, expectedIp, ipChecksum } from './checksum.ts';

const SHORTEST = 20;

/** True when a whole transport header may begin at `transportAt`. */
export function readIpv4(h: Headers, at: number): boolean {
  const { bytes, to } = h;
  h.netAt = at;
  if (at + SHORTEST > to) {
    return cut(h, at + SHORTEST);
  }
  const first = bytes[at]!;
  if (first >> 4 !== 4) {
    h.problem = PROBLEM.malformed;
    return false;
  }
  h.net = 4;
  h.sourceAt = at + 12;
  h.destinationAt = at + 16;
  h.ttl = bytes[at + 8]!;
  h.protocol = bytes[at + 9]!;
  const headerEnd = at + ((first & 15) << 2);
  const total = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  const wireEnd = h.from + h.wireLength;
  // A packet of more than 64 KiB that segmentation offload has yet to cut up cannot say its length (include/net/ip.h, iph_set_totlen).
  const end = total === 0 ? wireEnd : at + total;
  h.netEnd = end;
  // The kernel drops a datagram that says it is longer than its frame (net/ipv4/ip_input.c, ip_rcv_core).
  if (headerEnd < at + SHORTEST || end < headerEnd || end > wireEnd) {
    h.problem = PROBLEM.malformed;
    return false;
  }
  if (headerEnd > to) {
    return cut(h, headerEnd);
  }
  const fragment = ((bytes[at + 6]! << 8) | bytes[at + 7]!) & 0x3fff;
  if (fragment !== 0) {
    h.problem = PROBLEM.fragment;
    if ((fragment & 0x1fff) === 0) {
      h.transportAt = headerEnd;
    }
    return false;
  }
  h.transportAt = headerEnd;
  return true;
}

export function ipv4Layer(h: Headers): Layer {
  const { bytes, to, netAt: at } = h;
  const d = draft(bytes, to, 'ip', 'IPv4', at);
  bits(d, 'ip.version', at, 1, 4, 15);
  const words = bits(d, 'ip.hdr_len', at, 1, 0, 15, (value) => `${4 * value} bytes`);
  num(d, 'ip.dsfield', at + 1, 1, dsText);
  num(d, 'ip.len', at + 2, 2, (value) => (value === 0 ? '0 (not yet cut into segments)' : String(value)));
  num(d, 'ip.id', at + 4, 2, hex16);
  flag(d, 'ip.flags.df', at + 6, 0x40);
  flag(d, 'ip.flags.mf', at + 6, 0x20);
  fragmentOffset(d, at + 6);
  num(d, 'ip.ttl', at + 8, 1);
  num(d, 'ip.proto', at + 9, 1, protocolText);
  num(d, 'ip.checksum', at + 10, 2, (value) =>
    checksumText(value, ipChecksum(h), () => expectedIp(bytes, at)),
  );
  const source = address(d, 'ip.src', at + 12, 4);
  const destination = address(d, 'ip.dst', at + 16, 4);
  if (destination !== '') {
    d.layer.title = `IPv4 ${source} > ${destination}`;
  }
  const end = at + 4 * Math.max(words, 5);
  if (h.net === 4 && end <= to) {
    options(d, at + SHORTEST, end);
  }
  return finished(d, end);
}

/** In bytes, as everybody counts; the field counts in eights. */
function fragmentOffset(d: Draft, at: number): void {
  if (at + 2 <= d.limit) {
    const value = (u16(d.bytes, at) & 0x1fff) << 3;
    put(d, 'ip.frag_offset', value, String(value), at, at + 2);
  }
}

const OPTIONS: Readonly<Record<number, string>> = {
  7: 'record route',
  25: 'quick start',
  68: 'timestamp',
  82: 'traceroute',
  130: 'security',
  131: 'loose source route',
  134: 'CIPSO',
  136: 'stream id',
  137: 'strict source route',
  148: 'router alert',
};

function options(d: Draft, start: number, end: number): void {
  const { bytes } = d;
  let at = start;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === 0) {
      put(d, 'ip.opt.eol', true, 'end of options', at, at + 1);
      return;
    }
    if (kind === 1) {
      put(d, 'ip.opt.nop', true, 'no operation', at, at + 1);
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) {
      put(d, 'ip.opt.malformed', kind, `option ${kind} with a length of ${length}`, at, end);
      return;
    }
    option(d, kind, at, at + length);
    at += length;
  }
}

function option(d: Draft, kind: number, at: number, end: number): void {
  const name = OPTIONS[kind];
  put(d, 'ip.opt.type', kind, name ?? `option ${kind}`, at, at + 1);
  switch (kind) {
    case 7:
    case 131:
    case 137: {
      const pointer = num(d, 'ip.opt.ptr', at + 2, 1);
      const field = kind === 7 ? 'ip.rec_rt' : 'ip.src_rt';
      for (let hop = at + 3; hop + 4 <= end; hop += 4) {
        // What lies before the pointer was written by the routers passed; the rest is free, or still to come.
        address(d, hop - at + 1 < pointer ? field : `${field}.rest`, hop, 4);
      }
      return;
    }
    case 68:
      timestamps(d, at, end);
      return;
    case 148:
      if (at + 4 <= end) {
        num(d, 'ip.opt.ra', at + 2, 2, (value) => (value === 0 ? 'examine packet' : String(value)));
      }
      return;
    default:
      hex(d, 'ip.opt.data', at + 2, end);
  }
}

/** RFC 791 section 3.1: with flag 0 stamps only, with 1 and 3 each after an address. */
function timestamps(d: Draft, start: number, end: number): void {
  if (start + 4 > end) {
    return;
  }
  num(d, 'ip.opt.ptr', start + 2, 1);
  bits(d, 'ip.opt.overflow', start + 3, 1, 4, 15);
  const kind = bits(d, 'ip.opt.flag', start + 3, 1, 0, 15);
  let at = start + 4;
  while (at + (kind === 0 ? 4 : 8) <= end) {
    if (kind !== 0) {
      address(d, 'ip.opt.time_stamp_addr', at, 4);
      at += 4;
    }
    num(d, 'ip.opt.time_stamp', at, 4, (value) => `${value} ms`);
    at += 4;
  }
}
