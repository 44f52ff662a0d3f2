/**
 * Where things lie under a link layer, and which protocol a frame carries. The ground moves: behind `vlan` and `mpls` the rest
 * of the filter looks 4 bytes further on (pcap-filter(7)).
 */
import { ASIDE, BPF } from './filter-bpf.ts';
import {
  all,
  any,
  atLeast,
  equals,
  equalsMasked,
  type Instruction,
  instruction,
  not,
  type Tree,
} from './filter-tree.ts';
import { LINK } from './headers.ts';

export interface Ground {
  linkType: number | 'network';
  /** The program goes to a packet socket: it can ask the kernel, and the outer VLAN tag is no longer in the bytes. */
  kernel: boolean;
  /** Where the ethertype lies, -1 when there is none in the bytes. */
  typeAt: number;
  /** Where the network header lies. */
  payloadAt: number;
  vlans: number;
  labels: number;
  /** Memory cell TAG_CELL holds how far the tag in the bytes moves everything: 0 or 4. */
  varies: boolean;
}

export const TAG_CELL = 15;

type Place = readonly [typeAt: number, payloadAt: number];
const PLACES: ReadonlyMap<number | 'network', Place> = new Map<number | 'network', Place>([
  [LINK.null, [-1, 4]],
  [LINK.loop, [-1, 4]],
  [LINK.ethernet, [12, 14]],
  [LINK.raw, [-1, 0]],
  [LINK.rawOld, [-1, 0]],
  [LINK.ipv4, [-1, 0]],
  [LINK.ipv6, [-1, 0]],
  [LINK.linuxSll, [14, 16]],
  [LINK.linuxSll2, [0, 20]],
  ['network', [-1, 0]],
]);

export function groundOf(linkType: number | 'network', kernel: boolean): Ground | null {
  const place = PLACES.get(linkType);
  return place === undefined
    ? null
    : {
        linkType,
        kernel: kernel || linkType === 'network',
        typeAt: place[0],
        payloadAt: place[1],
        vlans: 0,
        labels: 0,
        varies: false,
      };
}

export const SIZES: ReadonlyMap<number, number> = new Map([
  [1, BPF.BYTE],
  [2, BPF.HALF],
  [4, BPF.WORD],
]);

/** Bytes at a place of the frame, moved by the tag when that varies. */
export function bytesAt({ varies }: Ground, at: number, size: 1 | 2 | 4): Instruction[] {
  const width = SIZES.get(size)!;
  return varies
    ? [instruction(BPF.LDX | BPF.MEM, TAG_CELL), instruction(BPF.LD | BPF.IND | width, at)]
    : [instruction(BPF.LD | BPF.ABS | width, at)];
}

/** Bytes of the network header. */
export function networkBytes(ground: Ground, offset: number, size: 1 | 2 | 4): Instruction[] {
  return bytesAt(ground, networkAt(ground) + offset, size);
}

export function networkAt({ payloadAt, labels }: Ground): number {
  return payloadAt + 4 * labels;
}

/** X becomes the length of the IPv4 header (and of the tag before it). */
export function ipv4HeaderToX(ground: Ground): Instruction[] {
  const at = networkAt(ground);
  return ground.varies
    ? [
        instruction(BPF.LDX | BPF.MEM, TAG_CELL),
        instruction(BPF.LD | BPF.IND | BPF.BYTE, at),
        instruction(BPF.ALU | BPF.AND, 0xf),
        instruction(BPF.ALU | BPF.LSH, 2),
        instruction(BPF.ALU | BPF.ADD | BPF.X, 0),
        instruction(BPF.TAX, 0),
      ]
    : [instruction(BPF.LDX | BPF.MSH | BPF.BYTE, at)];
}

export const IPV4 = 0x0800;
export const IPV6 = 0x86dd;
/** The longest length of an 802.3 frame: what is greater is an ethertype. */
const LONGEST = 1500;
const ISO = 0xfe;
const IP_SAP = 0x06;
const NETBEUI = 0xf0;
const IPX_SAP = 0xe0;
const IPX = 0x8137;
const ATALK = 0x809b;
const AARP = 0x80f3;
/** linux/if_ether.h: ETH_P_802_3 and ETH_P_802_2, in the place of an ethertype of cooked captures. */
const COOKED_802_3 = 1;
const COOKED_802_2 = 4;

/** Whether the frame carries this ethertype, or this 802.2 service up to 1500. Null: nothing can be said behind mpls. */
export function carries(ground: Ground, type: number): Tree | null {
  if (ground.labels > 0) {
    return behindLabels(ground, type);
  }
  switch (ground.linkType) {
    case LINK.ethernet: {
      const load = bytesAt(ground, ground.typeAt, 2);
      return services(ground, load, not(atLeast(load, LONGEST + 1)), false, type);
    }
    case LINK.linuxSll: {
      const load = bytesAt(ground, ground.typeAt, 2);
      return services(ground, load, equals(load, COOKED_802_2), true, type);
    }
    case LINK.linuxSll2:
      return equals(bytesAt(ground, ground.typeAt, 2), type);
    case 'network': {
      const load = [instruction(BPF.LD | BPF.ABS | BPF.WORD, ASIDE.protocol)];
      return services(ground, load, equals(load, COOKED_802_2), true, type);
    }
    case LINK.null:
    case LINK.loop:
      return loopback(ground, type);
    case LINK.ipv4:
      return type === IPV4;
    case LINK.ipv6:
      return type === IPV6;
    default:
      return type === IPV4 || type === IPV6
        ? equalsMasked(bytesAt(ground, 0, 1), 0xf0, type === IPV4 ? 0x40 : 0x60)
        : false;
  }
}

/** The last label says that it is the last; what follows shows itself by its version only. */
function behindLabels(ground: Ground, type: number): Tree | null {
  if (type !== IPV4 && type !== IPV6) {
    return null;
  }
  return all(
    equalsMasked(networkBytes(ground, -2, 1), 1, 1),
    equalsMasked(networkBytes(ground, 0, 1), 0xf0, type === IPV4 ? 0x40 : 0x60),
  );
}

/** Ethertypes as they are, and the protocols that also or only come in 802.2 frames (`is802` tells those). */
function services(
  ground: Ground,
  load: readonly Instruction[],
  is802: Tree,
  cooked: boolean,
  type: number,
): Tree {
  const at = ground.payloadAt;
  switch (type) {
    case ISO:
    case IP_SAP:
    case NETBEUI:
      return all(is802, equals(bytesAt(ground, at, 2), (type << 8) | type));
    case IPX_SAP: {
      const named = equals(bytesAt(ground, at, 1), IPX_SAP);
      const snapped = snap(ground, 0, IPX);
      return cooked
        ? any(equals(load, IPX), equals(load, COOKED_802_3), all(is802, any(named, snapped)))
        : any(equals(load, IPX), all(is802, any(snapped, named, equals(bytesAt(ground, at, 2), 0xffff))));
    }
    case ATALK:
      return any(equals(load, type), all(is802, snap(ground, 0x080007, type)));
    case AARP:
      return any(equals(load, type), all(is802, snap(ground, 0, type)));
    default:
      return type > LONGEST ? equals(load, type) : all(is802, equals(bytesAt(ground, at, 1), type));
  }
}

/** An 802.2 SNAP header: AA AA 03, organisation, ethertype. */
function snap(ground: Ground, organisation: number, type: number): Tree {
  return all(
    equals(bytesAt(ground, ground.payloadAt + 4, 4), ((organisation & 0xffff) << 16) | type),
    equals(bytesAt(ground, ground.payloadAt, 4), 0xaaaa_0300 | (organisation >>> 16)),
  );
}

const INET = 2;
/** AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS. */
const INET6 = [10, 24, 28, 30];

/** The family is in network order on LOOP and in the order of the writing machine on NULL: there both are taken. */
function loopback(ground: Ground, type: number): Tree {
  const families = type === IPV4 ? [INET] : type === IPV6 ? INET6 : [];
  const load = bytesAt(ground, 0, 4);
  return any(
    ...families.flatMap((family) =>
      ground.linkType === LINK.null
        ? [equals(load, family << 24), equals(load, family)]
        : [equals(load, family)],
    ),
  );
}
