/** A row of numbers as one line of blocks. Pure; scaled from zero, because a plot that hides its base line lies about size. */

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** A value that was not known at that moment. */
export type Sample = number | null;

/**
 * The last `width` samples, newest at the right, padded with spaces at the left to exactly `width` columns.
 * `null` is a gap. Without `max` the largest visible value fills the height.
 */
export function sparkline(samples: readonly Sample[], width: number, max?: number): string {
  const visible = samples.slice(Math.max(0, samples.length - width));
  let top = max ?? 0;
  if (max === undefined) {
    for (const value of visible) {
      if (value !== null && value > top) {
        top = value;
      }
    }
  }
  const blocks = visible.map((value) => block(value, top));
  return blocks.join('').padStart(Math.max(0, width), ' ');
}

function block(value: Sample, top: number): string {
  if (value === null || Number.isNaN(value)) {
    return ' ';
  }
  if (value <= 0 || top <= 0) {
    return BLOCKS[0];
  }
  // The lowest block means zero, so that a small value never looks like none.
  const level = Math.min(BLOCKS.length - 1, Math.max(1, Math.round((value / top) * (BLOCKS.length - 1))));
  return BLOCKS[level] ?? BLOCKS[0];
}

export interface Spread {
  last: Sample;
  min: number;
  max: number;
}

/** The figures that belong beside the line; null when nothing was known at all. */
export function spread(samples: readonly Sample[]): Spread | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of samples) {
    if (value !== null) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
  }
  return max < min ? null : { last: samples.at(-1) ?? null, min, max };
}
