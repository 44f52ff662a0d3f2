/** Durations counted in buckets that grow by a sixteenth of a power of two: percentiles within 5 %, in constant memory. */

const PER_OCTAVE = 16;
const OCTAVES = 44;

export interface Histogram {
  count: number;
  sum: number;
  min: number;
  max: number;
  readonly buckets: Uint32Array;
}

export function histogram(): Histogram {
  return { count: 0, sum: 0, min: Infinity, max: 0, buckets: new Uint32Array(PER_OCTAVE * OCTAVES) };
}

export function note(into: Histogram, value: number): void {
  into.count++;
  into.sum += value;
  if (value < into.min) {
    into.min = value;
  }
  if (value > into.max) {
    into.max = value;
  }
  into.buckets[bucketOf(value)]!++;
}

function bucketOf(value: number): number {
  if (value < 1) {
    return 0;
  }
  const bucket = Math.floor(Math.log2(value) * PER_OCTAVE);
  return Math.min(bucket, PER_OCTAVE * OCTAVES - 1);
}

/** The value below which `share` (0…1) of all lie; 0 when there is none. */
export function percentile(from: Histogram, share: number): number {
  const wanted = Math.ceil(from.count * share);
  let seen = 0;
  for (let bucket = 0; bucket < from.buckets.length && from.count > 0; bucket++) {
    seen += from.buckets[bucket]!;
    if (seen >= wanted) {
      // The bucket's middle, but never outside what was really seen.
      return Math.min(from.max, Math.max(from.min, 2 ** ((bucket + 0.5) / PER_OCTAVE)));
    }
  }
  return 0;
}
