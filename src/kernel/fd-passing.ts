/** Messages between two processes, with a descriptor where one belongs to it: SOCK_SEQPACKET and SCM_RIGHTS (unix(7), cmsg(3)). */
import koffi from 'koffi';
import * as libc from './libc.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_TRUNC = 0x20;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** A datagram of 65 535 bytes and what is said about it. Longer messages are refused by `sendMessage` with -EMSGSIZE. */
export const LONGEST_MESSAGE = 72 * 1024;

const library = process.platform === 'linux' ? koffi.load(null) : null;
type Call = (...args: unknown[]) => number;
const socketpairCall: Call | undefined = library?.func('int socketpair(int, int, int, void*)');
const sendmsgCall: Call | undefined = library?.func('long sendmsg(int, void*, int)');
const recvmsgCall: Call | undefined = library?.func('long recvmsg(int, void*, int)');
const fcntlCall: Call | undefined = library?.func('int fcntl(int, int, int)');

function outcome(result: number | undefined): number {
  return result === undefined ? -38 : result === -1 ? -koffi.errno() : result;
}

/** Both ends do not block and are closed by exec; or -errno. */
export function messagePair(): [number, number] | number {
  const pair = new Uint8Array(8);
  const result = outcome(socketpairCall?.(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
  if (result < 0) {
    return result;
  }
  const view = new DataView(pair.buffer);
  const ends: [number, number] = [view.getInt32(0, true), view.getInt32(4, true)];
  for (const end of ends) {
    libc.setsockopt(end, SOL_SOCKET, SO_SNDBUF, libc.int32(4 * LONGEST_MESSAGE), 4);
  }
  return ends;
}

/** Programs that this process starts do not get it. */
export function closeOnExec(fd: number): number {
  return outcome(fcntlCall?.(fd, F_SETFD, FD_CLOEXEC));
}

// struct msghdr (56 bytes), one struct iovec (16), one struct cmsghdr with an int (24 with padding); made once, because they hold
// each other's addresses.
const header = new Uint8Array(new ArrayBuffer(56));
const vector = new Uint8Array(new ArrayBuffer(16));
const control = new Uint8Array(new ArrayBuffer(24));
// One for each way: what was received may be looked at while something is sent.
const outgoing = Buffer.from(new ArrayBuffer(LONGEST_MESSAGE));
const incoming = Buffer.from(new ArrayBuffer(LONGEST_MESSAGE));
const headerView = new DataView(header.buffer);
const vectorView = new DataView(vector.buffer);
const controlView = new DataView(control.buffer);
if (library !== null) {
  headerView.setBigUint64(16, libc.addressOf(vector), true);
  headerView.setBigUint64(24, 1n, true);
}

function aim(buffer: Buffer, length: number, withControl: boolean): void {
  vectorView.setBigUint64(0, libc.addressOf(buffer), true);
  vectorView.setBigUint64(8, BigInt(length), true);
  headerView.setBigUint64(32, withControl ? libc.addressOf(control) : 0n, true);
  headerView.setBigUint64(40, withControl ? 24n : 0n, true);
  headerView.setInt32(48, 0, true);
}

/** One message, with a copy of `fd` unless it is -1 (ours stays open): its length, or -errno (-11: no room now). */
export function sendMessage(to: number, bytes: Uint8Array, fd = -1): number {
  if (bytes.length > LONGEST_MESSAGE) {
    return -90;
  }
  outgoing.set(bytes);
  aim(outgoing, bytes.length, fd >= 0);
  if (fd >= 0) {
    controlView.setBigUint64(0, 20n, true);
    controlView.setInt32(8, SOL_SOCKET, true);
    controlView.setInt32(12, SCM_RIGHTS, true);
    controlView.setInt32(16, fd, true);
  }
  return outcome(sendmsgCall?.(to, header, MSG_NOSIGNAL));
}

export interface Received {
  /** Borrowed until the next message is received. */
  readonly bytes: Buffer;
  /** Ours now; -1 when none came. */
  readonly fd: number;
}

/** One message; null at the end (the other side is gone); -errno (-11: nothing there). */
export function receiveMessage(from: number): Received | null | number {
  aim(incoming, LONGEST_MESSAGE, true);
  const length = outcome(recvmsgCall?.(from, header, MSG_CMSG_CLOEXEC));
  if (length < 0) {
    return length;
  }
  const fd =
    headerView.getBigUint64(40, true) >= 20n && controlView.getInt32(12, true) === SCM_RIGHTS
      ? controlView.getInt32(16, true)
      : -1;
  if (length === 0) {
    return null;
  }
  if ((headerView.getInt32(48, true) & MSG_TRUNC) !== 0) {
    if (fd >= 0) {
      libc.close(fd);
    }
    return -90;
  }
  return { bytes: incoming.subarray(0, length), fd };
}

export function closeDescriptor(fd: number): void {
  libc.close(fd);
}
