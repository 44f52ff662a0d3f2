import { describe, expect, it } from 'vitest';
import { counting, stageOf, trial } from '../chain-fixture.ts';
import { limitData } from './limit-data.ts';

describe('limit-data', () => {
  it.each([[[7, 7]], [[10]], [[20]], [[1, 9, 4]], [[0, 5, 5]]])(
    'passes exactly 10 of chunks %j, then closes',
    (chunks) => {
      const t = trial([stageOf(limitData, { bytes: 10 })]);
      let sent = 0;
      for (const size of chunks) {
        t.data(counting(size, sent));
        sent += size;
      }
      expect(t.passed).toEqual([...counting(10)]);
      expect(t.log.filter((line) => line.startsWith('close'))).toEqual(['close @0']);
      expect(t.chain.held).toBe(0);
    },
  );

  it('a connection that says less ends as it wants', () => {
    const t = trial([stageOf(limitData, { bytes: 10 })]);
    t.data(counting(9));
    t.chain.end();
    expect(t.log).toEqual(['9 bytes @0', 'end @0']);
  });

  it('a limit of 0 closes at the first data', () => {
    const t = trial([stageOf(limitData, { bytes: 0 })]);
    t.run(10);
    t.data(counting(1));
    expect(t.log).toEqual(['close @10']);
  });
});
