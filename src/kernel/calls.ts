/**
 * System calls as a program makes them: with the flags it chose, and waiting where it would wait. `now` runs on the calling thread;
 * `aside` on a thread of libuv's pool, so that a call that waits stops nobody else. Results are what the call returned, or -errno.
 * Memory is passed by its address: an ArrayBuffer does not move, and whoever waits for the call keeps it.
 */
import koffi from 'koffi';

type Argument = number | string;

export interface SystemCall<A extends Argument[]> {
  now(...args: A): number;
  /** `done` runs when the thread's result has come back. errno is the thread's own: koffi carries it over with the result. */
  aside(args: A, done: (result: number) => void): void;
}

const library = process.platform === 'linux' ? koffi.load(null) : null;
const ENOSYS = -38;
const EIO = -5;

function bind<A extends Argument[]>(declaration: string): SystemCall<A> {
  if (library === null) {
    return { now: () => ENOSYS, aside: (_, done) => done(ENOSYS) };
  }
  const call = library.func(declaration);
  return {
    now(...args) {
      const result: number = call(...args);
      return result === -1 ? -koffi.errno() : result;
    },
    aside(args, done) {
      call.async(...args, (error: unknown, result: number) =>
        done(error !== null ? EIO : result === -1 ? -koffi.errno() : result),
      );
    },
  };
}

export const socketCall = bind<[family: number, type: number, protocol: number]>('int socket(int, int, int)');
export const bindCall = bind<[fd: number, address: number, length: number]>('int bind(int, intptr_t, uint)');
export const listenCall = bind<[fd: number, backlog: number]>('int listen(int, int)');
export const acceptCall = bind<[fd: number, address: number, length: number, flags: number]>(
  'int accept4(int, intptr_t, intptr_t, int)',
);
export const connectCall = bind<[fd: number, address: number, length: number]>(
  'int connect(int, intptr_t, uint)',
);
export const sendCall = bind<[fd: number, from: number, length: number, flags: number]>(
  'long send(int, intptr_t, size_t, int)',
);
export const recvCall = bind<[fd: number, into: number, length: number, flags: number]>(
  'long recv(int, intptr_t, size_t, int)',
);
export const sendtoCall = bind<
  [fd: number, from: number, length: number, flags: number, address: number, addressLength: number]
>('long sendto(int, intptr_t, size_t, int, intptr_t, uint)');
export const recvmsgCall = bind<[fd: number, header: number, flags: number]>(
  'long recvmsg(int, intptr_t, int)',
);
export const shutdownCall = bind<[fd: number, how: number]>('int shutdown(int, int)');
export const closeCall = bind<[fd: number]>('int close(int)');
export const setsockoptCall = bind<[fd: number, level: number, name: number, value: number, length: number]>(
  'int setsockopt(int, int, int, intptr_t, uint)',
);
export const getsockoptCall = bind<[fd: number, level: number, name: number, value: number, length: number]>(
  'int getsockopt(int, int, int, intptr_t, intptr_t)',
);
export const getsocknameCall = bind<[fd: number, address: number, length: number]>(
  'int getsockname(int, intptr_t, intptr_t)',
);
export const getpeernameCall = bind<[fd: number, address: number, length: number]>(
  'int getpeername(int, intptr_t, intptr_t)',
);
export const pollCall = bind<[descriptors: number, count: number, timeoutMs: number]>(
  'int poll(intptr_t, ulong, int)',
);
export const epollCreateCall = bind<[flags: number]>('int epoll_create1(int)');
export const epollCtlCall = bind<[epoll: number, operation: number, fd: number, event: number]>(
  'int epoll_ctl(int, int, int, intptr_t)',
);
export const epollWaitCall = bind<[epoll: number, events: number, most: number, timeoutMs: number]>(
  'int epoll_wait(int, intptr_t, int, int)',
);
export const dupCall = bind<[fd: number]>('int dup(int)');
export const pipeCall = bind<[into: number, flags: number]>('int pipe2(intptr_t, int)');
export const openCall = bind<[path: string, flags: number]>('int open(const char*, int)');
export const fcntlCall = bind<[fd: number, command: number, argument: number]>('int fcntl(int, int, long)');
export const ioctlCall = bind<[fd: number, request: number, argument: number]>(
  'int ioctl(int, ulong, intptr_t)',
);
