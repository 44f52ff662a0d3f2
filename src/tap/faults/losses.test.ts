import { describe, expect, it } from 'vitest';
import { counting, datagramStageOf, datagramTrial, linkFor, stageOf, trial } from '../chain-fixture.ts';
import { drop } from './drop.ts';
import { createLosses } from './losses.ts';
import { packetLoss } from './packet-loss.ts';

describe('losses', () => {
  it('without correlation as many are lost after a loss as otherwise; with it, more', () => {
    for (const correlation of [0, 0.5]) {
      const isLost = createLosses({ share: 0.2, correlation }, linkFor(9));
      const lost = Array.from({ length: 50_000 }, isLost);
      const after = lost.filter((_, i) => lost[i - 1] === true);
      const otherwise = lost.filter((_, i) => lost[i - 1] === false);
      const share = (list: boolean[]): number => list.filter(Boolean).length / list.length;
      expect(Math.abs(share(after) - (0.2 + correlation))).toBeLessThan(0.015);
      expect(Math.abs(share(otherwise) - 0.2)).toBeLessThan(0.015);
    }
  });

  it('share 0 loses none, share 1 all', () => {
    const none = datagramTrial([datagramStageOf(drop, { share: 0 })]);
    const all = datagramTrial([datagramStageOf(drop, { share: 1 })]);
    for (let i = 0; i < 100; i++) {
      none.send(i);
      all.send(i);
    }
    expect(none.passed).toHaveLength(100);
    expect(all.passed).toEqual([]);
    expect(all.said).toHaveLength(100);
  });

  it('packet-loss takes whole chunks out of a stream and leaves its FIN', () => {
    const t = trial([stageOf(packetLoss, { share: 0.5 }, linkFor(2))]);
    for (let i = 0; i < 20; i++) {
      t.data(counting(5, 5 * i));
    }
    t.chain.end();
    expect(t.passed.length).toBeGreaterThan(0);
    expect(t.passed.length).toBeLessThan(100);
    for (let i = 0; i < t.passed.length; i += 5) {
      expect(t.passed[i]! % 5).toBe(0);
    }
    expect(t.log.at(-1)).toBe('end @0');
    expect(t.said).toHaveLength(20 - t.passed.length / 5);
  });
});
