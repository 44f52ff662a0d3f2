/** Moments and durations as they stand beside an arrow: short, and three digits where three are known. */
import { duration } from '../units.ts';

const MS = 1e6;

export function span(nanoseconds: number): string {
  if (nanoseconds < 0) {
    return `-${span(-nanoseconds)}`;
  }
  const ms = nanoseconds / MS;
  if (ms < 99.95) {
    return `${ms.toFixed(1)} ms`;
  }
  if (ms < 999.5) {
    return `${ms.toFixed(0)} ms`;
  }
  const seconds = ms / 1000;
  if (seconds < 59.995) {
    return `${seconds.toFixed(2)} s`;
  }
  return seconds < 99.95 ? `${seconds.toFixed(1)} s` : duration(nanoseconds / 1000);
}

/** `0.4 → 6.7 s`: the unit once where it is the same. */
export function range(from: number, to: number, arrow: string): string {
  const one = span(from);
  const other = span(to);
  if (one === other) {
    return one;
  }
  const [number, unit] = one.split(' ');
  return other.split(' ').length === 2 && other.endsWith(` ${unit}`)
    ? `${number} ${arrow} ${other}`
    : `${one} ${arrow} ${other}`;
}
