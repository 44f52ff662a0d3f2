import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../api.ts';
import { createPaths, describePath, pathFault } from './paths.ts';

const MS = 1e6;

describe('a path', () => {
  it('the exact one wins over those of one end, and those over the one of all; what they leave out stays', () => {
    const paths = createPaths(1, { delayMs: 1, mtu: 1400 });
    paths.change({ delayMs: 2 }, 'a');
    paths.change({ delayMs: 3 }, undefined, 'b');
    paths.change({ delayMs: 4 }, 'a', 'b');
    const pairs = [
      ['a', 'b'],
      ['c', 'b'],
      ['a', 'c'],
      ['b', 'a'],
    ] as const;
    expect(pairs.map(([from, to]) => paths.meet(from, to, 0, 100, 86))).toEqual([4 * MS, 3 * MS, 2 * MS, MS]);
    expect(paths.meet('a', 'b', 0, 1500, 1486)).toBe('larger than the MTU of 1400');
    paths.change({ mtu: 9000 }, 'a');
    expect(paths.meet('a', 'b', 0, 1500, 1486)).toBe(4 * MS);
    expect(paths.meet('c', 'b', 0, 1500, 1486)).toBe('larger than the MTU of 1400');
  });

  it('frames follow one another at most so fast', () => {
    const paths = createPaths(1, { bitsPerSecond: 8_000_000, delayMs: 10 });
    // 1000 bytes take 1 ms.
    expect(paths.meet('a', 'b', 0, 1000, 900)).toBe(11 * MS);
    expect(paths.meet('a', 'b', 0, 1000, 900)).toBe(12 * MS);
    expect(paths.meet('a', 'b', 1.5 * MS, 500, 400)).toBe(12.5 * MS);
    expect(paths.meet('a', 'b', 100 * MS, 1000, 900)).toBe(111 * MS);
    // The way back is another.
    expect(paths.meet('b', 'a', 0, 1000, 900)).toBe(11 * MS);
  });

  it('what finds the queue full is dropped; the frame being sent does not wait', () => {
    const paths = createPaths(1, { bitsPerSecond: 8_000_000, queueBytes: 2000 });
    const at = (when: number): number | string => paths.meet('a', 'b', when, 1000, 900);
    expect([at(0), at(0), at(0), at(0)]).toEqual([MS, 2 * MS, 3 * MS, 'queue full']);
    expect([at(MS), at(MS)]).toEqual([4 * MS, 'queue full']);
  });

  it('so many are lost, the same ones for the same seed, whatever other pairs do', () => {
    const lost = (seed: number, others: boolean): number[] => {
      const paths = createPaths(seed, { loss: 0.2 });
      return Array.from({ length: 2000 }, (_, i) => i).filter((i) => {
        if (others) {
          paths.meet('b', 'a', i, 100, 86);
        }
        return paths.meet('a', 'b', i, 100, 86) === 'lost (random)';
      });
    };
    expect(lost(1, false).length).toBeGreaterThan(320);
    expect(lost(1, false).length).toBeLessThan(480);
    expect(lost(1, true)).toEqual(lost(1, false));
    expect(lost(2, false)).not.toEqual(lost(1, false));
  });

  it('no frame overtakes another of its pair, none is early, whatever is changed meanwhile', () => {
    const change = fc.record(
      {
        delayMs: fc.nat(50),
        jitterMs: fc.nat(50),
        bitsPerSecond: fc.integer({ min: 1000, max: 1e9 }),
        queueBytes: fc.nat(5000),
      },
      { requiredKeys: [] },
    );
    const step = fc.record({
      wait: fc.nat(5 * MS),
      bytes: fc.integer({ min: 60, max: 1514 }),
      change: fc.option(change),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
        const paths = createPaths(seed, {});
        let now = 0;
        let last = 0;
        let delay = 0;
        for (const one of steps) {
          now += one.wait;
          if (one.change !== null) {
            paths.change(one.change as Path);
            delay = one.change.delayMs ?? delay;
          }
          const arrival = paths.meet('a', 'b', now, one.bytes, one.bytes - 14);
          if (typeof arrival === 'number') {
            expect(arrival).toBeGreaterThanOrEqual(now + delay * MS);
            expect(arrival).toBeGreaterThanOrEqual(last);
            last = arrival;
          }
        }
      }),
    );
  });

  it('a long queue is forgotten when its frames have had their turn', () => {
    const paths = createPaths(1, { bitsPerSecond: 8_000_000, queueBytes: 1e9 });
    for (let i = 0; i < 3000; i++) {
      expect(paths.meet('a', 'b', i * 0.5 * MS, 1000, 900)).toBe((i + 1) * MS);
    }
  });

  it('in words', () => {
    expect(describePath({ delayMs: 50, loss: 0.05 })).toBe('delay 50 ms, loss 5 %');
    expect(describePath({ bitsPerSecond: 2e6, queueBytes: 3000, mtu: 1400, jitterMs: 5 })).toBe(
      'jitter up to 5 ms, 2 Mbit/s, a queue of 3000 bytes, an MTU of 1400',
    );
    expect(describePath({})).toBe('nothing in the way');
  });

  it.each([[{ loss: 1.5 }], [{ loss: Number.NaN }], [{ delayMs: -1 }], [{ bitsPerSecond: 0 }], [{ mtu: 0 }]])(
    '%j is answered with a sentence',
    (path) => {
      expect(pathFault(path)).toMatch(/is a number (at least|from)/);
    },
  );

  it('no limit is a limit', () => {
    expect(
      pathFault({ bitsPerSecond: Number.POSITIVE_INFINITY, mtu: Number.POSITIVE_INFINITY, loss: 1 }),
    ).toBe(null);
    const paths = createPaths(1, { bitsPerSecond: Number.POSITIVE_INFINITY });
    expect(paths.meet('a', 'b', 5, 1000, 900)).toBe(5);
  });
});
