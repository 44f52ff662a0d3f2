/**
 * The bytes of NETLINK_SOCK_DIAG, as offsets and pure readers (linux/netlink.h, sock_diag.h, inet_diag.h, unix_diag.h).
 * Nothing here touches the system, so hostile bytes can be thrown at it in tests.
 */

export const SOCK_DIAG_BY_FAMILY = 20;
export const SOCK_DESTROY = 21;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;

export const NLMSG_HEADER = 16;
export const INET_MESSAGE = 72;
export const UNIX_MESSAGE = 16;

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** Offsets inside struct inet_diag_msg, counted from the start of the netlink message. */
export const INET = {
  family: 16,
  state: 17,
  timer: 18,
  retransmits: 19,
  sourcePort: 20,
  peerPort: 22,
  source: 24,
  peer: 40,
  interface: 56,
  cookie: 60,
  expires: 68,
  receiveQueue: 72,
  sendQueue: 76,
  uid: 80,
  inode: 84,
  attributes: NLMSG_HEADER + INET_MESSAGE,
} as const;

/** Offsets inside struct unix_diag_msg. */
export const UNIX = {
  family: 16,
  type: 17,
  state: 18,
  inode: 20,
  cookie: 24,
  attributes: NLMSG_HEADER + UNIX_MESSAGE,
} as const;

export const INET_ATTRIBUTE = {
  memory: 1,
  info: 2,
  congestion: 4,
  tos: 5,
  trafficClass: 6,
  socketMemory: 7,
  shutdown: 8,
  rawProtocol: 10,
  v6only: 11,
  mark: 15,
  classId: 17,
  cgroupId: 21,
  bytecode: 1,
} as const;

export const UNIX_ATTRIBUTE = {
  name: 0,
  peer: 2,
  queued: 3,
  queue: 4,
  memory: 5,
  shutdown: 6,
  uid: 7,
} as const;

export function u16(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8);
}
export function u16be(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}
export function u32(b: Uint8Array, at: number): number {
  return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
}
export function i32(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
}
/** Counters beyond 2^53 lose their last digits, which no view shows. */
export function u64(b: Uint8Array, at: number): number {
  return u32(b, at) + u32(b, at + 4) * 0x1_0000_0000;
}

export interface Attribute {
  at: number;
  length: number;
}

/** Finds an attribute of the message [start, end): its payload, or null. Lengths that leave the message end the search. */
export function attribute(b: Uint8Array, start: number, end: number, type: number): Attribute | null {
  let at = start;
  while (at + 4 <= end) {
    const length = u16(b, at);
    if (length < 4 || at + length > end) {
      return null;
    }
    if ((u16(b, at + 2) & 0x3fff) === type) {
      return { at: at + 4, length: length - 4 };
    }
    at += (length + 3) & ~3;
  }
  return null;
}

export type Walk =
  /** All messages were read; more will come. */
  | { kind: 'more' }
  | { kind: 'done'; interrupted: boolean }
  /** The kernel refused: -errno. */
  | { kind: 'refused'; errno: number }
  | { kind: 'malformed'; at: number; why: string };

/**
 * Walks the netlink messages in b[from, to) and gives each SOCK_DIAG answer to `row(start, end)`.
 * Every step moves forward by at least a header, so no input can make it loop.
 */
export function walkMessages(
  b: Uint8Array,
  from: number,
  to: number,
  row: (start: number, end: number) => void,
): Walk {
  let at = from;
  let interrupted = false;
  while (at < to) {
    if (at + NLMSG_HEADER > to) {
      return { kind: 'malformed', at, why: 'the message header is cut off' };
    }
    const length = u32(b, at);
    if (length < NLMSG_HEADER || at + length > to) {
      return { kind: 'malformed', at, why: `a message of ${length} bytes does not fit` };
    }
    const type = u16(b, at + 4);
    interrupted ||= (u16(b, at + 6) & NLM_F_DUMP_INTR) !== 0;
    if (type === NLMSG_DONE || type === NLMSG_ERROR) {
      const errno = length >= NLMSG_HEADER + 4 ? i32(b, at + NLMSG_HEADER) : 0;
      return errno < 0 ? { kind: 'refused', errno: -errno } : { kind: 'done', interrupted };
    }
    if (type === SOCK_DIAG_BY_FAMILY) {
      const family = b[at + NLMSG_HEADER];
      const minimum = family === AF_UNIX ? UNIX.attributes : INET.attributes;
      if (length < minimum) {
        return { kind: 'malformed', at, why: `a socket of ${length} bytes is shorter than its header` };
      }
      row(at, at + length);
    }
    at += (length + 3) & ~3;
  }
  return { kind: 'more' };
}

export interface InetRequest {
  family: typeof AF_INET | typeof AF_INET6;
  protocol: number;
  states: number;
  extensions: number;
  bytecode?: Uint8Array | null;
}

export function inetRequest(request: InetRequest): Uint8Array {
  const code = request.bytecode ?? new Uint8Array(0);
  const attributes = code.length === 0 ? 0 : 4 + code.length;
  const b = new Uint8Array(NLMSG_HEADER + 56 + attributes);
  const view = new DataView(b.buffer);
  view.setUint32(0, b.length, true);
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  b[16] = request.family;
  b[17] = request.protocol;
  b[18] = request.extensions;
  view.setUint32(20, request.states, true);
  if (attributes > 0) {
    view.setUint16(72, attributes, true);
    view.setUint16(74, INET_ATTRIBUTE.bytecode, true);
    b.set(code, 76);
  }
  return b;
}

const UNIX_SHOW_NAME = 1;
const UNIX_SHOW_PEER = 4;
const UNIX_SHOW_RQLEN = 16;
const UNIX_SHOW_MEMINFO = 32;
const UNIX_SHOW_UID = 64;

export function unixRequest(states: number): Uint8Array {
  const b = new Uint8Array(NLMSG_HEADER + 24);
  const view = new DataView(b.buffer);
  view.setUint32(0, b.length, true);
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  b[16] = AF_UNIX;
  view.setUint32(20, states, true);
  view.setUint32(
    28,
    UNIX_SHOW_NAME | UNIX_SHOW_PEER | UNIX_SHOW_RQLEN | UNIX_SHOW_MEMINFO | UNIX_SHOW_UID,
    true,
  );
  return b;
}
