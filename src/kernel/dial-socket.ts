/**
 * A connection that begins here with its descriptor in hand: options before connect(2), the state while it takes long, and then a
 * socket of Node's. Where there is no Linux, Node connects and nothing can be asked.
 */
import { isIP, Socket } from 'node:net';
import { closeFd } from './epoll.ts';
import * as libc from './libc.ts';
import {
  addressesOf,
  errnoOf,
  type NetAddress,
  type NetAddresses,
  nodePath,
  SOCKET_MANNERS,
} from './net-streams.ts';
import {
  bindSocket,
  bindWithoutPort,
  connectSocket,
  encodeAddress,
  openSocket,
  reuseAddress,
  SOCK_STREAM,
  takeError,
} from './stream-sockets.ts';

export interface Dialled {
  readonly socket: Socket;
  /** For socket options while the socket is open; -1 where nobody knows. */
  readonly fd: number;
  readonly addresses: NetAddresses;
}

function since(began: bigint): number {
  return Number(process.hrtime.bigint() - began);
}

export interface DialState {
  /** `SYN-SENT`, or null where the kernel cannot be asked. */
  readonly state: string | null;
  /** How many SYNs went out. */
  readonly syns: number;
}

export interface Dialling {
  state(): DialState;
  /** Nanoseconds from connect(2) until it was answered, or until now. */
  took(): number;
  /** Nothing is told any more, and the descriptor is gone. */
  cancel(): void;
}

export interface DialSocketOptions {
  readonly source: NetAddress | null;
  /** Sets options before connect(2): 0 or -errno. Not called where there are no descriptors. */
  prepare(fd: number): number;
}

const EINVAL = -22;
const EAGAIN = -11;
const EAFNOSUPPORT = -97;
const EINPROGRESS = -115;
const ECONNRESET = 104;
const ECONNABORTED = -103;
const EPIPE = 32;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_SYN_SENT = 2;
const UNKNOWN: DialState = { state: null, syns: 0 };
/** Node's loop cannot be told of a descriptor that is not yet connected, so it is looked at: often at first, then every 10 ms. */
const MOST_MS = 10;
const STEP_MS = 0.25;

/** `done` is never called before this returns. */
export function dialSocket(
  address: NetAddress,
  options: DialSocketOptions,
  done: (result: Dialled | number) => void,
): Dialling {
  return libc.unavailable === null
    ? withDescriptor(address, options, done)
    : withNode(address, options, done);
}

function later(done: (result: number) => void, result: number): Dialling {
  const soon = setImmediate(() => done(result));
  return { state: () => UNKNOWN, took: () => 0, cancel: () => clearImmediate(soon) };
}

function withDescriptor(
  address: NetAddress,
  { source, prepare }: DialSocketOptions,
  done: (result: Dialled | number) => void,
): Dialling {
  const raw = address.kind === 'udp' ? EINVAL : encodeAddress(address);
  if (typeof raw === 'number') {
    return later(done, raw);
  }
  const fd = openSocket(raw.family, SOCK_STREAM);
  if (fd < 0) {
    return later(done, fd);
  }
  const ready = prepare(fd) || bindSource(fd, source, raw.family);
  if (ready < 0) {
    closeFd(fd);
    return later(done, ready);
  }
  let timer: NodeJS.Timeout | null = null;
  let wait = 0;
  let error = 0;
  let answered = -1;

  const finish = (result: number): void => {
    answered = answered < 0 ? since(began) : answered;
    done(result < 0 ? refused(fd, result) : adopted(fd, address));
  };
  /** Reading SO_ERROR takes it away. */
  const failure = (): number => {
    error ||= takeError(fd);
    return error;
  };
  /** RST to our SYN is ECONNREFUSED. ECONNRESET and EPIPE tell of an RST that came later: it did stand (tcp_reset in tcp_input.c). */
  const outcome = (): number => {
    const failed = failure();
    return failed === 0 || failed === ECONNRESET || failed === EPIPE ? 0 : -failed;
  };
  /** A UNIX listener with a full queue remembers nothing (unix(7)), so connect(2) is asked again. */
  const look = (result: number): void => {
    const again = address.kind === 'unix' && result === EAGAIN;
    if (again || (result === EINPROGRESS && failure() === 0 && stateOf(fd) === TCP_SYN_SENT)) {
      wait = Math.min(MOST_MS, wait + STEP_MS);
      timer = setTimeout(() => look(again ? connectSocket(fd, raw) : result), Math.max(1, wait));
    } else {
      finish(result === EINPROGRESS ? outcome() : result);
    }
  };

  const began = process.hrtime.bigint();
  const begun = connectSocket(fd, raw);
  const asked = since(began);
  // On this machine the answer is there already; it is told in the next turn all the same.
  const stands = begun === EINPROGRESS && stateOf(fd) !== TCP_SYN_SENT ? outcome() : begun;
  if (stands !== EINPROGRESS && stands !== EAGAIN) {
    answered = asked;
  }
  const soon = setImmediate(() => look(stands));
  return {
    state: () =>
      address.kind === 'tcp' && stateOf(fd) === TCP_SYN_SENT
        ? { state: 'SYN-SENT', syns: retransmitsOf(fd) + 1 }
        : UNKNOWN,
    took: () => (answered < 0 ? since(began) : answered),
    cancel() {
      clearImmediate(soon);
      if (timer !== null) {
        clearTimeout(timer);
      }
      closeFd(fd);
    },
  };
}

function bindSource(fd: number, source: NetAddress | null, family: number): number {
  if (source === null) {
    return 0;
  }
  const raw = encodeAddress(source);
  if (typeof raw === 'number') {
    return raw;
  }
  if (raw.family !== family) {
    return EAFNOSUPPORT;
  }
  const port = source.kind === 'unix' ? 1 : source.port;
  return (port === 0 ? bindWithoutPort(fd) : reuseAddress(fd)) || bindSocket(fd, raw);
}

function refused(fd: number, result: number): number {
  closeFd(fd);
  return result;
}

/** libuv takes over the descriptor, or it is closed. */
function adopted(fd: number, address: NetAddress): Dialled | number {
  try {
    const socket = new Socket({ ...SOCKET_MANNERS, fd, readable: true, writable: true });
    const { local } = addressesOf(socket, null);
    return { socket, fd, addresses: { local, remote: address } };
  } catch (error) {
    closeFd(fd);
    return errnoOf(error);
  }
}

const info = new Uint8Array(new ArrayBuffer(8));
const length = new Uint8Array(new ArrayBuffer(4));

/** The first bytes of struct tcp_info (linux/tcp.h): the state and, at 2, how often the timer has fired. */
function tcpInfo(fd: number): boolean {
  new DataView(length.buffer).setInt32(0, info.length, true);
  return libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) === 0;
}

function stateOf(fd: number): number {
  return tcpInfo(fd) ? info[0]! : 0;
}

function retransmitsOf(fd: number): number {
  return tcpInfo(fd) ? info[2]! : 0;
}

function withNode(
  address: NetAddress,
  { source }: DialSocketOptions,
  done: (result: Dialled | number) => void,
): Dialling {
  if (address.kind === 'udp' || (address.kind === 'tcp' && isIP(address.host) === 0)) {
    return later(done, EINVAL);
  }
  const began = process.hrtime.bigint();
  const socket = new Socket(SOCKET_MANNERS);
  const failed = (error: Error): void => done(errnoOf(error) || ECONNABORTED);
  socket.once('error', failed);
  socket.once('connect', () => {
    socket.off('error', failed);
    done({ socket, fd: -1, addresses: { local: addressesOf(socket, null).local, remote: address } });
  });
  if (address.kind === 'unix') {
    socket.connect({ path: nodePath(address.path) });
  } else {
    const bound = source?.kind === 'tcp' ? { localAddress: source.host, localPort: source.port } : {};
    socket.connect({ host: address.host, port: address.port, ...bound });
  }
  return {
    state: () => UNKNOWN,
    took: () => since(began),
    cancel() {
      socket.off('error', failed);
      socket.on('error', () => {});
      socket.destroy();
    },
  };
}
