import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../session/events.ts';
import { createSettling } from './settling.ts';

const step = (at: number): Event => ({ type: 'step', at, text: '' });
const wait = (at: number, took: number | null): Event => ({
  type: 'syscall',
  at,
  took,
  host: 'here',
  pid: 1,
  tid: 1,
  name: 'read',
  args: [],
  result: took === null ? null : 0,
});

describe('what comes by several ways', () => {
  it('leaves in the order of its moments, each once, whatever order it came in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1e9 })),
        fc.integer({ min: 0, max: 1e9 }),
        (moments, now) => {
          const settling = createSettling();
          settling.add(moments.map(step));
          const out = [...settling.take(now), ...settling.rest()].map(({ at }) => at);
          expect(out).toEqual([...moments].sort((one, other) => one - other));
        },
      ),
    );
  });

  it('keeps what is young, for earlier things may be under way', () => {
    const settling = createSettling();
    settling.add([step(1e9)]);
    expect(settling.take(1e9 + 1e6)).toEqual([]);
    expect(settling.take(2e9)).toEqual([step(1e9)]);
    expect(settling.rest()).toEqual([]);
  });

  it('a call that waited comes when it began, and again when it returned', () => {
    const settling = createSettling();
    settling.add([wait(0, 5e9), step(3e9), wait(0, null)]);
    expect(settling.rest()).toEqual([wait(0, null), step(3e9), wait(0, 5e9)]);
  });
});
