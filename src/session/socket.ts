/** A socket as a person sees it: one row of the table, whatever the protocol. Plain data; `see/` fills it. */

/** The kernel's numbers (include/net/tcp_states.h) are the index in TCP_STATES; state bits are `1 << index`. */
export const TCP_STATES = [
  'UNKNOWN',
  'ESTABLISHED',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'CLOSED',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
  'NEW-SYN-RECV',
  'BOUND-INACTIVE',
] as const;

export type SocketState = (typeof TCP_STATES)[number];

export const PROTOCOLS = ['tcp', 'udp', 'udplite', 'raw', 'unix'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** UNIX sockets say which kind they are; the other protocols leave it out. */
export type UnixKind = 'stream' | 'dgram' | 'seqpacket';

export interface Endpoint {
  /** Numeric address, `0.0.0.0` or `::` for "any"; for UNIX sockets the path (`@name` when abstract), `*` when unnamed. */
  address: string;
  /** Port; for RAW the IP protocol number; for UNIX the inode. */
  port: number;
}

export interface Timer {
  kind: 'retransmit' | 'keepalive' | 'time-wait' | 'persist' | 'unknown';
  /** Milliseconds until it fires. */
  expiresMs: number;
  retransmits: number;
}

export interface SocketMemory {
  receiveAllocated: number;
  receiveLimit: number;
  transmitAllocated: number;
  transmitLimit: number;
  forwardAllocated: number;
  writeQueued: number;
  optionMemory: number;
  backlog: number;
  drops: number;
}

/** What `struct tcp_info` says. A field the running kernel does not report is absent, never zero. Times in microseconds unless named otherwise. */
export interface TcpInfo {
  options: string[];
  caState: string;
  retransmits: number;
  probes: number;
  backoff: number;
  sndWscale: number;
  rcvWscale: number;
  appLimited: boolean;
  rtoUs: number;
  atoUs: number;
  sndMss: number;
  rcvMss: number;
  advMss: number;
  pmtu: number;
  unacked: number;
  sacked: number;
  lost: number;
  retrans: number;
  lastDataSentMs: number;
  lastDataReceivedMs: number;
  lastAckReceivedMs: number;
  rcvSsthresh: number;
  rttUs: number;
  rttvarUs: number;
  sndSsthresh: number;
  sndCwnd: number;
  reordering: number;
  rcvRttUs: number;
  rcvSpace: number;
  totalRetrans: number;
  pacingRate?: number;
  maxPacingRate?: number;
  bytesAcked?: number;
  bytesReceived?: number;
  segsOut?: number;
  segsIn?: number;
  notsentBytes?: number;
  minRttUs?: number;
  dataSegsIn?: number;
  dataSegsOut?: number;
  deliveryRate?: number;
  busyTimeUs?: number;
  rwndLimitedUs?: number;
  sndbufLimitedUs?: number;
  delivered?: number;
  deliveredCe?: number;
  bytesSent?: number;
  bytesRetrans?: number;
  dsackDups?: number;
  reordSeen?: number;
  rcvOoopack?: number;
  sndWnd?: number;
  rcvWnd?: number;
  rehash?: number;
  totalRto?: number;
  totalRtoRecoveries?: number;
  totalRtoTimeMs?: number;
}

export interface Owner {
  pid: number;
  fd: number;
  /** The process's short name (comm). */
  name: string;
}

/** Why a socket shows no owner. Never a blank: what was not seen is said. */
export type OwnerGap =
  | 'none' // the kernel says nobody holds it: TIME-WAIT, orphans, half-open requests
  | 'not looked up' // owners were not asked for, or the machine is too busy for doing so unasked
  | 'not visible'; // another user's process, or one that went away while we looked

export interface Socket {
  /** Network namespace the row was read in: its inode, as /proc/PID/ns/net shows it. 0 when not asked. */
  netns: number;
  protocol: Protocol;
  kind?: UnixKind;
  /** 4, 6, or 0 for UNIX. */
  family: 4 | 6 | 0;
  state: SocketState;
  local: Endpoint;
  peer: Endpoint;
  /** Bytes received and not yet read; for LISTEN see `accept`. */
  recvQueue: number;
  /** Bytes sent and not yet acknowledged (TCP) or not yet transmitted. */
  sendQueue: number;
  /** LISTEN only: connections waiting for accept(), and the limit. */
  accept?: { used: number; limit: number };
  uid: number;
  inode: number;
  /** The kernel's own identity of the socket, as 16 hex digits; unique for the machine's uptime. */
  cookie: string;
  /** Interface the socket is bound to. */
  device?: string;
  mark?: number;
  cgroup?: string;
  timer?: Timer;
  /** From INET_DIAG_SHUTDOWN: which directions were shut down. */
  shutdown?: { receive: boolean; send: boolean };
  v6only?: boolean;
  tos?: number;
  trafficClass?: number;
  classId?: number;
  congestion?: string;
  memory?: SocketMemory;
  tcp?: TcpInfo;
  owners: Owner[];
  /** Present exactly when `owners` is empty. */
  ownerGap?: OwnerGap;
}
