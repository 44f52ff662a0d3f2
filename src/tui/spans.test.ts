import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clip, exactly, exactlyEnd, justify, lineWidth, printable, span, textWidth, wrap } from './spans.ts';

const text = fc.string({ unit: 'grapheme' });

describe('spans', () => {
  it('a fitted cell is exactly as wide as its column, whatever the letters', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 40 }), (value, width) => {
        expect(textWidth(exactly(printable(value), width))).toBe(width);
        expect(textWidth(exactlyEnd(printable(value), width))).toBe(width);
      }),
    );
  });

  it('what does not fit keeps its start, or its end', () => {
    expect(exactly('a-long-program-name', 8)).toBe('a-long-…');
    expect(exactlyEnd('[2001:db8::1]:443', 8)).toBe('…:1]:443');
    expect(exactly('日本語', 4)).toBe('日… ');
  });

  it('a process cannot write to the terminal through its name', () => {
    expect(printable('a\x1b[2Jb\u202ec')).toBe('a·[2Jb·c');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(printable(value)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });

  it('a clipped line is never wider than asked; a justified one is exactly as wide when both parts fit', () => {
    const line = fc.array(text.map((value) => span(printable(value))));
    fc.assert(
      fc.property(line, line, fc.integer({ min: 1, max: 80 }), (left, right, width) => {
        expect(lineWidth(clip(left, width))).toBeLessThanOrEqual(width);
        const both = justify(left, right, width);
        expect(lineWidth(both)).toBeLessThanOrEqual(width);
        if (lineWidth(left) + lineWidth(right) + 2 <= width) {
          expect(lineWidth(both)).toBe(width);
        }
      }),
    );
  });

  it('wrapped prose loses no word that fits', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1 }), (words) => {
        const lines = wrap(words.join(' '), 10);
        expect(lines.join(' ')).toBe(words.join(' '));
        expect(lines.every((line) => line.length <= 10)).toBe(true);
      }),
    );
  });
});
