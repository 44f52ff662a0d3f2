import { expect, it } from 'vitest';
import { counting, datagramStageOf, datagramTrial, stageOf, trial } from '../chain-fixture.ts';
import { noop } from './noop.ts';

it('passes everything at once', () => {
  const t = trial([stageOf(noop)]);
  t.data(counting(3));
  t.chain.end();
  expect(t.log).toEqual(['3 bytes @0', 'end @0']);
  const d = datagramTrial([datagramStageOf(noop)]);
  d.send(1);
  expect(d.log).toEqual(['1 @0']);
});
