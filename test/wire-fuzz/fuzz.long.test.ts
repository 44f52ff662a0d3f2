/** A million hostile cases, from real programs' talks and from ones made by hand. SOCKSCOPE_SEED=… plays a run again. */
import { expect, it } from 'vitest';
import { bombs } from './bombs.ts';
import { conversations } from './conversing.ts';
import { explosion } from './explosion.ts';
import { floods } from './floods.ts';
import { fragments, frames, noise, segments } from './flying.ts';
import { captures, filters } from './reading.ts';
import { realTalks } from './real.ts';
import { fuzz, type Outcome, type Target, told } from './run.ts';
import { decoders } from './spoken.ts';
import { craftedTalks } from './talks.ts';

const LONGEST_MS = 300_000;
const WANTED = 1_000_000;
const talks = [...craftedTalks(), ...(await realTalks())];
const outcomes: Outcome[] = [];

function wanted(target: Target, cases: number): { name: string; target: Target; cases: number } {
  return { name: target.name, target, cases };
}

it.each([
  ...decoders.map((decoder) => wanted(conversations(decoder, talks), 15_000)),
  ...[wanted(frames(talks), 250_000), wanted(segments(talks), 10_000), wanted(noise, 400_000)],
  ...[wanted(fragments, 150_000), wanted(captures(talks), 20_000), wanted(filters(talks), 30_000)],
])('$name: $cases cases', { timeout: LONGEST_MS }, ({ target, cases }) => {
  outcomes.push(fuzz(target, cases));
});

it('that was a million', () => {
  console.log(told(outcomes));
  expect(outcomes.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(WANTED);
});

it.each(bombs)('$name', { timeout: LONGEST_MS }, (bomb) => {
  expect(fuzz(explosion(bomb), 1).cases).toBe(3);
});

it.each(floods(1_000_000, craftedTalks()))('a flood of $name', { timeout: LONGEST_MS }, (target) => {
  expect(fuzz(target, 1).cases).toBeGreaterThanOrEqual(200_000);
});
