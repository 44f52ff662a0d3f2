import { describe, expect, it } from 'vitest';
import {
  counting,
  createClock,
  datagramStageOf,
  datagramTrial,
  linkFor,
  stageOf,
  trial,
} from '../chain-fixture.ts';
import { unplug } from './unplug.ts';

describe('unplug', () => {
  it('holds everything while the cable is out, and passes it on when it is back', () => {
    const t = trial([stageOf(unplug, { lastsMs: 100 })]);
    t.run(20);
    t.data(counting(3));
    t.chain.end();
    expect(t.chain.held).toBe(3);
    t.run(500);
    expect(t.log).toEqual(['3 bytes @100', 'end @100']);
  });

  it('the cable is one for all: a connection that comes later waits less, or not at all', () => {
    const [clock, shared] = [createClock(), {}];
    const first = trial([stageOf(unplug, { lastsMs: 100 }, linkFor(1, shared))], clock);
    first.run(60);
    const second = trial([stageOf(unplug, { lastsMs: 100 }, linkFor(2, shared, 'server'))], clock);
    second.data(counting(1));
    second.run(40);
    expect(second.log).toEqual(['1 bytes @40']);
    const third = trial([stageOf(unplug, { lastsMs: 100 }, linkFor(3, shared))], clock);
    third.data(counting(1));
    third.chain.end();
    expect(third.log).toEqual(['1 bytes @0', 'end @0']);
  });

  it('0 lasts until it is taken away; then all goes on in order', () => {
    const stage = stageOf(unplug);
    const t = trial([stage]);
    t.data(counting(3));
    t.data(counting(3, 3));
    t.chain.end();
    t.run(1e6);
    expect(t.log).toEqual([]);
    t.chain.remove(stage);
    expect(t.passed).toEqual([...counting(6)]);
    expect(t.log.at(-1)).toMatch(/^end/);
  });

  it('datagrams wait as well', () => {
    const t = datagramTrial([datagramStageOf(unplug, { lastsMs: 100 })]);
    t.run(30);
    t.send(1);
    t.run(100);
    t.send(2);
    expect(t.log).toEqual(['1 @100', '2 @130']);
  });
});
