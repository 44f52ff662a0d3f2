/** What is made to be expensive is not: no packet takes long, and no connection holds much. */
import { expect, it } from 'vitest';
import { bombs } from './bombs.ts';
import { explosion } from './explosion.ts';
import { fuzz, MOST_PER_PIECE_MS } from './run.ts';

it.each(bombs)('$name', (bomb) => {
  expect(fuzz(explosion(bomb), 1).slowest).toBeLessThan(bomb.allowed ?? MOST_PER_PIECE_MS);
});
