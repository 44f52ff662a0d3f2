/** Interfaces and their addresses, asked over rtnetlink: also those that are down, which os.networkInterfaces() leaves out. */
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';
import { readText } from './abilities/ability.ts';
import * as libc from './libc.ts';
import {
  attribute,
  i32,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  u16,
  u32,
} from './sockdiag-format.ts';

export interface InterfaceAddress {
  family: 4 | 6;
  address: string;
  prefix: number;
  /** IPv6 only: not usable yet (duplicate address detection runs), or found to be a duplicate. */
  tentative: boolean;
}

export interface Interface {
  index: number;
  name: string;
  loopback: boolean;
  up: boolean;
  mtu: number;
  addresses: InterfaceAddress[];
  /** net.ipv6.conf.NAME.disable_ipv6 is 1. */
  ipv6Disabled: boolean;
}

const AF_NETLINK = 16;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_DADFAILED = 0x08;
const HEADER = 16;
const IFINFOMSG = 16;
const IFADDRMSG = 8;
const ANSWER = 64 * 1024;

/** One rtnetlink message in b[start, end), header included. */
export type Visitor = (b: Uint8Array, start: number, end: number) => void;

/** Walks netlink messages; every step moves on by at least a header. True when the dump is over or the bytes make no sense. */
export function walkRoute(b: Uint8Array, length: number, visit: Visitor): boolean {
  let at = 0;
  while (at + HEADER <= length) {
    const size = u32(b, at);
    const type = u16(b, at + 4);
    if (size < HEADER || at + size > length || type === NLMSG_DONE || type === NLMSG_ERROR) {
      return true;
    }
    visit(b, at, at + size);
    at += (size + 3) & ~3;
  }
  return at < length;
}

/** struct ifinfomsg and its attributes; null for a message that is cut off. */
export function parseLink(
  b: Uint8Array,
  start: number,
  end: number,
): Omit<Interface, 'addresses' | 'ipv6Disabled'> | null {
  const attributes = start + HEADER + IFINFOMSG;
  const name = attributes <= end ? attribute(b, attributes, end, IFLA_IFNAME) : null;
  if (name === null) {
    return null;
  }
  const mtu = attribute(b, attributes, end, IFLA_MTU);
  const flags = u32(b, start + HEADER + 8);
  const text = new TextDecoder().decode(b.subarray(name.at, name.at + name.length));
  return {
    index: i32(b, start + HEADER + 4),
    name: text.split('\0', 1)[0] ?? '',
    loopback: (flags & IFF_LOOPBACK) !== 0,
    up: (flags & IFF_UP) !== 0,
    mtu: mtu !== null && mtu.length >= 4 ? u32(b, mtu.at) : 0,
  };
}

/** struct ifaddrmsg: IFA_LOCAL is our end, IFA_ADDRESS the other one on point-to-point links (linux/if_addr.h). */
export function parseAddress(
  b: Uint8Array,
  start: number,
  end: number,
): { index: number; address: InterfaceAddress } | null {
  const body = start + HEADER;
  const attributes = body + IFADDRMSG;
  if (attributes > end) {
    return null;
  }
  const family = b[body] === AF_INET ? 4 : b[body] === AF_INET6 ? 6 : null;
  const found = attribute(b, attributes, end, IFA_LOCAL) ?? attribute(b, attributes, end, IFA_ADDRESS);
  if (family === null || found === null || found.length !== (family === 4 ? 4 : 16)) {
    return null;
  }
  const address = family === 4 ? ipv4Text(b, found.at) : ipv6Text(b, found.at);
  const tentative = family === 6 && (b[body + 2]! & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0;
  return { index: u32(b, body + 4), address: { family, address, prefix: b[body + 1]!, tentative } };
}

function dump(fd: number, type: number, visit: Visitor): void {
  const request = new Uint8Array(HEADER + IFINFOMSG);
  const view = new DataView(request.buffer);
  view.setUint32(0, request.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  const answer = new Uint8Array(ANSWER);
  let over = libc.send(fd, request, request.length, 0) < 0;
  while (!over) {
    const received = libc.recv(fd, answer, ANSWER, 0);
    over = received <= 0 || walkRoute(answer, received, visit);
  }
}

/** Interfaces of this network namespace, or of the one that the given NETLINK_ROUTE socket was made in. -errno when refused. */
export function listInterfaces(route?: number): Interface[] | number {
  const fd = route ?? libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
  if (fd < 0) {
    return fd;
  }
  const found = new Map<number, Interface>();
  dump(fd, RTM_GETLINK, (b, start, end) => {
    const link = u16(b, start + 4) === RTM_NEWLINK ? parseLink(b, start, end) : null;
    if (link !== null) {
      found.set(link.index, { ...link, addresses: [], ipv6Disabled: ipv6Disabled(link.name) });
    }
  });
  dump(fd, RTM_GETADDR, (b, start, end) => {
    const entry = u16(b, start + 4) === RTM_NEWADDR ? parseAddress(b, start, end) : null;
    if (entry !== null) {
      found.get(entry.index)?.addresses.push(entry.address);
    }
  });
  if (route === undefined) {
    libc.close(fd);
  }
  return [...found.values()];
}

/** Switched off for this interface, or not in this kernel at all. The sysctl is that of the namespace we are in. */
export function ipv6Disabled(name: string): boolean {
  return readText(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`)?.trim() !== '0';
}
