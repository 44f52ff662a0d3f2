/** A million hostile cases, from real programs' talks and from ones made by hand. SOCKSCOPE_SEED=… plays a run again. */
import { expect, it } from 'vitest';
import { bombs } from './bombs.ts';
import { explosion } from './explosion.ts';
import { floods } from './floods.ts';
import { realTalks } from './real.ts';
import { fuzz, told } from './run.ts';
import { decoders } from './spoken.ts';
import { craftedTalks } from './talks.ts';
import { captures, conversations, filters, fragments, frames, noise, segments } from './targets.ts';

const MINUTES = 60_000;
const WANTED = 1_000_000;

it(
  'a million hostile cases break nothing',
  async () => {
    const talks = [...craftedTalks(), ...(await realTalks())];
    const outcomes = [
      ...decoders.map((decoder) => fuzz(conversations(decoder, talks), 15_000)),
      fuzz(frames(talks), 250_000),
      fuzz(segments(talks), 10_000),
      fuzz(noise, 400_000),
      fuzz(fragments, 150_000),
      fuzz(captures(talks), 20_000),
      fuzz(filters(talks), 30_000),
    ];
    console.log(told(outcomes));
    expect(outcomes.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(WANTED);
  },
  20 * MINUTES,
);

it.each(bombs)(
  '$name',
  (bomb) => {
    expect(fuzz(explosion(bomb), 1).cases).toBe(3);
  },
  2 * MINUTES,
);

it.each(floods(1_000_000, craftedTalks()))(
  '$name',
  (target) => {
    expect(fuzz(target, 1).cases).toBeGreaterThanOrEqual(200_000);
  },
  5 * MINUTES,
);
