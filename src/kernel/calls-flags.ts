/** Flags by the names that programs write. Numbers of asm-generic and of x86-64 and arm64, which agree on all of these. */

export type FlagTable = Readonly<Record<string, number>>;

export const MSG_FLAGS: FlagTable = {
  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  MSG_DONTROUTE: 0x4,
  MSG_CTRUNC: 0x8,
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_EOR: 0x80,
  MSG_WAITALL: 0x100,
  MSG_ERRQUEUE: 0x2000,
  MSG_NOSIGNAL: 0x4000,
  MSG_MORE: 0x8000,
  MSG_ZEROCOPY: 0x400_0000,
  MSG_FASTOPEN: 0x2000_0000,
};

export const POLL_EVENTS: FlagTable = {
  POLLIN: 0x1,
  POLLPRI: 0x2,
  POLLOUT: 0x4,
  POLLERR: 0x8,
  POLLHUP: 0x10,
  POLLNVAL: 0x20,
  POLLRDHUP: 0x2000,
};

export const EPOLL_EVENTS: FlagTable = {
  EPOLLIN: 0x1,
  EPOLLPRI: 0x2,
  EPOLLOUT: 0x4,
  EPOLLERR: 0x8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  EPOLLEXCLUSIVE: 1 << 28,
  EPOLLONESHOT: 1 << 30,
  EPOLLET: 1 << 31,
};

/** The requests that give an int (asm-generic/sockios.h, linux/sockios.h). */
export const IOCTLS: FlagTable = {
  SIOCATMARK: 0x8905,
  SIOCINQ: 0x541b,
  SIOCOUTQ: 0x5411,
  SIOCOUTQNSD: 0x894b,
};

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
/** The same bits stand for SOCK_, O_ and EFD_ (asm-generic/fcntl.h, linux/net.h). */
export const CLOEXEC = 0o2000000;
export const NONBLOCK = 0o4000;
export const FD_CLOEXEC = 1;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;

/** The names of the bits that are set; bits without a name as one hexadecimal word. */
export function flagNames(table: FlagTable, bits: number): string[] {
  const names: string[] = [];
  let rest = bits;
  for (const [name, bit] of Object.entries(table)) {
    if ((bits & bit) !== 0) {
      names.push(name);
      rest &= ~bit;
    }
  }
  return rest === 0 ? names : [...names, `0x${(rest >>> 0).toString(16)}`];
}
