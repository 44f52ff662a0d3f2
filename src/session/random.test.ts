import { expect, it } from 'vitest';
import { createRandom } from './random.ts';

const take = (random: () => number, count: number): number[] => Array.from({ length: count }, random);

it('the same seed and keys give the same numbers', () => {
  expect(take(createRandom(7, 3, 'latency', 'client'), 50)).toEqual(
    take(createRandom(7, 3, 'latency', 'client'), 50),
  );
});

it('these numbers are the same in every release, or a printed seed would be worth nothing', () => {
  expect(take(createRandom(1, 1, 'corrupt', 'client'), 3).map((n) => n.toFixed(6))).toMatchInlineSnapshot(`
    [
      "0.608993",
      "0.456928",
      "0.458684",
    ]
  `);
});

it('another seed, connection, fault or direction gives other numbers', () => {
  const first = [
    createRandom(1, 1, 'a', 'client'),
    createRandom(2, 1, 'a', 'client'),
    createRandom(1, 2, 'a', 'client'),
    createRandom(1, 1, 'b', 'client'),
    createRandom(1, 1, 'a', 'server'),
    createRandom(1, '1', 'a', 'client'),
  ].map((random) => random());
  expect(new Set(first).size).toBe(first.length);
});

it('the numbers fill 0 to 1 evenly, within one sequence and across the first numbers of many connections', () => {
  const random = createRandom(42, 'x');
  const within = take(random, 20_000);
  const across = Array.from({ length: 20_000 }, (_, connection) => createRandom(42, connection, 'x')());
  for (const numbers of [within, across]) {
    const boxes = new Array<number>(20).fill(0);
    for (const n of numbers) {
      boxes[Math.floor(n * 20)]! += 1;
    }
    const chiSquare = boxes.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    // 19 degrees of freedom: above 43.8 once in a thousand seeds, and the seed here is fixed.
    expect(chiSquare).toBeLessThan(43.8);
  }
});
