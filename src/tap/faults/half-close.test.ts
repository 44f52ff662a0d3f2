import { describe, expect, it } from 'vitest';
import { counting, stageOf, trial } from '../chain-fixture.ts';
import { halfClose } from './half-close.ts';

describe('half-close', () => {
  it('FIN after exactly so many bytes; later ones are swallowed and the sender is not stopped', () => {
    const t = trial([stageOf(halfClose, { afterBytes: 10 })]);
    t.data(counting(7));
    t.data(counting(7, 7));
    t.data(counting(7, 14));
    t.chain.end();
    expect(t.log).toEqual(['7 bytes @0', '3 bytes @0', 'end @0']);
    expect(t.passed).toEqual([...counting(10)]);
    expect(t.chain.held).toBe(0);
  });

  it('or so long after the first data, even when nothing more comes', () => {
    const t = trial([stageOf(halfClose, { afterMs: 100 })]);
    t.run(20);
    t.data(counting(3));
    t.run(50);
    t.data(counting(3));
    t.run(500);
    t.data(counting(3));
    expect(t.log).toEqual(['3 bytes @20', '3 bytes @70', 'end @120']);
  });

  it('whichever is first', () => {
    const t = trial([stageOf(halfClose, { afterMs: 100, afterBytes: 4 })]);
    t.data(counting(6));
    t.run(500);
    expect(t.log).toEqual(['4 bytes @0', 'end @0']);
  });

  it('with neither, at the first data', () => {
    const t = trial([stageOf(halfClose)]);
    t.data(counting(3));
    expect(t.log).toEqual(['end @0']);
  });
});
