import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesList, matchesPattern } from './patterns.ts';

const word = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 12 });

describe('patterns of ssh_config', () => {
  test('mean what the regular expression of the same shape means', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 }),
        word,
        (text, pattern) => {
          const shape = pattern.replace(/\./g, '\\.').replace(/\*/g, '.*').replace(/\?/g, '.');
          expect(matchesPattern(text, pattern)).toBe(new RegExp(`^${shape}$`).test(text));
        },
      ),
    );
  });

  test('many stars do not make it slow', () => {
    const began = performance.now();
    expect(matchesPattern('a'.repeat(2000), `${'*a'.repeat(200)}*b`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });

  test('one negated pattern that fits outweighs all others, wherever it stands', () => {
    expect(matchesList('web1', ['web*', '!web1'])).toBe(false);
    expect(matchesList('web1', ['!web1', 'web*'])).toBe(false);
    expect(matchesList('web2', ['!web1', 'web*'])).toBe(true);
    expect(matchesList('web2', ['!web1'])).toBe(false);
  });
});
