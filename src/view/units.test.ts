import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes, count, duration, rate, several } from './units.ts';

describe('units', () => {
  it('sizes carry one decimal until three digits stand before it', () => {
    expect([0, 1, 999, 1000, 1234, 99_940, 99_960, 123_456, 1_234_567, 2.5e9].map(bytes)).toEqual([
      '0 B',
      '1 B',
      '999 B',
      '1.0 kB',
      '1.2 kB',
      '99.9 kB',
      '100 kB',
      '123 kB',
      '1.2 MB',
      '2.5 GB',
    ]);
  });

  it('a size never prints as 1000 of its unit: it moves to the next', () => {
    expect(bytes(999_499)).toBe('999 kB');
    expect(bytes(999_500)).toBe('1.0 MB');
    fc.assert(
      fc.property(fc.double({ min: 0, max: 9e17, noNaN: true }), (value) => {
        expect(bytes(value)).toMatch(/^(\d{1,3}|\d{1,2}\.\d) (B|[kMGTPE]B)$/);
      }),
    );
  });

  it('rates take bytes per second and say bits per second', () => {
    expect([0, 1, 125, 125_000, 1_562_500, 125_000_000].map(rate)).toEqual([
      '0 bit/s',
      '8 bit/s',
      '1.0 kbit/s',
      '1.0 Mbit/s',
      '12.5 Mbit/s',
      '1.0 Gbit/s',
    ]);
  });

  it('durations take microseconds and pick the unit a person would', () => {
    const seconds = 1_000_000;
    expect(
      [0, 850, 1200, 150_000, 3.4 * seconds, 60 * seconds, 125 * seconds, 11_520 * seconds].map(duration),
    ).toEqual(['0 µs', '850 µs', '1.2 ms', '150 ms', '3.4 s', '1 m', '2 m 5 s', '3 h 12 m']);
    expect(duration(187_200 * seconds)).toBe('2 d 4 h');
  });

  it('a duration never shows a unit that is full: no 60 s, no 60 m, no 1000 ms', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 8.64e13, noNaN: true }), (value) => {
        expect(duration(value)).not.toMatch(/\b(1000|60) (µs|ms|s|m)\b|\b24 h\b/);
      }),
    );
  });

  it('counts are grouped by three and lose no digit', () => {
    expect(count(100_000)).toBe('100\u202f000');
    expect(several(1, 'socket')).toBe('1 socket');
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(Number(count(value).replaceAll('\u202f', ''))).toBe(value);
        expect(count(value)).toMatch(/^-?\d{1,3}(\u202f\d{3})*$/);
      }),
    );
  });

  it('what is not a number is a question mark, never NaN', () => {
    expect([bytes, rate, duration, count].map((unit) => unit(Number.NaN))).toEqual(['?', '?', '?', '?']);
  });
});
