import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { abilities } from '../see/abilities.ts';
import { abilityTable } from './abilities.ts';

describe('the table of abilities', () => {
  it('says yes or no in words, gives the reason under each no, and fits the width', () => {
    const found = abilities();
    const text = stripVTControlCharacters(abilityTable(found, 80));
    for (const { what, available, why } of found) {
      expect(text).toMatch(
        new RegExp(`^${available ? '✓ yes' : '✗ no '}  ${what.replace(/[()]/g, '\\$&')} `, 'm'),
      );
      expect(text.replace(/\s+/g, ' ')).toContain(why ?? '');
    }
    const reasons = text.split('\n').filter((line) => line.startsWith('       '));
    expect(reasons.every((line) => line.length <= 80)).toBe(true);
  });
});
