/** Conditions on addresses, networks and MACs: `src host 10.0.0.1`, `net 10.1`, `arp host …`, `ether dst …`. */
import type { Direction, Id, Qualifiers } from './filter-ast.ts';
import { type FilterFault, filterFault, isFilterFault, type Span } from './filter-fault.ts';
import { bytesAt, carries, type Ground, IPV4, IPV6, networkBytes } from './filter-link.ts';
import { all, any, equals, equalsMasked, type Tree } from './filter-tree.ts';
import { behindMpls } from './filter-value.ts';
import { LINK } from './headers.ts';
import { parseIpv6 } from './net/address.ts';

/** How names become numbers. Nothing here waits: the caller has asked before, or does it at once. */
export interface FilterLookups {
  /** IPv4 (4 bytes) and IPv6 (16 bytes) addresses of a host, none when it is unknown. */
  host(name: string): readonly Uint8Array[];
  /** The port of a service; a lookup that cannot tell protocols apart answers the same for each. */
  port(name: string, protocol: 'tcp' | 'udp'): readonly number[];
}

export function addressTest(
  ground: Ground,
  span: Span,
  { protocol, direction, type }: Qualifiers,
  id: Id,
  lookups: FilterLookups | null,
): Tree | FilterFault {
  const wanted = { ground, span, protocol, direction, word: type === 'net' ? 'net' : 'host' };
  switch (id.kind) {
    case 'mac':
      return type !== 'net' && protocol === 'link'
        ? hardware(ground, span, macBytes(id.text), direction)
        : filterFault(span, 'an Ethernet address without ether', 'Write ether host, ether src or ether dst.');
    case 'ip4':
      return ip4(wanted, type, id);
    case 'ip6':
      return ip6(wanted, parseIpv6(id.text)!, id.prefix, type);
    case 'number': {
      // `net 10` is 10.0.0.0/8, but `host 10` is 0.0.0.10: as in tcpdump.
      const [address, mask] = type === 'net' ? leading(id.value) : [id.value, 0xffff_ffff];
      return ip4Test(wanted, address, mask);
    }
    case 'name':
      return named(wanted, type, id.text, lookups);
  }
}

interface Wanted {
  ground: Ground;
  span: Span;
  protocol: string | null;
  direction: Direction | null;
  word: string;
}

/** Network numbers without their trailing zeros: 10 is 10.0.0.0/8. */
function leading(value: number): [address: number, mask: number] {
  let address = value;
  let mask = 0xffff_ffff;
  while (address !== 0 && address < 0x0100_0000) {
    address *= 256;
    mask = (mask << 8) >>> 0;
  }
  return [address, mask];
}

function named(
  wanted: Wanted,
  type: Qualifiers['type'],
  name: string,
  lookups: FilterLookups | null,
): Tree | FilterFault {
  const { span, protocol } = wanted;
  if (type === 'net') {
    const hint = 'Networks are not looked up by name: write the number, such as 10.0.0.0/8.';
    return filterFault(span, `'${name.slice(0, 60)}' is no network`, hint);
  }
  if (protocol === 'link') {
    const hint = 'Write the address, such as ether host 02:00:5e:10:00:01.';
    return filterFault(span, `'${name.slice(0, 60)}' is no Ethernet address`, hint);
  }
  if (protocol !== null && !WITH_ADDRESS.has(protocol)) {
    return misfit(wanted, 'a host');
  }
  const found = lookups?.host(name) ?? [];
  const usable = found.filter(({ length }) =>
    length === 4 ? protocol !== 'ip6' : length === 16 && (protocol === null || protocol === 'ip6'),
  );
  if (usable.length === 0) {
    const only = found.length > 0 ? ` has no ${protocol} address` : ' is not known';
    return filterFault(span, `the host '${name.slice(0, 60)}'${only}`, 'Write its address instead.');
  }
  const tests: Tree[] = [];
  for (const address of usable) {
    const test =
      address.length === 4
        ? ip4Test(wanted, word(address, 0), 0xffff_ffff)
        : ip6(wanted, address, null, type);
    if (isFilterFault(test)) {
      return test;
    }
    tests.push(test);
  }
  return any(...tests);
}

const BROKEN = 'Each of the up to four numbers is 0 to 255.';

function ip4(wanted: Wanted, type: Qualifiers['type'], id: Id & { kind: 'ip4' }): Tree | FilterFault {
  const { span } = wanted;
  const written = dotted(id.text);
  if (written === null) {
    return filterFault(span, `'${id.text}' is no IPv4 address`, BROKEN);
  }
  if (id.prefix === null && id.mask === null) {
    return ip4Test(wanted, written.address, prefixMask(written.bits));
  }
  const mask = id.mask === null ? null : dotted(id.mask);
  if (id.mask !== null && mask === null) {
    return filterFault(span, `'${id.mask}' is no mask`, BROKEN);
  }
  if (id.prefix !== null && id.prefix > 32) {
    return filterFault(span, `a prefix of ${id.prefix} bits`, 'An IPv4 address has 32 bits.');
  }
  if (type !== 'net') {
    return filterFault(
      span,
      'a mask without net',
      `Write net ${id.text}${id.prefix === null ? '' : `/${id.prefix}`}.`,
    );
  }
  const kept = mask === null ? prefixMask(id.prefix!) : mask.address;
  if ((written.address & ~kept) !== 0) {
    return filterFault(
      span,
      'bits are set behind the mask',
      `Write net ${dottedText(written.address & kept)} with that mask.`,
    );
  }
  return ip4Test(wanted, written.address, kept);
}

/** 10.1 is 10.1.0.0 of which 16 bits were written. */
function dotted(text: string): { address: number; bits: number } | null {
  let address = 0;
  const parts = text.split('.');
  for (let i = 0; i < 4; i++) {
    const part = parts[i] ?? '0';
    if (!/^[0-9]+$/.test(part) || Number(part) > 255) {
      return null;
    }
    address = address * 256 + Number(part);
  }
  return { address, bits: 8 * parts.length };
}

function dottedText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

function prefixMask(bits: number): number {
  return bits === 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0;
}

function ip6(
  wanted: Wanted,
  address: Uint8Array,
  prefix: number | null,
  type: Qualifiers['type'],
): Tree | FilterFault {
  const { ground, span, direction, protocol } = wanted;
  const bits = prefix ?? 128;
  if (bits > 128) {
    return filterFault(span, `a prefix of ${bits} bits`, 'An IPv6 address has 128 bits.');
  }
  if (address.some((byte, i) => (byte & ~byteMask(bits, i) & 0xff) !== 0)) {
    return filterFault(span, 'bits are set behind the prefix', 'Set them to zero, or write a longer prefix.');
  }
  if (bits !== 128 && type !== 'net') {
    return filterFault(span, 'a prefix length without net', 'Write net ADDRESS/LENGTH.');
  }
  if (protocol !== null && protocol !== 'ip6') {
    return misfit(wanted, 'an IPv6 address');
  }
  const carried = carries(ground, IPV6)!;
  const one = (offset: number): Tree => {
    const words = [0, 4, 8, 12].map((at) => {
      const mask = new Uint8Array([0, 1, 2, 3].map((i) => byteMask(bits, at + i)));
      return equalsMasked(networkBytes(ground, offset + at, 4), word(mask, 0), word(address, at));
    });
    return all(carried, ...words);
  };
  return eachWay(direction, one(8), one(24));
}

function byteMask(bits: number, i: number): number {
  const kept = Math.min(8, Math.max(0, bits - 8 * i));
  return (0xff00 >> kept) & 0xff;
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

const ARP = 0x0806;
const RARP = 0x8035;

function ip4Test(wanted: Wanted, address: number, mask: number): Tree | FilterFault {
  const { ground, protocol } = wanted;
  const one = (type: number, source: number, destination: number): Tree | null => {
    const carried = carries(ground, type);
    const at = (offset: number): Tree =>
      all(carried!, equalsMasked(networkBytes(ground, offset, 4), mask, address));
    return carried === null ? null : eachWay(wanted.direction, at(source), at(destination));
  };
  switch (protocol) {
    case null:
      return ground.labels > 0
        ? one(IPV4, 12, 16)!
        : any(one(IPV4, 12, 16)!, one(ARP, 14, 24)!, one(RARP, 14, 24)!);
    case 'ip':
      return one(IPV4, 12, 16)!;
    case 'arp':
    case 'rarp':
      return one(protocol === 'arp' ? ARP : RARP, 14, 24) ?? behindMpls(wanted.span);
    default:
      return misfit(wanted, 'an IPv4 address');
  }
}

/** What can stand in front of host and net at all. */
const WITH_ADDRESS = new Set(['ip', 'ip6', 'arp', 'rarp', 'link']);

function misfit({ span, protocol, word }: Wanted, what: string): FilterFault {
  return WITH_ADDRESS.has(protocol!)
    ? filterFault(
        span,
        `${protocol === 'link' ? 'ether' : protocol} does not go with ${what}`,
        `Write ${word} alone: it finds the right protocol.`,
      )
    : filterFault(
        span,
        `${protocol} has no ${word}`,
        `Write ${protocol} and ${word} ADDRESS, or ${protocol} port NUMBER.`,
      );
}

export function eachWay(direction: Direction | null, source: Tree, destination: Tree): Tree {
  switch (direction) {
    case 'src':
      return source;
    case 'dst':
      return destination;
    case 'and':
      return all(source, destination);
    default:
      return any(source, destination);
  }
}

/** `aa:bb:…`, `a-b-…`, `aabb.ccdd.eeff`, `aabbccddeeff`. */
function macBytes(text: string): Uint8Array {
  const parts = text.split(/[:.-]/);
  const digits = parts.length === 6 ? parts.map((part) => part.padStart(2, '0')).join('') : parts.join('');
  return Uint8Array.from({ length: 6 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

export function hardware(
  ground: Ground,
  span: Span,
  mac: Uint8Array,
  direction: Direction | null,
): Tree | FilterFault {
  if (ground.linkType !== LINK.ethernet) {
    return filterFault(
      span,
      'this capture has no Ethernet header',
      'Capture on one Ethernet interface to see it.',
    );
  }
  const still = { ...ground, varies: false };
  const one = (at: number): Tree =>
    all(
      equals(bytesAt(still, at + 2, 4), word(mac, 2)),
      equals(bytesAt(still, at, 2), (mac[0]! << 8) | mac[1]!),
    );
  return eachWay(direction, one(6), one(0));
}
