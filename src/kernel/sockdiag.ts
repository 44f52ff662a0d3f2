/** Asks the kernel for its socket table (NETLINK_SOCK_DIAG). The answer stays as the bytes the kernel sent; rows are offsets into them. */
import * as libc from './libc.ts';
import { type Chunk, type Ending, freshBatch, readBatch, receive, receiveAside } from './sockdiag-receive.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

export type { Chunk } from './sockdiag-receive.ts';

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

/** Sends a dump request (sockdiag-format.ts) and reads the whole answer. */
export function dump(fd: number, request: Uint8Array): Dump {
  const sent = libc.send(fd, request, request.length, 0);
  const result = empty(sent);
  while (sent > 0) {
    const batch = freshBatch();
    const { chunk, ending } = readBatch(batch, receive(fd, batch));
    if (add(result, chunk, ending)) {
      break;
    }
  }
  return result;
}

/** The same, with the kernel at work on the next batch while `onChunk` has the last one. */
export async function dumpAside(
  fd: number,
  request: Uint8Array,
  onChunk: (chunk: Chunk) => void,
): Promise<Dump> {
  const sent = libc.send(fd, request, request.length, 0);
  const result = empty(sent);
  if (sent < 0) {
    return result;
  }
  let batch = freshBatch();
  let answers = await receiveAside(fd, batch);
  for (;;) {
    const { chunk, ending } = readBatch(batch, answers);
    if (add(result, chunk, ending)) {
      onChunk(chunk);
      return result;
    }
    batch = freshBatch();
    const coming = receiveAside(fd, batch);
    onChunk(chunk);
    answers = await coming;
  }
}

function empty(sent: number): Dump {
  return { chunks: [], rows: 0, interrupted: false, errno: sent < 0 ? -sent : 0, malformed: null };
}

/** True when that was the last of it. */
function add(result: Dump, chunk: Chunk, ending: Ending | null): boolean {
  if (chunk.rows > 0) {
    result.chunks.push(chunk);
    result.rows += chunk.rows;
  }
  Object.assign(result, ending);
  return ending !== null;
}
