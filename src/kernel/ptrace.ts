/**
 * ptrace(2) through koffi. Every request must come from the thread that seized the tracee. Results are what the call returned, or -errno.
 * PTRACE_GET_SYSCALL_INFO (Linux 5.3) gives number, arguments and result in the same form on every architecture.
 */
import koffi from 'koffi';
import { fixedMemory } from './epoll.ts';

const PTRACE_CONT = 7;
const PTRACE_DETACH = 17;
const PTRACE_SYSCALL = 24;
const PTRACE_GETEVENTMSG = 0x4201;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_LISTEN = 0x4208;
const PTRACE_GET_SYSCALL_INFO = 0x420e;

const TRACESYSGOOD = 1;
const TRACEFORK = 2;
const TRACEVFORK = 4;
const TRACECLONE = 8;
const TRACEEXEC = 0x10;
const EXITKILL = 0x10_0000;
const FOLLOW = TRACESYSGOOD | TRACEFORK | TRACEVFORK | TRACECLONE | TRACEEXEC;

const WNOHANG = 1;
const WNOTHREAD = 0x2000_0000;
const WALL = 0x4000_0000;

const EINVAL = -22;
const ENOSYS = -38;

const library = process.platform === 'linux' ? koffi.load(null) : null;

function bind<A extends unknown[]>(declaration: string): (...args: A) => number {
  if (library === null) {
    return () => ENOSYS;
  }
  const call = library.func(declaration);
  return (...args: A) => {
    const result: number = call(...args);
    return result === -1 ? -koffi.errno() : result;
  };
}

const ptrace = bind<[request: number, tid: number, address: number, data: number]>(
  'long ptrace(long, int, intptr_t, intptr_t)',
);
const waitFor = bind<[pid: number, status: number, options: number, usage: number]>(
  'int wait4(int, intptr_t, int, intptr_t)',
);

const status = fixedMemory(8);
const message = fixedMemory(8);
const INFO_SIZE = 88;
const info = fixedMemory(INFO_SIZE);
const infoView = new DataView(info.bytes.buffer);

/** Makes the calling thread the tracer of this one thread. `killWithUs`: it does not outlive the tracer. Whatever it creates is traced too. */
export function seize(tid: number, killWithUs: boolean): number {
  return ptrace(PTRACE_SEIZE, tid, 0, FOLLOW | (killWithUs ? EXITKILL : 0));
}

/** Stops it without a signal; the next stop says so. A wait inside epoll_wait(2) and its like then ends with EINTR. */
export function interrupt(tid: number): number {
  return ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

/** Goes on until its next system call begins or ends. */
export function continueToCall(tid: number, signal: number): number {
  return ptrace(PTRACE_SYSCALL, tid, 0, signal);
}

/** Goes on, and its system calls are not told. */
export function continueQuietly(tid: number, signal: number): number {
  return ptrace(PTRACE_CONT, tid, 0, signal);
}

/** Leaves it stopped as the signal wanted, and hears when it goes on. */
export function listenInStop(tid: number): number {
  return ptrace(PTRACE_LISTEN, tid, 0, 0);
}

export function detach(tid: number, signal: number): number {
  return ptrace(PTRACE_DETACH, tid, 0, signal);
}

/** The new thread's number after a fork, the former one's after an exec. */
export function eventMessage(tid: number): number {
  const result = ptrace(PTRACE_GETEVENTMSG, tid, 0, message.address);
  return result < 0 ? result : message.words[0]!;
}

/**
 * The system call at which it stands. One object for all: it is good until the next question. An argument beyond 2^53 has lost its
 * last digits, which is no loss: no pointer and no length of a process can be so large.
 */
export class CallInfo {
  arch = 0;
  /** At a beginning. */
  number = 0;
  readonly args: number[] = [0, 0, 0, 0, 0, 0];
  /** At an end: the result, or -errno. */
  result = 0;

  /** `entry`, `exit`, `none` (not at a system call), or -errno. */
  read(tid: number): 'entry' | 'exit' | 'none' | number {
    const size = ptrace(PTRACE_GET_SYSCALL_INFO, tid, INFO_SIZE, info.address);
    if (size < 0) {
      return size;
    }
    this.arch = infoView.getUint32(4, true);
    switch (info.bytes[0]) {
      case 1:
        this.number = infoView.getUint32(24, true);
        for (let i = 0; i < 6; i++) {
          const low = infoView.getUint32(32 + 8 * i, true);
          this.args[i] = low + infoView.getUint32(36 + 8 * i, true) * 0x1_0000_0000;
        }
        return 'entry';
      case 2:
        this.result = infoView.getUint32(24, true) + infoView.getInt32(28, true) * 0x1_0000_0000;
        return 'exit';
      default:
        return 'none';
    }
  }
}

/** Why system calls cannot be read here (asked about ourselves, who are traced by nobody); null: they can. */
export function whyNoCallInfo(): string | null {
  if (library === null) {
    return `this needs Linux; here is ${process.platform}`;
  }
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    return `system calls of ${process.arch} are not known here`;
  }
  // EIO from kernels that do not know the request; ESRCH (not traced) from those that do.
  const answer = ptrace(PTRACE_GET_SYSCALL_INFO, process.pid, INFO_SIZE, info.address);
  return answer === -5 || answer === EINVAL ? 'PTRACE_GET_SYSCALL_INFO needs Linux 5.3' : null;
}

/** What wait4 said last. */
export const waited = {
  get status(): number {
    return status.words[0]!;
  },
};

/**
 * Waits for any tracee of the calling thread; the answer is its tid, or -errno (EINTR when a signal woke us, ECHILD when there is none).
 * __WNOTHREAD leaves alone what other threads of this process trace or have started: libuv keeps its children.
 */
export function waitTracee(blocking: boolean): number {
  return waitFor(-1, status.address, WALL | WNOTHREAD | (blocking ? 0 : WNOHANG), 0);
}

/** Reaps a child of this process that nobody traces. */
export function reap(pid: number): number {
  return waitFor(pid, status.address, WALL, 0);
}
