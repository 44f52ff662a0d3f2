/**
 * Hears of sockets as the kernel frees them: the multicast groups of sock_diag (SKNLGRP_INET_TCP_DESTROY and its sisters).
 * Any user may listen (NL_CFG_F_NONROOT_RECV in net/core/sock_diag.c); TIME-WAIT and half-open requests are not told.
 */
import * as libc from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const NETLINK_SOCK_DIAG = 4;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;
/** One bit per group: 1 TCP, 2 UDP, 3 TCP over IPv6, 4 UDP over IPv6. */
const ALL_GROUPS = 0b1111;
const RECEIVE_BUFFER = 1 << 20;
const MESSAGE_LIMIT = 8192;

export interface Destroyed {
  /** Whole netlink datagrams: each holds SOCK_DIAG_BY_FAMILY messages that `walkMessages` reads. */
  messages: Uint8Array[];
  /** How often the kernel said that it dropped some because nobody read in time. */
  losses: number;
  /** 0, or the errno that ended the reading. */
  errno: number;
}

/** A non-blocking netlink socket for the calling thread's network namespace, or -errno. Close it with `closeSockDiag`. */
export function openDestroyed(): number {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
  if (fd < 0) {
    return fd;
  }
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, libc.int32(RECEIVE_BUFFER), 4);
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, ALL_GROUPS, true);
  const bound = libc.bindTo(fd, address, address.length);
  if (bound < 0) {
    libc.close(fd);
    return bound;
  }
  return fd;
}

/** Everything that is there now, at most `most` datagrams; never waits. */
export function readDestroyed(fd: number, most = 4096): Destroyed {
  const result: Destroyed = { messages: [], losses: 0, errno: 0 };
  const room = new Uint8Array(MESSAGE_LIMIT);
  for (let turn = 0; turn < most; turn++) {
    const received = libc.recv(fd, room, room.length, 0);
    if (received === -EAGAIN) {
      return result;
    }
    if (received === -ENOBUFS) {
      result.losses++;
    } else if (received > 0) {
      result.messages.push(room.slice(0, received));
    } else if (received !== -EINTR) {
      result.errno = -received;
      return result;
    }
  }
  return result;
}
