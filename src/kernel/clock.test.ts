import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { clockFrom, isoNanoseconds, startClock, tightest } from './clock.ts';
import { clockGettime } from './libc.ts';

const linux = needs('linux');

function read(clock: number): { seconds: bigint; nanoseconds: bigint; ns: bigint } {
  const timespec = new Uint8Array(16);
  expect(clockGettime(clock, timespec)).toBe(0);
  const view = new DataView(timespec.buffer);
  const [seconds, nanoseconds] = [view.getBigInt64(0, true), view.getBigInt64(8, true)];
  return { seconds, nanoseconds, ns: seconds * 1_000_000_000n + nanoseconds };
}

describe('the clock of a session', () => {
  it('starts at the moment it was sampled and never goes back', () => {
    const clock = startClock();
    let last = clock.now();
    expect(last).toBeGreaterThanOrEqual(0);
    for (let i = 0; i < 10_000; i += 1) {
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(Number.isSafeInteger(last)).toBe(true);
  });

  it.skipIf(linux.missing)('reads the same clock as CLOCK_MONOTONIC', () => {
    const clock = startClock();
    const before = clock.now();
    const kernel = clock.fromMonotonic(read(1).ns);
    const after = clock.now();
    expect(kernel).toBeGreaterThanOrEqual(before);
    expect(kernel).toBeLessThanOrEqual(after);
  });

  it.skipIf(linux.missing)(
    'puts a wall-clock stamp between two of its own readings, give or take its uncertainty',
    () => {
      const clock = startClock();
      for (let i = 0; i < 1000; i += 1) {
        const before = clock.now();
        const stamp = read(0);
        const after = clock.now();
        const at = clock.fromRealtime(stamp.ns);
        expect(at).toBeGreaterThanOrEqual(before - clock.uncertaintyNs);
        expect(at).toBeLessThanOrEqual(after + clock.uncertaintyNs);
        expect(clock.fromTimespec(Number(stamp.seconds), Number(stamp.nanoseconds))).toBe(at);
      }
    },
  );

  it.skipIf(linux.missing)('knows its pair to better than 50 microseconds', () => {
    expect(startClock().uncertaintyNs).toBeLessThan(50_000);
  });

  it('says when it started, to the nanosecond', () => {
    const { iso, ns } = startClock().startedAt;
    expect(iso).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    expect(Math.abs(Number(ns / 1_000_000n) - Date.now())).toBeLessThan(10_000);
    expect(Date.parse(iso)).toBe(Number(ns / 1_000_000n));
  });
});

describe('the pair of readings', () => {
  const stamp = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n });
  const sample = fc
    .record({ before: stamp, realtime: stamp, gap: fc.bigInt({ min: 0n, max: 1_000_000_000n }) })
    .map(({ before, realtime, gap }) => ({ before, realtime, after: before + gap }));

  it('is the one with the smallest gap', () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1 }), (samples) => {
        const chosen = tightest(samples);
        expect(samples).toContain(chosen);
        for (const { before, after } of samples) {
          expect(chosen.after - chosen.before <= after - before).toBe(true);
        }
      }),
    );
  });

  it('is exact for 104 days after it, from a timespec as from a bigint', () => {
    const later = fc.bigInt({ min: -1_000_000_000n, max: BigInt(Number.MAX_SAFE_INTEGER) });
    fc.assert(
      fc.property(sample, later, (pair, offset) => {
        const clock = clockFrom(pair);
        const realtime = pair.realtime + 2_000_000_000n + offset;
        const exact = 2_000_000_000n + offset;
        fc.pre(exact <= BigInt(Number.MAX_SAFE_INTEGER));
        expect(BigInt(clock.fromRealtime(realtime))).toBe(exact);
        const [seconds, nanoseconds] = [realtime / 1_000_000_000n, realtime % 1_000_000_000n];
        expect(BigInt(clock.fromTimespec(Number(seconds), Number(nanoseconds)))).toBe(exact);
      }),
    );
  });

  it('bounds the error: wherever in the gap the wall clock was read, the uncertainty covers it', () => {
    fc.assert(
      fc.property(sample, fc.bigInt({ min: 0n, max: 1_000_000_000n }), (pair, place) => {
        const read = pair.before + (place % (pair.after - pair.before + 1n));
        const clock = clockFrom(pair);
        const error = clock.fromMonotonic(read) - clock.fromRealtime(pair.realtime);
        expect(Math.abs(error)).toBeLessThanOrEqual(clock.uncertaintyNs);
      }),
    );
  });

  it('is written as UTC with nine decimals', () => {
    expect(isoNanoseconds(1_700_000_000_000_000_001n)).toBe('2023-11-14T22:13:20.000000001Z');
    expect(isoNanoseconds(0n)).toBe('1970-01-01T00:00:00.000000000Z');
  });
});
