import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clear, histogram, merge, middleOf, pack, percentile, record, slotOf } from './histogram.ts';

const duration = fc.oneof(
  fc.integer({ min: 0, max: 5000 }),
  fc.integer({ min: 0, max: 2 ** 31 + 5000 }),
  fc.double({ min: 0, max: 3.6e12, noNaN: true }),
);

function of(values: readonly number[]) {
  const made = histogram();
  for (const value of values) {
    record(made, value);
  }
  return made;
}

describe('the histogram', () => {
  it('keeps three significant digits of every duration up to an hour', () => {
    fc.assert(
      fc.property(duration, (value) => {
        const kept = middleOf(slotOf(value));
        expect(Math.abs(kept - value)).toBeLessThanOrEqual(Math.max(1, value / 1000));
      }),
    );
  });

  it('puts a longer duration never before a shorter one', () => {
    fc.assert(
      fc.property(duration, duration, (a, b) => {
        expect(slotOf(Math.max(a, b))).toBeGreaterThanOrEqual(slotOf(Math.min(a, b)));
      }),
    );
    for (const edge of [2047, 2048, 4095, 4096, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 40, 2 ** 60]) {
      expect(slotOf(edge)).toBeGreaterThanOrEqual(slotOf(edge - 1));
      expect(slotOf(edge)).toBeLessThan(histogram().counts.length);
    }
  });

  it('says the percentile that sorting says, to three digits', () => {
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.5, 0.75, 0.9, 0.99, 0.999, 1),
        (values, share) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(values.length * share)) - 1]!;
          const said = percentile(of(values), share);
          expect(Math.abs(said - exact)).toBeLessThanOrEqual(Math.max(1, exact / 1000));
        },
      ),
    );
  });

  it('is the same whether recorded in one or merged from several', () => {
    fc.assert(
      fc.property(fc.array(duration, { maxLength: 100 }), fc.array(duration, { maxLength: 100 }), (a, b) => {
        const together = of([...a, ...b]);
        const merged = histogram();
        merge(merged, pack(of(a)));
        merge(merged, pack(of(b)));
        expect([...merged.counts]).toEqual([...together.counts]);
        expect([merged.count, merged.min, merged.max]).toEqual([together.count, together.min, together.max]);
      }),
      { numRuns: 15 },
    );
  });

  it('is empty after it was cleared', () => {
    const one = of([1, 5000, 1e9]);
    clear(one);
    expect(one).toEqual(histogram());
    expect(percentile(one, 0.99)).toBe(0);
  });
});
