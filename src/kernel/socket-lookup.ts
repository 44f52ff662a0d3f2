/** Which socket has this tuple? One question to sock_diag without a dump: the kernel answers from its hash tables (inet_diag.c, inet_diag_find_one_icsk). */
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
  u32,
} from './sockdiag-format.ts';

const ALL_STATES = 0xffff_ffff;
const NO_COOKIE = 0xffff_ffff;
const MSG_DONTWAIT = 0x40;

export interface LookedUp {
  /** 0: nobody's (TIME-WAIT, or the program has closed it). */
  readonly inode: number;
  readonly uid: number;
}

const answer = new Uint8Array(4096);

/**
 * The socket whose local end and peer these are; where no connection has them, the listener that would take it. Null: none here.
 * Addresses are 4 or 16 bytes. `fd` is a NETLINK_SOCK_DIAG socket.
 */
export function lookupSocket(...question: Question): LookedUp | null {
  const row = askForSocket(...question);
  return row === null ? null : { inode: u32(row, INET.inode), uid: u32(row, INET.uid) };
}

export type Question = [
  fd: number,
  protocol: 6 | 17,
  local: Uint8Array,
  localPort: number,
  peer: Uint8Array,
  peerPort: number,
];

/** The same as the kernel's answer, read with the offsets of sockdiag-format.ts; lent until the next one. */
export function askForSocket(
  ...[fd, protocol, local, localPort, peer, peerPort]: Question
): Uint8Array | null {
  const request = inetRequest({
    family: local.length === 4 ? AF_INET : AF_INET6,
    protocol,
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
  // The kernel has answered by the time send returns.
  const length = libc.recv(fd, answer, answer.length, MSG_DONTWAIT);
  if (length < NLMSG_HEADER + 72 || u16(answer, 4) === NLMSG_ERROR) {
    return null;
  }
  return answer;
}
