import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clockOf, tell } from './pcapng-clock.ts';

const half = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff),
);

function told(resolution: number, high: number, low: number, offset = 0): [number, number] {
  const clock = clockOf(resolution, offset);
  tell(clock, high, low);
  return [clock.seconds, clock.nanoseconds];
}

function oracle(resolution: number, high: number, low: number): [bigint, bigint] {
  const count = (BigInt(high) << 32n) | BigInt(low);
  const exponent = BigInt(resolution & 0x7f);
  const perSecond = resolution > 0x7f ? 2n ** exponent : 10n ** exponent;
  return [count / perSecond, ((count % perSecond) * 1_000_000_000n) / perSecond];
}

test('every resolution of tens is split exactly into seconds and nanoseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 127 }), half, half, (resolution, high, low) => {
      const [seconds, nanoseconds] = oracle(resolution, high, low);
      expect(told(resolution, high, low)).toEqual([Number(seconds), Number(nanoseconds)]);
    }),
    { numRuns: 3000 },
  );
});

test('every resolution of twos is split exactly into seconds and nanoseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 127 }), half, half, (exponent, high, low) => {
      const [seconds, nanoseconds] = oracle(0x80 | exponent, high, low);
      expect(told(0x80 | exponent, high, low)).toEqual([Number(seconds), Number(nanoseconds)]);
    }),
    { numRuns: 3000 },
  );
});

test('nanoseconds of today, around whole seconds, are exact', () => {
  for (const nanoseconds of [0n, 1n, 999_999_999n]) {
    const count = 1_763_700_000n * 1_000_000_000n + nanoseconds;
    expect(told(9, Number(count >> 32n), Number(count & 0xffffffffn))).toEqual([
      1_763_700_000,
      Number(nanoseconds),
    ]);
  }
});

test('the offset is added to the seconds, also a negative one', () => {
  expect(told(6, 0, 1_500_000, 1_700_000_000)).toEqual([1_700_000_001, 500_000_000]);
  expect(told(0x81, 0, 3, -10)).toEqual([-9, 500_000_000]);
});
