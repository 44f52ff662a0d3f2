import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Timer } from './reactor.ts';
import { createTimerWheel, TICK_NS } from './timer-wheel.ts';

const MS = 1_000_000;
const START = 987_654_321_123;

describe('timer wheel', () => {
  it('runs a timer neither early nor more than a tick late', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 0, max: 4e12 }), (start, ns) => {
        const wheel = createTimerWheel();
        let ran = 0;
        wheel.after(start, ns, () => {
          ran++;
        });
        wheel.advance(start + ns - 1);
        expect(ran).toBe(0);
        wheel.advance(start + ns + TICK_NS);
        expect(ran).toBe(1);
        expect(wheel.size).toBe(0);
      }),
    );
  });

  it('behaves as a sorted list does, whatever is added, cancelled and waited for', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), n: fc.integer({ min: 0, max: 300 * MS }) }),
      fc.record({ do: fc.constant('add' as const), n: fc.integer({ min: 0, max: 3_000_000 * MS }) }),
      fc.record({ do: fc.constant('add' as const), n: fc.integer({ min: 0, max: 20 }).map((n) => n * MS) }),
      fc.record({ do: fc.constant('cancel' as const), n: fc.nat() }),
      fc.record({ do: fc.constant('wait' as const), n: fc.integer({ min: 0, max: 200 * MS }) }),
      fc.record({ do: fc.constant('wait' as const), n: fc.integer({ min: 0, max: 2_000_000 * MS }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const wheel = createTimerWheel();
        let now = START;
        const ran: number[] = [];
        const handles: Timer[] = [];
        let waiting: { id: number; deadline: number; tick: number }[] = [];
        for (const { do: what, n } of steps) {
          if (what === 'add') {
            const id = handles.length;
            const deadline = now + n;
            const tick = Math.max(Math.floor(now / TICK_NS) + 1, Math.ceil(deadline / TICK_NS));
            waiting.push({ id, deadline, tick });
            handles.push(wheel.after(now, n, () => ran.push(id)));
          } else if (what === 'cancel') {
            const id = n % Math.max(1, handles.length);
            handles[id]?.cancel();
            waiting = waiting.filter((one) => one.id !== id);
          } else {
            now += n;
            const due = waiting
              .filter((one) => one.tick <= Math.floor(now / TICK_NS))
              .sort((a, b) => a.deadline - b.deadline || a.id - b.id);
            waiting = waiting.filter((one) => !due.includes(one));
            ran.length = 0;
            wheel.advance(now);
            expect(ran).toEqual(due.map((one) => one.id));
          }
          expect(wheel.size).toBe(waiting.length);
          const soonest = Math.min(...waiting.map((one) => one.tick * TICK_NS - now));
          expect(wheel.next(now)).toBeLessThanOrEqual(soonest);
          expect(wheel.next(now) === Number.POSITIVE_INFINITY).toBe(waiting.length === 0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('runs equal deadlines in the order they were added, also after they changed wheels', () => {
    const wheel = createTimerWheel();
    const ran: string[] = [];
    wheel.after(START, 900 * MS, () => ran.push('first'));
    wheel.advance(START + 500 * MS);
    wheel.after(START + 500 * MS, 400 * MS, () => ran.push('second'));
    wheel.advance(START + 890 * MS);
    wheel.after(START + 890 * MS, 10 * MS, () => ran.push('third'));
    wheel.after(START + 890 * MS, 10 * MS - 1, () => ran.push('before them'));
    wheel.advance(START + 2000 * MS);
    expect(ran).toEqual(['before them', 'first', 'second', 'third']);
  });

  it('lets a callback cancel its neighbour of the same tick, and itself without harm', () => {
    const wheel = createTimerWheel();
    const ran: string[] = [];
    const first = wheel.after(START, 5 * MS, () => {
      ran.push('first');
      second.cancel();
      second.cancel();
      first.cancel();
    });
    const second = wheel.after(START, 5 * MS, () => ran.push('second'));
    const third = wheel.after(START, 5 * MS, () => ran.push('third'));
    wheel.advance(START + 10 * MS);
    third.cancel();
    expect(ran).toEqual(['first', 'third']);
    expect(wheel.size).toBe(0);
  });

  it('keeps what a callback adds for the next advance, so that a timer of zero cannot hold the loop', () => {
    const wheel = createTimerWheel();
    let now = 1000 * MS;
    let ran = 0;
    const again = () => {
      ran++;
      wheel.after(now, 0, again);
    };
    wheel.after(now, 0, again);
    for (let turn = 1; turn <= 5; turn++) {
      now += 10 * MS;
      wheel.advance(now);
      expect(ran).toBe(turn);
    }
  });

  it('asks for no more than a wake-up per wheel while it waits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e15 }), (ns) => {
        const wheel = createTimerWheel();
        let now = START;
        let wakes = 0;
        let ran = false;
        wheel.after(now, ns, () => {
          ran = true;
        });
        while (!ran) {
          expect(wakes).toBeLessThan(9);
          now += wheel.next(now);
          wheel.advance(now);
          wakes++;
        }
        expect(now).toBeGreaterThanOrEqual(START + ns);
        expect(now).toBeLessThanOrEqual(START + ns + TICK_NS);
      }),
    );
  });

  it('waits for ever for a timer at infinity, and no time at all for one of NaN or the past', () => {
    const wheel = createTimerWheel();
    const ran: string[] = [];
    wheel.after(START, Number.POSITIVE_INFINITY, () => ran.push('never'));
    wheel.after(START, Number.NaN, () => ran.push('not a number'));
    wheel.after(START, -5, () => ran.push('past'));
    wheel.advance(START + MS);
    expect(ran).toEqual(['not a number', 'past']);
    wheel.advance(START * 1000);
    expect(wheel.size).toBe(1);
  });

  it('adds, leaves alone and cancels 100 000 timers at a fraction of a microsecond each', () => {
    const wheel = createTimerWheel();
    const count = 100_000;
    const nothing = () => {};
    const timed = (run: () => void) => {
      const began = performance.now();
      run();
      return performance.now() - began;
    };
    const round = () => {
      const timers: Timer[] = [];
      const adding = timed(() => {
        for (let n = 0; n < count; n++) {
          timers.push(wheel.after(START, 30_000 * MS + n * 1000, nothing));
        }
      });
      const waiting = timed(() => {
        for (let n = 0; n < 1000; n++) {
          wheel.next(START + n * MS);
          wheel.advance(START + n * MS);
        }
      });
      const cancelling = timed(() => {
        for (const timer of timers) {
          timer.cancel();
        }
      });
      expect(wheel.size).toBe(0);
      return { adding, waiting, cancelling };
    };
    // The best of a few rounds: other programs use this machine too.
    const rounds = [round(), round(), round(), round()];
    const best = (what: keyof (typeof rounds)[0]) => Math.min(...rounds.map((one) => one[what]));
    expect(best('adding')).toBeLessThan(200);
    expect(best('waiting')).toBeLessThan(50);
    expect(best('cancelling')).toBeLessThan(100);
  });
});
