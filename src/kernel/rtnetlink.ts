/**
 * Links, addresses, routes and rules of the calling thread's network namespace, set over rtnetlink (rtnetlink(7)). Every request
 * asks for an acknowledgement: 0, or -errno.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as libc from './libc.ts';
import { i32, NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, u16 } from './sockdiag-format.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const HEADER = 16;

const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
export const IFF_UP = 0x1;
export const IFF_NOARP = 0x80;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 0x02;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_TABLE = 15;
const RTAX_ADVMSS = 8;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const RTN_LOCAL = 2;
const SCOPE_UNIVERSE = 0;
const SCOPE_LINK = 253;
const SCOPE_HOST = 254;

const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FR_ACT_TO_TBL = 1;

export const TABLE_LOCAL = 255;

const SIOCGIFINDEX = 0x8933;
const SIOCETHTOOL = 0x8946;
/** ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO (linux/ethtool.h). */
export const TX_CHECKSUM = 0x17;
export const SEGMENTATION = [0x1f, 0x24, 0x2c] as const;

export type Family = 4 | 6;

/** A socket for the requests below; it stays in the namespace it was made in. */
export function openRoute(): number {
  return libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
}

export const family = (version: Family): number => (version === 4 ? 2 : 10);

export function attribute(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + payload.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + payload.length, true);
  view.setUint16(2, type, true);
  bytes.set(payload, 4);
  return bytes;
}

export const number = (type: number, value: number): Uint8Array => attribute(type, libc.int32(value));
export const text = (type: number, value: string): Uint8Array => attribute(type, Buffer.from(`${value}\0`));

export function join(...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

export function request(fd: number, type: number, flags: number, body: Uint8Array): number {
  const message = new Uint8Array(HEADER + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, true);
  message.set(body, HEADER);
  const sent = libc.send(fd, message, message.length, 0);
  if (sent < 0) {
    return sent;
  }
  const answer = new Uint8Array(8192);
  const length = libc.recv(fd, answer, answer.length, 0);
  if (length < HEADER + 4 || u16(answer, 4) !== NLMSG_ERROR) {
    return length < 0 ? length : -5;
  }
  return i32(answer, HEADER);
}

/** struct ifinfomsg */
export function linkMessage(index: number, flags: number, change: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

/** Two ends of one cable, both in this namespace. */
export function addVethPair(fd: number, one: string, other: string, mtu: number): number {
  const peer = join(linkMessage(0, 0, 0), text(IFLA_IFNAME, other), number(IFLA_MTU, mtu));
  const body = join(
    linkMessage(0, 0, 0),
    text(IFLA_IFNAME, one),
    number(IFLA_MTU, mtu),
    attribute(
      IFLA_LINKINFO,
      join(text(IFLA_INFO_KIND, 'veth'), attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer))),
    ),
  );
  return request(fd, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
}

export function setLinkFlags(fd: number, index: number, flags: number): number {
  return request(fd, RTM_NEWLINK, 0, linkMessage(index, flags, flags));
}

/** One address without neighbours: a /32 or a /128, usable at once. */
export function addAddress(fd: number, version: Family, index: number, address: Uint8Array): number {
  const message = new Uint8Array(8);
  message[0] = family(version);
  message[1] = address.length * 8;
  message[2] = IFA_F_NODAD;
  new DataView(message.buffer).setUint32(4, index, true);
  const body = join(message, attribute(IFA_LOCAL, address), attribute(IFA_ADDRESS, address));
  return request(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
}

export interface Route {
  readonly version: Family;
  /** `local`: every address of the destination is ours. */
  readonly kind: 'unicast' | 'local';
  /** Empty is the default route. */
  readonly destination: Uint8Array;
  readonly prefix: number;
  readonly device: number;
  readonly table: number;
  readonly source?: Uint8Array;
  /** What TCP tells its peer to send at most per segment. */
  readonly advertisedSegment?: number;
}

export function addRoute(fd: number, route: Route): number {
  const message = new Uint8Array(12);
  message[0] = family(route.version);
  message[1] = route.prefix;
  message[4] = route.table;
  message[5] = RTPROT_STATIC;
  message[6] = route.version === 6 ? SCOPE_UNIVERSE : route.kind === 'local' ? SCOPE_HOST : SCOPE_LINK;
  message[7] = route.kind === 'local' ? RTN_LOCAL : RTN_UNICAST;
  const parts = [message, number(RTA_OIF, route.device), number(RTA_TABLE, route.table)];
  if (route.destination.length > 0) {
    parts.push(attribute(RTA_DST, route.destination));
  }
  if (route.source !== undefined) {
    parts.push(attribute(RTA_PREFSRC, route.source));
  }
  if (route.advertisedSegment !== undefined) {
    parts.push(attribute(RTA_METRICS, number(RTAX_ADVMSS, route.advertisedSegment)));
  }
  return request(fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, join(...parts));
}

export interface Rule {
  readonly version: Family;
  readonly priority: number;
  readonly table: number;
  readonly mark?: number;
  /** `lo` here means: what this machine sends itself (ip-rule(8)). */
  readonly from?: string;
}

function ruleMessage(rule: Rule): Uint8Array {
  const message = new Uint8Array(12);
  message[0] = family(rule.version);
  message[4] = rule.table;
  message[7] = FR_ACT_TO_TBL;
  const parts = [message, number(FRA_PRIORITY, rule.priority), number(FRA_TABLE, rule.table)];
  if (rule.mark !== undefined) {
    parts.push(number(FRA_FWMARK, rule.mark));
  }
  if (rule.from !== undefined) {
    parts.push(text(FRA_IIFNAME, rule.from));
  }
  return join(...parts);
}

export function addRule(fd: number, rule: Rule): number {
  return request(fd, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, ruleMessage(rule));
}

export function deleteRule(fd: number, rule: Rule): number {
  return request(fd, RTM_DELRULE, 0, ruleMessage(rule));
}

function interfaceRequest(name: string): Uint8Array {
  const bytes = new Uint8Array(40);
  new TextEncoder().encodeInto(name, bytes.subarray(0, 15));
  return bytes;
}

/** -errno when there is none of that name. `fd` is any socket of the namespace that is no netlink socket. */
export function linkIndex(fd: number, name: string): number {
  const bytes = interfaceRequest(name);
  const result = libc.ioctl(fd, SIOCGIFINDEX, bytes);
  return result < 0 ? result : new DataView(bytes.buffer).getInt32(16, true);
}

/** Switches a feature off, e.g. TX_CHECKSUM. */
export function switchOff(fd: number, name: string, feature: number): number {
  const wish = new Uint8Array(8);
  new DataView(wish.buffer).setUint32(0, feature, true);
  const bytes = interfaceRequest(name);
  new DataView(bytes.buffer).setBigUint64(16, libc.addressOf(wish), true);
  const result = libc.ioctl(fd, SIOCETHTOOL, bytes);
  // Read after the call: the collector must not have taken it while the kernel held its address.
  return wish.length === 8 ? result : -14;
}

/** `name` below /proc/sys/net of the calling thread's namespace; false when it is not there or may not be written. */
export function setNetSysctl(name: string, value: string): boolean {
  try {
    writeFileSync(`/proc/sys/net/${name}`, value);
    return true;
  } catch {
    return false;
  }
}

export function netSysctl(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim();
  } catch {
    return null;
  }
}
