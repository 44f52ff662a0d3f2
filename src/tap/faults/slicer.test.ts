import { describe, expect, it } from 'vitest';
import { counting, linkFor, stageOf, trial } from '../chain-fixture.ts';
import { slicer } from './slicer.ts';

const sizes = (log: readonly string[]): number[] => log.map((line) => Number.parseInt(line, 10));

describe('slicer', () => {
  it('cuts into pieces that leave one by one, microseconds apart', () => {
    const t = trial([stageOf(slicer, { averageSize: 4, delayUs: 2500 })]);
    t.data(counting(10));
    t.chain.end();
    t.run(100);
    expect(t.log).toEqual(['4 bytes @0', '4 bytes @2.5', '2 bytes @5', 'end @5']);
    expect(t.passed).toEqual([...counting(10)]);
  });

  it('the next chunk waits after the last piece of the one before', () => {
    const t = trial([stageOf(slicer, { averageSize: 4, delayUs: 5000 })]);
    t.data(counting(4));
    t.run(1);
    t.data(counting(4));
    t.run(100);
    expect(t.log).toEqual(['4 bytes @0', '4 bytes @5']);
  });

  it('pieces vary within the bounds, and reach them', () => {
    const t = trial([stageOf(slicer, { averageSize: 10, sizeVariation: 3 }, linkFor(5))]);
    t.data(new Uint8Array(10_000));
    const cut = sizes(t.log).slice(0, -1);
    expect(Math.min(...cut)).toBe(7);
    expect(Math.max(...cut)).toBe(13);
    expect(cut.reduce((sum, n) => sum + n, 0) / cut.length).toBeCloseTo(10, 0);
  });

  it('a variation larger than the pieces still makes pieces of at least a byte', () => {
    const t = trial([stageOf(slicer, { averageSize: 2, sizeVariation: 50 })]);
    t.data(counting(100));
    expect(Math.min(...sizes(t.log))).toBe(1);
    expect(t.passed).toEqual([...counting(100)]);
  });
});
