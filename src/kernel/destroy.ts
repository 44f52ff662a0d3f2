/** Ends one socket without its program's help: SOCK_DESTROY over sock_diag (net/core/sock_diag.c, needs CONFIG_INET_DIAG_DESTROY). */
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';
import * as libc from './libc.ts';
import { deviceIndex } from './names.ts';
import { closeSockDiag, openSockDiag } from './sockdiag.ts';
import {
  AF_INET,
  AF_INET6,
  i32,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  NLMSG_HEADER,
  SOCK_DESTROY,
  u16,
} from './sockdiag-format.ts';

const IP_PROTOCOL: Record<string, number> = { tcp: 6, udp: 17, udplite: 136 };
const EINTR = 4;
const EINVAL = 22;
const EPROTO = 71;
const ANSWER = 4096;
const COOKIE = /^[0-9a-f]{16}$/;

/** Which socket: everything the kernel compares before it destroys, so that a reused address is never hit by mistake. */
export interface SocketIdentity {
  family: 4 | 6;
  protocol: 'tcp' | 'udp' | 'udplite';
  local: { address: string; port: number };
  peer: { address: string; port: number };
  /** 16 hex digits. */
  cookie: string;
  /** The interface it is bound to. */
  device?: string;
}

/** The message for the kernel, or null when an address, a port or the cookie makes no sense. */
export function destroyRequest(identity: SocketIdentity, interfaceIndex: number): Uint8Array | null {
  const parse = identity.family === 6 ? parseIpv6 : parseIpv4;
  const local = parse(identity.local.address);
  const peer = parse(identity.peer.address);
  if (local === null || peer === null || !COOKIE.test(identity.cookie)) {
    return null;
  }
  if (!isPort(identity.local.port) || !isPort(identity.peer.port)) {
    return null;
  }
  const b = new Uint8Array(NLMSG_HEADER + 56);
  const view = new DataView(b.buffer);
  view.setUint32(0, b.length, true);
  view.setUint16(4, SOCK_DESTROY, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  b[16] = identity.family === 6 ? AF_INET6 : AF_INET;
  b[17] = IP_PROTOCOL[identity.protocol]!;
  view.setUint32(20, 0xffffffff, true);
  view.setUint16(24, identity.local.port);
  view.setUint16(26, identity.peer.port);
  b.set(local, 28);
  b.set(peer, 44);
  view.setUint32(60, interfaceIndex, true);
  // Two u32, the low half first (sock_diag_save_cookie).
  view.setBigUint64(64, BigInt(`0x${identity.cookie}`), true);
  return b;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65535;
}

/**
 * 0, or -errno: -EPERM without CAP_NET_ADMIN over the socket's namespace, -ENOENT when it is gone or the cookie names another,
 * -EOPNOTSUPP when this kernel was built without it.
 */
export function destroySocket(identity: SocketIdentity): number {
  const index = identity.device === undefined ? 0 : deviceIndex(identity.device);
  const request = index === null ? null : destroyRequest(identity, index);
  if (request === null) {
    return -EINVAL;
  }
  const fd = openSockDiag();
  if (fd < 0) {
    return fd;
  }
  const sent = libc.send(fd, request, request.length, 0);
  const result = sent < 0 ? sent : readAnswer(fd);
  closeSockDiag(fd);
  return result;
}

function readAnswer(fd: number): number {
  const answer = new Uint8Array(ANSWER);
  let received = libc.recv(fd, answer, ANSWER, 0);
  while (received === -EINTR) {
    received = libc.recv(fd, answer, ANSWER, 0);
  }
  return received < 0 ? received : acknowledgement(answer.subarray(0, received));
}

/** The errno inside NLMSG_ERROR, 0 when it acknowledges; -EPROTO for anything else. */
export function acknowledgement(b: Uint8Array): number {
  if (b.length < NLMSG_HEADER + 4 || u16(b, 4) !== NLMSG_ERROR) {
    return -EPROTO;
  }
  return i32(b, NLMSG_HEADER);
}
