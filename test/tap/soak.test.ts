/** The small soak; the long one is test/tap-soak.long.test.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from '../needs.ts';
import { cleanUp } from './program.ts';
import { soak } from './soaking.ts';

afterEach(cleanUp);

describe.skipIf(needs('linux').missing)('6. no byte is changed, added or lost: 500 connections', () => {
  it.each([
    ['with a decoder', []],
    ['without', ['--decode', 'none']],
    ['sliced', ['--fault', 'slicer 700', '--fault', 'slicer 700 up']],
  ])('%s', async (_, words) => {
    const said = await soak(500, 32, words, 1);
    expect(said).toMatch(/^500 connections/);
    console.log(said);
  });
});
