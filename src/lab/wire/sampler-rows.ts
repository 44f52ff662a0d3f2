/**
 * One look at the TCP sockets of a namespace, read with as little work as can be. Both families come in one answer: the old
 * request TCPDIAG_GETSOCK asks for AF_UNSPEC, which no other one can (inet_diag.c, inet_diag_dump_compat).
 */
import { send } from '../../kernel/libc.ts';
import {
  AF_INET6,
  type Attribute,
  attribute,
  INET,
  INET_ATTRIBUTE,
  i32,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HEADER,
  u16,
  u16be,
  u32,
  u64,
} from '../../kernel/sockdiag-format.ts';
import { type Batch, freshBatch, receive } from '../../kernel/sockdiag-receive.ts';
import { readTcpInfo } from '../../kernel/tcp-info.ts';
import { type SocketState, TCP_STATES, type TcpInfo, type Timer } from '../../session/socket.ts';
import { ipv4Text, ipv6Text } from '../../wire/net/address.ts';
import type { RawTuple } from '../stage/protocol.ts';

/** What a look tells about one socket. For LISTEN the queues are: connections waiting for accept(2), and the limit. */
export interface Row {
  /** The kernel's cookie, 16 hex digits. Requests, children and TIME-WAIT remnants of one connection share it. */
  readonly socket: string;
  readonly tuple: RawTuple;
  readonly state: SocketState;
  readonly recvQueue: number;
  readonly sendQueue: number;
  readonly timer?: Timer;
  readonly tcp?: TcpInfo;
}

const TCPDIAG_GETSOCK = 18;
const REQUEST = NLMSG_HEADER + 60;
const LISTEN = 10;
/** All but CLOSED and BOUND-INACTIVE: the latter costs three times the rest (a walk of all ports), and to the kernel it is CLOSED. */
const STATES = 0x1fff & ~(1 << 7);
/** inet_diag.c, inet_csk_diag_msg_fill: what idiag_timer means. */
const TIMERS: readonly Timer['kind'][] = ['unknown', 'retransmit', 'keepalive', 'time-wait', 'persist'];
/** Offsets of struct mmsghdr and the slots of a batch (sockdiag-receive.ts). */
const MMSGHDR = 64;
const RECEIVED = 56;
const SLOT = 32 * 1024;

const request = makeRequest();
let batch: Batch | null = null;

/** What was read before, by cookie: a row that says the same again is not made again. */
export type Memory = Map<number, Remembered>;

interface Remembered {
  readonly marks: Int32Array;
  row: Row;
}

/** 0, or -errno; -71 (EPROTO) when the answer makes no sense. */
export function readRows(diag: number, rows: Row[], memory: Memory): number {
  batch ??= freshBatch();
  const sent = send(diag, request, REQUEST, 0);
  if (sent < 0) {
    return sent;
  }
  for (;;) {
    const answers = receive(diag, batch);
    if (answers <= 0) {
      return answers;
    }
    for (let i = 0; i < answers; i++) {
      const length = u32(batch.vector, i * MMSGHDR + RECEIVED);
      const end = walkRows(batch.bytes, i * SLOT, i * SLOT + length, rows, memory);
      if (end !== 'more') {
        forget(memory, rows.length);
        return end;
      }
    }
  }
}

const EPROTO = 71;

/** The rows of one answer; 'more' unless it held the end of the dump. */
export function walkRows(
  b: Uint8Array,
  from: number,
  to: number,
  rows: Row[],
  memory: Memory,
): number | 'more' {
  let at = from;
  while (at < to) {
    const length = at + NLMSG_HEADER <= to ? u32(b, at) : 0;
    if (length < NLMSG_HEADER || at + length > to) {
      return -EPROTO;
    }
    const type = u16(b, at + 4);
    if (type === NLMSG_DONE || type === NLMSG_ERROR) {
      return length >= NLMSG_HEADER + 4 ? Math.min(0, i32(b, at + NLMSG_HEADER)) : 0;
    }
    if (type === TCPDIAG_GETSOCK) {
      if (length < INET.attributes) {
        return -EPROTO;
      }
      rows.push(rememberedRow(b, at, at + length, memory));
    }
    at += (length + 3) & ~3;
  }
  return 'more';
}

const SPARE = 64;

/** Sockets that are gone make way when they outnumber the others. */
function forget(memory: Memory, rows: number): void {
  if (memory.size > 2 * rows + SPARE) {
    memory.clear();
  }
}

/** Where a row's news would be: state and timer, ports, queues; and in tcp_info the states, rto, unacked, ssthresh, cwnd. */
const MARKS = [INET.state - 1, INET.sourcePort, INET.receiveQueue, INET.sendQueue];
const INFO_MARKS = [0, 8, 24, 76, 80];
const INFO_LEAST = 84;

function rememberedRow(b: Uint8Array, at: number, end: number, memory: Memory): Row {
  // Cookies are counted up from 1, so a double holds them.
  const cookie = u64(b, at + INET.cookie);
  // A listener has no path: the kernel puts its queue into two of the fields, and defaults into the rest.
  const listens = b[at + INET.state] === LISTEN;
  const info = listens ? null : attribute(b, at + INET.attributes, end, INET_ATTRIBUTE.info);
  const known = memory.get(cookie);
  const marks = known?.marks ?? new Int32Array(MARKS.length + INFO_MARKS.length);
  let same = known !== undefined;
  let next = 0;
  for (const offset of MARKS) {
    const value = i32(b, at + offset);
    same &&= marks[next] === value;
    marks[next++] = value;
  }
  for (const offset of INFO_MARKS) {
    const value = info === null || info.length < INFO_LEAST ? 0 : i32(b, info.at + offset);
    same &&= marks[next] === value;
    marks[next++] = value;
  }
  if (known !== undefined && same) {
    return known.row;
  }
  const row = decodeRow(b, at, info);
  if (known === undefined) {
    memory.set(cookie, { marks, row });
  } else {
    known.row = row;
  }
  return row;
}

function decodeRow(b: Uint8Array, at: number, info: Attribute | null): Row {
  const text = b[at + INET.family] === AF_INET6 ? ipv6Text : ipv4Text;
  const state = b[at + INET.state]!;
  const kind = b[at + INET.timer]!;
  const row: { -readonly [K in keyof Row]: Row[K] } = {
    socket: cookieText(b, at + INET.cookie),
    tuple: {
      protocol: 'tcp',
      local: { address: text(b, at + INET.source), port: u16be(b, at + INET.sourcePort) },
      peer: { address: text(b, at + INET.peer), port: u16be(b, at + INET.peerPort) },
    },
    state: TCP_STATES[state] ?? 'UNKNOWN',
    recvQueue: u32(b, at + INET.receiveQueue),
    sendQueue: u32(b, at + INET.sendQueue),
  };
  if (kind !== 0) {
    row.timer = {
      kind: TIMERS[kind] ?? 'unknown',
      expiresMs: u32(b, at + INET.expires),
      retransmits: b[at + INET.retransmits]!,
    };
  }
  const tcp = info === null ? null : readTcpInfo(b, info.at, info.length);
  if (tcp !== null) {
    row.tcp = tcp;
  }
  return row;
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');

function cookieText(b: Uint8Array, at: number): string {
  return hex(u32(b, at + 4)) + hex(u32(b, at));
}

/** struct inet_diag_req (linux/inet_diag.h). */
function makeRequest(): Uint8Array {
  const b = new Uint8Array(REQUEST);
  const view = new DataView(b.buffer);
  view.setUint32(0, REQUEST, true);
  view.setUint16(4, TCPDIAG_GETSOCK, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  b[NLMSG_HEADER + 3] = 1 << (INET_ATTRIBUTE.info - 1);
  view.setUint32(NLMSG_HEADER + 52, STATES, true);
  return b;
}
