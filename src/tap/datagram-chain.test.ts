import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { datagramStageOf, datagramTrial, linkFor } from './chain-fixture.ts';
import { MOST_HELD_DATAGRAM_BYTES } from './datagram-chain.ts';
import { bandwidth } from './faults/bandwidth.ts';
import { latency } from './faults/latency.ts';
import { noop } from './faults/noop.ts';
import { reorder } from './faults/reorder.ts';
import { stall } from './faults/stall.ts';
import { unplug } from './faults/unplug.ts';

describe('a chain of datagrams', () => {
  it('of faults that only take time loses none, keeps their borders and holds nothing in the end', () => {
    const stage = fc.oneof(
      fc.constant(datagramStageOf(noop)),
      fc.record({ delayMs: fc.nat(50), jitterMs: fc.nat(80) }).map((a) => datagramStageOf(latency, a)),
      fc.record({ rateBytes: fc.integer({ min: 1, max: 5000 }) }).map((a) => datagramStageOf(bandwidth, a)),
      fc
        .record({ lastsMs: fc.integer({ min: 1, max: 50 }) })
        .map((a) => datagramStageOf(unplug, a, linkFor())),
    );
    const pauses = fc.array(fc.nat(30), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(stage, { maxLength: 4 }), pauses, (stages, waits) => {
        const t = datagramTrial(stages);
        for (const [i, wait] of waits.entries()) {
          t.send(i, 0, 0);
          t.run(wait);
        }
        t.run(1e6);
        expect(t.passed).toEqual(waits.map((_, i) => i));
        expect(t.chain.held).toBe(0);
      }),
    );
  });

  it('of faults that change the order still loses none', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), fc.nat(40), (seed, gap, count) => {
        const t = datagramTrial([datagramStageOf(reorder, { share: 0.5, gap, timeMs: 5 }, linkFor(seed))]);
        for (let i = 0; i < count; i++) {
          t.send(i);
        }
        t.run(10);
        expect([...t.passed].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(t.chain.held).toBe(0);
      }),
    );
  });

  it('what a stage holds goes on when it is taken away', () => {
    const held = datagramStageOf(stall);
    const t = datagramTrial([held]);
    t.send(1);
    t.send(2);
    expect(t.passed).toEqual([]);
    t.chain.remove(held);
    expect(t.passed).toEqual([1, 2]);
    expect(t.chain.stages).toEqual([]);
  });

  it('does not hold more than its bound, of small datagrams either, and says once that it loses some', () => {
    for (const size of [0, 60_000]) {
      const t = datagramTrial([datagramStageOf(stall)]);
      const bytes = new Uint8Array(size);
      for (let i = 0; i < 20_000; i++) {
        t.chain.datagram(bytes, 0);
      }
      expect(t.chain.held).toBeLessThanOrEqual(MOST_HELD_DATAGRAM_BYTES + 256);
      expect(t.chain.held).toBeGreaterThan(MOST_HELD_DATAGRAM_BYTES - 61_000);
      expect(t.said.filter((what) => what.startsWith('lost datagrams'))).toHaveLength(1);
    }
  });
});
