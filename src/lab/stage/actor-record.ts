/** Makes system calls and tells of them: those that wait at once when they begin, all of them when they have returned. */
import { errnoName } from '../../kernel/errno.ts';
import type { Value } from '../../wire/value.ts';
import type { Call } from '../api.ts';
import type { Ends } from './actor-ends.ts';
import { Refused, textOf } from './actor-text.ts';
import type { RawCall, RawTuple } from './protocol.ts';

/** A call that is over so soon is told once. */
const TELL_AFTER_MS = 2;

export interface Asked {
  readonly name: string;
  readonly fd?: number;
  /** As strace shows them; what the call fills in is null until its result is known. */
  args(result: number | null): readonly Value[];
  /** Makes the call here and now: it does not wait. Null: it would have waited, and nothing has happened yet. */
  now?(): number | null;
  /**
   * Makes it on another thread. Without it, `now` never answers null. The recorder keeps `asked` until the call has returned, and what
   * these functions close over with it: memory that the call works on must be named in one of them, not only its address.
   */
  aside?(done: (result: number) => void): void;
  /** It has returned, and is not told yet. */
  after?(result: number): void;
  bytes?(result: number): Uint8Array;
  value?(result: number): Value;
  tuple?(result: number): RawTuple | undefined;
}

export interface Told {
  readonly name: string;
  readonly args: readonly Value[];
  readonly at: number;
  readonly took: number | null;
  readonly result: number | null;
  readonly errno?: string;
  readonly fd?: number;
  readonly tuple?: RawTuple;
}

export interface Recorder {
  /** Nanoseconds since the session began. */
  now(): number;
  make(asked: Asked): Promise<Call>;
  /** Tells of a call that somebody else made; its number, to tell of its end. */
  tell(call: Told, number?: number): number;
}

export interface RecorderWish {
  readonly host: string;
  readonly pid: number;
  /** CLOCK_MONOTONIC at the session's start. */
  readonly start: bigint;
  /** How many calls can wait at a time: the threads of the pool. */
  readonly threads: number;
  readonly ends: Ends;
  onCall(call: RawCall): void;
}

const NONE = new Uint8Array(0);
const NS = 1_000_000_000n;

export function createRecorder(wish: RecorderWish): Recorder {
  const { host, pid, ends } = wish;
  const [seconds, nanoseconds] = [Number(wish.start / NS), Number(wish.start % NS)];
  let next = 1;
  let waiting = 0;

  function now(): number {
    const [s, ns] = process.hrtime();
    return (s - seconds) * 1e9 + (ns - nanoseconds);
  }

  function tell(call: Told, number = next++): number {
    wish.onCall({ type: 'syscall', host, pid, tid: pid, call: number, ...call });
    return number;
  }

  function base(asked: Asked, at: number, result: number | null): Omit<Told, 'took'> {
    const tuple = result === null ? ends.tuple(asked.fd) : (asked.tuple?.(result) ?? ends.tuple(asked.fd));
    return {
      name: asked.name,
      args: asked.args(result),
      at,
      result: result === null ? null : Math.max(-1, result),
      ...(result !== null && result < 0 ? { errno: errnoName(result) } : {}),
      ...(asked.fd === undefined ? {} : { fd: asked.fd }),
      ...(tuple === undefined ? {} : { tuple }),
    };
  }

  function finish(asked: Asked, at: number, took: number, result: number, number?: number): Call {
    asked.after?.(result);
    tell({ ...base(asked, at, result), took }, number);
    const bytes = (result >= 0 ? asked.bytes?.(result) : undefined) ?? NONE;
    return {
      name: asked.name,
      result: Math.max(-1, result),
      errno: result < 0 ? errnoName(result) : null,
      at,
      took,
      bytes,
      text: textOf(bytes),
      value: asked.value?.(result) ?? null,
    };
  }

  async function make(asked: Asked): Promise<Call> {
    const { aside } = asked;
    const at = now();
    const soon = asked.now?.() ?? null;
    if (soon !== null) {
      return finish(asked, at, now() - at, soon);
    }
    if (aside === undefined) {
      throw new Refused(`${asked.name} cannot wait`);
    }
    if (waiting >= wish.threads) {
      throw new Refused(
        `${waiting} calls of this program are waiting, and it has no more threads; start another program on this host`,
      );
    }
    return new Promise((resolve) => {
      let number: number | undefined;
      waiting += 1;
      aside((result) => {
        const took = now() - at;
        waiting -= 1;
        clearTimeout(timer);
        resolve(finish(asked, at, took, result, number));
      });
      const timer = setTimeout(() => {
        number = tell({ ...base(asked, at, null), took: null });
      }, TELL_AFTER_MS);
    });
  }

  return { now, make, tell };
}
