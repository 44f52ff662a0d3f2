import { describe, expect, it } from 'vitest';
import { counting, stageOf, trial } from '../chain-fixture.ts';
import { timeout } from './timeout.ts';

describe('timeout', () => {
  it('closes a connection on which nothing was ever said', () => {
    const t = trial([stageOf(timeout, { timeoutMs: 100 })]);
    t.run(1000);
    expect(t.log).toEqual(['close @100']);
  });

  it('swallows data, and counts from the last of it', () => {
    const t = trial([stageOf(timeout, { timeoutMs: 100 })]);
    t.run(60);
    t.data(counting(3));
    t.run(1000);
    expect(t.log).toEqual(['close @160']);
    expect(t.said).toEqual(['closed: timeout']);
  });

  it('0 swallows for ever', () => {
    const t = trial([stageOf(timeout, { timeoutMs: 0 })]);
    t.data(counting(3));
    t.run(1e6);
    expect(t.log).toEqual([]);
    expect(t.chain.held).toBe(0);
  });

  it('taken away, it closes the connection', () => {
    const stage = stageOf(timeout);
    const t = trial([stage]);
    t.chain.remove(stage);
    expect(t.log).toEqual(['close @0']);
  });

  it('closes at a FIN', () => {
    const t = trial([stageOf(timeout)]);
    t.chain.end();
    expect(t.log).toEqual(['close @0']);
  });
});
