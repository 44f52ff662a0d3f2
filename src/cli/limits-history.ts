/** What each limit was over the last readings, and how fast it grows. Pure. */
import type { Limit } from '../see/limit.ts';

/** Readings kept for each limit: what a sparkline can show. */
export const MOST_SAMPLES = 120;

interface Sample {
  atMs: number;
  used: number;
}

export type History = Map<string, Sample[]>;

/** Adds one reading; limits that are gone are forgotten. */
export function remember(history: History, limits: readonly Limit[], atMs: number): void {
  const seen = new Set<string>();
  for (const { id, used } of limits) {
    seen.add(id);
    if (used === null) {
      continue;
    }
    const samples = history.get(id) ?? [];
    samples.push({ atMs, used });
    if (samples.length > MOST_SAMPLES) {
      samples.shift();
    }
    history.set(id, samples);
  }
  for (const id of history.keys()) {
    if (!seen.has(id)) {
      history.delete(id);
    }
  }
}

export function values(history: History, id: string): number[] {
  return (history.get(id) ?? []).map(({ used }) => used);
}

/** Per minute over all that is remembered; null until two readings lie apart. */
export function growth(history: History, id: string): number | null {
  const samples = history.get(id);
  const first = samples?.[0];
  const last = samples?.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) {
    return null;
  }
  return ((last.used - first.used) / (last.atMs - first.atMs)) * 60_000;
}

export interface Grower {
  limit: Limit;
  perMinute: number;
  /** At this pace; null when there is no limit. */
  fullInMs: number | null;
}

/** A figure that merely wobbles is no leak: it must have risen in most of at least this many steps. */
const STEPS = 4;

/** Processes whose descriptors keep growing, fastest first. */
export function growers(history: History, limits: readonly Limit[]): Grower[] {
  return limits
    .filter(({ kind, id }) => kind === 'descriptors' && rises(values(history, id)))
    .map((limit) => {
      const perMinute = growth(history, limit.id) ?? 0;
      const fullInMs = limit.available === null ? null : (limit.available / perMinute) * 60_000;
      return { limit, perMinute, fullInMs };
    })
    .filter(({ perMinute }) => perMinute > 0)
    .sort((a, b) => b.perMinute - a.perMinute);
}

function rises(samples: readonly number[]): boolean {
  let up = 0;
  let down = 0;
  for (let i = 1; i < samples.length; i++) {
    up += samples[i]! > samples[i - 1]! ? 1 : 0;
    down += samples[i]! < samples[i - 1]! ? 1 : 0;
  }
  return up >= STEPS && up > 2 * down;
}
