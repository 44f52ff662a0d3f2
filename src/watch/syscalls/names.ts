/** Numbers of system calls' arguments by the names they have in C. x86-64 and arm64 agree on all of these. */

export type Names = readonly (readonly [number: number, name: string])[];

/** One of several. */
export function oneOf(names: Names, number: number): string | number {
  return names.find(([value]) => value === number)?.[1] ?? number;
}

/** Flags: `SOCK_STREAM|SOCK_CLOEXEC`; what has no name is given in hex. */
export function flagNames(names: Names, bits: number): string | number {
  const words: string[] = [];
  let left = bits >>> 0;
  for (const [value, name] of names) {
    const bit = value >>> 0;
    if (bit !== 0 && (left & bit) >>> 0 === bit) {
      words.push(name);
      left = (left & ~bit) >>> 0;
    }
  }
  if (left !== 0) {
    words.push(`0x${left.toString(16)}`);
  }
  return words.length === 0 ? 0 : words.join('|');
}

export const FAMILIES: Names = [
  [0, 'AF_UNSPEC'],
  [1, 'AF_UNIX'],
  [2, 'AF_INET'],
  [10, 'AF_INET6'],
  [16, 'AF_NETLINK'],
  [17, 'AF_PACKET'],
  [40, 'AF_VSOCK'],
];

export const SOCKET_TYPES: Names = [
  [1, 'SOCK_STREAM'],
  [2, 'SOCK_DGRAM'],
  [3, 'SOCK_RAW'],
  [5, 'SOCK_SEQPACKET'],
];

export const SOCKET_FLAGS: Names = [
  [0o2000000, 'SOCK_CLOEXEC'],
  [0o4000, 'SOCK_NONBLOCK'],
];

export const PROTOCOLS: Names = [
  [0, 'IPPROTO_IP'],
  [1, 'IPPROTO_ICMP'],
  [6, 'IPPROTO_TCP'],
  [17, 'IPPROTO_UDP'],
  [58, 'IPPROTO_ICMPV6'],
  [132, 'IPPROTO_SCTP'],
  [262, 'IPPROTO_MPTCP'],
];

export const MESSAGE_FLAGS: Names = [
  [0x1, 'MSG_OOB'],
  [0x2, 'MSG_PEEK'],
  [0x4, 'MSG_DONTROUTE'],
  [0x8, 'MSG_CTRUNC'],
  [0x20, 'MSG_TRUNC'],
  [0x40, 'MSG_DONTWAIT'],
  [0x80, 'MSG_EOR'],
  [0x100, 'MSG_WAITALL'],
  [0x2000, 'MSG_ERRQUEUE'],
  [0x4000, 'MSG_NOSIGNAL'],
  [0x8000, 'MSG_MORE'],
  [0x1_0000, 'MSG_WAITFORONE'],
  [0x400_0000, 'MSG_ZEROCOPY'],
  [0x2000_0000, 'MSG_FASTOPEN'],
  [0x4000_0000, 'MSG_CMSG_CLOEXEC'],
];

export const SHUTDOWNS: Names = [
  [0, 'SHUT_RD'],
  [1, 'SHUT_WR'],
  [2, 'SHUT_RDWR'],
];

export const POLL_EVENTS: Names = [
  [0x1, 'POLLIN'],
  [0x2, 'POLLPRI'],
  [0x4, 'POLLOUT'],
  [0x8, 'POLLERR'],
  [0x10, 'POLLHUP'],
  [0x20, 'POLLNVAL'],
  [0x40, 'POLLRDNORM'],
  [0x80, 'POLLRDBAND'],
  [0x100, 'POLLWRNORM'],
  [0x200, 'POLLWRBAND'],
  [0x2000, 'POLLRDHUP'],
];

export const EPOLL_EVENTS: Names = [
  [0x1, 'EPOLLIN'],
  [0x2, 'EPOLLPRI'],
  [0x4, 'EPOLLOUT'],
  [0x8, 'EPOLLERR'],
  [0x10, 'EPOLLHUP'],
  [0x40, 'EPOLLRDNORM'],
  [0x80, 'EPOLLRDBAND'],
  [0x100, 'EPOLLWRNORM'],
  [0x200, 'EPOLLWRBAND'],
  [0x2000, 'EPOLLRDHUP'],
  [0x1000_0000, 'EPOLLEXCLUSIVE'],
  [0x2000_0000, 'EPOLLWAKEUP'],
  [0x4000_0000, 'EPOLLONESHOT'],
  [0x8000_0000, 'EPOLLET'],
];

export const EPOLL_OPERATIONS: Names = [
  [1, 'EPOLL_CTL_ADD'],
  [2, 'EPOLL_CTL_DEL'],
  [3, 'EPOLL_CTL_MOD'],
];

export const FCNTLS: Names = [
  [0, 'F_DUPFD'],
  [1, 'F_GETFD'],
  [2, 'F_SETFD'],
  [3, 'F_GETFL'],
  [4, 'F_SETFL'],
  [8, 'F_SETOWN'],
  [9, 'F_GETOWN'],
  [1030, 'F_DUPFD_CLOEXEC'],
];

/** Access mode O_RDWR is 2; sockets always have it. */
export const FILE_FLAGS: Names = [
  [0o2, 'O_RDWR'],
  [0o4000, 'O_NONBLOCK'],
  [0o2000, 'O_APPEND'],
  [0o20000, 'O_ASYNC'],
];

export const IOCTLS: Names = [
  [0x5421, 'FIONBIO'],
  [0x541b, 'FIONREAD'],
  [0x5411, 'SIOCOUTQ'],
  [0x5452, 'FIOASYNC'],
  [0x8905, 'SIOCATMARK'],
  [0x894b, 'SIOCOUTQNSD'],
];

export const CLONE_FLAGS: Names = [
  [0x100, 'CLONE_VM'],
  [0x200, 'CLONE_FS'],
  [0x400, 'CLONE_FILES'],
  [0x800, 'CLONE_SIGHAND'],
  [0x4000, 'CLONE_VFORK'],
  [0x1_0000, 'CLONE_THREAD'],
  [0x2_0000, 'CLONE_NEWNS'],
  [0x4_0000, 'CLONE_SYSVSEM'],
  [0x8_0000, 'CLONE_SETTLS'],
  [0x10_0000, 'CLONE_PARENT_SETTID'],
  [0x20_0000, 'CLONE_CHILD_CLEARTID'],
  [0x100_0000, 'CLONE_CHILD_SETTID'],
  [0x2000_0000, 'CLONE_NEWPID'],
  [0x4000_0000, 'CLONE_NEWNET'],
  [0x1000_0000, 'CLONE_NEWUSER'],
];

export const LEVELS: Names = [
  [0, 'SOL_IP'],
  [1, 'SOL_SOCKET'],
  [6, 'SOL_TCP'],
  [17, 'SOL_UDP'],
  [41, 'SOL_IPV6'],
];

const OF_SOCKETS: Names = [
  [1, 'SO_DEBUG'],
  [2, 'SO_REUSEADDR'],
  [3, 'SO_TYPE'],
  [4, 'SO_ERROR'],
  [5, 'SO_DONTROUTE'],
  [6, 'SO_BROADCAST'],
  [7, 'SO_SNDBUF'],
  [8, 'SO_RCVBUF'],
  [9, 'SO_KEEPALIVE'],
  [10, 'SO_OOBINLINE'],
  [12, 'SO_PRIORITY'],
  [13, 'SO_LINGER'],
  [15, 'SO_REUSEPORT'],
  [16, 'SO_PASSCRED'],
  [17, 'SO_PEERCRED'],
  [18, 'SO_RCVLOWAT'],
  [19, 'SO_SNDLOWAT'],
  [20, 'SO_RCVTIMEO'],
  [21, 'SO_SNDTIMEO'],
  [25, 'SO_BINDTODEVICE'],
  [26, 'SO_ATTACH_FILTER'],
  [29, 'SO_TIMESTAMP'],
  [30, 'SO_ACCEPTCONN'],
  [32, 'SO_SNDBUFFORCE'],
  [33, 'SO_RCVBUFFORCE'],
  [35, 'SO_TIMESTAMPNS'],
  [36, 'SO_MARK'],
  [37, 'SO_TIMESTAMPING'],
  [38, 'SO_PROTOCOL'],
  [39, 'SO_DOMAIN'],
  [40, 'SO_RXQ_OVFL'],
  [46, 'SO_BUSY_POLL'],
  [47, 'SO_MAX_PACING_RATE'],
  [49, 'SO_INCOMING_CPU'],
  [55, 'SO_MEMINFO'],
  [56, 'SO_INCOMING_NAPI_ID'],
  [57, 'SO_COOKIE'],
  [60, 'SO_ZEROCOPY'],
  [66, 'SO_RCVTIMEO_NEW'],
  [67, 'SO_SNDTIMEO_NEW'],
  [77, 'SO_PEERPIDFD'],
];

const OF_TCP: Names = [
  [1, 'TCP_NODELAY'],
  [2, 'TCP_MAXSEG'],
  [3, 'TCP_CORK'],
  [4, 'TCP_KEEPIDLE'],
  [5, 'TCP_KEEPINTVL'],
  [6, 'TCP_KEEPCNT'],
  [7, 'TCP_SYNCNT'],
  [8, 'TCP_LINGER2'],
  [9, 'TCP_DEFER_ACCEPT'],
  [10, 'TCP_WINDOW_CLAMP'],
  [11, 'TCP_INFO'],
  [12, 'TCP_QUICKACK'],
  [13, 'TCP_CONGESTION'],
  [18, 'TCP_USER_TIMEOUT'],
  [19, 'TCP_REPAIR'],
  [23, 'TCP_FASTOPEN'],
  [24, 'TCP_TIMESTAMP'],
  [25, 'TCP_NOTSENT_LOWAT'],
  [30, 'TCP_FASTOPEN_CONNECT'],
  [31, 'TCP_ULP'],
  [35, 'TCP_ZEROCOPY_RECEIVE'],
];

const OF_IP: Names = [
  [1, 'IP_TOS'],
  [2, 'IP_TTL'],
  [4, 'IP_OPTIONS'],
  [8, 'IP_PKTINFO'],
  [10, 'IP_MTU_DISCOVER'],
  [11, 'IP_RECVERR'],
  [12, 'IP_RECVTTL'],
  [13, 'IP_RECVTOS'],
  [14, 'IP_MTU'],
  [15, 'IP_FREEBIND'],
  [19, 'IP_TRANSPARENT'],
  [24, 'IP_BIND_ADDRESS_NO_PORT'],
  [32, 'IP_MULTICAST_IF'],
  [33, 'IP_MULTICAST_TTL'],
  [34, 'IP_MULTICAST_LOOP'],
  [35, 'IP_ADD_MEMBERSHIP'],
  [51, 'IP_LOCAL_PORT_RANGE'],
  [80, 'SO_ORIGINAL_DST'],
];

const OF_IPV6: Names = [
  [16, 'IPV6_UNICAST_HOPS'],
  [17, 'IPV6_MULTICAST_IF'],
  [18, 'IPV6_MULTICAST_HOPS'],
  [19, 'IPV6_MULTICAST_LOOP'],
  [20, 'IPV6_ADD_MEMBERSHIP'],
  [23, 'IPV6_MTU_DISCOVER'],
  [24, 'IPV6_MTU'],
  [25, 'IPV6_RECVERR'],
  [26, 'IPV6_V6ONLY'],
  [49, 'IPV6_RECVPKTINFO'],
  [66, 'IPV6_RECVTCLASS'],
  [67, 'IPV6_TCLASS'],
];

const OPTIONS: Readonly<Record<number, Names>> = { 0: OF_IP, 1: OF_SOCKETS, 6: OF_TCP, 41: OF_IPV6 };

export function optionName(level: number, option: number): string | number {
  return oneOf(OPTIONS[level] ?? [], option);
}
