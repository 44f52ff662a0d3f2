/** Every experiment on real kernels: it passes, its twin passes, and what the one must see is not seen in the other. */
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { experiments } from '../../src/lab/experiments.ts';
import { experimentRunner } from '../../src/lab/run.ts';
import type { Outcome } from '../../src/lab/run-types.ts';
import { needs } from '../needs.ts';

const { missing } = needs('namespace');
const { missing: root } = needs('root');
const all = await Promise.all(experiments.map(async (load) => (await load()).experiment));
const run = experimentRunner(resolve('dist/lab-stage.js'));

/** The trace is of the whole machine: it is for one stage at a time. */
function told(name: string, twin: boolean, trace = false): Promise<Outcome> {
  const wish = { twin, seed: 1, trace, sysctl: {}, knobs: {} };
  return run(name, wish, { begins() {}, events() {} });
}

function words({ how, why, checks }: Outcome): string {
  const failed = checks.filter(({ ok }) => !ok).map(({ claim, seen }) => `${claim}: ${seen}`);
  return [how, why, ...failed].filter((part) => part !== undefined).join('; ');
}

/**
 * Three at a time beside another worker's tests, this machine may stand still for longer than a timer of TCP; what fails twice does not
 * come from that. twenty.long.test.ts gives no second chance.
 */
describe.skipIf(missing !== null)('experiments', { retry: 1 }, () => {
  for (const { name } of all) {
    it.concurrent(`${name}: what is expected is seen, and not with the remedy`, async () => {
      const outcome = await told(name, false);
      expect(words(outcome)).toBe('passed');
      expect(
        outcome.counter.some(({ ok }) => !ok),
        'the twin would pass without its remedy',
      ).toBe(true);
    });
    it.concurrent(`${name}: the remedy helps, and the fault is not seen`, async () => {
      const outcome = await told(name, true);
      expect(words(outcome)).toBe('passed');
      expect(
        outcome.counter.some(({ ok }) => !ok),
        'the experiment would pass with the remedy',
      ).toBe(true);
    });
  }
});

describe.skipIf(root !== null)('with the kernel’s own trace of states', () => {
  it.each(['normal-close', 'time-wait', 'simultaneous-open', 'syn-queue', 'puzzler-1'])(
    '%s',
    async (name) => {
      const outcome = await told(name, false, true);
      expect(outcome.tracing).toEqual({ on: true });
      expect(words(outcome)).toBe('passed');
    },
  );
});

describe('the list', () => {
  it('names each experiment once, by the name of its file', () => {
    const names = all.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const [index, load] of experiments.entries()) {
      expect(String(load)).toContain(`${names[index]}.ts`);
    }
  });

  it('asks something with three to five answers, one of them right, and says what to learn', () => {
    for (const experiment of all) {
      const letters = Object.keys(experiment.answers);
      expect(letters.length, experiment.name).toBeGreaterThanOrEqual(3);
      expect(letters.length, experiment.name).toBeLessThanOrEqual(5);
      expect(letters, experiment.name).toEqual(['a', 'b', 'c', 'd', 'e'].slice(0, letters.length));
      expect(letters, experiment.name).toContain(experiment.answer);
      expect(experiment.seconds, experiment.name).toBeLessThanOrEqual(10);
      for (const text of [experiment.question, experiment.explanation, experiment.remedy]) {
        expect(text.length, experiment.name).toBeGreaterThan(20);
      }
      expect(experiment.references.length, experiment.name).toBeGreaterThan(0);
    }
  });
});
