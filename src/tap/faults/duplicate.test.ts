import { expect, it } from 'vitest';
import { datagramStageOf, datagramTrial } from '../chain-fixture.ts';
import { corrupt } from './corrupt.ts';
import { duplicate } from './duplicate.ts';

it('sends twice, as often as was asked', () => {
  const t = datagramTrial([datagramStageOf(duplicate, { share: 0.3 })]);
  for (let i = 0; i < 5000; i++) {
    t.send(i & 255);
  }
  expect(Math.abs(t.passed.length / 5000 - 1.3)).toBeLessThan(0.02);
  expect(t.said).toHaveLength(t.passed.length - 5000);
});

it('the two are not the same memory: a stage that follows changes each by itself', () => {
  const t = datagramTrial([datagramStageOf(duplicate, { share: 1 }), datagramStageOf(corrupt, { share: 1 })]);
  t.send(0x0f);
  expect(t.passed).toEqual([0xf0, 0xf0]);
});
