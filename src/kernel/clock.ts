/**
 * One clock per session: CLOCK_MONOTONIC, as nanoseconds since the session's start. Wall-clock stamps (packets have
 * them) are converted with one pair of readings taken at the start, so a later step of the wall clock shifts them.
 */
import { clockGettime } from './libc.ts';

const CLOCK_REALTIME = 0;
const NS = 1_000_000_000n;

/** Monotonic, wall clock, monotonic again: the wall clock was read somewhere between the two. */
export interface Sample {
  readonly before: bigint;
  readonly realtime: bigint;
  readonly after: bigint;
}

export interface Clock {
  /** The wall-clock moment at which `now()` was 0. */
  readonly startedAt: { readonly iso: string; readonly ns: bigint };
  /** A converted wall-clock stamp is off by at most this much while the wall clock is not adjusted. */
  readonly uncertaintyNs: number;
  /** Nanoseconds since the start; exact for 104 days. */
  now(): number;
  /** CLOCK_MONOTONIC in nanoseconds (trace buffers, BPF) → session nanoseconds. */
  fromMonotonic(ns: bigint): number;
  /** Wall-clock nanoseconds since 1970 → session nanoseconds; negative for what came before the start. */
  fromRealtime(ns: bigint): number;
  /** The same from a timespec, without a bigint: a ring of packets has millions of them. */
  fromTimespec(seconds: number, nanoseconds: number): number;
}

/** Enough for one round that no interrupt falls into; more buys nothing measurable. */
const ROUNDS = 32;

export function startClock(): Clock {
  const read = realtimeReader();
  return clockFrom(
    tightest(
      Array.from({ length: ROUNDS }, () => {
        const before = process.hrtime.bigint();
        const realtime = read();
        return { before, realtime, after: process.hrtime.bigint() };
      }),
    ),
  );
}

/** The sample whose two monotonic readings lie closest together. */
export function tightest(samples: readonly Sample[]): Sample {
  return samples.reduce((best, sample) =>
    sample.after - sample.before < best.after - best.before ? sample : best,
  );
}

export function clockFrom({ before, realtime, after }: Sample): Clock {
  const start = before + (after - before) / 2n;
  const [startSeconds, startNanoseconds] = [Number(start / NS), Number(start % NS)];
  const [wallSeconds, wallNanoseconds] = [Number(realtime / NS), Number(realtime % NS)];
  return {
    startedAt: { iso: isoNanoseconds(realtime), ns: realtime },
    // Half the gap, rounded up, and one for the halving above.
    uncertaintyNs: Number((after - before + 1n) / 2n) + 1,
    now() {
      const [seconds, nanoseconds] = process.hrtime();
      return (seconds - startSeconds) * 1e9 + (nanoseconds - startNanoseconds);
    },
    fromMonotonic: (ns) => Number(ns - start),
    fromRealtime: (ns) => Number(ns - realtime),
    fromTimespec: (seconds, nanoseconds) => (seconds - wallSeconds) * 1e9 + (nanoseconds - wallNanoseconds),
  };
}

/** Nanoseconds since 1970 as UTC with nine decimals, which a Date cannot hold. */
export function isoNanoseconds(ns: bigint): string {
  const whole = new Date(Number(ns / NS) * 1000).toISOString();
  return `${whole.slice(0, 19)}.${String(ns % NS).padStart(9, '0')}Z`;
}

function realtimeReader(): () => bigint {
  const timespec = new Uint8Array(16);
  const view = new DataView(timespec.buffer);
  if (clockGettime(CLOCK_REALTIME, timespec) !== 0) {
    // No libc to ask (not Linux): milliseconds are what Node has, and there are no packet stamps to convert either.
    return () => BigInt(Date.now()) * 1_000_000n;
  }
  return () => {
    clockGettime(CLOCK_REALTIME, timespec);
    return view.getBigInt64(0, true) * NS + view.getBigInt64(8, true);
  };
}
