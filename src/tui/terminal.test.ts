import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { difference } from './terminal.ts';

const ESC = '\x1b';
const PIECE = new RegExp(
  `${ESC}\\[(\\d+);1H${ESC}\\[0m${ESC}\\[2K([^${ESC}]*)|${ESC}\\[2J|${ESC}\\[0m|${ESC}\\[\\?2026[hl]`,
  'gy',
);

/** A terminal that knows only what `difference` writes; anything else is an error. */
function apply(screen: string[], output: string, rows: number): string[] {
  let next = [...screen];
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < output.length) {
    const match = PIECE.exec(output);
    if (match === null) {
      throw new Error('wrote something unexpected');
    }
    if (match[0] === '\x1b[2J') {
      next = [];
    } else if (match[1] !== undefined) {
      next[Number(match[1]) - 1] = match[2] ?? '';
    }
  }
  return Array.from({ length: rows }, (_, row) => next[row] ?? '');
}

describe('painting', () => {
  const frame = fc.array(fc.constantFrom('', 'a', 'bb', '│ c'), { maxLength: 12 });

  it('turns any screen into any other, from a known state or an unknown one', () => {
    fc.assert(
      fc.property(frame, frame, (before, next) => {
        const wanted = Array.from({ length: 12 }, (_, row) => next[row] ?? '');
        expect(apply(before, difference(before, next), 12)).toEqual(wanted);
        expect(apply(['left', 'over'], difference(null, next), 12)).toEqual(wanted);
      }),
    );
  });

  it('writes nothing when nothing changed, and one line when one did', () => {
    expect(difference(['a', 'b'], ['a', 'b'])).toBe('');
    expect(difference(['a', 'b', 'c'], ['a', 'X', 'c'])).toBe(
      '\x1b[?2026h\x1b[2;1H\x1b[0m\x1b[2KX\x1b[0m\x1b[?2026l',
    );
  });
});
