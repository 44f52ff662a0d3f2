/**
 * Machines of a laboratory, over rtnetlink: cables whose other end lies in another namespace, link addresses, neighbours that are
 * known for good, networks, and ways. All of the calling thread's namespace: 0, or -errno.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as libc from './libc.ts';
import {
  attribute,
  type Family,
  family,
  join,
  linkMessage,
  NLM_F_CREATE,
  NLM_F_EXCL,
  number,
  request,
  text,
} from './rtnetlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const NLM_F_REPLACE = 0x100;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 0x02;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

const RTA_DST = 1;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
/** RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT (linux/rtnetlink.h). */
const KINDS = { via: 1, blackhole: 6, unreachable: 7, prohibit: 8 } as const;

export interface Cable {
  /** This end's device and link address, in the calling thread's namespace. */
  readonly here: string;
  /** The other end's. */
  readonly there: string;
  readonly mac: Uint8Array;
  /** A descriptor of the other end's namespace. */
  readonly namespace: number;
  readonly mtu: number;
}

export function addCable(fd: number, cable: Cable): number {
  const peer = join(
    linkMessage(0, 0, 0),
    text(IFLA_IFNAME, cable.there),
    attribute(IFLA_ADDRESS, cable.mac),
    number(IFLA_MTU, cable.mtu),
    number(IFLA_NET_NS_FD, cable.namespace),
  );
  const body = join(
    linkMessage(0, 0, 0),
    text(IFLA_IFNAME, cable.here),
    // The near end takes whatever the far end may ever send.
    number(IFLA_MTU, 65_535),
    attribute(
      IFLA_LINKINFO,
      join(text(IFLA_INFO_KIND, 'veth'), attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer))),
    ),
  );
  return request(fd, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
}

/** Both ends of a cable go. */
export function removeLink(fd: number, index: number): number {
  return request(fd, RTM_DELLINK, 0, linkMessage(index, 0, 0));
}

/** An address with the network around it, usable at once. */
export function addNetwork(
  fd: number,
  version: Family,
  index: number,
  address: Uint8Array,
  prefix: number,
): number {
  const message = new Uint8Array(8);
  message[0] = family(version);
  message[1] = prefix;
  message[2] = IFA_F_NODAD;
  new DataView(message.buffer).setUint32(4, index, true);
  const body = join(message, attribute(IFA_LOCAL, address), attribute(IFA_ADDRESS, address));
  return request(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
}

/** struct ndmsg */
function neighbour(version: Family, index: number, address: Uint8Array): Uint8Array {
  const message = new Uint8Array(12);
  const view = new DataView(message.buffer);
  message[0] = family(version);
  view.setInt32(4, index, true);
  view.setUint16(8, NUD_PERMANENT, true);
  return join(message, attribute(NDA_DST, address));
}

export function addNeighbour(
  fd: number,
  version: Family,
  index: number,
  address: Uint8Array,
  mac: Uint8Array,
): number {
  const body = join(neighbour(version, index, address), attribute(NDA_LLADDR, mac));
  return request(fd, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body);
}

export function removeNeighbour(fd: number, version: Family, index: number, address: Uint8Array): number {
  return request(fd, RTM_DELNEIGH, 0, neighbour(version, index, address));
}

export interface Way {
  readonly version: Family;
  /** Empty is everywhere. */
  readonly destination: Uint8Array;
  readonly prefix: number;
  readonly how: keyof typeof KINDS;
  readonly gateway?: Uint8Array;
}

export function addWay(fd: number, way: Way): number {
  const message = new Uint8Array(12);
  message[0] = family(way.version);
  message[1] = way.prefix;
  message[4] = RT_TABLE_MAIN;
  message[5] = RTPROT_STATIC;
  message[7] = KINDS[way.how];
  const parts: Uint8Array[] = [message];
  if (way.destination.length > 0) {
    parts.push(attribute(RTA_DST, way.destination));
  }
  if (way.gateway !== undefined) {
    parts.push(attribute(RTA_GATEWAY, way.gateway));
  }
  return request(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, join(...parts));
}

/** `tcp_retries2`, `net.ipv4.tcp_retries2` or `net/ipv4/tcp_retries2`. */
export function sysctlPath(name: string): string | null {
  const plain = name.replaceAll('.', '/').replace(/^net\//, '');
  if (!/^[a-z0-9_/-]+$/i.test(plain) || plain.includes('..')) {
    return null;
  }
  const below = plain.includes('/') ? [plain] : [`ipv4/${plain}`, `core/${plain}`, `ipv6/${plain}`];
  return below.map((path) => `/proc/sys/net/${path}`).find(existsSync) ?? null;
}

/** Null when this kernel, or this namespace, has none of that name. */
export function readSysctl(name: string): string | null {
  const path = sysctlPath(name);
  return path === null ? null : readFileSync(path, 'utf8').trim();
}

/** True, false when there is none of that name, or -errno of the refusal. */
export function writeSysctl(name: string, value: string): boolean | number {
  const path = sysctlPath(name);
  if (path === null) {
    return false;
  }
  try {
    writeFileSync(path, value);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? -5;
  }
}

/** For reading again and again from anywhere: the namespace is that of the opening thread. */
export function openStatistics(name: 'netstat' | 'snmp'): number {
  return libc.openFile(`/proc/thread-self/net/${name}`, 0o2000000);
}
