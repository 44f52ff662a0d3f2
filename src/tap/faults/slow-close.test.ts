import { expect, it } from 'vitest';
import { counting, stageOf, trial } from '../chain-fixture.ts';
import { slowClose } from './slow-close.ts';

it('holds the FIN and nothing else', () => {
  const t = trial([stageOf(slowClose, { delayMs: 500 })]);
  t.data(counting(3));
  t.run(10);
  t.chain.end();
  t.run(1000);
  expect(t.log).toEqual(['3 bytes @0', 'end @510']);
});

it('lets the FIN go when it is taken away', () => {
  const stage = stageOf(slowClose, { delayMs: 500 });
  const t = trial([stage]);
  t.chain.end();
  expect(t.log).toEqual([]);
  t.chain.remove(stage);
  expect(t.log).toEqual(['end @0']);
});
