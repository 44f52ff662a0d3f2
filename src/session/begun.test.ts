import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createBegun } from './begun.ts';
import type { Syscall } from './events.ts';

function call(more: Partial<Syscall>): Syscall {
  const base = {
    type: 'syscall',
    at: 1,
    took: null,
    host: 'a',
    pid: 1,
    tid: 1,
    name: 'recv',
    args: [],
    result: null,
  };
  return { ...base, ...more } as Syscall;
}

it('an ended call finds the event of its begin, once', () => {
  const begunBy = createBegun();
  const begin = call({});
  const end = call({ took: 5, result: 0 });
  expect(begunBy(begin)).toBeNull();
  expect(begunBy(end)).toBe(begin);
  expect(begunBy(end)).toBeNull();
});

it('a call that was never begun, and what is no call, stand for nothing', () => {
  const begunBy = createBegun();
  expect(begunBy(call({ took: 5 }))).toBeNull();
  expect(begunBy({ type: 'step', at: 1, text: 'x' })).toBeNull();
});

it('whatever waits at the same time, each end finds its own begin', () => {
  const one = fc.record({
    host: fc.constantFrom('a', 'b'),
    pid: fc.integer({ min: 1, max: 3 }),
    tid: fc.integer({ min: 1, max: 3 }),
    name: fc.constantFrom('recv', 'accept4'),
    at: fc.integer({ min: 0, max: 5 }),
  });
  const key = (of: object): string => JSON.stringify(of);
  fc.assert(
    fc.property(fc.uniqueArray(one, { selector: key }), fc.integer(), (calls, order) => {
      const begunBy = createBegun();
      const begun = calls.map((of) => call(of));
      for (const event of begun) {
        begunBy(event);
      }
      const ends = begun.map((event, index) => ({ event, place: (index * 7919 + order) % 101 }));
      for (const { event } of ends.sort((a, b) => a.place - b.place)) {
        expect(begunBy({ ...event, took: 3, result: 0 })).toBe(event);
      }
    }),
  );
});
