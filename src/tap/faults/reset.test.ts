import { describe, expect, it } from 'vitest';
import { counting, linkFor, MS, stageOf, trial } from '../chain-fixture.ts';
import { reset } from './reset.ts';

describe('reset', () => {
  it('without a limit comes with the first data, which is not passed on', () => {
    const t = trial([stageOf(reset)]);
    t.run(50);
    expect(t.log).toEqual([]);
    t.data(counting(3));
    expect(t.log).toEqual(['reset @50']);
    expect(t.said).toEqual(['reset']);
  });

  it('or with the FIN', () => {
    const t = trial([stageOf(reset)]);
    t.chain.end();
    expect(t.log).toEqual(['reset @0']);
  });

  it('comes so long after the first data; what comes in between is swallowed', () => {
    const t = trial([stageOf(reset, { afterMs: 100 })]);
    t.run(30);
    t.data(counting(3));
    t.run(50);
    t.data(counting(3));
    t.chain.end();
    t.run(500);
    expect(t.log).toEqual(['reset @130']);
  });

  it.each([[[10]], [[7, 7]], [[1, 9, 1]], [[3, 3, 3, 3]], [[20]]])(
    'passes exactly 10 bytes of chunks %j',
    (chunks) => {
      const t = trial([stageOf(reset, { afterBytes: 10 })]);
      let sent = 0;
      for (const size of chunks) {
        t.data(counting(size, sent));
        sent += size;
      }
      expect(t.passed).toEqual([...counting(10)]);
      expect(t.log.at(-1)).toBe('reset @0');
    },
  );

  it('a connection that ends before the limit ends in peace', () => {
    const t = trial([stageOf(reset, { afterBytes: 10 })]);
    t.data(counting(9));
    t.chain.end();
    expect(t.log).toEqual(['9 bytes @0', 'end @0']);
  });

  it('taken away after it swallowed something, it resets', () => {
    const [early, late] = [stageOf(reset, { afterMs: 100 }), stageOf(reset, { afterMs: 100 })];
    const untouched = trial([early]);
    untouched.chain.remove(early);
    expect(untouched.log).toEqual([]);
    const touched = trial([late]);
    touched.data(counting(1));
    touched.chain.remove(late);
    expect(touched.log).toEqual(['reset @0']);
  });

  it.each([
    ['accept', 'accepted', 'reset'],
    ['accept', 'dialled', 'go on'],
    ['connect', 'accepted', 'go on'],
    ['connect', 'dialled', 'reset'],
    ['data', 'accepted', 'go on'],
    ['data', 'dialled', 'go on'],
  ] as const)('at %s, when the connection is %s: %s', (at, moment, verdict) => {
    const found = reset.admit!({ at, afterMs: 5 }, linkFor(), moment);
    expect(found).toEqual(expect.objectContaining({ delay: verdict === 'reset' ? 5 * MS : 0 }));
    expect(found.outcome).toBe(verdict);
  });

  it('at accept or connect it leaves data alone', () => {
    const t = trial([stageOf(reset, { at: 'connect' })]);
    t.data(counting(3));
    t.chain.end();
    expect(t.log).toEqual(['3 bytes @0', 'end @0']);
  });
});
