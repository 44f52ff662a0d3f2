import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDeadlines } from './deadlines.ts';

it('the earliest comes first, and those of one moment in the order they were put in', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (moments) => {
      const deadlines = createDeadlines<number>();
      for (const [index, at] of moments.entries()) {
        deadlines.put(at, index);
      }
      const expected = moments
        .map((at, index) => ({ at, index }))
        .sort((a, b) => a.at - b.at || a.index - b.index);
      for (const { at, index } of expected) {
        expect(deadlines.next).toBe(at);
        expect(deadlines.take(at - 1)).toBe(null);
        expect(deadlines.take(at)).toBe(index);
      }
      expect([deadlines.size, deadlines.next]).toEqual([0, Number.POSITIVE_INFINITY]);
    }),
  );
});

it('putting and taking in turns keeps the order', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(50))), (steps) => {
      const deadlines = createDeadlines<number>();
      const model: number[] = [];
      for (const at of steps) {
        if (at === null) {
          model.sort((a, b) => a - b);
          expect(deadlines.take(100)).toBe(model.shift() ?? null);
        } else {
          deadlines.put(at, at);
          model.push(at);
        }
      }
      expect(deadlines.size).toBe(model.length);
    }),
  );
});
