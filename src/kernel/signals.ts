/** Signals, sent to exactly the process that was meant: a pid can be reused between looking and sending, a pidfd cannot. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import * as libc from './libc.ts';
import { parseStat, type Stat, statusField } from './proc-parse.ts';

/** Numbers of the two system calls; the same on every architecture Node runs on (they came after the tables were unified). */
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
const EPERM = 1;
const ESRCH = 3;
const ENFILE = 23;
const EMFILE = 24;
const ENOSYS = 38;
/** No pidfd to be had (old kernel, a sandbox, no descriptor left), but the process may well be there. */
const WITHOUT_PIDFD = [EPERM, ENFILE, EMFILE, ENOSYS];
const POLLIN = 1;
const HIGHEST_SIGNAL = 64;

export interface Signal {
  name: string;
  number: number;
}

/** `TERM`, `SIGTERM`, `term` or `15`; null when there is no such signal. */
export function parseSignal(text: string): Signal | null {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= HIGHEST_SIGNAL ? { name: signalName(number), number } : null;
  }
  const wanted = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
  const found = Object.entries(constants.signals).find(([name]) => name === wanted);
  return found === undefined ? null : { name: wanted, number: found[1] };
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}

/** A hold on one process. Release it. */
export interface Grip {
  pid: number;
  /** Clock ticks after boot at which it started: with the pid, its identity. */
  startTicks: number;
  /** -1 where the kernel has no pidfd (before 5.3) or no descriptor was left. */
  pidfd: number;
}

/** null: there is no such process (a thread's id is none either). */
export function gripProcess(pid: number): Grip | null {
  const pidfd = libc.pidfdOpen(PIDFD_OPEN, pid, 0);
  if (pidfd < 0 && !WITHOUT_PIDFD.includes(-pidfd)) {
    return null;
  }
  const stat = readStat(pid);
  if (stat === null) {
    releaseGrip({ pid, startTicks: 0, pidfd });
    return null;
  }
  return { pid, startTicks: stat.startTicks, pidfd: Math.max(pidfd, -1) };
}

export function releaseGrip(grip: Grip): void {
  if (grip.pidfd >= 0) {
    libc.close(grip.pidfd);
  }
}

/** 0 or -errno; -ESRCH also when the pid now belongs to another process. */
export function signalProcess(grip: Grip, signal: number): number {
  if (grip.pidfd >= 0) {
    return libc.pidfdSendSignal(PIDFD_SEND_SIGNAL, grip.pidfd, signal, null, 0);
  }
  if (readStat(grip.pid)?.startTicks !== grip.startTicks) {
    return -ESRCH;
  }
  return libc.kill(grip.pid, signal);
}

/** Dead: its descriptors are closed, even if its parent has not collected it yet. */
export function hasEnded(grip: Grip): boolean {
  if (grip.pidfd >= 0) {
    const descriptor = new Uint8Array(8);
    const view = new DataView(descriptor.buffer);
    view.setInt32(0, grip.pidfd, true);
    view.setInt16(4, POLLIN, true);
    return libc.poll(descriptor, 1, 0) === 1;
  }
  const stat = readStat(grip.pid);
  return stat === null || stat.startTicks !== grip.startTicks || stat.state === 'Z' || stat.state === 'X';
}

/** Why a process that was signalled is still there, as far as /proc says; null when it says nothing special. */
export function whyAlive(pid: number, signal: Signal): string | null {
  const state = readStat(pid)?.state;
  if (state === 'T' || state === 't') {
    return 'it is stopped: a signal other than SIGKILL waits until it continues';
  }
  if (state === 'D') {
    return 'it waits inside the kernel, where no signal reaches it';
  }
  const status = readText(`/proc/${pid}/status`);
  if (status !== null && hasSignal(status, 'SigIgn', signal.number)) {
    return `it ignores ${signal.name}`;
  }
  if (status !== null && hasSignal(status, 'SigBlk', signal.number)) {
    return `it blocks ${signal.name}`;
  }
  if (status !== null && hasSignal(status, 'SigCgt', signal.number)) {
    return `it handles ${signal.name} itself and has not ended`;
  }
  return null;
}

/** Signal masks in /proc/PID/status are hex numbers, signal n at bit n - 1 (proc(5)). */
export function hasSignal(status: string, mask: string, signal: number): boolean {
  const bits = statusField(status, mask) ?? '';
  return /^[0-9a-f]+$/.test(bits) && ((BigInt(`0x${bits}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

function readStat(pid: number): Stat | null {
  const text = readText(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(text);
}

/** USER_HZ: /proc counts in hundredths of a second on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

/** Now, on the clock of `startTicks`. */
export function clockTicks(): number {
  const uptime = Number(readText('/proc/uptime')?.split(' ')[0]);
  return Number.isFinite(uptime) ? Math.ceil(uptime * TICKS_PER_SECOND) : Number.POSITIVE_INFINITY;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
