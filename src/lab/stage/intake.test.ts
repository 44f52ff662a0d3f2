import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Event } from '../../session/events.ts';
import { createIntake } from './intake.ts';
import type { RawCall, RawEvent } from './protocol.ts';

const gauge = (at: number): RawEvent => ({ type: 'gauge', at, subject: 'a', name: 'x', value: at });
const call = (at: number, took: number | null): RawCall => ({
  type: 'syscall',
  at,
  took,
  host: 'a',
  pid: 1,
  tid: 1,
  call: 1,
  name: 'connect',
  args: [],
  result: took === null ? null : 0,
});
const MS = 1e6;

describe('the intake', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp() {
    const out: number[] = [];
    let now = 0;
    const intake = createIntake(
      () => now,
      (raw) => raw.map((event) => event as Event),
      (events) => out.push(...events.map(({ at }) => at)),
    );
    return {
      intake,
      out,
      async pass(ms: number): Promise<void> {
        for (let passed = 0; passed < ms; passed++) {
          now += MS;
          await vi.advanceTimersByTimeAsync(1);
        }
      },
    };
  }

  it('waits for what happened before, and is told later', async () => {
    const { intake, out, pass } = setUp();
    intake.add([gauge(2 * MS)]);
    await pass(4);
    expect(out).toEqual([]);
    intake.add([gauge(1 * MS)]);
    await pass(20);
    expect(out).toEqual([1 * MS, 2 * MS]);
  });

  it('places a call where it returns, and its begin where it begins', async () => {
    const { intake, out } = setUp();
    intake.add([call(1, 9), gauge(5), call(2, null)]);
    intake.flush();
    expect(out).toEqual([2, 5, 1]);
  });

  it('a flush gives everything, and nothing is given twice', async () => {
    const { intake, out, pass } = setUp();
    intake.add([gauge(3), gauge(1)]);
    intake.flush();
    intake.flush();
    await pass(20);
    expect(out).toEqual([1, 3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('after its end it gives nothing and waits for nothing', async () => {
    const { intake, out, pass } = setUp();
    intake.add([gauge(1)]);
    intake.close();
    await pass(20);
    expect(out).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('in whatever pieces events come, one batch that is flushed is in order of time and complete', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 1000 }))), (batches) => {
        const { intake, out } = setUp();
        for (const batch of batches) {
          intake.add(batch.map(gauge));
        }
        intake.flush();
        expect(out).toEqual(batches.flat().sort((a, b) => a - b));
        intake.close();
      }),
    );
  });
});
