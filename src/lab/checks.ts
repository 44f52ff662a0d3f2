/** Ways to say what must be so. Each gives one line with what was really seen. */
import type { Check } from './experiment.ts';

type Plain = string | number | boolean | null;

export function is(claim: string, seen: Plain | undefined, wanted: Plain): Check {
  return { claim, ok: seen === wanted, seen: words(seen) };
}

/**
 * Lower bound exact but for a hundredth, as frames are stamped by the wall clock, which may be slewed; upper bound with what a busy
 * machine adds: 30 % and 300 ms.
 */
export function lasts(claim: string, seenMs: number | undefined, lowMs: number, highMs: number): Check {
  const ok = seenMs !== undefined && seenMs >= lowMs * 0.99 && seenMs <= highMs * 1.3 + 300;
  return { claim, ok, seen: seenMs === undefined ? 'nothing' : milliseconds(seenMs) };
}

export function between(claim: string, seen: number | undefined, low: number, high: number): Check {
  return { claim, ok: seen !== undefined && seen >= low && seen <= high, seen: words(seen) };
}

export function atLeast(claim: string, seen: number | undefined, low: number): Check {
  return { claim, ok: seen !== undefined && seen >= low, seen: words(seen) };
}

export function oneOf(claim: string, seen: Plain | undefined, wanted: readonly Plain[]): Check {
  return { claim, ok: seen !== undefined && wanted.includes(seen), seen: words(seen) };
}

/** The list holds these, in this order, with anything in between. */
export function inOrder(claim: string, seen: readonly string[], wanted: readonly string[]): Check {
  let next = 0;
  for (const item of seen) {
    if (item === wanted[next]) {
      next += 1;
    }
  }
  return { claim, ok: next === wanted.length, seen: seen.length === 0 ? 'nothing' : seen.join(' → ') };
}

export function same(claim: string, seen: readonly Plain[], wanted: readonly Plain[]): Check {
  const ok = seen.length === wanted.length && seen.every((item, index) => item === wanted[index]);
  return { claim, ok, seen: seen.length === 0 ? 'nothing' : seen.map(words).join(', ') };
}

export function holds(claim: string, ok: boolean, seen: string): Check {
  return { claim, ok, seen };
}

function words(seen: Plain | undefined): string {
  return seen === undefined || seen === null ? 'nothing' : String(seen);
}

export function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
