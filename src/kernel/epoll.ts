/**
 * epoll(7), pipes and splice(2) for an event loop. Results are what the call returned or -errno. The hot calls take addresses of
 * memory as numbers: koffi passes those without looking at an object, and an offset costs nothing.
 */
import koffi from 'koffi';

export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 1 << 31;

const EPOLL_CTL_ADD = 1;
const CLOEXEC = 0o2000000;
const NONBLOCK = 0o4000;
const F_DUPFD_CLOEXEC = 1030;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

const library = process.platform === 'linux' ? koffi.load(null) : null;

type Call<A extends number[]> = (...args: A) => number;

function bind<A extends number[]>(declaration: string): Call<A> {
  return library === null ? () => -1 : library.func(declaration);
}

/** After a call that returned -1; -ENOSYS where nothing was called at all. */
export function lastError(): number {
  return library === null ? -38 : -koffi.errno();
}

const epollCreate = bind<[flags: number]>('int epoll_create1(int)');
const epollCtl = bind<[epoll: number, operation: number, fd: number, event: number]>(
  'int epoll_ctl(int, int, int, intptr_t)',
);
const epollWait = bind<[epoll: number, events: number, most: number, timeoutMs: number]>(
  'int epoll_wait(int, intptr_t, int, int)',
);
const makeEventFd = bind<[start: number, flags: number]>('int eventfd(uint, int)');
const pipe2 = bind<[into: number, flags: number]>('int pipe2(intptr_t, int)');
const fcntl = bind<[fd: number, command: number, argument: number]>('int fcntl(int, int, long)');
const spliceCall = bind<
  [from: number, fromAt: number, to: number, toAt: number, length: number, flags: number]
>('long splice(int, intptr_t, int, intptr_t, size_t, uint)');
const closeCall = bind<[fd: number]>('int close(int)');

/** Where the bytes lie. Memory of an ArrayBuffer does not move; whoever keeps the number keeps the buffer. */
export function addressOf(memory: ArrayBufferView): number {
  return Number(koffi.address(memory));
}

/** Memory for structures: an explicit ArrayBuffer, because V8 keeps small typed arrays inside its moving heap. */
export function fixedMemory(bytes: number): { bytes: Uint8Array; words: Int32Array; address: number } {
  const buffer = new ArrayBuffer(bytes);
  const view = new Uint8Array(buffer);
  return {
    bytes: view,
    words: new Int32Array(buffer),
    address: library === null ? 0 : addressOf(view),
  };
}

/** struct epoll_event is packed on x86-64 only (include/uapi/linux/eventpoll.h). Offsets count 32-bit words. */
const PACKED = process.arch === 'x64';
const WORDS = PACKED ? 3 : 4;
const LOW = PACKED ? 1 : 2;
const HIGH = LOW + 1;

const one = fixedMemory(16);
const pair = fixedMemory(8);

export function createEpoll(): number {
  const fd = epollCreate(CLOEXEC);
  return fd === -1 ? lastError() : fd;
}

/** `fd` and `generation` come back with every event of this registration. */
export function watchFd(epoll: number, fd: number, bits: number, generation: number): number {
  one.words[0] = bits;
  one.words[LOW] = fd;
  one.words[HIGH] = generation;
  return epollCtl(epoll, EPOLL_CTL_ADD, fd, one.address) === -1 ? lastError() : 0;
}

/** The events of one wait, in place. */
export class WaitBuffer {
  readonly #words: Int32Array;
  readonly #address: number;
  readonly #most: number;

  constructor(most: number) {
    const memory = fixedMemory(most * WORDS * 4);
    this.#words = memory.words;
    this.#address = memory.address;
    this.#most = most;
  }

  /** How many there are, or -errno. */
  wait(epoll: number, timeoutMs: number): number {
    const count = epollWait(epoll, this.#address, this.#most, timeoutMs);
    return count === -1 ? lastError() : count;
  }

  bits(index: number): number {
    return this.#words[index * WORDS]!;
  }

  fd(index: number): number {
    return this.#words[index * WORDS + LOW]!;
  }

  generation(index: number): number {
    return this.#words[index * WORDS + HIGH]!;
  }
}

export function createEventFd(): number {
  const fd = makeEventFd(0, CLOEXEC | NONBLOCK);
  return fd === -1 ? lastError() : fd;
}

export interface Pipe {
  readonly reads: number;
  readonly writes: number;
  readonly size: number;
}

/** A pipe of the wished size, or of the usual one where that is not allowed (fs.pipe-max-size, fs.pipe-user-pages-soft). */
export function createPipe(size: number): Pipe | number {
  if (pipe2(pair.address, CLOEXEC | NONBLOCK) === -1) {
    return lastError();
  }
  const reads = pair.words[0]!;
  const writes = pair.words[1]!;
  fcntl(writes, F_SETPIPE_SZ, size);
  return { reads, writes, size: fcntl(writes, F_GETPIPE_SZ, 0) };
}

export function splice(from: number, to: number, length: number): number {
  const moved = spliceCall(from, 0, to, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  return moved === -1 ? lastError() : moved;
}

export function setNonBlocking(fd: number): number {
  const flags = fcntl(fd, F_GETFL, 0);
  return flags === -1 || fcntl(fd, F_SETFL, flags | NONBLOCK) === -1 ? lastError() : 0;
}

/** A second descriptor for the same open file, closed by exec. */
export function duplicate(fd: number): number {
  const copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return copy === -1 ? lastError() : copy;
}

export function closeFd(fd: number): number {
  return closeCall(fd) === -1 ? lastError() : 0;
}
