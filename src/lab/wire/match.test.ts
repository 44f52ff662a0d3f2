import { describe, expect, it } from 'vitest';
import { dissect } from '../../wire/dissect.ts';
import { emptyHeaders, type Headers } from '../../wire/headers.ts';
import type { Match } from '../api.ts';
import { segmentFrame } from './craft.ts';
import { createMatcher, describeMatch, type Matcher, ordinal } from './match.ts';

const MACS = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' };

function headersOf(frame: Uint8Array): Headers {
  const h = emptyHeaders();
  h.bytes = frame;
  h.to = frame.length;
  h.wireLength = frame.length;
  dissect(h);
  return h;
}

function segment(flags: string, data = '', to = 80): Headers {
  const frame = segmentFrame({ from: '10.9.0.1:1000', to: `10.9.0.2:${to}`, flags, data }, MACS);
  return headersOf(frame as Uint8Array);
}

const ARP = headersOf(Uint8Array.from([...Array(12).fill(255), 8, 6, ...Array(28).fill(0)]));

function matcher(match: Match, seed = 1): Matcher {
  const made = createMatcher(match, seed, 1);
  if (typeof made === 'string') {
    throw new Error(made);
  }
  return made;
}

/** Which of `frames`, from client to server, are met. */
function met(match: Match, frames: Headers[]): number[] {
  const one = matcher(match);
  return frames.flatMap((frame, index) => (one.meets(frame, 'client', 'server') ? [index] : []));
}

describe('a match', () => {
  const kinds = [
    segment('S'),
    segment('SA'),
    segment('A'),
    segment('PA', 'x'),
    segment('FA'),
    segment('R'),
    ARP,
  ];

  it.each([
    ['S', [0]],
    ['SA', [1]],
    ['A', [2, 3]],
    ['PA', [3]],
    ['P', [3]],
    ['F', [4]],
    ['FA', [4]],
    ['R', [5]],
    ['RA', []],
  ])('the flags %s fit these kinds of segments', (flags, expected) => {
    expect(met({ flags }, kinds)).toEqual(expected);
  });

  it('R is found with and without ACK', () => {
    expect(met({ flags: 'R' }, [segment('RA'), segment('R'), segment('A')])).toEqual([0, 1]);
  });

  it('data is payload, whatever the flags', () => {
    expect(met({ data: true }, kinds)).toEqual([3]);
    expect(met({ data: false }, kinds)).toEqual([0, 1, 2, 4, 5, 6]);
  });

  it('without conditions everything fits, ARP too', () => {
    expect(met({}, kinds)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('hosts fit by their names', () => {
    expect(met({ from: 'client', to: 'server' }, kinds)).toHaveLength(7);
    expect(met({ from: 'server' }, kinds)).toEqual([]);
    expect(met({ to: 'client' }, kinds)).toEqual([]);
  });

  it('a capture filter sees the whole frame', () => {
    const frames = [segment('S', '', 80), segment('S', '', 81), segment('A', 'x'.repeat(200), 80), ARP];
    expect(met({ filter: 'tcp port 80 and len > 200' }, frames)).toEqual([2]);
    expect(met({ filter: 'arp' }, frames)).toEqual([3]);
  });

  it('nth counts those that fit, from 1', () => {
    const frames = [segment('S'), segment('A'), segment('A'), segment('S'), segment('A')];
    expect(met({ flags: 'A', nth: 2 }, frames)).toEqual([2]);
    expect(met({ flags: 'A', nth: [1, 3] }, frames)).toEqual([1, 4]);
  });

  it('after lets the first ones go, most ends it', () => {
    const frames = Array.from({ length: 8 }, () => segment('A'));
    expect(met({ after: 3 }, frames)).toEqual([3, 4, 5, 6, 7]);
    expect(met({ most: 2 }, frames)).toEqual([0, 1]);
    expect(met({ after: 3, most: 2 }, frames)).toEqual([3, 4]);
  });

  it('chance is spent evenly, alike for one seed and differently for another', () => {
    const frames = Array.from({ length: 1000 }, () => segment('A'));
    const run = (seed: number): number[] => {
      const one = matcher({ chance: 0.3 }, seed);
      return frames.flatMap((frame, index) => (one.meets(frame, 'a', 'b') ? [index] : []));
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect(run(1).length).toBeGreaterThan(230);
    expect(run(1).length).toBeLessThan(370);
  });

  it('hits are what was met, not what fitted', () => {
    const one = matcher({ flags: 'A', nth: 2 });
    for (let i = 0; i < 5; i++) {
      one.meets(segment('A'), 'a', 'b');
    }
    expect(one.hits).toBe(1);
  });

  it.each([
    [{ flags: 'SY' }, '"Y" is none of'],
    [{ flags: '' }, 'name at least one'],
    [{ filter: 'tcp prt 80' }, 'the filter "tcp prt 80": '],
    [{ nth: 0 }, 'from 1'],
    [{ nth: [1, 1.5] }, 'from 1'],
    [{ after: -1 }, 'whole numbers'],
    [{ most: Number.NaN }, 'whole numbers'],
    [{ chance: 1.1 }, 'from 0 to 1'],
  ] satisfies [Match, string][])('%j is answered with a sentence', (match, part) => {
    expect(createMatcher(match, 1, 1)).toContain(part);
  });

  it.each([
    [{ flags: 'A', nth: 3, from: 'client' }, 'the 3rd A from client'],
    [{ flags: 'S', to: 'server' }, 'every S to server'],
    [{ data: true, nth: [1, 2, 11] }, 'the 1st, 2nd and 11th data'],
    [{ flags: 'A', data: false, most: 2 }, 'every A without data, at most 2'],
    [{ chance: 0.05, after: 3 }, 'every frame, after the 3rd, with a chance of 5 %'],
    [{ filter: 'port 80' }, 'every frame of "port 80"'],
  ] satisfies [Match, string][])('%j in words', (match, words) => {
    expect(describeMatch(match)).toBe(words);
  });

  it('of several numbers, what was met names its own', () => {
    const one = matcher({ nth: [1, 22] });
    for (let i = 0; i < 22; i++) {
      one.meets(segment('A'), 'a', 'b');
    }
    expect(one.describe()).toBe('the 22nd frame');
    expect([0, 4, 21, 103, 112].map(ordinal)).toEqual(['0th', '4th', '21st', '103rd', '112th']);
  });
});
