import { describe, expect, it } from 'vitest';
import { counting, datagramStageOf, datagramTrial, stageOf, trial } from '../chain-fixture.ts';
import { stall } from './stall.ts';

describe('stall', () => {
  it('passes exactly so many bytes and holds the rest, FIN and all, until it is taken away', () => {
    const stage = stageOf(stall, { afterBytes: 10 });
    const t = trial([stage]);
    t.data(counting(7));
    t.data(counting(7, 7));
    t.data(counting(7, 14));
    t.chain.end();
    t.run(1e6);
    expect(t.log).toEqual(['7 bytes @0', '3 bytes @0']);
    expect(t.chain.held).toBe(11);
    expect(t.said).toEqual(['stalled']);
    t.chain.remove(stage);
    expect(t.passed).toEqual([...counting(21)]);
    expect(t.log.at(-1)).toMatch(/^end/);
    expect(t.chain.held).toBe(0);
  });

  it('sets in so long after the first data', () => {
    const t = trial([stageOf(stall, { afterMs: 100 })]);
    t.run(500);
    t.data(counting(3));
    t.run(99);
    t.data(counting(3));
    t.run(1);
    t.data(counting(3));
    expect(t.log).toEqual(['3 bytes @500', '3 bytes @599']);
    expect(t.chain.held).toBe(3);
  });

  it('a FIN before it sets in is passed on, one after it is not', () => {
    const early = trial([stageOf(stall, { afterMs: 100 })]);
    early.data(counting(3));
    early.chain.end();
    expect(early.log).toEqual(['3 bytes @0', 'end @0']);
    const late = trial([stageOf(stall, { afterMs: 100 })]);
    late.data(counting(3));
    late.run(100);
    late.chain.end();
    expect(late.log).toEqual(['3 bytes @0']);
  });

  it('datagrams are not cut: the one over the border stays, and an empty one before it passes', () => {
    const t = datagramTrial([datagramStageOf(stall, { afterBytes: 3 })]);
    t.send();
    t.send(1, 0);
    t.send(2, 0);
    t.send();
    expect(t.log).toEqual(['empty @0', '1 @0']);
    t.chain.remove(t.chain.stages[0]!);
    expect(t.log).toEqual(['empty @0', '1 @0', '2 @0', 'empty @0']);
  });
});
