import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Heard } from '../../wire/heard.ts';
import { painter } from '../colour.ts';
import { cellsOf } from '../wire/message-line.ts';
import { cut, fold } from './fit.ts';
import { editLineText, keyHelp, statusLine, type Waiting } from './held.ts';

const plain = painter(false);
const waiting = (summary: string): Waiting => ({
  id: 2,
  connection: 3,
  heard: { side: 'client', protocol: 'redis', summary } as Heard,
});
const text = fc.string({ unit: fc.constantFrom('a', ' ', '日', '\x1b', 'é', '\u0301', '🙂') });

describe('the status line', () => {
  it('says what is held and what can be done', () => {
    const status = { paused: false, kept: 0, chosen: waiting('DEL user:7'), waiting: 2 };
    expect(statusLine(status, plain, 80)).toBe(
      'held 2 +1: #3 → redis DEL user:7   g go · e edit · d drop · n next · G all',
    );
    expect(statusLine({ ...status, waiting: 1, paused: true, kept: 1200 }, plain, 100)).toBe(
      'paused … 1\u202f200 more · held 2: #3 → redis DEL user:7   g go · e edit · d drop',
    );
    expect(statusLine({ ...status, chosen: null }, plain, 80)).toBe('');
  });

  it('never fills the last column, and no byte of a message moves the cursor', () => {
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 40, max: 200 }),
        fc.boolean(),
        fc.nat(20),
        (summary, width, paused, more) => {
          const line = statusLine(
            { paused, kept: more * 1e6, chosen: waiting(summary), waiting: more + 1 },
            plain,
            width,
          );
          expect(cellsOf(line)).toBeLessThan(width);
          expect(line).not.toContain('\x1b');
        },
      ),
    );
  });

  it('slides under what is edited, so that the cursor is seen', () => {
    const typed = fc
      .string({ unit: fc.constantFrom('a', '日', ' ') })
      .chain((line) => fc.record({ text: fc.constant(line), at: fc.nat(line.length) }));
    fc.assert(
      fc.property(typed, fc.integer({ min: 40, max: 90 }), (line, width) => {
        const shown = editLineText(1, line, plain, width);
        expect(cellsOf(shown)).toBeLessThan(width);
        expect(shown).toContain(`\x1b[7m${line.text[line.at] ?? ' '}\x1b[27m`);
      }),
    );
  });

  it('is explained in lines of 80 columns', () => {
    for (const line of [...keyHelp('messages', true, false), ...keyHelp('bytes', false, false)]) {
      expect(cellsOf(line)).toBeLessThan(80);
    }
  });
});

describe('text in the cells there are', () => {
  it('is cut to them, or folded into them with nothing lost but the spaces between', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 8, max: 40 }), (whole, room) => {
        expect(cellsOf(cut(whole, room))).toBeLessThanOrEqual(room);
        const lines = fold(whole, room);
        expect(lines.every((line) => cellsOf(line) <= room)).toBe(true);
        expect(lines.join('').replaceAll(' ', '')).toBe(whole.replaceAll(' ', ''));
      }),
    );
  });
});
