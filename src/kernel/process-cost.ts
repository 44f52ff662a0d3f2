/** What a process and everything it has started cost: how many they are, their threads, and their memory. */
import fs from 'node:fs';
import { listPids } from './owners.ts';
import { parseStat, statusNumber } from './proc-parse.ts';

export interface Cost {
  readonly processes: number;
  readonly threads: number;
  /** Bytes in memory, what is shared divided among those who share it (Pss, proc_pid_smaps(5)). */
  readonly memory: number;
}

const NOTHING: Cost = { processes: 0, threads: 0, memory: 0 };
const KIB = 1024;

/** Processes that end meanwhile are left out. */
export function costOfTree(root: number): Cost {
  const children = new Map<number, number[]>();
  for (const pid of listPids()) {
    const parent = parseStat(text(`/proc/${pid}/stat`))?.ppid;
    if (parent !== undefined) {
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    }
  }
  const whole = (pid: number): Cost => (children.get(pid) ?? []).map(whole).reduce(sum, costOf(pid));
  return whole(root);
}

function costOf(pid: number): Cost {
  const threads = statusNumber(text(`/proc/${pid}/status`), 'Threads');
  const memory = statusNumber(text(`/proc/${pid}/smaps_rollup`), 'Pss');
  return threads === null ? NOTHING : { processes: 1, threads, memory: (memory ?? 0) * KIB };
}

function sum(a: Cost, b: Cost): Cost {
  return {
    processes: a.processes + b.processes,
    threads: a.threads + b.threads,
    memory: a.memory + b.memory,
  };
}

function text(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
