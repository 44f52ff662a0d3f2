import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Event } from '../../session/events.ts';
import { createTimeline } from '../../session/timeline.ts';
import { createSeen } from '../seen.ts';
import { createWaits, hasReached } from './waits.ts';

const step = (text: string): Event => ({ type: 'step', at: 1, text });

describe('waiting', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setUp() {
    const timeline = createTimeline();
    return { timeline, waits: createWaits(createSeen(timeline)) };
  }

  it('is over at once when it is so already', async () => {
    await setUp().waits.until('anything', () => true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is over with the event that makes it so, and leaves no timer', async () => {
    const { timeline, waits } = setUp();
    const waiting = waits.until('a step', ({ events }) => events.length > 0);
    timeline.add(step('now'));
    waits.look();
    await waiting;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('looks again without an event, because not everything has one', async () => {
    let so = false;
    const waiting = setUp().waits.until('a condition', () => so);
    so = true;
    await vi.advanceTimersByTimeAsync(50);
    await waiting;
  });

  it('in vain says what for, and how long', async () => {
    const waiting = setUp().waits.until('rain', () => false, 300);
    const refused = expect(waiting).rejects.toMatchObject({
      code: 'LAB_WAITED',
      message: 'Waited 300 ms in vain for rain.',
    });
    await vi.advanceTimersByTimeAsync(300);
    await refused;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a condition that throws ends its own waiting, and nobody else’s', async () => {
    const { waits } = setUp();
    let looks = 0;
    const mine = waits.until('mine', () => {
      looks += 1;
      if (looks > 1) {
        throw new TypeError('my mistake');
      }
      return false;
    });
    let so = false;
    const other = waits.until('other', () => so);
    so = true;
    waits.look();
    await expect(mine).rejects.toThrow('my mistake');
    await other;
  });

  it('nothing is waited for any more once it broke, before and after', async () => {
    const { waits } = setUp();
    const before = waits.until('before', () => false);
    const error = new Error('over');
    waits.broke(error);
    await expect(before).rejects.toBe(error);
    await expect(waits.until('after', () => false)).rejects.toBe(error);
    await waits.until('what has been seen', () => true);
  });
});

it('a state counts for its own host, and a listener’s does too', () => {
  const timeline = createTimeline();
  const change = {
    type: 'state',
    at: 1,
    host: 'server',
    from: 'CLOSED',
    to: 'LISTEN',
    source: 'sampled',
  } as const;
  timeline.add(change);
  const seen = createSeen(timeline);
  expect(hasReached('server', 'LISTEN')(seen)).toBe(true);
  expect(hasReached('client', 'LISTEN')(seen)).toBe(false);
  expect(hasReached('server', 'ESTABLISHED')(seen)).toBe(false);
});
