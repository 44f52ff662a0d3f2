/** What /proc says about processes that are, or are to be, traced. */
import { readdirSync, readFileSync } from 'node:fs';
import { printable } from '../wire/printable.ts';

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // gone
  }
}

/** The process that this thread belongs to; the thread's own number when it is gone already. */
export function processOf(tid: number): number {
  return Number(/^Tgid:\s*(\d+)/m.exec(read(`/proc/${tid}/status`))?.[1] ?? tid);
}

export function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

/** The short name (comm), safe to print. */
export function programName(pid: number): string {
  try {
    return printable(readFileSync(`/proc/${pid}/comm`, 'utf8').replace(/\n$/, ''));
  } catch {
    return ''; // gone
  }
}

/** Why the kernel would not let us trace this process; `pid` null: one that we start ourselves. */
export function whyNotTraced(errno: number, pid: number | null): string {
  const tracer = pid === null ? '0' : /^TracerPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  if (errno === -3) {
    return 'there is no such process (any more)';
  }
  if (tracer !== undefined && tracer !== '0') {
    return `process ${tracer} traces it already`;
  }
  const scope = read('/proc/sys/kernel/yama/ptrace_scope').trim();
  if (scope === '3' || (scope === '2' && errno === -1)) {
    return `kernel.yama.ptrace_scope is ${scope}, which forbids tracing${scope === '2' ? ' to all but root' : ''}`;
  }
  if (scope === '1' && pid !== null) {
    return 'kernel.yama.ptrace_scope is 1: only root may trace what it has not started itself';
  }
  return pid === null
    ? 'the kernel does not permit ptrace(2) here; container engines often forbid it (--cap-add=SYS_PTRACE)'
    : "it is another user's, or has more rights than we have; that takes root (CAP_SYS_PTRACE)";
}
