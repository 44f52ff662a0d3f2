/** From the filter as it was read to tests on bytes of one kind of link. From left to right: `vlan` and `mpls` move what follows. */
import type { Expression, Id, Qualifiers } from './filter-ast.ts';
import { ASIDE, BPF, OUTGOING } from './filter-bpf.ts';
import { type FilterFault, filterFault, isFilterFault, type Span } from './filter-fault.ts';
import { addressTest, type FilterLookups, hardware } from './filter-ids.ts';
import { bytesAt, carries, type Ground, IPV4, IPV6, networkBytes, TAG_CELL } from './filter-link.ts';
import { isProtocol, portTest, protoTest } from './filter-ports.ts';
import {
  above,
  all,
  any,
  atLeast,
  equals,
  equalsMasked,
  hasBits,
  type Instruction,
  instruction,
  not,
  type Tree,
} from './filter-tree.ts';
import { behindMpls, compare } from './filter-value.ts';
import { ETHER_PROTOCOLS } from './filter-words.ts';
import { LINK } from './headers.ts';

export interface Site {
  ground: Ground;
  lookups: FilterLookups | null;
  /** The mask of the interface, for `ip broadcast`. */
  netmask: number | null;
}

export function generate(site: Site, expression: Expression): Tree | FilterFault {
  switch (expression.kind) {
    case 'and':
    case 'or': {
      const parts: Tree[] = [];
      for (const one of expression.of) {
        const part = generate(site, one);
        if (isFilterFault(part)) {
          return part;
        }
        parts.push(part);
      }
      return expression.kind === 'and' ? all(...parts) : any(...parts);
    }
    case 'not': {
      const inner = generate(site, expression.of);
      return isFilterFault(inner) ? inner : not(inner);
    }
    default:
      return condition(site, expression);
  }
}

type Condition = Exclude<Expression, { kind: 'and' | 'or' | 'not' }>;

function condition(site: Site, of: Condition): Tree | FilterFault {
  const { ground } = site;
  switch (of.kind) {
    case 'id':
      return idTest(site, of, of.qualifiers, of.id);
    case 'protocol':
      return protocolTest(ground, of, of.name);
    case 'relation':
      return compare(ground, of.relation, of.left, of.right);
    case 'cast':
      return castTest(site, of, of.far, of.protocol);
    case 'shorter':
      return not(above(LENGTH, of.than));
    case 'longer':
      return atLeast(LENGTH, of.than);
    case 'bound':
      return boundTest(ground, of, of.outward);
    case 'ifindex':
      return ifindexTest(ground, of, of.value);
    case 'vlan':
      return vlanTest(ground, of, of.value);
    case 'mpls':
      return mplsTest(ground, of, of.value);
    case 'pppoed':
      return carries(ground, 0x8863) ?? behindMpls(of);
  }
}

const LENGTH: readonly Instruction[] = [instruction(BPF.LD | BPF.LEN, 0)];

function idTest(site: Site, span: Span, qualifiers: Qualifiers, id: Id): Tree | FilterFault {
  const { ground, lookups } = site;
  switch (qualifiers.type) {
    case 'port':
    case 'portrange':
      return portTest(ground, span, qualifiers, id, lookups);
    case 'proto':
      return protoTest(ground, span, qualifiers.protocol, id);
    default:
      return addressTest(ground, span, qualifiers, id, lookups);
  }
}

/** IP protocols that stand for themselves, and whether over IPv4, IPv6 or both. */
const ALONE: ReadonlyMap<string, readonly [number: number, over: 'ip' | 'ip6' | null]> = new Map([
  ['tcp', [6, null]],
  ['udp', [17, null]],
  ['sctp', [132, null]],
  ['icmp', [1, 'ip']],
  ['icmp6', [58, 'ip6']],
  ['igmp', [2, 'ip']],
  ['igrp', [9, 'ip']],
  ['pim', [103, null]],
  ['vrrp', [112, 'ip']],
  ['carp', [112, 'ip']],
  ['ah', [51, null]],
  ['esp', [50, null]],
] as const);

function protocolTest(ground: Ground, span: Span, name: string): Tree | FilterFault {
  const known = ALONE.get(name);
  if (known !== undefined) {
    return isProtocol(ground, known[0], known[1]);
  }
  const type = ETHER_PROTOCOLS.get(name);
  return type === undefined
    ? filterFault(
        span,
        'the link layer is no condition',
        'Write ether host, ether proto, ether broadcast or ether[0] = 1.',
      )
    : (carries(ground, type) ?? behindMpls(span));
}

const EVERYBODY = new Uint8Array(6).fill(255);

function castTest(
  { ground, netmask }: Site,
  span: Span,
  far: 'broadcast' | 'multicast',
  protocol: string | null,
): Tree | FilterFault {
  if (protocol === null || protocol === 'link') {
    const own = hardware(ground, span, EVERYBODY, 'dst');
    return far === 'broadcast' || isFilterFault(own)
      ? own
      : hasBits(bytesAt({ ...ground, varies: false }, 0, 1), 1);
  }
  if (protocol === 'ip' && far === 'multicast') {
    return all(carries(ground, IPV4)!, atLeast(networkBytes(ground, 16, 1), 224));
  }
  if (protocol === 'ip6' && far === 'multicast') {
    return all(carries(ground, IPV6)!, equals(networkBytes(ground, 24, 1), 255));
  }
  if (protocol !== 'ip') {
    const hint = `Write ether ${far}${far === 'multicast' ? ', ip multicast or ip6 multicast' : ''}.`;
    return filterFault(span, `${protocol} has no ${far}`, hint);
  }
  if (netmask === null) {
    const hint = 'Write dst host with the broadcast address, or ether broadcast.';
    return filterFault(span, 'ip broadcast needs the mask of one interface', hint);
  }
  const hosts = ~netmask;
  const to = networkBytes(ground, 16, 4);
  return all(carries(ground, IPV4)!, any(equalsMasked(to, hosts, 0), equalsMasked(to, hosts, hosts)));
}

const NOT_IN_FILES = 'A file with this kind of link does not say it: it works on a live capture.';

function boundTest(ground: Ground, span: Span, outward: boolean): Tree | FilterFault {
  const load =
    ground.linkType === LINK.linuxSll
      ? bytesAt(ground, 0, 2)
      : ground.linkType === LINK.linuxSll2
        ? bytesAt(ground, 10, 1)
        : ground.kernel
          ? aside(ASIDE.packetType)
          : null;
  if (load === null) {
    return filterFault(span, 'the direction of packets is not known here', NOT_IN_FILES);
  }
  const sent = equals(load, OUTGOING);
  return outward ? sent : not(sent);
}

function ifindexTest(ground: Ground, span: Span, value: number): Tree | FilterFault {
  if (ground.linkType === LINK.linuxSll2) {
    return equals(bytesAt(ground, 4, 4), value);
  }
  return ground.kernel
    ? equals(aside(ASIDE.ifindex), value)
    : filterFault(span, 'the interface of packets is not known here', NOT_IN_FILES);
}

function aside(at: number): Instruction[] {
  return [instruction(BPF.LD | BPF.ABS | BPF.WORD, at)];
}

/** 802.1Q, 802.1ad, and the QinQ of before. */
const TAGS = [0x8100, 0x88a8, 0x9100];

function vlanTest(ground: Ground, span: Span, id: number | null): Tree | FilterFault {
  if (ground.labels > 0) {
    return filterFault(span, 'vlan behind mpls', 'Put vlan before mpls.');
  }
  if (ground.linkType !== LINK.ethernet) {
    return filterFault(
      span,
      'this capture has no VLAN tags',
      'Capture on one Ethernet interface to see them.',
    );
  }
  if (id !== null && id > 0xfff) {
    return filterFault(span, `a VLAN with the number ${id}`, 'VLAN numbers end at 4095.');
  }
  const inner = { ...ground };
  const first = ground.vlans++ === 0;
  if (first && ground.kernel) {
    ground.varies = true;
    return outerTag(inner, id);
  }
  const tagged = any(...TAGS.map((type) => carries(inner, type)!));
  ground.typeAt += 4;
  ground.payloadAt += 4;
  return id === null ? tagged : all(tagged, numbered(networkBytes(inner, 0, 2), id));
}

function numbered(load: readonly Instruction[], id: number): Tree {
  return equalsMasked(load, 0xfff, id);
}

/**
 * A packet socket gets the outer tag beside the packet (skb_vlan_untag comes first), but a packet on its way out may still hold it in
 * its bytes: TAG_CELL then moves the rest by 4.
 */
function outerTag(ground: Ground, id: number | null): Tree {
  const beside = equals(aside(ASIDE.vlanTagPresent), 1);
  const load = bytesAt(ground, ground.typeAt, 2);
  const noted = [instruction(BPF.LD | BPF.IMM, 4), instruction(BPF.ST, TAG_CELL), ...load];
  const inBytes = any(equals(noted, TAGS[0]!), ...TAGS.slice(1).map((type) => equals(load, type)));
  if (id === null) {
    return any(beside, inBytes);
  }
  return any(
    all(beside, numbered(aside(ASIDE.vlanTag), id)),
    all(not(beside), inBytes, numbered(networkBytes(ground, 0, 2), id)),
  );
}

function mplsTest(ground: Ground, span: Span, label: number | null): Tree | FilterFault {
  if (label !== null && label > 0xfffff) {
    return filterFault(span, `an MPLS label of ${label}`, 'Labels end at 1048575.');
  }
  let labelled: Tree;
  if (ground.labels > 0) {
    labelled = equalsMasked(networkBytes(ground, -2, 1), 1, 0);
  } else if (ground.linkType === LINK.ethernet) {
    labelled = carries(ground, 0x8847)!;
  } else {
    return filterFault(span, 'mpls is only known on Ethernet', 'Capture on one Ethernet interface.');
  }
  // tcpdump looks for the label behind the whole stack of labels so far, as the rest of the filter does.
  const test =
    label === null
      ? labelled
      : all(labelled, equalsMasked(networkBytes(ground, 0, 4), 0xffff_f000, label * 4096));
  ground.labels++;
  return test;
}
