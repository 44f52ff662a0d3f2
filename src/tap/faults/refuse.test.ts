import { expect, it } from 'vitest';
import { linkFor } from '../chain-fixture.ts';
import { refuse } from './refuse.ts';

it('closes the listener, and resets the clients it meets one by one', () => {
  expect(refuse.refuses).toBe(true);
  expect(refuse.admit!({}, linkFor(), 'accepted').outcome).toBe('reset');
});
