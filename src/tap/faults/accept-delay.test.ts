import { expect, it } from 'vitest';
import { linkFor, MS } from '../chain-fixture.ts';
import { acceptDelay } from './accept-delay.ts';

it('waits before the target is dialled, and not a second time afterwards', () => {
  const accepted = acceptDelay.admit!({ delayMs: 300 }, linkFor(), 'accepted');
  const dialled = acceptDelay.admit!({ delayMs: 300 }, linkFor(), 'dialled');
  expect([accepted.delay, accepted.outcome]).toEqual([300 * MS, 'go on']);
  expect([dialled.delay, dialled.outcome]).toEqual([0, 'go on']);
});
