/** Listeners that take connections for addresses nobody here has (IP_TRANSPARENT: ip(7)), and namespaces to keep them in. */
import * as libc from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_TRANSPARENT = 19;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_TRANSPARENT = 75;
const CLONE_NEWNET = 0x4000_0000;
const BACKLOG = 4096;

type Version = 4 | 6;

/** Takes connections to `port` at every address that the namespace's routes call local; or -errno. */
export function listenEverywhere(version: Version, port: number): number {
  const fd = libc.socket(version === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fd;
  }
  const one = libc.int32(1);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, 4);
  const address = socketAddress(version, null, port);
  let result =
    version === 4
      ? libc.setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, one, 4)
      : libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, one, 4) ||
        libc.setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, one, 4);
  result = result < 0 ? result : libc.bindTo(fd, address, address.length);
  result = result < 0 ? result : libc.listen(fd, BACKLOG);
  if (result < 0) {
    libc.close(fd);
    return result;
  }
  return fd;
}

/** struct sockaddr_in or sockaddr_in6; `host` null is any address. */
export function socketAddress(version: Version, host: Uint8Array | null, port: number): Uint8Array {
  const bytes = new Uint8Array(version === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, version === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  if (host !== null) {
    bytes.set(host, version === 4 ? 4 : 8);
  }
  return bytes;
}

export interface Taken {
  readonly fd: number;
  readonly peer: Uint8Array;
  readonly peerPort: number;
  readonly local: Uint8Array;
  readonly localPort: number;
}

const name = new Uint8Array(28);
const nameLength = new Uint8Array(4);
const nameView = new DataView(name.buffer);
const lengthView = new DataView(nameLength.buffer);

function hostOf(version: Version): Uint8Array {
  return version === 4 ? name.slice(4, 8) : name.slice(8, 24);
}

/** The next connection of such a listener with both its addresses; or -errno. It does not block. */
export function take(listener: number, version: Version): Taken | number {
  lengthView.setUint32(0, 28, true);
  const fd = libc.accept4(listener, name, nameLength, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    return fd;
  }
  const peer = hostOf(version);
  const peerPort = nameView.getUint16(2);
  lengthView.setUint32(0, 28, true);
  const result = libc.getsockname(fd, name, nameLength);
  if (result < 0) {
    libc.close(fd);
    return result;
  }
  return { fd, peer, peerPort, local: hostOf(version), localPort: nameView.getUint16(2) };
}

/** Begins to connect in the calling thread's namespace: a socket on its way, or -errno. */
export function beginConnect(version: Version, host: Uint8Array, port: number): number {
  const fd = libc.socket(version === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fd;
  }
  const address = socketAddress(version, host, port);
  const result = libc.connect(fd, address, address.length);
  if (result < 0 && result !== -115) {
    libc.close(fd);
    return result;
  }
  return fd;
}

/** What a connect that has ended came to: 0 or -errno. */
export function connectResult(fd: number): number {
  const value = new Uint8Array(4);
  const result = libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, libc.int32(4));
  return result < 0 ? result : -new DataView(value.buffer).getInt32(0, true);
}

/** A new network namespace for the calling thread and for what it starts from now on: 0 or -errno. */
export function newNamespace(): number {
  return libc.unshare(CLONE_NEWNET);
}

/** A descriptor of the calling thread's network namespace, or -errno. */
export function namespaceHere(): number {
  return libc.openFile('/proc/thread-self/ns/net', SOCK_CLOEXEC);
}

export function enterNamespace(fd: number): number {
  return libc.setns(fd, CLONE_NEWNET);
}

const POLLIN = 1;
const POLLOUT = 4;

/** Descriptors to wait for; `wait` blocks the thread. */
export interface Waiting {
  readonly fds: readonly number[];
  /** How many, 0 when the time is over, or -errno. */
  wait(timeoutMs: number): number;
  ready(index: number): boolean;
}

/** `writable`: the indexes at which room to write is awaited instead of something to read. */
export function waitingFor(fds: readonly number[], writable: ReadonlySet<number>): Waiting {
  const bytes = new Uint8Array(new ArrayBuffer(8 * fds.length));
  const view = new DataView(bytes.buffer);
  fds.forEach((fd, index) => {
    view.setInt32(8 * index, fd, true);
    view.setInt16(8 * index + 4, writable.has(index) ? POLLOUT : POLLIN, true);
  });
  return {
    fds,
    wait: (timeoutMs) => libc.poll(bytes, fds.length, timeoutMs),
    ready: (index) => view.getInt16(8 * index + 6, true) !== 0,
  };
}

/** A socket of the calling thread's namespace that is only there to be asked things (ioctl). */
export function controlSocket(): number {
  return libc.socket(AF_INET, 2 | SOCK_CLOEXEC, 0);
}

export function closeSocket(fd: number): void {
  libc.close(fd);
}

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const stroke = Uint8Array.of(1);

/** One byte into a stream socket that somebody's event loop watches; a full one has been rung enough. */
export function ringBell(fd: number): void {
  libc.send(fd, stroke, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

const EFD_NONBLOCK = 0o4000;
const count = new Uint8Array(8);

/** An eventfd that wakes a thread from `Waiting.wait`. */
export function createWake(): number {
  return libc.eventfd(0, EFD_NONBLOCK | SOCK_CLOEXEC);
}

export function wake(fd: number): void {
  const one = new Uint8Array(8);
  one[0] = 1;
  libc.write(fd, one, 8);
}

export function drainBytes(fd: number): void {
  libc.read(fd, count, 8);
}
