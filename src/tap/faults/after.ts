/** When a fault of a stream sets in: after so many bytes, or so long after the first data; with neither, at the first data. */
import type { Attributes } from '../fault.ts';
import { amount, MS } from './values.ts';

export interface Onset {
  /** Set in already. */
  readonly begun: boolean;
  /** When it sets in by time; Infinity: not by time, or not known yet. */
  readonly due: number;
  /** How many of `length` bytes that come now are before it. */
  before(length: number, now: number): number;
  /** Time passes. */
  look(now: number): void;
}

export function createOnset(attributes: Attributes): Onset {
  const bytes = amount(attributes, 'afterBytes');
  const wait = amount(attributes, 'afterMs') * MS;
  let left = bytes > 0 || wait === 0 ? bytes : Number.POSITIVE_INFINITY;
  let due = Number.POSITIVE_INFINITY;
  let begun = false;
  return {
    get begun() {
      return begun;
    },
    get due() {
      return due;
    },
    before(length, now) {
      if (due === Number.POSITIVE_INFINITY && wait > 0) {
        due = now + wait;
      }
      if (due <= now) {
        begun = true;
      }
      const count = begun ? 0 : Math.min(left, length);
      left -= count;
      begun ||= left === 0;
      return count;
    },
    look(now) {
      begun ||= due <= now;
    },
  };
}
