/**
 * How a thread that sits in wait4(2) is woken: by a signal with a handler and without SA_RESTART, so that wait4 ends with EINTR. It comes
 * from a timer of the kernel that repeats until it is switched off, so a signal that falls just before the wait is not the last one.
 * Neither costs anything while nobody rings.
 */
import koffi from 'koffi';
import { fixedMemory } from './epoll.ts';

/** A real-time signal that neither the C library, libuv nor V8 uses. */
const WAKE = 50;
const SIGCHLD = 17;
const SA_NOCLDSTOP = 1;
const SIG_IGN = 1;
const SIGEV_THREAD_ID = 4;
const CLOCK_MONOTONIC = 1;

/** struct sigaction of glibc on x86-64 and arm64. */
const SIGACTION = { size: 152, flags: 136 } as const;

const NUMBERS =
  process.arch === 'arm64'
    ? { gettid: 178, create: 107, set: 110, remove: 111 }
    : { gettid: 186, create: 222, set: 223, remove: 226 };

const library = process.platform === 'linux' ? koffi.load(null) : null;

function bind<A extends unknown[]>(declaration: string): (...args: A) => number {
  return library === null ? () => -1 : library.func(declaration);
}

const sigaction = bind<[signal: number, action: number, old: number]>(
  'int sigaction(int, intptr_t, intptr_t)',
);
const dlsym = bind<[handle: number, name: string]>('intptr_t dlsym(intptr_t, const char*)');
const syscall = bind<[number: number, a: number, b: number, c: number, d: number]>(
  'long syscall(long, intptr_t, intptr_t, intptr_t, intptr_t)',
);

const action = fixedMemory(SIGACTION.size);
const actionView = new DataView(action.bytes.buffer);
const event = fixedMemory(64);
const timerId = fixedMemory(8);
const times = fixedMemory(32);
const timesView = new DataView(times.bytes.buffer);

/** Timers belong to the process: whoever knows the number may set it. -errno when there is none. */
export type Timer = number;

/** A timer that wakes the calling thread out of wait4. */
export function createTimer(): Timer {
  installHandler();
  event.bytes.fill(0);
  event.words[2] = WAKE;
  event.words[3] = SIGEV_THREAD_ID;
  event.words[4] = syscall(NUMBERS.gettid, 0, 0, 0, 0);
  const failed = syscall(NUMBERS.create, CLOCK_MONOTONIC, event.address, timerId.address, 0) === -1;
  return failed ? -koffi.errno() : timerId.words[0]!;
}

/** Wakes after `ns`, and then every `everyNs` until it is stopped. */
export function startTimer(timer: Timer, ns: number, everyNs: number): void {
  timesView.setBigInt64(8, BigInt(everyNs), true);
  timesView.setBigInt64(24, BigInt(ns), true);
  syscall(NUMBERS.set, timer, 0, times.address, 0);
}

export function stopTimer(timer: Timer): void {
  startTimer(timer, 0, 0);
}

export function removeTimer(timer: Timer): void {
  syscall(NUMBERS.remove, timer, 0, 0, 0);
}

/** The handler is abs(3): it has a handler's shape, and it touches nothing. */
function installHandler(): void {
  action.bytes.fill(0);
  actionView.setBigInt64(0, BigInt(dlsym(0, 'abs')), true);
  sigaction(WAKE, action.address, 0);
}

/**
 * Every stop of a tracee sends SIGCHLD to its tracer's process. Where libuv listens (it has children of its own) that would wake the event
 * loop twice per system call; it asks for exits only, so stops need not be told. Nobody may block SIGCHLD instead: a blocked signal is
 * never ignored (kernel/signal.c, sig_ignored), and each one then wakes another thread of the process.
 */
export function quietStops(): void {
  if (sigaction(SIGCHLD, 0, action.address) !== 0) {
    return;
  }
  const handler = actionView.getBigInt64(0, true);
  const flags = actionView.getInt32(SIGACTION.flags, true);
  if (handler > SIG_IGN && (flags & SA_NOCLDSTOP) === 0) {
    actionView.setInt32(SIGACTION.flags, flags | SA_NOCLDSTOP, true);
    sigaction(SIGCHLD, action.address, 0);
  }
}
