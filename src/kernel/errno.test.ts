import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { ERRNO_NAMES, errnoMeaning, errnoName, errnoNumber } from './errno.ts';

const linux = needs('linux');
const NOT_ASSIGNED = new Set([41, 58]);

describe('the errno table', () => {
  it.skipIf(linux.missing)('agrees with every name that Node knows on Linux', () => {
    const names = Object.entries(constants.errno);
    expect(names.length).toBeGreaterThan(70);
    for (const [name, number] of names) {
      expect([name, errnoNumber(name)]).toEqual([name, number]);
    }
  });

  it('names and explains every number from 1 to 133, except the two that Linux never assigned', () => {
    for (let number = 1; number <= 133; number += 1) {
      const unknown = NOT_ASSIGNED.has(number);
      expect(errnoName(number)).toMatch(unknown ? /^errno \d+$/ : /^E[A-Z0-9]+$/);
      expect(errnoMeaning(number) === 'an error number that Linux does not define').toBe(unknown);
    }
    expect(new Set(ERRNO_NAMES).size).toBe(131);
  });

  it('takes the negative number that a system call wrapper returns', () => {
    expect(errnoName(-104)).toBe('ECONNRESET');
    expect(errnoMeaning(-104)).toBe(errnoMeaning('ECONNRESET'));
    expect(errnoMeaning('ECONNRESET')).toContain('reset');
  });

  it('goes from number to name and back', () => {
    for (const name of ERRNO_NAMES) {
      expect(errnoName(errnoNumber(name) ?? 0)).toBe(name);
    }
  });

  it('knows the second names, and gives the first', () => {
    expect(errnoName(errnoNumber('EWOULDBLOCK') ?? 0)).toBe('EAGAIN');
    expect(errnoName(errnoNumber('ENOTSUP') ?? 0)).toBe('EOPNOTSUPP');
    expect(errnoName(errnoNumber('EDEADLOCK') ?? 0)).toBe('EDEADLK');
  });

  it('says so of what Linux does not define', () => {
    expect(errnoName(4095)).toBe('errno 4095');
    expect(errnoNumber('EWHATEVER')).toBe(undefined);
    expect(errnoMeaning('EWHATEVER')).toBe('an error number that Linux does not define');
  });

  it('keeps each meaning to one line that fits a screen', () => {
    for (const name of ERRNO_NAMES) {
      expect(errnoMeaning(name).length).toBeLessThan(100);
      expect(errnoMeaning(name)).not.toMatch(/[\n]|\.$/);
    }
  });
});
