/** IPv6 and its extension headers, RFC 8200. */
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
  type Layer,
  named,
  num,
  put,
  u16,
  u32,
  type Words,
} from '../link/fields.ts';
import { dsText, protocolText } from '../link/protocols.ts';

export const IPV6_HEADER = 40;
export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const AUTHENTICATION = 51;
export const NO_NEXT_HEADER = 59;
export const DESTINATION = 60;
const TCP = 6;
const UDP = 17;
/** More than anybody sends. */
const MAX_EXTENSIONS = 24;
const JUMBO = 0xc2;

/** How long the extension header `kind` at `at` is (two bytes are there); 0 when it is none. */
export function extensionSize(bytes: Uint8Array, at: number, kind: number): number {
  switch (kind) {
    case HOP_BY_HOP:
    case ROUTING:
    case DESTINATION:
      return (bytes[at + 1]! + 1) << 3;
    case FRAGMENT:
      return 8;
    case AUTHENTICATION:
      // RFC 4302 section 2.2: in 4-byte units minus 2, unlike the others.
      return (bytes[at + 1]! + 2) << 2;
    default:
      return 0;
  }
}

/** True when a whole transport header may begin at `transportAt`. */
export function readIpv6(h: Headers, at: number): boolean {
  const { bytes, to } = h;
  h.netAt = at;
  if (at + IPV6_HEADER > to) {
    return cut(h, at + IPV6_HEADER);
  }
  if (bytes[at]! >> 4 !== 6) {
    h.problem = PROBLEM.malformed;
    return false;
  }
  h.net = 6;
  h.sourceAt = at + 8;
  h.destinationAt = at + 24;
  h.ttl = bytes[at + 7]!;
  const next = bytes[at + 6]!;
  h.protocol = next;
  const wireEnd = h.from + h.wireLength;
  const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
  const end =
    length === 0 && next !== NO_NEXT_HEADER
      ? jumboEnd(bytes, at, to, next, wireEnd)
      : at + IPV6_HEADER + length;
  h.netEnd = end;
  if (end > wireEnd) {
    h.problem = PROBLEM.malformed;
    return false;
  }
  if (next === TCP || next === UDP) {
    h.transportAt = at + IPV6_HEADER;
    return true;
  }
  return readExtensions(h, at + IPV6_HEADER, next);
}

/** More than 64 KiB: the length is in an option (RFC 2675), or nowhere when the kernel has yet to cut the packet up. */
function jumboEnd(bytes: Uint8Array, at: number, to: number, next: number, wireEnd: number): number {
  const start = at + IPV6_HEADER;
  if (next !== HOP_BY_HOP || start + 8 > to) {
    return wireEnd;
  }
  const end = Math.min(to, start + extensionSize(bytes, start, next));
  let option = start + 2;
  while (option + 6 <= end) {
    if (bytes[option] === JUMBO && bytes[option + 1] === 4) {
      return start + u32(bytes, option + 2);
    }
    option += bytes[option] === 0 ? 1 : 2 + bytes[option + 1]!;
  }
  return wireEnd;
}

function readExtensions(h: Headers, start: number, first: number): boolean {
  const { bytes, to, netEnd } = h;
  let at = start;
  let next = first;
  for (let count = 0; count < MAX_EXTENSIONS; count++) {
    h.protocol = next;
    if (next === NO_NEXT_HEADER) {
      return false;
    }
    // The shortest extension header is 8 bytes; the padding of the frame is not the datagram's.
    const there = at + 8 <= netEnd && at + 8 <= to;
    const size = there ? extensionSize(bytes, at, next) : isExtension(next) ? 8 : 0;
    if (size === 0) {
      h.transportAt = at;
      return h.problem === PROBLEM.none;
    }
    if (at + size > netEnd) {
      h.problem = PROBLEM.malformed;
      return false;
    }
    if (at + size > to) {
      return cut(h, at + size);
    }
    if (next === FRAGMENT) {
      const place = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      // Offset 0 and nothing to follow: a whole datagram all the same (RFC 6946).
      if ((place & 0xfff9) !== 0) {
        h.problem = PROBLEM.fragment;
      }
      if (place >> 3 !== 0) {
        h.protocol = bytes[at]!;
        return false;
      }
    }
    next = bytes[at]!;
    at += size;
  }
  h.problem = PROBLEM.malformed;
  return false;
}

function isExtension(kind: number): boolean {
  return (
    kind === HOP_BY_HOP ||
    kind === ROUTING ||
    kind === FRAGMENT ||
    kind === DESTINATION ||
    kind === AUTHENTICATION
  );
}

export function ipv6Layers(h: Headers): Layer[] {
  const { bytes, to, netAt: at } = h;
  const d = draft(bytes, to, 'ipv6', 'IPv6', at);
  bits(d, 'ipv6.version', at, 1, 4, 15);
  bits(d, 'ipv6.tclass', at, 2, 4, 0xff, dsText);
  if (at + 4 <= to) {
    const flow = u32(bytes, at) & 0xfffff;
    put(d, 'ipv6.flow', flow, `0x${flow.toString(16).padStart(5, '0')}`, at + 1, at + 4);
  }
  num(d, 'ipv6.plen', at + 4, 2, (value) => (value === 0 ? '0 (not in this field)' : String(value)));
  num(d, 'ipv6.nxt', at + 6, 1, protocolText);
  num(d, 'ipv6.hlim', at + 7, 1);
  const source = address(d, 'ipv6.src', at + 8, 16);
  const destination = address(d, 'ipv6.dst', at + 24, 16);
  if (destination !== '') {
    d.layer.title = `IPv6 ${source} > ${destination}`;
  }
  const layers = [finished(d, at + IPV6_HEADER)];
  if (h.net === 6) {
    extensions(h, layers);
  }
  return layers;
}

function extensions(h: Headers, layers: Layer[]): void {
  const { bytes, netAt } = h;
  const limit = Math.min(h.to, h.netEnd);
  let next = bytes[netAt + 6]!;
  let at = netAt + IPV6_HEADER;
  for (let count = 0; count < MAX_EXTENSIONS && at + 8 <= limit; count++) {
    const size = extensionSize(bytes, at, next);
    if (size === 0) {
      return;
    }
    layers.push(extensionLayer(bytes, Math.min(limit, at + size), next, at));
    if (next === FRAGMENT && u16(bytes, at + 2) >> 3 !== 0) {
      return;
    }
    next = bytes[at]!;
    at += size;
  }
}

function extensionLayer(bytes: Uint8Array, end: number, kind: number, at: number): Layer {
  const [name, title] = EXTENSIONS[kind]!;
  const d = draft(bytes, end, name, title, at);
  num(d, `${name}.nxt`, at, 1, protocolText);
  switch (kind) {
    case FRAGMENT:
      fragmentFields(d, at);
      break;
    case AUTHENTICATION:
      num(d, 'ah.length', at + 1, 1, (value) => `${4 * (value + 2)} bytes`);
      num(d, 'ah.spi', at + 4, 4, (value) => `0x${value.toString(16).padStart(8, '0')}`);
      num(d, 'ah.sequence', at + 8, 4);
      hex(d, 'ah.icv', at + 12, end);
      break;
    case ROUTING:
      num(d, `${name}.len`, at + 1, 1, bytesText);
      routingFields(d, at, end);
      break;
    default:
      num(d, `${name}.len`, at + 1, 1, bytesText);
      optionFields(d, at + 2, end);
  }
  return finished(d, end);
}

const EXTENSIONS: Readonly<Record<number, readonly [name: string, title: string]>> = {
  [HOP_BY_HOP]: ['ipv6.hopopts', 'IPv6 hop-by-hop options'],
  [ROUTING]: ['ipv6.routing', 'IPv6 routing'],
  [FRAGMENT]: ['ipv6.fraghdr', 'IPv6 fragment'],
  [AUTHENTICATION]: ['ah', 'authentication header'],
  [DESTINATION]: ['ipv6.dstopts', 'IPv6 destination options'],
};

const bytesText: Words = (value) => `${8 * (value + 1)} bytes`;

function fragmentFields(d: Draft, at: number): void {
  const offset = u16(d.bytes, at + 2) & 0xfff8;
  put(d, 'ipv6.fraghdr.offset', offset, String(offset), at + 2, at + 4);
  flag(d, 'ipv6.fraghdr.more', at + 3, 1);
  num(d, 'ipv6.fraghdr.ident', at + 4, 4, (value) => `0x${value.toString(16).padStart(8, '0')}`);
}

const ROUTING_TYPES = named({
  0: 'source route, deprecated',
  2: 'mobile IPv6',
  3: 'RPL source route',
  4: 'segment routing',
});

function routingFields(d: Draft, at: number, end: number): void {
  const type = num(d, 'ipv6.routing.type', at + 2, 1, ROUTING_TYPES);
  num(d, 'ipv6.routing.segleft', at + 3, 1);
  if (type !== 0 && type !== 2 && type !== 4) {
    hex(d, 'ipv6.routing.data', at + 4, end);
    return;
  }
  let addresses = (end - at - 8) >> 4;
  if (type === 4) {
    const last = num(d, 'ipv6.routing.srh.last_entry', at + 4, 1);
    num(d, 'ipv6.routing.srh.flags', at + 5, 1);
    num(d, 'ipv6.routing.srh.tag', at + 6, 2);
    addresses = Math.min(addresses, last + 1);
  }
  for (let i = 0; i < addresses; i++) {
    address(d, 'ipv6.routing.addr', at + 8 + 16 * i, 16);
  }
}

const OPTIONS = named({
  1: 'padding',
  4: 'tunnel encapsulation limit',
  5: 'router alert',
  7: 'CALIPSO',
  48: 'minimum path MTU',
  99: 'RPL',
  194: 'jumbo payload',
  201: 'home address',
});

function optionFields(d: Draft, start: number, end: number): void {
  const { bytes } = d;
  let at = start;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === 0) {
      put(d, 'ipv6.opt.pad1', true, 'one byte of padding', at, at + 1);
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : end;
    if (at + 2 + length > end) {
      put(d, 'ipv6.opt.malformed', kind, `option ${kind} is longer than its header`, at, end);
      return;
    }
    num(d, 'ipv6.opt.type', at, 1, OPTIONS);
    if (kind === JUMBO && length === 4) {
      num(d, 'ipv6.opt.jumbo', at + 2, 4);
    } else if (kind === 5 && length === 2) {
      num(d, 'ipv6.opt.router_alert', at + 2, 2, named({ 0: 'MLD', 1: 'RSVP', 2: 'active networks' }));
    } else if (kind === 201 && length === 16) {
      address(d, 'ipv6.opt.home_address', at + 2, 16);
    } else if (kind !== 1) {
      hex(d, 'ipv6.opt.data', at + 2, at + 2 + length);
    }
    at += 2 + length;
  }
}
