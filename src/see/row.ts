/** One row of the kernel's answer → a Socket. */
import {
  type Attribute,
  attribute,
  INET,
  INET_ATTRIBUTE,
  UNIX,
  UNIX_ATTRIBUTE,
  u16be,
  u32,
  u64,
} from '../kernel/sockdiag-format.ts';
import { readTcpInfo } from '../kernel/tcp-info.ts';
import type { Protocol, Socket, SocketMemory, Timer, UnixKind } from '../session/socket.ts';
import { TCP_STATES } from '../session/socket.ts';
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';

const AF_INET6 = 10;
const UNIX_KINDS: Record<number, UnixKind> = { 1: 'stream', 2: 'dgram', 5: 'seqpacket' };
const LISTEN = 10;
const RCV_SHUTDOWN = 1;
const SEND_SHUTDOWN = 2;
/** inet_diag.c, inet_csk_diag_msg_fill: what idiag_timer means. */
const TIMERS: Record<number, Timer['kind']> = {
  1: 'retransmit',
  2: 'keepalive',
  3: 'time-wait',
  4: 'persist',
};

export interface Names {
  device: (index: number) => string;
  cgroup: (id: number) => string | null;
}

const CLOSED = 7;
const BOUND_INACTIVE = 13;

/**
 * A closed TCP socket is in no table but the one of bound ports, which is asked for as BOUND-INACTIVE and answered with
 * the socket's own state (inet_diag.c, inet_diag_dump_icsk).
 */
export function shownState(state: number, protocol: Protocol): number {
  return state === CLOSED && protocol === 'tcp' ? BOUND_INACTIVE : state;
}

export function inetSocket(
  b: Uint8Array,
  start: number,
  end: number,
  protocol: Protocol,
  netns: number,
  names: Names,
): Socket {
  const family = b[start + INET.family] === AF_INET6 ? 6 : 4;
  const text = family === 6 ? ipv6Text : ipv4Text;
  const state = b[start + INET.state]!;
  const receive = u32(b, start + INET.receiveQueue);
  const send = u32(b, start + INET.sendQueue);
  const listening = state === LISTEN && protocol === 'tcp';
  const device = u32(b, start + INET.interface);
  const socket: Socket = {
    netns,
    protocol,
    family,
    state: TCP_STATES[shownState(state, protocol)] ?? 'UNKNOWN',
    local: { address: text(b, start + INET.source), port: u16be(b, start + INET.sourcePort) },
    peer: { address: text(b, start + INET.peer), port: u16be(b, start + INET.peerPort) },
    recvQueue: listening ? 0 : receive,
    sendQueue: listening ? 0 : send,
    uid: u32(b, start + INET.uid),
    inode: u32(b, start + INET.inode),
    cookie: cookieText(b, start + INET.cookie),
    owners: [],
    ownerGap: 'not looked up',
  };
  if (listening) {
    socket.accept = { used: receive, limit: send };
  }
  if (device !== 0) {
    socket.device = names.device(device);
  }
  const kind = b[start + INET.timer]!;
  if (kind !== 0) {
    socket.timer = {
      kind: TIMERS[kind] ?? 'unknown',
      expiresMs: u32(b, start + INET.expires),
      retransmits: b[start + INET.retransmits]!,
    };
  }
  addAttributes(socket, b, start + INET.attributes, end, names);
  return socket;
}

function addAttributes(socket: Socket, b: Uint8Array, from: number, end: number, names: Names): void {
  const find = (type: number, length: number): Attribute | null => {
    const found = attribute(b, from, end, type);
    return found !== null && found.length >= length ? found : null;
  };
  const shutdown = find(INET_ATTRIBUTE.shutdown, 1);
  if (shutdown !== null) {
    socket.shutdown = shutdownBits(b[shutdown.at]!);
  }
  const v6only = find(INET_ATTRIBUTE.v6only, 1);
  if (v6only !== null && socket.family === 6) {
    socket.v6only = b[v6only.at] === 1;
  }
  const mark = find(INET_ATTRIBUTE.mark, 4);
  if (mark !== null) {
    socket.mark = u32(b, mark.at);
  }
  const cgroup = find(INET_ATTRIBUTE.cgroupId, 8);
  if (cgroup !== null) {
    const id = u64(b, cgroup.at);
    socket.cgroup = names.cgroup(id) ?? `unreachable:${id.toString(16)}`;
  }
  const tos = find(INET_ATTRIBUTE.tos, 1);
  if (tos !== null) {
    socket.tos = b[tos.at]!;
  }
  const trafficClass = find(INET_ATTRIBUTE.trafficClass, 1);
  if (trafficClass !== null && socket.family === 6) {
    socket.trafficClass = b[trafficClass.at]!;
  }
  const classId = find(INET_ATTRIBUTE.classId, 4);
  if (classId !== null) {
    socket.classId = u32(b, classId.at);
  }
  const congestion = find(INET_ATTRIBUTE.congestion, 1);
  if (congestion !== null) {
    socket.congestion = text(b, congestion.at, congestion.length);
  }
  const memory = find(INET_ATTRIBUTE.socketMemory, 32);
  if (memory !== null) {
    socket.memory = socketMemory(b, memory);
  }
  const info = find(INET_ATTRIBUTE.info, 1);
  // A listener has no path: the kernel puts its accept queue into two of the fields, and defaults into the rest.
  if (info !== null && socket.protocol === 'tcp' && socket.state !== 'LISTEN') {
    const read = readTcpInfo(b, info.at, info.length);
    if (read !== null) {
      socket.tcp = read;
    }
  }
}

/** SK_MEMINFO_* (linux/sock_diag.h); drops came later than the rest. */
function socketMemory(b: Uint8Array, { at, length }: Attribute): SocketMemory {
  return {
    receiveAllocated: u32(b, at),
    receiveLimit: u32(b, at + 4),
    transmitAllocated: u32(b, at + 8),
    transmitLimit: u32(b, at + 12),
    forwardAllocated: u32(b, at + 16),
    writeQueued: u32(b, at + 20),
    optionMemory: u32(b, at + 24),
    backlog: u32(b, at + 28),
    drops: length >= 36 ? u32(b, at + 32) : 0,
  };
}

export function unixSocket(b: Uint8Array, start: number, end: number, netns: number): Socket {
  const from = start + UNIX.attributes;
  const state = b[start + UNIX.state]!;
  const inode = u32(b, start + UNIX.inode);
  const name = attribute(b, from, end, UNIX_ATTRIBUTE.name);
  const peer = attribute(b, from, end, UNIX_ATTRIBUTE.peer);
  const queue = attribute(b, from, end, UNIX_ATTRIBUTE.queue);
  const uid = attribute(b, from, end, UNIX_ATTRIBUTE.uid);
  const shutdown = attribute(b, from, end, UNIX_ATTRIBUTE.shutdown);
  const memory = attribute(b, from, end, UNIX_ATTRIBUTE.memory);
  const kind = UNIX_KINDS[b[start + UNIX.type]!];
  const receive = queue !== null && queue.length >= 8 ? u32(b, queue.at) : 0;
  const send = queue !== null && queue.length >= 8 ? u32(b, queue.at + 4) : 0;
  const socket: Socket = {
    netns,
    protocol: 'unix',
    family: 0,
    state: TCP_STATES[state] ?? 'UNKNOWN',
    local: { address: name === null ? '*' : unixName(b, name), port: inode },
    peer: { address: '*', port: peer !== null && peer.length >= 4 ? u32(b, peer.at) : 0 },
    recvQueue: state === LISTEN ? 0 : receive,
    sendQueue: state === LISTEN ? 0 : send,
    uid: uid !== null && uid.length >= 4 ? u32(b, uid.at) : 0,
    inode,
    cookie: cookieText(b, start + UNIX.cookie),
    owners: [],
    ownerGap: 'not looked up',
  };
  if (kind !== undefined) {
    socket.kind = kind;
  }
  if (state === LISTEN) {
    socket.accept = { used: receive, limit: send };
  }
  if (shutdown !== null && shutdown.length >= 1) {
    socket.shutdown = shutdownBits(b[shutdown.at]!);
  }
  if (memory !== null && memory.length >= 32) {
    socket.memory = socketMemory(b, memory);
  }
  return socket;
}

/** Abstract names start with a zero byte and may hold more of them; both are shown as `@`, as other tools do. */
function unixName(b: Uint8Array, { at, length }: Attribute): string {
  const bytes = Buffer.from(b.subarray(at, at + length));
  const abstract = bytes[0] === 0;
  const end = abstract ? length : bytes.indexOf(0) >= 0 ? bytes.indexOf(0) : length;
  return bytes.toString('utf8', 0, end).replaceAll('\0', '@') || '*';
}

function shutdownBits(bits: number): { receive: boolean; send: boolean } {
  return { receive: (bits & RCV_SHUTDOWN) !== 0, send: (bits & SEND_SHUTDOWN) !== 0 };
}

function cookieText(b: Uint8Array, at: number): string {
  return (
    u32(b, at + 4)
      .toString(16)
      .padStart(8, '0') + u32(b, at).toString(16).padStart(8, '0')
  );
}

function text(b: Uint8Array, at: number, length: number): string {
  const end = b.indexOf(0, at);
  return Buffer.from(
    b.buffer,
    b.byteOffset + at,
    end >= at && end < at + length ? end - at : length,
  ).toString('latin1');
}
