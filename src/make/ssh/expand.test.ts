import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SockscopeError } from '../../errors.ts';
import { environmentOf } from './environment.ts';
import { expanded, type Tokens } from './expand.ts';
import { plainLine, plainText } from './plain.ts';

const bytes = fc.uint8Array({ maxLength: 60 }).map((raw) => Buffer.from(raw).toString('latin1'));

const tokens: Tokens = { home: '/home/me', of: { h: 'host', r: 'root' }, environment: { KEYS: '/keys' } };

describe('paths of a configuration', () => {
  test.each([
    ['~/.ssh/id', '/home/me/.ssh/id'],
    ['%d/%h-%r', '/home/me/host-root'],
    ['100%%', '100%'],
    [`$\{KEYS}/a`, '/keys/a'],
    ['a~b', 'a~b'],
  ])('%s', (text, path) => {
    expect(expanded(text, tokens)).toBe(path);
  });

  test('what stands for nothing is named', () => {
    for (const text of ['%z', 'x%', `$\{NOPE}`, '%constructor']) {
      expect(() => expanded(text, tokens)).toThrow(/stands for nothing here/);
    }
  });

  test('any text: a path, or our own error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('%', 'h', '$', '{', '}', '~', '/', 'KEYS') }), (text) => {
        try {
          expect(expanded(text, tokens)).toBeTypeOf('string');
        } catch (error) {
          expect(error).toBeInstanceOf(SockscopeError);
        }
      }),
    );
  });
});

describe('what goes along with a command', () => {
  test('the names that fit a pattern, and what is set', () => {
    const from = { LANG: 'C', LC_ALL: 'C', SECRET: 'x', LC_NONE: undefined };
    expect(environmentOf(['LC_*'], ['A=1=2', 'odd'], from)).toEqual({ LC_ALL: 'C', A: '1=2' });
  });
});

describe("a server's text", () => {
  test('moves no cursor and changes no colour', () => {
    fc.assert(
      fc.property(bytes, (text) => {
        expect(plainText(text)).not.toMatch(/[^\P{Cc}\n\t]/u);
        expect(plainLine(text)).not.toContain('\n');
      }),
    );
    expect(plainText('a\x1b[31m\r\nb\x07')).toBe('a[31m\nb');
  });
});
