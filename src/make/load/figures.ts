/** From counts to what is shown. */
import type { LoadCount, LoadLatency } from '../../session/load.ts';
import { type Histogram, percentile } from './histogram.ts';
import type { LoadKind } from './kind.ts';

export function latencyOf(from: Histogram): LoadLatency | null {
  return from.count === 0
    ? null
    : {
        count: from.count,
        min: from.min,
        mean: from.sum / from.count,
        p50: percentile(from, 0.5),
        p75: percentile(from, 0.75),
        p90: percentile(from, 0.9),
        p99: percentile(from, 0.99),
        p999: percentile(from, 0.999),
        max: from.max,
      };
}

/** The most frequent first. */
export function countsOf(counts: ReadonlyMap<string, number>): LoadCount[] {
  return [...counts].map(([what, count]) => ({ what, count })).sort((a, b) => b.count - a.count);
}

export function badAnswersOf(kind: LoadKind, byStatus: Uint32Array): LoadCount[] {
  const bad = new Map<string, number>();
  byStatus.forEach((count, status) => {
    const what = count === 0 ? null : kind.badStatus(status);
    if (what !== null) {
      bad.set(what, (bad.get(what) ?? 0) + count);
    }
  });
  return countsOf(bad);
}

export function medianOf(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) {
    return null;
  }
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
