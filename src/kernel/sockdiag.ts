/** Asks the kernel for its socket table (NETLINK_SOCK_DIAG). The answer stays as the bytes the kernel sent; rows are offsets into them. */
import * as libc from './libc.ts';
import { type InetRequest, inetRequest, unixRequest, walkMessages } from './sockdiag-format.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const EINTR = 4;

/** The kernel fills at most 32 KiB per answer, whatever the reader offers (af_netlink.c, netlink_dump). */
const ANSWER = 32 * 1024;
const CHUNK = 2 * 1024 * 1024;

/** One kernel answer: whole netlink messages in `bytes`, each row from `starts[i]` to `ends[i]`. */
export interface Chunk {
  bytes: Uint8Array;
  starts: Uint32Array;
  ends: Uint32Array;
  rows: number;
}

export interface Dump {
  chunks: Chunk[];
  rows: number;
  /** Sockets came and went so fast that the kernel marked the answer as inconsistent. */
  interrupted: boolean;
  /** 0, or the errno with which the kernel refused (ENOENT: the protocol is not there). */
  errno: number;
  malformed: string | null;
}

/** A netlink socket in the calling thread's network namespace, or -errno. */
export function openSockDiag(): number {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd >= 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, libc.int32(1 << 20), 4);
  }
  return fd;
}

export function closeSockDiag(fd: number): void {
  libc.close(fd);
}

export function dumpInet(fd: number, request: InetRequest): Dump {
  return dump(fd, inetRequest(request));
}

export function dumpUnix(fd: number, states: number): Dump {
  return dump(fd, unixRequest(states));
}

function freshChunk(): Chunk {
  // An inet_diag answer takes at least 88 bytes, a unix one 32: the row arrays can never be the tighter limit.
  const most = CHUNK / 32;
  return {
    bytes: new Uint8Array(CHUNK),
    starts: new Uint32Array(most),
    ends: new Uint32Array(most),
    rows: 0,
  };
}

function dump(fd: number, request: Uint8Array): Dump {
  const result: Dump = { chunks: [], rows: 0, interrupted: false, errno: 0, malformed: null };
  const sent = libc.send(fd, request, request.length, 0);
  if (sent < 0) {
    result.errno = -sent;
    return result;
  }
  let chunk = freshChunk();
  let used = 0;
  result.chunks.push(chunk);
  const keep = (start: number, end: number): void => {
    chunk.starts[chunk.rows] = start;
    chunk.ends[chunk.rows++] = end;
    result.rows++;
  };
  for (;;) {
    if (used + ANSWER > CHUNK) {
      chunk = freshChunk();
      used = 0;
      result.chunks.push(chunk);
    }
    const room = chunk.bytes.subarray(used, used + ANSWER);
    const received = libc.recv(fd, room, ANSWER, 0);
    if (received === -EINTR) {
      continue;
    }
    if (received <= 0) {
      result.errno = -received;
      return result;
    }
    const walk = walkMessages(chunk.bytes, used, used + received, keep);
    used += (received + 3) & ~3;
    if (walk.kind === 'more') {
      continue;
    }
    if (walk.kind === 'done') {
      result.interrupted = walk.interrupted;
    } else if (walk.kind === 'refused') {
      result.errno = walk.errno;
    } else {
      result.malformed = `${walk.why} at byte ${walk.at}`;
    }
    return result;
  }
}
