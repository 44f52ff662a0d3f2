import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogram, note, percentile } from './histogram.ts';

test('a percentile lies within 5 % of the true one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1e11 }), { minLength: 1, maxLength: 400 }),
      fc.constantFrom(0.5, 0.9, 0.99, 1),
      (values, share) => {
        const counted = histogram();
        for (const value of values) {
          note(counted, value);
        }
        const sorted = values.toSorted((a, b) => a - b);
        const truth = sorted[Math.ceil(values.length * share) - 1]!;
        expect(Math.abs(percentile(counted, share) - truth) / truth).toBeLessThan(0.05);
      },
    ),
  );
});

test('of nothing every percentile is 0, and 0 counts as a value', () => {
  const counted = histogram();
  expect(percentile(counted, 0.5)).toBe(0);
  note(counted, 0);
  expect(percentile(counted, 0.5)).toBe(0);
  expect(counted.count).toBe(1);
});
