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
export const connect = bind<[fd: number, address: Uint8Array, length: number]>('int connect(int, void*, uint)');
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
export const getsockopt = bind<[fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array]>(
  'int getsockopt(int, int, int, void*, void*)',
);
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
export const ioctl = bind<[fd: number, request: number, argument: Uint8Array]>('int ioctl(int, ulong, void*)');

/** An int32 in memory, as most socket options want it. */
export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
