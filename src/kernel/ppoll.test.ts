import { afterAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { exactWaiting } from './ppoll.ts';
import { closeSocket, createWake, drainBytes, wake } from './transparent.ts';

const linux = needs('linux');

describe.skipIf(linux.missing)('waiting to the nanosecond', () => {
  const bells = linux.missing === null ? [createWake(), createWake()] : [];
  afterAll(() => bells.forEach(closeSocket));

  it('is never too short, and mostly not half a millisecond too long', () => {
    const waiting = exactWaiting(bells);
    const late: number[] = [];
    for (let i = 0; i < 50; i++) {
      const before = process.hrtime.bigint();
      expect(waiting.wait(300_000)).toBe(0);
      late.push(Number(process.hrtime.bigint() - before) - 300_000);
    }
    late.sort((a, b) => a - b);
    expect(late[0]).toBeGreaterThanOrEqual(0);
    expect(late[25]).toBeLessThan(500_000);
  });

  it('ends at once when there is something, says where, and forgets it', () => {
    const waiting = exactWaiting(bells);
    wake(bells[1]!);
    expect(waiting.wait(Number.POSITIVE_INFINITY)).toBe(1);
    expect([waiting.ready(0), waiting.ready(1)]).toEqual([false, true]);
    drainBytes(bells[1]!);
    expect(waiting.wait(-5)).toBe(0);
    expect([waiting.ready(0), waiting.ready(1)]).toEqual([false, false]);
  });
});
