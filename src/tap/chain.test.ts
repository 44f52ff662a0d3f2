import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChain } from './chain.ts';
import { counting, linkFor, MS, stageOf, trial } from './chain-fixture.ts';
import { bandwidth } from './faults/bandwidth.ts';
import { latency } from './faults/latency.ts';
import { limitData } from './faults/limit-data.ts';
import { noop } from './faults/noop.ts';
import { reset } from './faults/reset.ts';
import { slicer } from './faults/slicer.ts';
import { slowClose } from './faults/slow-close.ts';
import { stall } from './faults/stall.ts';
import { timeout } from './faults/timeout.ts';
import type { Stage } from './stage.ts';

const noops = (count: number): Stage[] => Array.from({ length: count }, () => ({ ...stageOf(noop) }));

/** A stage that holds everything until it is taken away. */
const holding = (): Stage => stageOf(stall);

describe('a chain', () => {
  it('of any number of noops, none too, changes nothing', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.array(fc.uint8Array({ maxLength: 9 })), (count, chunks) => {
        const t = trial(noops(count));
        for (const chunk of chunks) {
          t.data(chunk);
        }
        t.chain.end();
        expect(t.passed).toEqual(chunks.flatMap((chunk) => [...chunk]));
        expect(t.log.at(-1)).toBe('end @0');
        expect(t.chain.held).toBe(0);
      }),
    );
  });

  it('of faults that destroy nothing passes all bytes in order and the FIN last, whenever its timer is called', () => {
    const stage = fc.oneof(
      fc
        .record({
          delayMs: fc.nat(50),
          jitterMs: fc.nat(80),
          wave: fc.constantFrom('none', 'saw'),
          waveAmplitudeMs: fc.nat(30),
        })
        .map((a) => stageOf(latency, a)),
      fc
        .record({ rateBytes: fc.integer({ min: 1, max: 5000 }), shared: fc.boolean() })
        .map((a) => stageOf(bandwidth, a)),
      fc
        .record({ averageSize: fc.nat(9), sizeVariation: fc.nat(9), delayUs: fc.nat(9000) })
        .map((a) => stageOf(slicer, a)),
      fc.record({ delayMs: fc.nat(50) }).map((a) => stageOf(slowClose, a)),
    );
    const step = fc.oneof(
      fc.record({ size: fc.nat(60), age: fc.nat(40) }),
      fc.record({ pause: fc.nat(60), callsTimer: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(stage, { maxLength: 4 }), fc.array(step, { maxLength: 20 }), (stages, steps) => {
        const t = trial(stages);
        let sent = 0;
        for (const one of steps) {
          if ('size' in one) {
            t.data(counting(one.size, sent), t.clock.ns - one.age * MS);
            sent += one.size;
          } else {
            t.clock.ns += one.pause * MS;
            if (one.callsTimer) {
              t.chain.timer();
            }
          }
          expect(t.chain.held).toBe(sent - t.passed.length);
        }
        t.chain.end();
        t.run(2e6);
        expect(t.passed).toEqual([...counting(sent)]);
        expect(t.log.at(-1)).toMatch(/^end/);
        expect(t.log.filter((line) => line.startsWith('end'))).toHaveLength(1);
        expect(t.chain.held).toBe(0);
        expect(t.state.wakeAt).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  it('loses nothing when such stages come and go while bytes flow', () => {
    const change = fc.record({
      place: fc.nat(3),
      fault: fc.constantFrom(latency, bandwidth, slicer, stall),
      how: fc.nat(2),
    });
    const attributes = { delayMs: 20, rateBytes: 500, averageSize: 3, delayUs: 500 };
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(12), (changes, endAfter) => {
        const t = trial([stageOf(latency, attributes)]);
        let sent = 0;
        for (const [i, { place, fault, how }] of changes.entries()) {
          if (i === endAfter) {
            t.chain.end();
          } else if (i < endAfter) {
            t.data(counting(7, sent));
            sent += 7;
          }
          const old = t.chain.stages[place];
          if (how === 0 || old === undefined) {
            t.chain.insert(stageOf(fault, attributes), place);
          } else if (how === 1) {
            t.chain.remove(old);
          } else {
            t.chain.replace(old, stageOf(fault, attributes));
          }
          t.run(5);
          expect(t.chain.held).toBe(sent - t.passed.length);
        }
        t.chain.end();
        for (const stage of t.chain.stages) {
          t.chain.remove(stage);
        }
        expect(t.passed).toEqual([...counting(sent)]);
        expect(t.log.at(-1)).toMatch(/^end/);
        expect(t.chain.held).toBe(0);
      }),
    );
  });

  it('asks for the earliest of its stages moments', () => {
    const t = trial([stageOf(latency, { delayMs: 30 }), stageOf(timeout, { timeoutMs: 100 })]);
    expect(t.state.wakeAt - t.clock.ns).toBe(100 * MS);
    t.data(counting(1));
    expect(t.state.wakeAt - t.clock.ns).toBe(30 * MS);
  });

  it('asks again after a timer that came too early', () => {
    const wakes: number[] = [];
    const nothing = (): void => {};
    const chain = createChain(
      [stageOf(latency, { delayMs: 1 })],
      {
        bytes: nothing,
        end: nothing,
        answer: nothing,
        reset: nothing,
        close: nothing,
        say: nothing,
        wake: (at) => wakes.push(at),
      },
      () => 0,
    );
    chain.data(counting(1), 0);
    chain.timer();
    expect(wakes).toEqual([MS, MS]);
  });

  it('says nothing after a reset', () => {
    const t = trial([stageOf(slicer, { averageSize: 1 }), stageOf(reset, { afterBytes: 2 })]);
    t.data(counting(5));
    t.data(counting(5));
    t.chain.end();
    t.chain.timer();
    for (const stage of t.chain.stages) {
      t.chain.remove(stage);
    }
    expect(t.log).toEqual(['1 bytes @0', '1 bytes @0', 'reset @0']);
    expect(t.chain.held).toBe(0);
    expect(t.state.wakeAt).toBe(Number.POSITIVE_INFINITY);
  });

  it('delivers what later stages hold before it closes', () => {
    const t = trial([
      stageOf(limitData, { bytes: 10 }),
      stageOf(latency, { delayMs: 20 }),
      stageOf(slowClose, { delayMs: 5 }),
    ]);
    t.data(counting(7));
    t.data(counting(7, 7));
    t.data(counting(7, 14));
    t.chain.end();
    t.run(100);
    expect(t.log).toEqual(['7 bytes @20', '3 bytes @20', 'close @25']);
    expect(t.passed).toEqual([...counting(10)]);
  });

  it('a connection that was closed takes nothing more, even when the stage that closed it is taken away', () => {
    const limit = stageOf(limitData, { bytes: 2 });
    const t = trial([limit, stageOf(latency, { delayMs: 20 })]);
    t.data(counting(5));
    t.chain.remove(limit);
    t.data(counting(5));
    t.chain.insert(stageOf(noop), 0);
    t.data(counting(5));
    t.chain.end();
    t.run(100);
    expect(t.log).toEqual(['2 bytes @20', 'close @20']);
  });

  it('what earlier stages hold at a close is held no more, and never comes', () => {
    const t = trial([stageOf(latency, { delayMs: 20 }), stageOf(timeout, { timeoutMs: 10 })]);
    t.data(counting(7));
    t.run(100);
    expect(t.log).toEqual(['close @10']);
    expect(t.chain.held).toBe(0);
  });

  it('a stage that closes after the FIN was passed on closes at once', () => {
    const late = stageOf(timeout);
    const t = trial(noops(1));
    t.chain.end();
    t.chain.insert(late);
    t.chain.remove(late);
    expect(t.log).toEqual(['end @0', 'close @0']);
  });

  it('a stage put in behind the FIN can close, and does not send the FIN a second time', () => {
    const late = stageOf(timeout);
    const t = trial([stageOf(slowClose, { delayMs: 100 })]);
    t.chain.end();
    t.run(50);
    t.chain.insert(late, 0);
    t.chain.remove(late);
    t.run(500);
    expect(t.log).toEqual(['close @100']);
  });

  it('a stage that swallowed a FIN gives it back when it is taken away', () => {
    const held = holding();
    const t = trial([held]);
    t.data(counting(3));
    t.chain.end();
    expect(t.log).toEqual([]);
    expect(t.chain.held).toBe(3);
    t.chain.remove(held);
    expect(t.log).toEqual(['3 bytes @0', 'end @0']);
  });

  it('a replaced stage passes on what it holds and cannot close', () => {
    const [slow, patience] = [stageOf(latency, { delayMs: 50 }), stageOf(timeout)];
    const t = trial([slow, patience]);
    t.chain.replace(patience, stageOf(noop));
    t.data(counting(2));
    t.chain.replace(slow, stageOf(latency, { delayMs: 10 }));
    t.data(counting(1, 2));
    t.run(100);
    expect(t.log).toEqual(['2 bytes @0', '1 bytes @10']);
  });

  it('a stage put into a living chain knows nothing of the past', () => {
    const t = trial([stageOf(noop)]);
    t.data(counting(8));
    t.chain.insert(stageOf(limitData, { bytes: 4 }));
    t.data(counting(3, 8));
    t.data(counting(3, 11));
    expect(t.passed).toEqual([...counting(12)]);
    expect(t.log.at(-1)).toBe('close @0');
  });

  it('what comes while a stage is at work waits for it, and counts as held meanwhile', () => {
    const seen: string[] = [];
    const nothing = (): void => {};
    let heldInside = -1;
    const chain = createChain(
      [stageOf(slicer, { averageSize: 2 }, linkFor())],
      {
        bytes(bytes) {
          seen.push([...bytes].join(' '));
          if (seen.length === 1) {
            chain.data(counting(2, 10), 0);
            heldInside = chain.held;
            chain.end();
          }
        },
        end: () => seen.push('end'),
        answer: nothing,
        reset: nothing,
        close: nothing,
        say: nothing,
        wake: nothing,
      },
      () => 0,
    );
    chain.data(counting(6), 0);
    expect(seen).toEqual(['0 1', '2 3', '4 5', '10 11', 'end']);
    expect(heldInside).toBe(4 + 2);
  });
});
