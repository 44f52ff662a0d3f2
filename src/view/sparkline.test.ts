import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sparkline, spread } from './sparkline.ts';

const samples = fc.array(fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: null }));

describe('sparkline', () => {
  it('a ramp is a ramp, and zero is the lowest block', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
    expect(sparkline([0, 0, 0], 3)).toBe('▁▁▁');
  });

  it('a small value beside a huge one still differs from zero', () => {
    expect(sparkline([0, 1, 1e9], 3)).toBe('▁▂█');
  });

  it('shows the newest values, and pads at the left while there are few', () => {
    expect(sparkline([7, 0, 7], 2)).toBe('▁█');
    expect(sparkline([7], 4)).toBe('   █');
    expect(sparkline([7], 0)).toBe('');
  });

  it('what was not known is a gap', () => {
    expect(sparkline([7, null, 7], 3)).toBe('█ █');
    expect(spread([null, 3, 9, null])).toEqual({ last: null, min: 3, max: 9 });
    expect(spread([null])).toBeNull();
  });

  it('a given top caps the height', () => {
    expect(sparkline([50, 100, 200], 3, 100)).toBe('▅██');
  });

  it('is exactly as wide as asked and rises when the value rises', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 0, max: 200 }), (values, width) => {
        const line = sparkline(values, width);
        expect(line).toHaveLength(width);
        const shown = values.slice(Math.max(0, values.length - width));
        const drawn = line.slice(width - shown.length);
        for (let i = 1; i < shown.length; i += 1) {
          const before = shown[i - 1] ?? null;
          const after = shown[i] ?? null;
          if (before !== null && after !== null && before <= after) {
            expect(drawn.charCodeAt(i - 1)).toBeLessThanOrEqual(drawn.charCodeAt(i));
          }
        }
      }),
    );
  });
});
