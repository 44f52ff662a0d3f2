/** The tracer's thread: it sits in wait4 and answers every stop of every tracee. */
import { errnoName } from '../../kernel/errno.ts';
import {
  CallInfo,
  continueQuietly,
  continueToCall,
  detach,
  eventMessage,
  interrupt,
  listenInStop,
  seize,
  waited,
  waitTracee,
} from '../../kernel/ptrace.ts';
import { createTimer, removeTimer, startTimer, stopTimer } from '../../kernel/ptrace-bell.ts';
import { openGate, sendSignal } from '../../kernel/ptrace-start.ts';
import { threadsOf } from '../../kernel/ptrace-tasks.ts';
import { createTasks, type Task } from './processes.ts';
import { type FromTracer, MOST_WAITING, SHARED, STOP, type TracerData } from './protocol.ts';
import { createReader } from './reader.ts';

const SIGTRAP = 5;
const SIGKILL = 9;
const SYSCALL_STOP = SIGTRAP | 0x80;
const EVENT_FORK = 1;
const EVENT_VFORK = 2;
const EVENT_CLONE = 3;
const EVENT_EXEC = 4;
const EVENT_STOP = 128;
/** SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU */
const STOPPING: ReadonlySet<number> = new Set([19, 20, 21, 22]);

const ECHILD = -10;
const EINTR = -4;
const MS = 1e6;
const TICK_MS = 2;
/** Where stops follow each other so fast that nobody sleeps, the clock is looked at once in so many. */
const STOPS_PER_LOOK = 64;

export type Post = (message: FromTracer) => void;

export function runTracer(data: TracerData, post: Post): void {
  const shared = new Int32Array(data.shared);
  const now = clockOf(data.start.monotonic);
  const tasks = createTasks();
  const info = new CallInfo();
  const ours = 'gate' in data.subject;
  const root = data.subject.pid;
  const tick = createTimer();
  const bell = createTimer();
  let ticking = false;
  let nextTick = 0;
  /** With an orderly stop: everything is on its way out. */
  let leaving = false;

  const reader = createReader({
    tasks,
    info,
    now,
    trouble: (text) => post({ type: 'trouble', text }),
    pending() {
      if (!ticking) {
        ticking = true;
        startTimer(tick, TICK_MS * MS, TICK_MS * MS);
      }
    },
    send(calls) {
      while (Atomics.load(shared, SHARED.waiting) >= MOST_WAITING && stopWord() === STOP.no) {
        Atomics.wait(shared, SHARED.waiting, Atomics.load(shared, SHARED.waiting), TICK_MS);
      }
      Atomics.add(shared, SHARED.waiting, 1);
      post({ type: 'calls', calls });
    },
  });

  function stopWord(): number {
    return Atomics.load(shared, SHARED.stop);
  }

  function onTick(): void {
    nextTick = now() + TICK_MS * MS;
    if (!reader.tick(TICK_MS * MS) && ticking) {
      ticking = false;
      stopTimer(tick);
    }
  }

  function resume(task: Task, signal: number): void {
    if (leaving && !ours) {
      detach(task.tid, signal);
      tasks.remove(task.tid);
    } else if (task.quiet) {
      continueQuietly(task.tid, signal);
    } else {
      continueToCall(task.tid, signal);
    }
  }

  function begin(): boolean {
    if ('gate' in data.subject) {
      const seized = seize(root, true);
      if (seized < 0) {
        post({ type: 'refused', errno: seized });
        return false;
      }
      tasks.add(root, true);
      openGate(data.subject.gate);
      return true;
    }
    // Threads may be born while we take hold of the others.
    for (let found = true; found; ) {
      found = false;
      for (const tid of threadsOf(root).filter((one) => !tasks.all.has(one))) {
        const seized = seize(tid, false);
        if (seized >= 0) {
          tasks.add(tid, false);
          interrupt(tid);
          found = true;
        } else if (tid === root) {
          post({ type: 'refused', errno: seized });
          return false;
        }
      }
    }
    if (tasks.all.size === 0) {
      post({ type: 'refused', errno: -3 });
      return false;
    }
    post({ type: 'started', pid: root });
    return true;
  }

  function leave(): void {
    leaving = true;
    for (const task of tasks.all.values()) {
      if (ours) {
        sendSignal(task.process.pid, SIGKILL);
      } else {
        interrupt(task.tid);
      }
    }
  }

  function ended(tid: number, status: number): void {
    const task = tasks.all.get(tid);
    if (task !== undefined) {
      reader.gone(task);
      tasks.remove(tid);
    }
    if (tid === root) {
      reader.flush();
      const signal = status & 0x7f;
      post({ type: 'exit', code: signal === 0 ? (status >> 8) & 0xff : null, signal: signal || null });
    }
  }

  function stopped(tid: number, status: number): void {
    const task = tasks.get(tid);
    const signal = (status >> 8) & 0xff;
    const event = status >> 16;
    if (signal === SYSCALL_STOP) {
      reader.callStop(task);
      resume(task, 0);
    } else if (event === EVENT_STOP) {
      if (STOPPING.has(signal) && !(leaving && !ours)) {
        listenInStop(tid);
      } else {
        resume(task, 0);
      }
    } else if (event === EVENT_EXEC) {
      const process = tasks.became(tid, eventMessage(tid));
      if (process.quiet) {
        process.quiet = false;
        process.begun = null;
        post({ type: 'started', pid: tid });
      }
      resume(process, 0);
    } else if (event === EVENT_FORK || event === EVENT_VFORK || event === EVENT_CLONE) {
      reader.created(task, eventMessage(tid));
      resume(task, 0);
    } else {
      resume(task, event === 0 ? signal : 0);
    }
  }

  Atomics.store(shared, SHARED.bell, bell + 1);
  if (bell >= 0 && tick >= 0 && begin()) {
    for (let stops = 0; ; ) {
      const word = stopWord();
      if (word === STOP.now) {
        break;
      }
      if (word === STOP.orderly && !leaving) {
        leave();
      }
      const tid = waitTracee(true);
      if (tid === ECHILD) {
        break;
      }
      if (tid < 0) {
        if (tid !== EINTR) {
          post({ type: 'trouble', text: `wait4 failed with ${errnoName(-tid)}` });
          break;
        }
        stopTimer(bell);
        onTick();
        continue;
      }
      const { status } = waited;
      if ((status & 0xff) === 0x7f) {
        stopped(tid, status);
      } else {
        ended(tid, status);
      }
      stops += 1;
      if (stops % STOPS_PER_LOOK === 0 && ticking && now() >= nextTick) {
        onTick();
      }
    }
  }
  reader.flush();
  post({ type: 'gone' });
  Atomics.store(shared, SHARED.bell, 0);
  removeTimer(tick);
  removeTimer(bell);
  tasks.close();
}

function clockOf(monotonic: bigint): () => number {
  const [startSeconds, startNanoseconds] = [
    Number(monotonic / 1_000_000_000n),
    Number(monotonic % 1_000_000_000n),
  ];
  return () => {
    const [seconds, nanoseconds] = process.hrtime();
    return (seconds - startSeconds) * 1e9 + (nanoseconds - startNanoseconds);
  };
}
