/** How long one chunk is delayed: a constant, chance around it, and a wave over time. */
import type { Attribute, Attributes } from '../fault.ts';
import type { Link } from '../stage.ts';
import { amount, MS, word } from './values.ts';

export const delayAttributes: readonly Attribute[] = [
  { name: 'delayMs', kind: 'duration', about: 'the delay, counted from when the bytes were read' },
  { name: 'jitterMs', kind: 'duration', about: 'how far chance moves it', otherwise: 0 },
  {
    name: 'distribution',
    kind: 'word',
    about: 'how chance spreads it; jitter is the bound of uniform, and the standard deviation of the others',
    otherwise: 'uniform',
    words: ['uniform', 'normal', 'pareto'],
  },
  {
    name: 'wave',
    kind: 'word',
    about: 'a delay that rises and falls, the same for all connections',
    otherwise: 'none',
    words: ['none', 'sine', 'saw', 'square', 'triangle'],
  },
  { name: 'wavePeriodMs', kind: 'duration', about: 'how long one wave takes', otherwise: 10_000 },
  { name: 'waveAmplitudeMs', kind: 'duration', about: 'how far the wave moves the delay', otherwise: 0 },
];

/** A Pareto variable with shape 3 and least value 1 has this mean and this standard deviation. */
const PARETO_SHAPE = 3;
const PARETO_MEAN = 1.5;
const PARETO_DEVIATION = Math.sqrt(0.75);

/** −1 to 1 for a phase of 0 to 1. */
const WAVES: Readonly<Record<string, (phase: number) => number>> = {
  sine: (phase) => Math.sin(2 * Math.PI * phase),
  saw: (phase) => 2 * phase - 1,
  square: (phase) => (phase < 0.5 ? 1 : -1),
  triangle: (phase) => 1 - 4 * Math.abs(phase - 0.5),
};

/** Nanoseconds, not below 0, for a chunk that was read at `at`. */
export function createDelay(attributes: Attributes, link: Link): (at: number) => number {
  const delay = amount(attributes, 'delayMs') * MS;
  const jitter = amount(attributes, 'jitterMs') * MS;
  const spread = SPREADS[word(attributes, 'distribution', 'uniform')] ?? uniform;
  const wave = WAVES[word(attributes, 'wave', 'none')];
  const period = amount(attributes, 'wavePeriodMs', 10_000) * MS;
  const amplitude = amount(attributes, 'waveAmplitudeMs') * MS;
  const { shared } = link;
  return (at) => {
    let sum = delay;
    if (jitter > 0) {
      sum += jitter * spread(link);
    }
    if (wave !== undefined && period > 0) {
      const began = typeof shared.waveBegan === 'number' ? shared.waveBegan : at;
      shared.waveBegan = began;
      const phase = (at - began) / period;
      sum += amplitude * wave(phase - Math.floor(phase));
    }
    return Math.max(0, sum);
  };
}

const SPREADS: Readonly<Record<string, (link: Link) => number>> = { uniform, normal, pareto };

function uniform(link: Link): number {
  return 2 * link.random() - 1;
}

/** Box and Muller. */
function normal(link: Link): number {
  const radius = Math.sqrt(-2 * Math.log(1 - link.random()));
  return radius * Math.cos(2 * Math.PI * link.random());
}

/** Mostly a little less, now and then much more. */
function pareto(link: Link): number {
  return ((1 - link.random()) ** (-1 / PARETO_SHAPE) - PARETO_MEAN) / PARETO_DEVIATION;
}
