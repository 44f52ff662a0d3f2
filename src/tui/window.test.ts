import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Move, move, place } from './window.ts';

const MOVES: Move[] = ['up', 'down', 'page-up', 'page-down', 'home', 'end'];
const size = fc.integer({ min: 0, max: 100_000 });
const position = fc.integer({ min: -10, max: 100_010 });

describe('window', () => {
  it('the cursor is always inside the list and on screen, whatever was before', () => {
    fc.assert(
      fc.property(
        position,
        position,
        size,
        fc.integer({ min: 0, max: 300 }),
        fc.constantFrom(...MOVES),
        (cursor, top, total, height, how) => {
          for (const window of [
            place({ cursor, top }, total, height),
            move({ cursor, top }, how, total, height),
          ]) {
            expect(window.cursor).toBeGreaterThanOrEqual(0);
            expect(window.cursor).toBeLessThan(Math.max(1, total));
            expect(window.top).toBeGreaterThanOrEqual(0);
            expect(window.cursor).toBeGreaterThanOrEqual(window.top);
            expect(window.cursor).toBeLessThan(window.top + Math.max(1, height));
          }
        },
      ),
    );
  });

  it('the screen is full whenever there is enough to fill it', () => {
    expect(place({ cursor: 5, top: 95 }, 100, 20)).toEqual({ cursor: 5, top: 5 });
    expect(place({ cursor: 99, top: 95 }, 100, 20)).toEqual({ cursor: 99, top: 80 });
    expect(place({ cursor: 7, top: 3 }, 8, 20)).toEqual({ cursor: 7, top: 0 });
  });

  it('a page keeps one row in common, and the ends are the ends', () => {
    expect(move({ cursor: 0, top: 0 }, 'page-down', 100, 20)).toEqual({ cursor: 19, top: 19 });
    expect(move({ cursor: 50, top: 50 }, 'end', 100, 20)).toEqual({ cursor: 99, top: 80 });
    expect(move({ cursor: 50, top: 50 }, 'home', 100, 20)).toEqual({ cursor: 0, top: 0 });
  });
});
