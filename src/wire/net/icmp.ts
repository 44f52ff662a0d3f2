/** ICMP, RFC 792, and the datagram that an error quotes (ICMPv6 quotes in the same way). */
import { dissectNetwork } from '../dissect.ts';
import { emptyHeaders, type Headers } from '../headers.ts';
import { ETHERTYPE } from '../link/ethertype.ts';
import {
  address,
  type Draft,
  draft,
  finished,
  hex,
  type Layer,
  num,
  put,
  u16,
  type Words,
} from '../link/fields.ts';
import { protocolName } from '../link/protocols.ts';
import { ipv4Text, ipv6Text } from './address.ts';
import { checksumText, expectedTransport, transportChecksum } from './checksum.ts';

const TYPES: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'destination unreachable',
  4: 'source quench',
  5: 'redirect',
  8: 'echo request',
  9: 'router advertisement',
  10: 'router solicitation',
  11: 'time exceeded',
  12: 'parameter problem',
  13: 'timestamp request',
  14: 'timestamp reply',
  15: 'information request',
  16: 'information reply',
  17: 'address mask request',
  18: 'address mask reply',
  30: 'traceroute',
  40: 'security failure',
  42: 'extended echo request',
  43: 'extended echo reply',
};

const CODES: Readonly<Record<number, readonly string[]>> = {
  3: [
    'network unreachable',
    'host unreachable',
    'protocol unreachable',
    'port unreachable',
    'fragmentation needed',
    'source route failed',
    'network unknown',
    'host unknown',
    'source host isolated',
    'network prohibited',
    'host prohibited',
    'network unreachable for this type of service',
    'host unreachable for this type of service',
    'communication prohibited',
    'host precedence violation',
    'precedence cut off',
  ],
  5: [
    'redirect for the network',
    'redirect for the host',
    'redirect for type of service and network',
    'redirect for type of service and host',
  ],
  11: ['time to live exceeded in transit', 'fragment reassembly time exceeded'],
  12: ['pointer says where', 'required option missing', 'bad length'],
  43: ['no error', 'malformed query', 'no such interface', 'no such table entry', 'several interfaces match'],
};

const ECHO = new Set([0, 8, 13, 14, 15, 16, 17, 18, 42, 43]);
const QUOTING = new Set([3, 4, 5, 11, 12]);
const NEEDS_FRAGMENTATION = 4;

/** `destination unreachable: port unreachable` */
export function icmpWords(type: number, code: number): string {
  const name = TYPES[type] ?? `type ${type}`;
  const detail = CODES[type]?.[code];
  return detail === undefined ? (code === 0 ? name : `${name} code ${code}`) : `${name}: ${detail}`;
}

export function icmpLayer(h: Headers): Layer {
  const { bytes, transportAt: at } = h;
  const limit = Math.min(h.to, h.netEnd);
  const d = draft(bytes, limit, 'icmp', 'ICMP', at);
  const type = num(d, 'icmp.type', at, 1, (value) => named(TYPES[value], value));
  const code = num(d, 'icmp.code', at + 1, 1, (value) => named(CODES[type]?.[value], value));
  if (code >= 0) {
    d.layer.title = `ICMP ${icmpWords(type, code)}`;
  }
  num(d, 'icmp.checksum', at + 2, 2, (value) =>
    checksumText(value, transportChecksum(h), () => expectedTransport(h)),
  );
  if (type < 0 || at + 8 > limit) {
    return finished(d, limit);
  }
  if (ECHO.has(type)) {
    num(d, 'icmp.id', at + 4, 2);
    num(d, 'icmp.seq', at + 6, type === 42 || type === 43 ? 1 : 2);
    rest(d, type, at + 8, limit);
    return finished(d, at + 8);
  }
  if (type === 3 && code === NEEDS_FRAGMENTATION) {
    num(d, 'icmp.mtu', at + 6, 2);
  } else if (type === 5) {
    address(d, 'icmp.redir_gw', at + 4, 4);
  } else if (type === 12) {
    num(d, 'icmp.pointer', at + 4, 1);
  } else if (type === 9) {
    routers(d, at + 4);
  }
  if (QUOTING.has(type)) {
    quotedFields(d, 'icmp.quoted', at + 8, ETHERTYPE.ipv4);
    return finished(d, limit);
  }
  return finished(d, at + 8);
}

const named = (name: string | undefined, value: number) =>
  name === undefined ? String(value) : `${value} (${name})`;

const sinceMidnight: Words = (value) => `${value} ms`;

function rest(d: Draft, type: number, at: number, limit: number): void {
  if (type === 13 || type === 14) {
    num(d, 'icmp.originate_timestamp', at, 4, sinceMidnight);
    num(d, 'icmp.receive_timestamp', at + 4, 4, sinceMidnight);
    num(d, 'icmp.transmit_timestamp', at + 8, 4, sinceMidnight);
  } else if (type === 17 || type === 18) {
    address(d, 'icmp.address_mask', at, 4);
  } else {
    put(d, 'icmp.len', limit - at, `${limit - at} bytes`, at, limit);
  }
}

/** RFC 1256. */
function routers(d: Draft, at: number): void {
  const count = num(d, 'icmp.num_addrs', at, 1);
  const words = num(d, 'icmp.addr_entry_size', at + 1, 1);
  num(d, 'icmp.lifetime', at + 2, 2, (value) => `${value} s`);
  for (let i = 0, entry = at + 4; words >= 2 && i < count && entry + 4 <= d.limit; i++, entry += 4 * words) {
    address(d, 'icmp.router_address', entry, 4);
  }
}

/** What of the quoted datagram is there: addresses, protocol, and at least the ports, which is what tells whose it was. */
export interface Quoted {
  readonly headers: Headers;
  readonly source: string;
  readonly destination: string;
}

/** Null when not even the addresses are there. */
export function quotedDatagram(bytes: Uint8Array, at: number, end: number, etherType: number): Quoted | null {
  const headers = emptyHeaders();
  headers.bytes = bytes;
  headers.from = at;
  headers.to = end;
  // A quotation is cut on purpose: its own length says what was on the wire.
  const whole =
    at + 6 > end ? 0 : etherType === ETHERTYPE.ipv4 ? u16(bytes, at + 2) : 40 + u16(bytes, at + 4);
  headers.wireLength = Math.max(end - at, whole);
  dissectNetwork(headers, etherType);
  if (headers.net === 0) {
    return null;
  }
  const text = headers.net === 4 ? ipv4Text : ipv6Text;
  return {
    headers,
    source: text(bytes, headers.sourceAt),
    destination: text(bytes, headers.destinationAt),
  };
}

export function quotedFields(d: Draft, name: string, at: number, etherType: number): void {
  const quoted = quotedDatagram(d.bytes, at, d.limit, etherType);
  if (quoted === null) {
    hex(d, `${name}.data`, at, d.limit);
    return;
  }
  const { headers, source, destination } = quoted;
  const size = headers.net === 4 ? 4 : 16;
  const protocolAt = at + (headers.net === 4 ? 9 : 6);
  const protocol = protocolName(headers.protocol);
  put(d, `${name}.proto`, headers.protocol, protocol, protocolAt, protocolAt + 1);
  put(d, `${name}.src`, source, source, headers.sourceAt, headers.sourceAt + size);
  put(d, `${name}.dst`, destination, destination, headers.destinationAt, headers.destinationAt + size);
  const there = headers.transportAt;
  if (headers.sourcePort >= 0) {
    num(d, `${name}.srcport`, there, 2);
    num(d, `${name}.dstport`, there + 2, 2);
    if (headers.protocol === 6) {
      num(d, `${name}.seq`, there + 4, 4);
    }
  } else if (there >= 0 && (headers.protocol === 1 || headers.protocol === 58)) {
    num(d, `${name}.type`, there, 1);
    num(d, `${name}.code`, there + 1, 1);
    num(d, `${name}.id`, there + 4, 2);
    num(d, `${name}.seq`, there + 6, 2);
  }
}

/** `udp 10.0.0.1:53 > 10.0.0.2:4000`, or '' */
export function quotedText(bytes: Uint8Array, at: number, end: number, etherType: number): string {
  const quoted = quotedDatagram(bytes, at, end, etherType);
  if (quoted === null) {
    return '';
  }
  const { headers: q, source, destination } = quoted;
  if (q.sourcePort < 0) {
    return `${protocolName(q.protocol)} ${source} > ${destination}`;
  }
  const [from, to] = q.net === 4 ? [source, destination] : [`[${source}]`, `[${destination}]`];
  return `${protocolName(q.protocol)} ${from}:${q.sourcePort} > ${to}:${q.destinationPort}`;
}

export function icmpSummary(h: Headers): string {
  const { bytes, transportAt: at } = h;
  const limit = Math.min(h.to, h.netEnd);
  if (at + 8 > limit) {
    return 'ICMP';
  }
  const type = bytes[at]!;
  const code = bytes[at + 1]!;
  if (type === 0 || type === 8) {
    return `ICMP ${TYPES[type]} id ${u16(bytes, at + 4)} seq ${u16(bytes, at + 6)}`;
  }
  let words = `ICMP ${CODES[type]?.[code] ?? icmpWords(type, code)}`;
  if (type === 12) {
    words = `ICMP parameter problem: ${CODES[12]?.[code] ?? `code ${code}`}`;
  }
  if (type === 3 && code === NEEDS_FRAGMENTATION) {
    words += `, next hop takes ${u16(bytes, at + 6)}`;
  } else if (type === 5) {
    words += ` to ${ipv4Text(bytes, at + 4)}`;
  }
  const quoted = QUOTING.has(type) ? quotedText(bytes, at + 8, limit, ETHERTYPE.ipv4) : '';
  return quoted === '' ? words : `${words}: ${quoted}`;
}
