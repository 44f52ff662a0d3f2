/** What a descriptor of a tracee is, asked of the kernel directly: a second descriptor for it (pidfd_getfd(2), Linux 5.6), and gone again. */
import koffi from 'koffi';
import { closeFd, fixedMemory } from './epoll.ts';

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_PROTOCOL = 38;
const SO_COOKIE = 57;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const ADDRESS = 128;

const library = process.platform === 'linux' ? koffi.load(null) : null;

function bind<A extends unknown[]>(declaration: string): (...args: A) => number {
  return library === null ? () => -1 : library.func(declaration);
}

const syscall = bind<[number: number, a: number, b: number, c: number]>(
  'long syscall(long, intptr_t, intptr_t, intptr_t)',
);
const nameOf = {
  local: bind<[fd: number, address: number, length: number]>('int getsockname(int, intptr_t, intptr_t)'),
  peer: bind<[fd: number, address: number, length: number]>('int getpeername(int, intptr_t, intptr_t)'),
};
const getsockopt = bind<[fd: number, level: number, name: number, value: number, length: number]>(
  'int getsockopt(int, int, int, intptr_t, intptr_t)',
);
const readlink = bind<[path: string, into: number, length: number]>(
  'long readlink(const char*, intptr_t, size_t)',
);

const address = fixedMemory(ADDRESS);
const length = fixedMemory(4);
const value = fixedMemory(8);
const link = fixedMemory(64);

/** Borrowed bytes of a struct sockaddr; null: it has none. */
export type Sockaddr = Uint8Array | null;

export interface SeenSocket {
  /** SOCK_STREAM is 1, SOCK_DGRAM 2. */
  readonly type: number;
  /** IPPROTO_TCP is 6, IPPROTO_UDP 17. */
  readonly protocol: number;
  /** 16 hex digits. */
  readonly cookie: string;
  readonly local: Sockaddr;
  readonly peer: Sockaddr;
}

export function openProcess(pid: number): number {
  const fd = syscall(SYS_PIDFD_OPEN, pid, 0, 0);
  return fd === -1 ? -koffi.errno() : fd;
}

/** Null where this kernel cannot, or where it is no socket (any more). */
export function lookAtSocket(process: number, fd: number): SeenSocket | null {
  const copy = syscall(SYS_PIDFD_GETFD, process, fd, 0);
  if (copy < 0) {
    return null;
  }
  const type = option(copy, SO_TYPE, 4) ? value.words[0]! : null;
  const seen =
    type === null
      ? null
      : {
          type,
          protocol: option(copy, SO_PROTOCOL, 4) ? value.words[0]! : 0,
          cookie: option(copy, SO_COOKIE, 8) ? hex(value.words[1]!) + hex(value.words[0]!) : '',
          local: nameAt(copy, 'local'),
          peer: nameAt(copy, 'peer'),
        };
  closeFd(copy);
  return seen;
}

/** The state of a TCP socket as the kernel numbers it (the first byte of TCP_INFO); 0 where it cannot be had. */
export function tcpState(process: number, fd: number): number {
  const copy = syscall(SYS_PIDFD_GETFD, process, fd, 0);
  if (copy < 0) {
    return 0;
  }
  length.words[0] = 1;
  const known = getsockopt(copy, IPPROTO_TCP, TCP_INFO, value.address, length.address) === 0;
  closeFd(copy);
  return known ? value.bytes[0]! : 0;
}

function option(fd: number, name: number, size: number): boolean {
  length.words[0] = size;
  return getsockopt(fd, SOL_SOCKET, name, value.address, length.address) === 0;
}

function nameAt(fd: number, which: 'local' | 'peer'): Sockaddr {
  length.words[0] = ADDRESS;
  if (nameOf[which](fd, address.address, length.address) !== 0) {
    return null;
  }
  return address.bytes.slice(0, Math.min(length.words[0], ADDRESS));
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

const SOCKET = 'socket:[';

/** Reading the link touches no file behind it. */
export function isSocket(tid: number, fd: number): boolean {
  const size = readlink(`/proc/${tid}/fd/${fd}`, link.address, 64);
  if (size < SOCKET.length) {
    return false;
  }
  for (let i = 0; i < SOCKET.length; i++) {
    if (link.bytes[i] !== SOCKET.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}
