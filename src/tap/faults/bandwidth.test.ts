import { describe, expect, it } from 'vitest';
import {
  createClock,
  datagramStageOf,
  datagramTrial,
  linkFor,
  MS,
  stageOf,
  trial,
} from '../chain-fixture.ts';
import { bandwidth } from './bandwidth.ts';

describe('bandwidth', () => {
  it('lets so many bytes through in a second, a little at a time', () => {
    const t = trial([stageOf(bandwidth, { rateBytes: 1000 })]);
    t.data(new Uint8Array(2000));
    let before = 0;
    for (let i = 0; i < 20; i++) {
      t.run(100);
      expect(t.passed.length - before).toBe(100);
      before = t.passed.length;
    }
    expect(t.chain.held).toBe(0);
  });

  it('a line that was idle has saved nothing up', () => {
    const t = trial([stageOf(bandwidth, { rateBytes: 1000 })]);
    t.run(5000);
    t.data(new Uint8Array(300));
    t.run(100);
    expect(t.passed.length).toBe(100);
  });

  it('late timers do not make it slower', () => {
    const t = trial([stageOf(bandwidth, { rateBytes: 1000 })]);
    t.data(new Uint8Array(1000));
    for (let i = 0; i < 10; i++) {
      t.clock.ns += 97 * MS;
      t.chain.timer();
    }
    expect(t.passed.length).toBe(960);
  });

  it('the FIN comes after the last byte', () => {
    const t = trial([stageOf(bandwidth, { rateBytes: 1000 })]);
    t.data(new Uint8Array(50));
    t.chain.end();
    t.run(1000);
    expect(t.log).toEqual(['20 bytes @20', '20 bytes @40', '10 bytes @50', 'end @50']);
  });

  it('rate 0 lets nothing through until it is taken away', () => {
    const stage = stageOf(bandwidth, { rateBytes: 0 });
    const t = trial([stage]);
    t.data(new Uint8Array(50));
    t.run(1e6);
    expect(t.log).toEqual([]);
    t.chain.remove(stage);
    expect(t.passed.length).toBe(50);
  });

  it('a rate below a byte in a hundred milliseconds still moves', () => {
    const t = trial([stageOf(bandwidth, { rateBytes: 2 })]);
    t.data(new Uint8Array(4));
    t.run(1000);
    expect(t.passed.length).toBe(2);
  });

  it.each([
    [true, 500, 0],
    [false, 1000, 0],
    [true, 1000, 1],
  ])('shared %s: each of two connections gets %i bytes in a second', (shared, each, other) => {
    const clock = createClock();
    const common = {};
    const attributes = { rateBytes: 1000, shared };
    const one = trial([stageOf(bandwidth, attributes, linkFor(1, common))], clock);
    const two = trial(
      [stageOf(bandwidth, attributes, linkFor(2, common, other === 1 ? 'server' : 'client'))],
      clock,
    );
    one.data(new Uint8Array(5000));
    two.data(new Uint8Array(5000));
    for (let i = 0; i < 1000; i++) {
      clock.ns += MS;
      for (const t of [one, two]) {
        if (t.state.wakeAt <= clock.ns) {
          t.chain.timer();
        }
      }
    }
    expect(Math.abs(one.passed.length - each)).toBeLessThanOrEqual(20);
    expect(Math.abs(two.passed.length - each)).toBeLessThanOrEqual(20);
  });

  it('datagrams leave whole, each when there was time for it', () => {
    const t = datagramTrial([datagramStageOf(bandwidth, { rateBytes: 1000 })]);
    t.send(1, ...new Array<number>(99).fill(0));
    t.send(2, ...new Array<number>(49).fill(0));
    t.run(1000);
    expect(t.log).toEqual(['1 @100', '2 @150']);
  });
});
