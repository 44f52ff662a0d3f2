/** What the tracer's thread and the thread that asked for it say to each other. */
import type { TracedCall } from './traced-call.ts';

export interface Start {
  readonly monotonic: bigint;
  readonly realtime: bigint;
}

export interface TracerData {
  readonly start: Start;
  /** Words of `SHARED`, below. */
  readonly shared: SharedArrayBuffer;
  /** A program that waits behind its gate, or one that runs. */
  readonly subject: { readonly pid: number; readonly gate: number } | { readonly pid: number };
}

/** Indices of the shared words. */
export const SHARED = {
  /** One of `STOP`. */
  stop: 0,
  /** The timer that wakes the tracer, plus one; 0 while there is none. */
  bell: 1,
  /** Batches that were sent and not yet taken. */
  waiting: 2,
  length: 3,
} as const;

export const STOP = {
  no: 0,
  /** Programs that we started are killed and reaped, others are let go. */
  orderly: 1,
  /** The process ends: return at once, the kernel does the rest (PTRACE_O_EXITKILL). */
  now: 2,
} as const;

/** Enough to keep both threads busy. A tracer that is so far ahead waits, and the program with it. */
export const MOST_WAITING = 64;

export type FromTracer =
  /** The program's own first instruction is next; or the attached one is in our hands. */
  | { readonly type: 'started'; readonly pid: number }
  /** It could not be traced: -errno of PTRACE_SEIZE. */
  | { readonly type: 'refused'; readonly errno: number }
  | { readonly type: 'calls'; readonly calls: readonly TracedCall[] }
  | { readonly type: 'trouble'; readonly text: string }
  /** The process itself; children may go on. */
  | { readonly type: 'exit'; readonly code: number | null; readonly signal: number | null }
  /** Nothing is left to trace. */
  | { readonly type: 'gone' };
