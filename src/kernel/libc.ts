/**
 * System calls through koffi. Each wrapper returns what the call returned, or `-errno`: an errno is a value here, never an exception.
 * Linux only; `available()` says why not before anything is loaded.
 */
import koffi from 'koffi';

type Pointer = Uint8Array | null;

const library = process.platform === 'linux' ? koffi.load(null) : null;

function bind<A extends unknown[]>(declaration: string): (...args: A) => number {
  if (library === null) {
    return () => -38;
  }
  const call = library.func(declaration);
  return (...args: A) => {
    const result: number = call(...args);
    return result === -1 ? -koffi.errno() : result;
  };
}

export const unavailable: string | null =
  library === null ? `this needs Linux; here is ${process.platform}` : null;

export const socket = bind<[domain: number, type: number, protocol: number]>('int socket(int, int, int)');
export const close = bind<[fd: number]>('int close(int)');
export const bindTo = bind<[fd: number, address: Uint8Array, length: number]>('int bind(int, void*, uint)');
export const connect = bind<[fd: number, address: Uint8Array, length: number]>(
  'int connect(int, void*, uint)',
);
export const listen = bind<[fd: number, backlog: number]>('int listen(int, int)');
export const accept4 = bind<[fd: number, address: Pointer, length: Pointer, flags: number]>(
  'int accept4(int, void*, void*, int)',
);
export const send = bind<[fd: number, bytes: Uint8Array, length: number, flags: number]>(
  'long send(int, void*, size_t, int)',
);
export const recv = bind<[fd: number, into: Uint8Array, length: number, flags: number]>(
  'long recv(int, void*, size_t, int)',
);
export const shutdown = bind<[fd: number, how: number]>('int shutdown(int, int)');
export const setsockopt = bind<[fd: number, level: number, name: number, value: Uint8Array, length: number]>(
  'int setsockopt(int, int, int, void*, uint)',
);
export const getsockopt = bind<
  [fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array]
>('int getsockopt(int, int, int, void*, void*)');
export const getsockname = bind<[fd: number, address: Uint8Array, length: Uint8Array]>(
  'int getsockname(int, void*, void*)',
);
export const openFile = bind<[path: string, flags: number]>('int open(const char*, int)');
export const readlinkat = bind<[dirfd: number, path: Uint8Array, into: Uint8Array, length: number]>(
  'long readlinkat(int, void*, void*, size_t)',
);
export const getdents64 = bind<[call: number, fd: number, into: Uint8Array, length: number]>(
  'long syscall(long, int, void*, size_t)',
);
export const setns = bind<[fd: number, kind: number]>('int setns(int, int)');
export const unshare = bind<[flags: number]>('int unshare(int)');
export const kill = bind<[pid: number, signal: number]>('int kill(int, int)');
export const ioctl = bind<[fd: number, request: number, argument: Uint8Array]>(
  'int ioctl(int, ulong, void*)',
);
export const bpf = bind<[call: number, command: number, attributes: Uint8Array, size: number]>(
  'long syscall(long, int, void*, uint)',
);
export const ptrace = bind<[request: number, pid: number, address: null, data: null]>(
  'long ptrace(int, int, void*, void*)',
);
export const processVmReadv = bind<
  [pid: number, local: Uint8Array, locals: number, remote: Uint8Array, remotes: number, flags: number]
>('long process_vm_readv(int, void*, ulong, void*, ulong, ulong)');

export const pidfdOpen = bind<[call: number, pid: number, flags: number]>('long syscall(long, int, uint)');
export const pidfdSendSignal = bind<
  [call: number, pidfd: number, signal: number, information: null, flags: number]
>('long syscall(long, int, int, void*, uint)');
export const poll = bind<[descriptors: Uint8Array, count: number, timeoutMs: number]>(
  'int poll(void*, ulong, int)',
);
export const clockGettime = bind<[clock: number, into: Uint8Array]>('int clock_gettime(int, void*)');

const mmap = library?.func('void *mmap(void *, size_t, int, int, int, long)');
const munmap = library?.func('int munmap(void *, size_t)');
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Memory shared with the kernel through `fd`, seen in place; or -errno. After `unmap` it must not be touched. */
export function mapShared(fd: number, size: number): { memory: ArrayBuffer; unmap(): void } | number {
  const address: unknown = mmap?.(null, size, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (address === undefined) {
    return -38;
  }
  if (koffi.address(address) === MAP_FAILED) {
    return -koffi.errno();
  }
  return { memory: koffi.view(address, size), unmap: () => munmap?.(address, size) };
}

export const eventfd = bind<[start: number, flags: number]>('int eventfd(uint, int)');
export const read = bind<[fd: number, into: Uint8Array, length: number]>('long read(int, void*, size_t)');
export const write = bind<[fd: number, bytes: Uint8Array, length: number]>('long write(int, void*, size_t)');

const recvmmsgCall = library?.func('int recvmmsg(int, void*, uint, int, void*)');

/** Receives several datagrams at once; the vector is an array of struct mmsghdr (see sockdiag-receive.ts). */
export function recvmmsg(fd: number, vector: Uint8Array, count: number, flags: number): number {
  const result: number = recvmmsgCall?.(fd, vector, count, flags, null) ?? -38;
  return result === -1 ? -koffi.errno() : result;
}

/** The same on a thread of libuv's pool, so that this one can work on what came before. */
export function recvmmsgAside(fd: number, vector: Uint8Array, count: number, flags: number): Promise<number> {
  return new Promise((resolve) => {
    if (recvmmsgCall === undefined) {
      return resolve(-38);
    }
    recvmmsgCall.async(fd, vector, count, flags, null, (error: unknown, result: number) =>
      resolve(error !== null || result === -1 ? -koffi.errno() || -5 : result),
    );
  });
}

/** An int32 in memory, as most socket options want it. */
export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

/** Where bytes lie in memory, for structures that hold pointers. The caller keeps `bytes` alive until the call is over. */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}
