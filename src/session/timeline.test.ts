import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event, Lost, Step } from './events.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { bytesOf, CONNECTION_BYTES } from './timeline-bytes.ts';

const IDS = ['a', 'b', 'c', undefined] as const;

/** Each event is told from every other by its `value`. */
function event(at: number, connection: string | undefined, value: number): Event {
  return connection === undefined
    ? { type: 'gauge', at, subject: 'A', name: 'n', value }
    : { type: 'info', at, host: 'A', connection, side: 'client', recvQueue: value, sendQueue: 0 };
}

const arriving = fc
  .array(fc.record({ at: fc.nat(50), id: fc.constantFrom(...IDS) }), { maxLength: 300 })
  .map((list) => list.map(({ at, id }, i) => event(at, id, i)));

const connectionOf = (one: Event) => ('connection' in one ? one.connection : undefined);
const sorted = (events: readonly Event[]) => events.toSorted((a, b) => a.at - b.at);
const filled = (events: readonly Event[], bound = {}) => {
  const timeline = createTimeline(bound);
  for (const one of events) {
    timeline.add(one);
  }
  return timeline;
};

function agrees(timeline: Timeline, held: readonly Event[], from: number, to: number): void {
  const within = held.filter(({ at }) => at >= from && at <= to);
  const told = (answer: Event[]) => answer.filter(({ type }) => type !== 'lost');
  expect([...timeline]).toEqual(held);
  expect(timeline.length).toBe(held.length);
  expect(told(timeline.between(from, to))).toEqual(within);
  for (const id of ['a', 'b', 'c']) {
    expect(told(timeline.ofConnection(id, from, to))).toEqual(
      within.filter((one) => connectionOf(one) === id),
    );
    const own = held.filter((one) => connectionOf(one) === id);
    const span = timeline.connections().find((one) => one.id === id);
    expect(span).toEqual(
      own.length === 0 ? undefined : { id, first: own[0]!.at, last: own.at(-1)!.at, count: own.length },
    );
  }
  for (const index of [
    0,
    1,
    held.length >> 1,
    held.length - 1,
    held.length,
    -1,
    -held.length,
    -held.length - 1,
  ]) {
    expect(timeline.at(index)).toBe(held.at(index));
  }
}

describe('a timeline', () => {
  it('is in order whatever the order of arrival, and equal moments stay as they came', () => {
    fc.assert(
      fc.property(arriving, fc.nat(50), fc.nat(50), (events, from, to) => {
        agrees(filled(events), sorted(events), from, to);
      }),
    );
  });

  it('holds no more than its bound, drops the oldest, and counts exactly', () => {
    fc.assert(
      fc.property(arriving, fc.integer({ min: 1, max: 40 }), fc.nat(50), (events, most, from) => {
        const timeline = filled(events, { events: most });
        const ordered = sorted(events);
        const held = ordered.slice(-most);
        // Equal moments: one that came late stays behind those that were dropped before it came.
        expect([...timeline].map(({ at }) => at)).toEqual(held.map(({ at }) => at));
        expect(timeline.dropped).toBe(events.length - held.length);
        agrees(timeline, [...timeline], from, 50);
        for (const id of ['a', 'b', 'c']) {
          const added = events.filter((one) => connectionOf(one) === id).length;
          const kept = [...timeline].filter((one) => connectionOf(one) === id).length;
          const [first] = timeline.ofConnection(id);
          expect(first?.type === 'lost' ? first.count : 0).toBe(added - kept);
        }
      }),
    );
  });

  it('stays within its bytes, and its count of them is that of what it holds', () => {
    fc.assert(
      fc.property(arriving, fc.integer({ min: 0, max: 6000 }), (events, bytes) => {
        const timeline = filled(events, { bytes });
        const own = [...timeline].reduce((sum, one) => sum + bytesOf(one), 0);
        expect(timeline.bytes).toBe(own + timeline.connections().length * CONNECTION_BYTES);
        expect(timeline.bytes).toBeLessThanOrEqual(bytes);
        expect(timeline.dropped).toBe(events.length - timeline.length);
        agrees(timeline, [...timeline], 0, 50);
        // What is held is everything since some moment.
        const [first] = timeline.between(-1, 99);
        const begins = timeline.at(0)?.at ?? Number.POSITIVE_INFINITY;
        expect(first?.type === 'lost' ? first.at : begins).toBeLessThanOrEqual(begins);
      }),
    );
  });

  it('keeps equal moments in order when one of them turns out to be of another connection', () => {
    const [first, second, third] = [event(5, 'a', 1), event(5, undefined, 2), event(5, 'a', 3)];
    const timeline = filled([first, second, third]);
    const known = event(5, 'a', 4);
    expect(timeline.replace(second, known)).toBe(true);
    expect(timeline.ofConnection('a')).toEqual([first, known, third]);
  });

  it('puts what is told again in the place of what was told first, wherever it moves to', () => {
    const change = fc.record({ which: fc.nat(), at: fc.option(fc.nat(50)), id: fc.constantFrom(...IDS) });
    fc.assert(
      fc.property(arriving, fc.array(change, { maxLength: 20 }), (events, changes) => {
        const timeline = filled(events);
        let model = sorted(events);
        for (const [n, { which, at, id }] of changes.entries()) {
          const old = model[which % Math.max(model.length, 1)];
          if (old === undefined) {
            continue;
          }
          const next = event(at ?? old.at, id, 1000 + n);
          expect(timeline.replace(old, next)).toBe(true);
          expect(timeline.replace(old, next)).toBe(false);
          model =
            next.at === old.at
              ? model.map((one) => (one === old ? next : one))
              : sorted([...model.filter((one) => one !== old), next]);
        }
        agrees(timeline, model, 0, 50);
        expect(timeline.dropped).toBe(0);
      }),
    );
  });

  it('is right over many pieces: ten thousand in order, shuffled, backwards', () => {
    const events = Array.from({ length: 10_000 }, (_, i) => event(i >> 1, IDS[i % 4], i));
    const shuffled = events.toSorted((a, b) => ((a.at * 7919) % 10_007) - ((b.at * 7919) % 10_007));
    for (const order of [events, shuffled, events.toReversed()]) {
      agrees(filled(order), sorted(order), 1200, 3700);
    }
    const few = filled(shuffled, { events: 3000 });
    agrees(few, sorted(shuffled).slice(-3000), 0, 9999);
    expect(few.dropped).toBe(7000);
  });

  it('takes many events of one moment', () => {
    const events = Array.from({ length: 5000 }, (_, i) => event(7, IDS[i % 4], i));
    const timeline = filled(events, { events: 2000 });
    agrees(timeline, events.slice(-2000), 7, 7);
  });
});

describe('what a timeline has dropped', () => {
  const lost = (count: number, at: number, connection?: string): Lost =>
    expect.objectContaining({
      type: 'lost',
      at,
      source: 'timeline',
      count,
      ...(connection === undefined ? {} : { connection }),
    });

  it('is told at the beginning of every answer that reaches back to it, and of no other', () => {
    const events = [1, 2, 3, 4, 5, 6].map((at) => event(at, at % 2 === 0 ? 'a' : 'b', at));
    const timeline = filled(events, { events: 2 });
    expect(timeline.between(0, 9)).toEqual([lost(4, 4), events[4], events[5]]);
    expect(timeline.between(4, 5)).toEqual([lost(4, 4), events[4]]);
    expect(timeline.between(5, 9)).toEqual([events[4], events[5]]);
    expect(timeline.between(-5, 0)).toEqual([]);
    expect(timeline.ofConnection('a')).toEqual([lost(2, 4, 'a'), events[5]]);
    expect(timeline.ofConnection('never seen')).toEqual([]);
  });

  it('is still known of a connection of which nothing is left, and when it comes back', () => {
    const timeline = filled([event(1, 'a', 1), event(2, 'b', 2), event(3, 'b', 3)], { events: 2 });
    expect(timeline.connections().map(({ id }) => id)).toEqual(['b']);
    expect(timeline.ofConnection('a')).toEqual([lost(1, 1, 'a')]);
    const back = event(4, 'a', 4);
    timeline.add(back);
    expect(timeline.ofConnection('a')).toEqual([lost(1, 2, 'a'), back]);
  });

  it('includes what comes later and is older', () => {
    const timeline = filled([event(5, 'a', 1), event(6, 'a', 2)], { events: 1 });
    timeline.add(event(2, 'a', 3));
    expect(timeline.dropped).toBe(2);
    expect(timeline.ofConnection('a')).toHaveLength(2);
    expect(timeline.ofConnection('a')[0]).toEqual(lost(2, 5, 'a'));
  });

  it('cannot be counted for ever: of connections forgotten long ago the number is not known', () => {
    const timeline = createTimeline({ events: 1 });
    for (let i = 0; i < 66_000; i += 1) {
      timeline.add(event(i, `c${i}`, i));
    }
    expect(timeline.ofConnection('c1')).toMatchObject([{ type: 'lost', count: null }]);
    expect(timeline.ofConnection('c65998')).toMatchObject([{ type: 'lost', count: 1 }]);
  });
});

it('every change has a version of its own', () => {
  const timeline = createTimeline();
  const step: Step = { type: 'step', at: 1, text: 'one' };
  const before = timeline.version;
  timeline.add(step);
  const added = timeline.version;
  timeline.replace(step, { ...step, text: 'two' });
  expect(new Set([before, added, timeline.version]).size).toBe(3);
});
