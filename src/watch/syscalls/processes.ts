/** The threads that are traced, and the processes they belong to. */
import { closeFd } from '../../kernel/epoll.ts';
import { openProcess } from '../../kernel/ptrace-sockets.ts';
import { processOf, programName } from '../../kernel/ptrace-tasks.ts';
import type { CallName } from '../../kernel/syscall-table.ts';
import type { Value } from '../../session/events.ts';
import { Descriptors } from './descriptors.ts';

export interface Process {
  readonly pid: number;
  program: string;
  descriptors: Descriptors;
  threads: number;
  /** A pidfd once it was needed; negative: there is none to be had. */
  handle: number | null;
}

/** A call that has begun. */
export interface Begun {
  readonly id: number;
  readonly name: CallName;
  readonly args: readonly number[];
  readonly at: number;
  readonly shown: boolean;
  readonly before: readonly Value[];
  told: boolean;
}

export interface Task {
  readonly tid: number;
  process: Process;
  /** Before its exec: a shell of ours, of which nothing is told. */
  quiet: boolean;
  /** Whether the next stop is the end of a call; null: not known yet. */
  inCall: boolean | null;
  begun: Begun | null;
}

export interface Tasks {
  readonly all: ReadonlyMap<number, Task>;
  get(tid: number): Task;
  add(tid: number, quiet: boolean): Task;
  /** CLONE_FILES: one table for both. */
  share(tid: number, with_: Task): void;
  remove(tid: number): void;
  /** The process became another program: one thread is left, which has its number. */
  became(tid: number, former: number): Task;
  pidfd(process: Process): number;
  close(): void;
}

/** Shared tables of threads that have not been seen yet. */
const MOST_EXPECTED = 1024;

export function createTasks(): Tasks {
  const tasks = new Map<number, Task>();
  const processes = new Map<number, Process>();
  const expected = new Map<number, Descriptors>();

  function processFor(pid: number): Process {
    let process = processes.get(pid);
    if (process === undefined) {
      process = { pid, program: programName(pid), descriptors: new Descriptors(), threads: 0, handle: null };
      processes.set(pid, process);
    }
    return process;
  }

  function release(process: Process): void {
    if (process.handle !== null && process.handle >= 0) {
      closeFd(process.handle);
    }
    process.handle = null;
  }

  function leave(process: Process): void {
    process.threads -= 1;
    if (process.threads === 0) {
      release(process);
      processes.delete(process.pid);
    }
  }

  function add(tid: number, quiet: boolean): Task {
    const process = processFor(processOf(tid));
    process.threads += 1;
    const shared = expected.get(tid);
    if (shared !== undefined) {
      process.descriptors = shared;
      expected.delete(tid);
    }
    const task: Task = { tid, process, quiet, inCall: null, begun: null };
    tasks.set(tid, task);
    return task;
  }

  function remove(tid: number): void {
    const task = tasks.get(tid);
    if (task !== undefined) {
      tasks.delete(tid);
      leave(task.process);
    }
  }

  return {
    all: tasks,
    get: (tid) => tasks.get(tid) ?? add(tid, false),
    add,
    share(tid, with_) {
      const task = tasks.get(tid);
      if (task !== undefined) {
        task.process.descriptors = with_.process.descriptors;
      } else if (expected.size < MOST_EXPECTED) {
        expected.set(tid, with_.process.descriptors);
      }
    },
    remove,
    became(tid, former) {
      const before = tasks.get(former);
      const task = tasks.get(tid) ?? add(tid, false);
      if (before !== undefined && former !== tid) {
        task.begun = before.begun;
        remove(former);
      }
      release(task.process);
      task.process.descriptors = new Descriptors();
      task.process.program = programName(tid);
      task.inCall = true;
      return task;
    },
    pidfd(process) {
      process.handle ??= openProcess(process.pid);
      return process.handle;
    },
    close() {
      for (const process of processes.values()) {
        release(process);
      }
    },
  };
}
