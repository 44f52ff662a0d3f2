/** One thread, one epoll, thousands of sockets: the loop that the jobs of many connections share. */
import {
  acceptCall,
  closeCall,
  connectCall,
  epollCreateCall,
  epollWaitCall,
  socketCall,
} from '../../kernel/calls.ts';
import { AF_INET, CLOEXEC, EPOLL_EVENTS, NONBLOCK, SOCK_STREAM } from '../../kernel/calls-flags.ts';
import { controlEpoll, EPOLL_OPERATIONS, epollMemory } from '../../kernel/calls-wait.ts';
import { errnoName } from '../../kernel/errno.ts';
import type { RawAddress } from '../../kernel/stream-sockets.ts';

export const IN = EPOLL_EVENTS.EPOLLIN!;
export const OUT = EPOLL_EVENTS.EPOLLOUT!;
const EINPROGRESS = -115;
const MOST_EVENTS = 1024;
/** A thread that waits inside epoll_wait is asked so often whether it is over. */
const WAIT_MS = 100;

export interface Crowd {
  /** `run` is called with the events of this descriptor until it is closed. */
  watch(fd: number, bits: number, run: (bits: number) => void): void;
  /** From now on for other events, with another function. */
  change(fd: number, bits: number, run: (bits: number) => void): void;
  close(fd: number): void;
  /** Serves until it is so, or until so much time has passed: then false. */
  serve(over: () => boolean, longestMs: number): Promise<boolean>;
  /** Closes the epoll itself, not what it watched. */
  end(): void;
}

export function createCrowd(): Crowd {
  const epoll = epollCreateCall.now(CLOEXEC);
  if (epoll < 0) {
    throw new Error(`epoll_create1 failed with ${errnoName(epoll)}`);
  }
  const memory = epollMemory(MOST_EVENTS);
  const runs = new Map<number, (bits: number) => void>();

  /** Other orders of this program get their turn between two waits. */
  function wait(): Promise<number> {
    const now = epollWaitCall.now(epoll, memory.address, MOST_EVENTS, 0);
    return now === 0
      ? new Promise((resolve) => epollWaitCall.aside([epoll, memory.address, MOST_EVENTS, WAIT_MS], resolve))
      : new Promise((resolve) => setImmediate(() => resolve(now)));
  }

  return {
    watch(fd, bits, run) {
      runs.set(fd, run);
      controlEpoll(epoll, EPOLL_OPERATIONS.add, fd, bits);
    },
    change(fd, bits, run) {
      runs.set(fd, run);
      controlEpoll(epoll, EPOLL_OPERATIONS.mod, fd, bits);
    },
    close(fd) {
      runs.delete(fd);
      closeCall.now(fd);
    },
    async serve(over, longestMs) {
      const last = performance.now() + longestMs;
      while (!over()) {
        if (performance.now() > last) {
          return false;
        }
        for (const { fd, bits } of memory.ready(await wait())) {
          runs.get(fd)?.(bits);
        }
      }
      return true;
    },
    end: () => void closeCall.now(epoll),
  };
}

/** A socket on its way to the server, or -errno. */
export function startConnecting(to: RawAddress): number {
  const fd = socketCall.now(AF_INET, SOCK_STREAM | CLOEXEC | NONBLOCK, 0);
  if (fd < 0) {
    return fd;
  }
  const result = connectCall.now(fd, to.address, to.length);
  if (result < 0 && result !== EINPROGRESS) {
    closeCall.now(fd);
    return result;
  }
  return fd;
}

/** Everybody who waits in the listener's queue. `bits`: NONBLOCK or 0. */
export function acceptAll(listener: number, bits: number, run: (fd: number) => void): void {
  for (;;) {
    const fd = acceptCall.now(listener, 0, 0, CLOEXEC | bits);
    if (fd < 0) {
      return;
    }
    run(fd);
  }
}
