/** A few thousand hostile cases of everything that reads bytes from a network or a file. The long run plays a million. */
import { describe, expect, it } from 'vitest';
import { bombs } from './bombs.ts';
import { conversations } from './conversing.ts';
import { fizzle } from './explosion.ts';
import { floods } from './floods.ts';
import { fragments, frames, noise, segments } from './flying.ts';
import { captures, filters } from './reading.ts';
import { fuzz, type Outcome, told } from './run.ts';
import { decoders } from './spoken.ts';
import { craftedTalks } from './talks.ts';

const talks = craftedTalks();

describe('nothing that comes from a network breaks the lane', () => {
  const outcomes: Outcome[] = [];
  it.each(decoders.map((decoder) => ({ name: decoder.name, decoder })))('as $name', ({ decoder }) => {
    outcomes.push(fuzz(conversations(decoder, talks), 200));
  });
  it.each([
    { target: frames(talks), cases: 1000 },
    { target: segments(talks), cases: 40 },
    { target: noise, cases: 1000 },
    { target: fragments, cases: 1000 },
    { target: captures(talks), cases: 200 },
    { target: filters(talks), cases: 400 },
  ])('as $target.name', ({ target, cases }) => {
    outcomes.push(fuzz(target, cases));
  });
  it.each(bombs)('as $name', (bomb) => {
    expect(fuzz(fizzle(bomb), 1).cases).toBe(1);
  });
  it.each(floods(20_000, talks))('as a flood of $name', (target) => {
    expect(fuzz(target, 1).cases).toBe(20_000);
  });
  it('and that was enough to say so', () => {
    console.log(told(outcomes));
    expect(outcomes.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThan(5000);
  });
});
