/** The row of one socket, asked by its tuple: sock_diag answers from its hash tables, without a dump. */

import { INET, u16be, u32 } from './sockdiag-format.ts';
import { askForSocket } from './socket-lookup.ts';

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
  const answer = askForSocket(fd, IPPROTO_TCP, local, localPort, peer, peerPort);
  if (answer === null) {
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
