/** The row of one socket, asked by its tuple: sock_diag answers from its hash tables, without a dump. */
import * as libc from './libc.ts';
import {
  AF_INET,
  AF_INET6,
  INET,
  inetRequest,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  NLMSG_HEADER,
  u16,
  u16be,
  u32,
} from './sockdiag-format.ts';

const ALL_STATES = 0xffff_ffff;
const NO_COOKIE = 0xffff_ffff;
const MSG_DONTWAIT = 0x40;
const IPPROTO_TCP = 6;

export interface StateRow {
  /** As the kernel numbers states: an index of TCP_STATES. */
  readonly state: number;
  /** 16 hex digits. */
  readonly cookie: string;
  readonly inode: number;
  readonly recvQueue: number;
  readonly sendQueue: number;
}

const answer = new Uint8Array(4096);

/**
 * The TCP socket with exactly these ends; with a peer port of 0, the listener that would take a connection to `local`. Null: none here.
 * Addresses are 4 or 16 bytes. `fd` is a NETLINK_SOCK_DIAG socket.
 */
export function stateOf(
  fd: number,
  local: Uint8Array,
  localPort: number,
  peer: Uint8Array,
  peerPort: number,
): StateRow | null {
  const request = inetRequest({
    family: local.length === 4 ? AF_INET : AF_INET6,
    protocol: IPPROTO_TCP,
    states: ALL_STATES,
    extensions: 0,
  });
  const view = new DataView(request.buffer);
  view.setUint16(6, NLM_F_REQUEST, true);
  // struct inet_diag_sockid behind the request's 8 bytes.
  view.setUint16(24, localPort);
  view.setUint16(26, peerPort);
  request.set(local, 28);
  request.set(peer, 44);
  view.setUint32(64, NO_COOKIE, true);
  view.setUint32(68, NO_COOKIE, true);
  if (libc.send(fd, request, request.length, 0) < 0) {
    return null;
  }
  const length = libc.recv(fd, answer, answer.length, MSG_DONTWAIT);
  if (length < NLMSG_HEADER + 72 || u16(answer, 4) === NLMSG_ERROR) {
    return null;
  }
  // A listener answers for strangers as well (inet_diag.c, inet_diag_find_one_icsk).
  if (u16be(answer, INET.sourcePort) !== localPort || u16be(answer, INET.peerPort) !== peerPort) {
    return null;
  }
  const cookie = [INET.cookie + 4, INET.cookie].map((at) => u32(answer, at).toString(16).padStart(8, '0'));
  return {
    state: answer[INET.state]!,
    cookie: cookie.join(''),
    inode: u32(answer, INET.inode),
    recvQueue: u32(answer, INET.receiveQueue),
    sendQueue: u32(answer, INET.sendQueue),
  };
}
