import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationNs, durationText, rateBytes, shareOf, sizeBytes } from './quantities.ts';

describe('quantities', () => {
  it.each([
    ['200ms', 200e6],
    ['1.5s', 1.5e9],
    ['20us', 20e3],
    ['20µs', 20e3],
    ['2m', 120e9],
    ['1h', 3600e9],
    ['0', 0],
    ['5', null],
    ['ms', null],
    ['-1s', null],
    ['1 s', null],
    ['5constructor', null],
    ['1e400s', null],
  ])('%s as a duration', (text, ns) => {
    expect(durationNs(text)).toBe(ns);
  });

  it.each([
    ['1000', 1000],
    ['1000B', 1000],
    ['10kB', 10_000],
    ['10KiB', 10_240],
    ['1MB', 1e6],
    ['1.5k', 1500],
    ['kB', null],
    ['10kBx', null],
  ])('%s as a size', (text, bytes) => {
    expect(sizeBytes(text)).toBe(bytes);
  });

  it.each([
    ['100kB/s', 100_000],
    ['1MB', 1e6],
    ['8Mbit/s', 1e6],
    ['100', 100],
    ['1s', null],
  ])('%s as a rate', (text, bytes) => {
    expect(rateBytes(text)).toBe(bytes);
  });

  it.each([
    ['50%', 0.5],
    ['0.5', 0.5],
    ['100%', 1],
    ['101%', null],
    ['1.01', null],
    ['half', null],
  ])('%s as a share', (text, share) => {
    expect(shareOf(text)).toBe(share);
  });

  it('a duration that was written is read as the same one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (ns) => {
        expect(durationNs(durationText(ns))).toBe(ns);
      }),
    );
    expect(durationText(90e9)).toBe('90s');
  });
});
