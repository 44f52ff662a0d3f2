/**
 * Starts a program, or takes hold of a running one, and tells its system calls. Tracing makes every call two stops and some microseconds
 * longer; what a program does between calls stays as fast as it is.
 */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../../errors.ts';
import { errnoName } from '../../kernel/errno.ts';
import { whyNoCallInfo } from '../../kernel/ptrace.ts';
import { quietStops, startTimer } from '../../kernel/ptrace-bell.ts';
import { giveUp, type Stdio, sendSignal, startWaiting } from '../../kernel/ptrace-start.ts';
import { whyNotTraced } from '../../kernel/ptrace-tasks.ts';
import { findCommand } from '../../kernel/spawn-program.ts';
import { type FromTracer, MOST_WAITING, SHARED, STOP, type Start, type TracerData } from './protocol.ts';
import type { TracedCall } from './traced-call.ts';

export type { Stdio } from '../../kernel/ptrace-start.ts';
export type { Start } from './protocol.ts';
export type { TracedCall, TracedEnd, TracedTuple } from './traced-call.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface TraceHandlers {
  /** In the order in which they were told; a call that waits comes twice (`TracedCall.took`). */
  onCalls(batch: readonly TracedCall[]): void;
  /** The process itself has ended; what it started may go on. After all its calls. Not where it was only attached to and let go. */
  onExit(exit: Exit): void;
  /** What is not seen, as a sentence; each is said once. */
  onTrouble(text: string): void;
  /** Nothing is traced any more. The last word. */
  onGone?(): void;
}

export interface TraceOptions extends TraceHandlers {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** RLIMIT_NOFILE. */
  readonly nofile?: number;
  readonly stdio: readonly [Stdio, Stdio, Stdio];
  readonly start: Start;
  /** The file that runs cli/trace-worker.ts. */
  readonly entry: string;
}

export interface AttachOptions extends TraceHandlers {
  readonly start: Start;
  readonly entry: string;
}

export interface Trace {
  /** Once its own first instruction is next. Rejects with a SockscopeError where it cannot be traced; it does not run then. */
  pid(): Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Kills what was started, with all its children; lets go of what was attached to. Until nothing is traced any more. */
  stop(): Promise<void>;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
}

const BELL_NS = 1;
const BELL_AGAIN_NS = 1e6;

/**
 * The program is started before this returns, by the calling thread and so in its network namespace. Throws a SockscopeError where there
 * is no such program, or none can be started.
 */
export function traceProgram(options: TraceOptions): Trace {
  refuseKernel();
  const found = findCommand(options.command);
  if (!('path' in found)) {
    throw new SockscopeError(
      'NO_PROGRAM',
      found.why === 'missing'
        ? `There is no program ${options.command}.`
        : `${options.command} may not be executed.`,
      'Give the command as you would type it: sockscope run -- npm test.',
      2,
    );
  }
  const waiting = startWaiting(options);
  if (typeof waiting === 'number') {
    throw new SockscopeError(
      'TRACE_START',
      `${options.command} could not be started: ${errnoName(-waiting)}.`,
      'The machine or this user has reached a limit; see sockscope limits.',
      3,
    );
  }
  const { pid, gate, stdin, stdout, stderr } = waiting;
  const trace = follow(options, { pid, gate }, (errno) => {
    giveUp(waiting);
    return refused(options.command, errno, null);
  });
  return { ...trace, stdin, stdout, stderr };
}

/**
 * Needs the same user and a permissive ptrace_scope, or CAP_SYS_PTRACE. The process outlives us. It must not be a child that this process
 * started through node:child_process: libuv's waitpid would take its stops, and leave it standing.
 */
export function attach(pid: number, options: AttachOptions): Trace {
  refuseKernel();
  const trace = follow(options, { pid }, (errno) => refused(`Process ${pid}`, errno, pid));
  return { ...trace, stdin: null, stdout: null, stderr: null };
}

function refuseKernel(): void {
  const why = whyNoCallInfo();
  if (why !== null) {
    throw new SockscopeError(
      'NO_TRACING',
      `System calls cannot be traced: ${why}.`,
      'Watch packets instead.',
      3,
    );
  }
}

function refused(who: string, errno: number, pid: number | null): SockscopeError {
  return new SockscopeError(
    'NOT_TRACED',
    `${who} cannot be traced: ${whyNotTraced(errno, pid)} (${errnoName(-errno)}).`,
    'Run as root, or watch packets instead.',
    3,
  );
}

function follow(
  handlers: TraceHandlers & { readonly entry: string; readonly start: Start },
  subject: TracerData['subject'],
  whyRefused: (errno: number) => SockscopeError,
): Pick<Trace, 'pid' | 'kill' | 'stop'> {
  quietStops();
  const shared = new Int32Array(new SharedArrayBuffer(SHARED.length * 4));
  const data: TracerData = { start: handlers.start, shared: shared.buffer as SharedArrayBuffer, subject };
  // The gate was opened here and is closed there.
  const worker = new Worker(handlers.entry, { workerData: data, trackUnmanagedFds: false });
  let ended = false;

  const started = new Promise<number>((resolve, reject) => {
    worker.on('message', (message: FromTracer) => {
      switch (message.type) {
        case 'started':
          resolve(message.pid);
          break;
        case 'refused':
          ended = true;
          reject(whyRefused(message.errno));
          break;
        case 'calls':
          if (Atomics.sub(shared, SHARED.waiting, 1) >= MOST_WAITING) {
            Atomics.notify(shared, SHARED.waiting);
          }
          handlers.onCalls(message.calls);
          break;
        case 'trouble':
          handlers.onTrouble(message.text);
          break;
        case 'exit':
          ended = true;
          // The shell that should have become it could not: it says why on its standard error.
          resolve(subject.pid);
          handlers.onExit({ code: message.code, signal: signalName(message.signal) });
          break;
        case 'gone':
          break;
      }
    });
    worker.on('error', reject);
  });
  // Whoever does not ask for the pid hears of it by what follows.
  started.catch(() => {});
  const gone = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      process.off('exit', leave);
      resolve();
      handlers.onGone?.();
    });
  });

  function ring(how: number): void {
    Atomics.store(shared, SHARED.stop, how);
    Atomics.notify(shared, SHARED.waiting);
    const bell = Atomics.load(shared, SHARED.bell) - 1;
    // Without one it has not begun to wait, and looks before it does.
    if (bell >= 0) {
      startTimer(bell, BELL_NS, BELL_AGAIN_NS);
    }
  }

  /** Node waits for its threads when the process ends, and this one would not come out of wait4 by itself. */
  function leave(): void {
    ring(STOP.now);
  }
  process.on('exit', leave);

  return {
    pid: () => started,
    kill(signal) {
      if (!ended) {
        sendSignal(subject.pid, constants.signals[signal]);
      }
    },
    async stop() {
      ring(STOP.orderly);
      await gone;
    },
  };
}

function signalName(number: number | null): NodeJS.Signals | null {
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  // Real-time signals have no names in Node; SIGKILL stands for "by force".
  return number === null ? null : ((known?.[0] ?? 'SIGKILL') as NodeJS.Signals);
}
