import { expect, it } from 'vitest';
import { counting, datagramStageOf, datagramTrial, stageOf, trial } from '../chain-fixture.ts';
import { blackhole } from './blackhole.ts';

it('swallows for ever, holds nothing, and the connection stays', () => {
  const t = trial([stageOf(blackhole)]);
  t.data(counting(3));
  t.chain.end();
  t.run(1e6);
  expect(t.log).toEqual([]);
  expect(t.chain.held).toBe(0);
});

it('what was swallowed stays away when it is taken away; what comes then is passed', () => {
  const stage = stageOf(blackhole);
  const t = trial([stage]);
  t.data(counting(3));
  t.chain.remove(stage);
  t.data(counting(2));
  expect(t.log).toEqual(['2 bytes @0']);
});

it('datagrams as well', () => {
  const t = datagramTrial([datagramStageOf(blackhole)]);
  t.send(1);
  expect(t.log).toEqual([]);
});
