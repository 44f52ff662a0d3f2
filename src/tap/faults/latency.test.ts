import { describe, expect, it } from 'vitest';
import { counting, datagramStageOf, datagramTrial, linkFor, MS, stageOf, trial } from '../chain-fixture.ts';
import { createDelay } from './delays.ts';
import { latency } from './latency.ts';

describe('latency', () => {
  it('counts from when a chunk was read, so delays do not add up', () => {
    const t = trial([stageOf(latency, { delayMs: 100 })]);
    t.data(counting(1));
    t.run(30);
    t.data(counting(2));
    t.data(counting(3), t.clock.ns - 20 * MS);
    t.run(200);
    expect(t.log).toEqual(['1 bytes @100', '2 bytes @130', '3 bytes @130']);
  });

  it('a chunk that waited long enough elsewhere passes at once', () => {
    const t = trial([stageOf(latency, { delayMs: 100 })]);
    t.data(counting(1), t.clock.ns - 100 * MS);
    expect(t.log).toEqual(['1 bytes @0']);
  });

  it('two of them one after the other do not add up either, as both count from the reading', () => {
    const t = trial([stageOf(latency, { delayMs: 100 }), stageOf(latency, { delayMs: 150 })]);
    t.data(counting(1));
    t.run(500);
    expect(t.log).toEqual(['1 bytes @150']);
  });

  it('delays the FIN too, and never lets it overtake', () => {
    const t = trial([stageOf(latency, { delayMs: 100 })]);
    t.data(counting(1));
    t.run(10);
    t.chain.end();
    t.run(500);
    expect(t.log).toEqual(['1 bytes @100', 'end @110']);
  });

  it('passes on what it holds when it is taken away', () => {
    const stage = stageOf(latency, { delayMs: 100 });
    const t = trial([stage]);
    t.data(counting(1));
    t.data(counting(2));
    t.chain.end();
    expect(t.chain.held).toBe(3);
    t.chain.remove(stage);
    expect(t.log).toEqual(['1 bytes @0', '2 bytes @0', 'end @0']);
  });

  it('datagrams keep their order', () => {
    const t = datagramTrial([datagramStageOf(latency, { delayMs: 20, jitterMs: 20 })]);
    for (let i = 0; i < 50; i++) {
      t.send(i);
      t.run(1);
    }
    t.run(100);
    expect(t.passed).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});

describe('how long', () => {
  const draw = (attributes: Record<string, number | string>, count = 20_000): number[] => {
    const delay = createDelay({ delayMs: 1000, jitterMs: 100, ...attributes }, linkFor(3));
    return Array.from({ length: count }, () => delay(0) / MS);
  };
  const mean = (numbers: number[]): number => numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
  const deviation = (numbers: number[]): number => {
    const middle = mean(numbers);
    return Math.sqrt(mean(numbers.map((n) => (n - middle) ** 2)));
  };

  it('uniform stays within the jitter and fills it', () => {
    const delays = draw({ distribution: 'uniform' });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(900);
    expect(Math.min(...delays)).toBeLessThan(901);
    expect(Math.max(...delays)).toBeLessThan(1100);
    expect(Math.max(...delays)).toBeGreaterThan(1099);
    expect(mean(delays)).toBeCloseTo(1000, -1);
    expect(deviation(delays)).toBeCloseTo(100 / Math.sqrt(3), -1);
  });

  it('normal has the jitter as its standard deviation', () => {
    const delays = draw({ distribution: 'normal' });
    expect(Math.abs(mean(delays) - 1000)).toBeLessThan(3);
    expect(Math.abs(deviation(delays) - 100)).toBeLessThan(3);
    expect(delays.filter((n) => Math.abs(n - 1000) < 100).length / delays.length).toBeCloseTo(0.683, 1);
  });

  it('pareto is mostly less and sometimes much more, with the same mean', () => {
    const delays = draw({ distribution: 'pareto' });
    expect(Math.abs(mean(delays) - 1000)).toBeLessThan(5);
    expect(delays.filter((n) => n < 1000).length / delays.length).toBeGreaterThan(0.65);
    expect(Math.max(...delays)).toBeGreaterThan(1500);
  });

  it('is never below 0', () => {
    expect(Math.min(...draw({ delayMs: 10, distribution: 'normal' }))).toBe(0);
  });

  it.each([
    ['sine', [1000, 1200, 1000, 800]],
    ['saw', [800, 900, 1000, 1100]],
    ['square', [1200, 1200, 800, 800]],
    ['triangle', [800, 1000, 1200, 1000]],
    ['none', [1000, 1000, 1000, 1000]],
  ])('a %s wave', (wave, expected) => {
    const attributes = { delayMs: 1000, wave, wavePeriodMs: 400, waveAmplitudeMs: 200 };
    const shared = {};
    const delay = createDelay(attributes, linkFor(1, shared));
    const at = (ms: number): number => Math.round(delay((5000 + ms) * MS) / MS);
    expect([0, 100, 200, 300].map(at)).toEqual(expected);
    expect([800, 900].map(at)).toEqual(expected.slice(0, 2));
    // Another connection rides on the same wave.
    expect(createDelay(attributes, linkFor(2, shared))(5100 * MS) / MS).toBeCloseTo(expected[1]!);
  });
});
