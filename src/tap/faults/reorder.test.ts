import { describe, expect, it } from 'vitest';
import { datagramStageOf, datagramTrial } from '../chain-fixture.ts';
import { reorder } from './reorder.ts';

describe('reorder', () => {
  it('one is overtaken by as many as was asked', () => {
    const t = datagramTrial([datagramStageOf(reorder, { share: 1, gap: 2 })]);
    for (let i = 0; i < 6; i++) {
      t.send(i);
    }
    expect(t.passed).toEqual([1, 2, 0, 4, 5, 3]);
  });

  it('it goes by itself when no others come', () => {
    const t = datagramTrial([datagramStageOf(reorder, { share: 1, gap: 2, timeMs: 50 })]);
    t.send(1);
    t.run(10);
    t.send(2);
    expect(t.chain.held).toBe(1);
    t.run(100);
    expect(t.log).toEqual(['2 @10', '1 @50']);
  });

  it('it goes when the fault is taken away', () => {
    const stage = datagramStageOf(reorder, { share: 1 });
    const t = datagramTrial([stage]);
    t.send(1);
    t.chain.remove(stage);
    expect(t.passed).toEqual([1]);
  });

  it('share 0 leaves the order alone', () => {
    const t = datagramTrial([datagramStageOf(reorder, { share: 0 })]);
    t.send(1);
    t.send(2);
    expect(t.passed).toEqual([1, 2]);
  });
});
