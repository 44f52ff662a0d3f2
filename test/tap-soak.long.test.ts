/** 10 000 connections of all kinds through the built tap: nothing changed, nothing lost, nothing kept. */
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';
import { cleanUp } from './tap/program.ts';
import { soak } from './tap/soaking.ts';

const CONNECTIONS = 10_000;
const PATIENCE_MS = 600_000;

afterEach(cleanUp);

describe.skipIf(needs('linux').missing)('10 000 connections', () => {
  it.each([
    ['with a decoder', [], 64],
    ['without', ['--decode', 'none'], 64],
    ['sliced both ways', ['--fault', 'slicer 1000', '--fault', 'slicer 1000 up'], 64],
    ['late and by chance', ['--fault', 'latency 5ms jitter 5ms both 50%'], 256],
    [
      'through rules that never match',
      ['--replace', 'never in there=>x', '--hold', 'redis.command == "NEVER"'],
      64,
    ],
  ])(
    '%s',
    async (_, words, atOnce) => {
      const said = await soak(CONNECTIONS, atOnce, words, 2);
      expect(said).toContain(`${CONNECTIONS} connections`);
      console.log(said);
    },
    PATIENCE_MS,
  );
});
