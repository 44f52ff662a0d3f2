/** ICMPv6, RFC 4443; neighbour discovery, RFC 4861; listeners, RFC 2710 and 3810. */
import type { Headers } from '../headers.ts';
import { ETHERTYPE } from '../link/ethertype.ts';
import {
  address,
  bits,
  type Draft,
  draft,
  finished,
  flag,
  hex,
  type Layer,
  mac,
  named,
  num,
  put,
  u16,
  u32,
  type Words,
} from '../link/fields.ts';
import { ipv6Text } from './address.ts';
import { checksumText, expectedTransport, transportChecksum } from './checksum.ts';
import { quotedFields, quotedText } from './icmp.ts';

const TYPES: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  137: 'redirect',
  138: 'router renumbering',
  139: 'node information query',
  140: 'node information response',
  141: 'inverse neighbour solicitation',
  142: 'inverse neighbour advertisement',
  143: 'multicast listener report v2',
  148: 'certification path solicitation',
  149: 'certification path advertisement',
  151: 'multicast router advertisement',
  152: 'multicast router solicitation',
  153: 'multicast router termination',
  155: 'RPL control',
  160: 'extended echo request',
  161: 'extended echo reply',
};

const CODES: Readonly<Record<number, readonly string[]>> = {
  1: [
    'no route',
    'communication prohibited',
    'beyond the scope of the source address',
    'address unreachable',
    'port unreachable',
    'source address failed policy',
    'route rejected',
    'error in source routing header',
  ],
  3: ['hop limit exceeded in transit', 'fragment reassembly time exceeded'],
  4: ['erroneous header field', 'unknown next header', 'unknown option', 'incomplete first fragment'],
};

const FIRST_INFORMATIONAL = 128;

/** Where the neighbour discovery options of a type begin; 0 for types without. */
function optionsStart(type: number): number {
  switch (type) {
    case 133:
      return 8;
    case 134:
      return 16;
    case 135:
    case 136:
      return 24;
    case 137:
      return 40;
    default:
      return 0;
  }
}

export function icmpv6Words(type: number, code: number): string {
  const name = TYPES[type] ?? `type ${type}`;
  const detail = CODES[type]?.[code];
  return detail === undefined ? (code === 0 ? name : `${name} code ${code}`) : `${name}: ${detail}`;
}

export function icmpv6Layer(h: Headers): Layer {
  const { bytes, transportAt: at } = h;
  const limit = Math.min(h.to, h.netEnd);
  const d = draft(bytes, limit, 'icmpv6', 'ICMPv6', at);
  const type = num(d, 'icmpv6.type', at, 1, named(TYPES));
  const code = num(d, 'icmpv6.code', at + 1, 1, named({ ...CODES[type] }));
  if (code >= 0) {
    d.layer.title = `ICMPv6 ${icmpv6Words(type, code)}`;
  }
  num(d, 'icmpv6.checksum', at + 2, 2, (value) =>
    checksumText(value, transportChecksum(h), () => expectedTransport(h)),
  );
  if (type < 0 || at + 8 > limit) {
    return finished(d, limit);
  }
  if (type < FIRST_INFORMATIONAL) {
    if (type === 2) {
      num(d, 'icmpv6.mtu', at + 4, 4);
    } else if (type === 4) {
      num(d, 'icmpv6.pointer', at + 4, 4);
    }
    quotedFields(d, 'icmpv6.quoted', at + 8, ETHERTYPE.ipv6);
    return finished(d, limit);
  }
  informational(d, type, at);
  const options = optionsStart(type);
  if (options > 0) {
    discoveryOptions(d, at + options);
    return finished(d, limit);
  }
  return finished(d, type >= 130 ? limit : at + 8);
}

const milliseconds: Words = (value) => `${value} ms`;
const seconds: Words = (value) => (value === 0xffff_ffff ? 'for ever' : `${value} s`);

function informational(d: Draft, type: number, at: number): void {
  switch (type) {
    case 128:
    case 129:
      num(d, 'icmpv6.echo.id', at + 4, 2);
      num(d, 'icmpv6.echo.seq', at + 6, 2);
      put(d, 'icmpv6.len', d.limit - at - 8, `${d.limit - at - 8} bytes`, at + 8, d.limit);
      return;
    case 130:
    case 131:
    case 132:
      num(d, 'icmpv6.mld.maximum_response_delay', at + 4, 2, milliseconds);
      address(d, 'icmpv6.mld.multicast_address', at + 8, 16);
      return;
    case 134:
      num(d, 'icmpv6.nd.ra.cur_hop_limit', at + 4, 1);
      flag(d, 'icmpv6.nd.ra.flag.m', at + 5, 0x80);
      flag(d, 'icmpv6.nd.ra.flag.o', at + 5, 0x40);
      num(d, 'icmpv6.nd.ra.router_lifetime', at + 6, 2, seconds);
      num(d, 'icmpv6.nd.ra.reachable_time', at + 8, 4, milliseconds);
      num(d, 'icmpv6.nd.ra.retrans_timer', at + 12, 4, milliseconds);
      return;
    case 135:
      address(d, 'icmpv6.nd.ns.target_address', at + 8, 16);
      return;
    case 136:
      flag(d, 'icmpv6.nd.na.flag.r', at + 4, 0x80);
      flag(d, 'icmpv6.nd.na.flag.s', at + 4, 0x40);
      flag(d, 'icmpv6.nd.na.flag.o', at + 4, 0x20);
      address(d, 'icmpv6.nd.na.target_address', at + 8, 16);
      return;
    case 137:
      address(d, 'icmpv6.rd.target_address', at + 8, 16);
      address(d, 'icmpv6.rd.destination_address', at + 24, 16);
      return;
    case 143:
      listenerRecords(d, at);
      return;
  }
}

const RECORDS = named({
  1: 'is include',
  2: 'is exclude',
  3: 'change to include',
  4: 'change to exclude',
  5: 'allow new sources',
  6: 'block old sources',
});

/** RFC 3810 section 5.2: each record has sources and words of auxiliary data. */
function listenerRecords(d: Draft, at: number): void {
  const count = num(d, 'icmpv6.mldr.nb_mcast_records', at + 6, 2);
  for (let i = 0, record = at + 8; i < count && record + 20 <= d.limit; i++) {
    num(d, 'icmpv6.mldr.record_type', record, 1, RECORDS);
    const words = d.bytes[record + 1]!;
    const sources = u16(d.bytes, record + 2);
    address(d, 'icmpv6.mldr.multicast_address', record + 4, 16);
    record += 20;
    for (let j = 0; j < sources && record + 16 <= d.limit; j++, record += 16) {
      address(d, 'icmpv6.mldr.source_address', record, 16);
    }
    record += 4 * words;
  }
}

const OPTIONS = named({
  1: 'source link-layer address',
  2: 'target link-layer address',
  3: 'prefix information',
  4: 'redirected header',
  5: 'MTU',
  14: 'nonce',
  24: 'route information',
  25: 'recursive DNS servers',
  31: 'DNS search list',
  38: 'PREF64',
});

/** RFC 4861 section 4.6: lengths in 8 bytes; a length of 0 ends the packet. */
function discoveryOptions(d: Draft, start: number): void {
  const { bytes, limit } = d;
  let at = start;
  while (at + 8 <= limit) {
    const kind = num(d, 'icmpv6.opt.type', at, 1, OPTIONS);
    const size = bytes[at + 1]! * 8;
    if (size === 0 || at + size > limit) {
      put(d, 'icmpv6.opt.malformed', kind, `option ${kind} with a length of ${size}`, at, limit);
      return;
    }
    discoveryOption(d, kind, at, size);
    at += size;
  }
}

function discoveryOption(d: Draft, kind: number, at: number, size: number): void {
  if ((kind === 1 || kind === 2) && size === 8) {
    mac(d, kind === 1 ? 'icmpv6.opt.src_linkaddr' : 'icmpv6.opt.target_linkaddr', at + 2);
  } else if (kind === 3 && size === 32) {
    num(d, 'icmpv6.opt.prefix.length', at + 2, 1);
    flag(d, 'icmpv6.opt.prefix.flag.l', at + 3, 0x80);
    flag(d, 'icmpv6.opt.prefix.flag.a', at + 3, 0x40);
    num(d, 'icmpv6.opt.prefix.valid_lifetime', at + 4, 4, seconds);
    num(d, 'icmpv6.opt.prefix.preferred_lifetime', at + 8, 4, seconds);
    address(d, 'icmpv6.opt.prefix', at + 16, 16);
  } else if (kind === 4) {
    quotedFields({ ...d, limit: at + size }, 'icmpv6.quoted', at + 8, ETHERTYPE.ipv6);
  } else if (kind === 5 && size === 8) {
    num(d, 'icmpv6.opt.mtu', at + 4, 4);
  } else if (kind === 24) {
    routeInformation(d, at, size);
  } else if (kind === 25) {
    num(d, 'icmpv6.opt.rdnss.lifetime', at + 4, 4, seconds);
    for (let server = at + 8; server + 16 <= at + size; server += 16) {
      address(d, 'icmpv6.opt.rdnss', server, 16);
    }
  } else {
    hex(d, 'icmpv6.opt.data', at + 2, at + size);
  }
}

/** RFC 4191 section 2.3: the prefix is as long as it needs to be. */
function routeInformation(d: Draft, at: number, size: number): void {
  num(d, 'icmpv6.opt.prefix.length', at + 2, 1);
  bits(d, 'icmpv6.opt.route_info.preference', at + 3, 1, 3, 3, named({ 0: 'medium', 1: 'high', 3: 'low' }));
  num(d, 'icmpv6.opt.route_lifetime', at + 4, 4, seconds);
  if (size > 8) {
    const prefix = new Uint8Array(16);
    prefix.set(d.bytes.subarray(at + 8, at + Math.min(size, 24)));
    const text = ipv6Text(prefix, 0);
    put(d, 'icmpv6.opt.prefix', text, text, at + 8, at + size);
  }
}

export function icmpv6Summary(h: Headers): string {
  const { bytes, transportAt: at } = h;
  const limit = Math.min(h.to, h.netEnd);
  if (at + 8 > limit) {
    return 'ICMPv6';
  }
  const type = bytes[at]!;
  const code = bytes[at + 1]!;
  if (type === 128 || type === 129) {
    return `ICMPv6 ${TYPES[type]} id ${u16(bytes, at + 4)} seq ${u16(bytes, at + 6)}`;
  }
  if (type === 2) {
    return quoting(h, `ICMPv6 packet too big, next hop takes ${u32(bytes, at + 4)}`);
  }
  if (type < FIRST_INFORMATIONAL) {
    return quoting(h, `ICMPv6 ${CODES[type]?.[code] ?? icmpv6Words(type, code)}`);
  }
  const words = `ICMPv6 ${icmpv6Words(type, code)}`;
  const target = at + 24 <= limit ? ipv6Text(bytes, at + 8) : '';
  switch (type) {
    case 135:
      return `${words} for ${target}`;
    case 136:
      return `${words} of ${target}`;
    case 130:
      return target === '::' ? words : `${words} for ${target}`;
    case 131:
    case 132:
      return `${words} for ${target}`;
    case 137:
      return at + 40 <= limit ? `${words} to ${target} for ${ipv6Text(bytes, at + 24)}` : words;
    default:
      return words;
  }
}

function quoting(h: Headers, words: string): string {
  const limit = Math.min(h.to, h.netEnd);
  const quoted = quotedText(h.bytes, h.transportAt + 8, limit, ETHERTYPE.ipv6);
  return quoted === '' ? words : `${words}: ${quoted}`;
}
