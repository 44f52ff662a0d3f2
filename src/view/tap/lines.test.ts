import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Heard } from '../../wire/heard.ts';
import { painter } from '../colour.ts';
import { cellsOf } from '../wire/message-line.ts';
import { wallClock } from '../wire/wall-clock.ts';
import { type LineOptions, tapLines } from './lines.ts';

const where = { at: 0, tap: '6379', connection: 7 };
const options = (more: Partial<LineOptions>): LineOptions => ({
  paint: painter(true),
  clock: wallClock(0, 0),
  width: 80,
  verbose: 0,
  layer: 'messages',
  hex: false,
  several: false,
  ...more,
});
const heard = (summary: string, fields: Heard['fields'] = {}): Heard => ({
  protocol: 'redis',
  decoder: 'redis',
  side: 'client',
  kind: 'request',
  name: 'SET',
  summary,
  fields,
  bytes: 9,
  at: 0,
  began: 0,
  failed: false,
  asked: null,
  askedAt: -1,
  latency: -1,
  firstByte: -1,
});
/** Without the time of day and the colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
const bare = (text: string): string => text.replace(/\x1b\[\d+m/g, '').replace(/^[\d:.]{15}/gm, 'T');

describe('the lines of a tap', () => {
  it('never wrap, whatever is said, and nothing in them moves the cursor', () => {
    const said = fc.string({
      unit: fc.constantFrom('a', ' ', '日', '\x1b', '\n', '\u202e', '🙂'),
      maxLength: 300,
    });
    fc.assert(
      fc.property(
        said,
        fc.integer({ min: 60, max: 130 }),
        fc.boolean(),
        fc.constantFrom(0, 1, 2),
        (text, width, hex, verbose) => {
          const lines = tapLines(options({ width, hex, verbose: verbose as 0 | 1 | 2 }));
          const data = new Uint8Array(Buffer.from(text));
          const message = heard(text, { key: text, 'a.rather.long.name.of.a.field': [text] });
          const all =
            lines.message(where, message) +
            lines.bytes(where, 'server', data) +
            lines.event(where, null, text, 'grave') +
            lines.held(where, 1, message, data) +
            lines.held(where, 2, heard(text), data) +
            lines.about(0, '6379', text, true);
          for (const line of bare(all).replaceAll(/^T/gm, ' '.repeat(15)).split('\n')) {
            expect(cellsOf(line)).toBeLessThanOrEqual(width);
            expect(line).not.toMatch(/\p{Cc}|\u202e/u);
          }
        },
      ),
    );
  });

  it('show a held message whole: its fields below each other, or its bytes where there are none', () => {
    const lines = tapLines(options({}));
    const message = heard('SET a 1', { command: 'SET', key: 'a' });
    expect(bare(lines.held(where, 3, message, new Uint8Array(9)))).toBe(
      'T  #7 → held 3: redis  SET a 1\n                 command  SET\n                 key      a\n',
    );
    expect(bare(lines.held(where, 4, heard('?'), new Uint8Array([65, 13, 10, 0])))).toBe(
      'T  #7 → held 4: redis  ?\n                 A\\r\\n\n                 \\x00\n',
    );
  });

  it('end a held message that is very long where the editor shows the rest', () => {
    const text = bare(
      tapLines(options({})).held(
        where,
        1,
        heard('x', { body: 'y'.repeat(100_000) }),
        new Uint8Array(100_000),
      ),
    );
    expect(text.split('\n')).toHaveLength(1 + 60 + 1 + 1);
    expect(text).toMatch(/… of 100 kB; e shows all\n$/);
  });

  it('change with their options while they run', () => {
    const look = options({});
    const lines = tapLines(look);
    expect(lines.bytes(where, 'client', new Uint8Array(3))).toBe('');
    look.layer = 'bytes';
    expect(bare(lines.bytes(where, 'client', new Uint8Array(3)))).toBe('T  #7 → 3 B\n');
    look.hex = true;
    expect(bare(lines.bytes(where, 'client', new Uint8Array(3)))).toMatch(
      /^ {2}00000000 {2}00 00 00 .*\|\.\.\.\|$/m,
    );
  });
});
