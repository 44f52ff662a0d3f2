import { describe, expect, it } from 'vitest';
import type { Verdict } from '../tap/control.ts';
import type { Held } from '../tap/observation.ts';
import { createHolding } from './tap-hold.ts';

const held = (id: number): Held => ({
  type: 'held',
  id,
  at: 0,
  tap: 't',
  connection: id,
  bytes: new Uint8Array(1),
  heard: {} as Held['heard'],
});

function start(count: number) {
  const released: [number, Verdict['verdict']][] = [];
  const holding = createHolding((id, { verdict }) => released.push([id, verdict]));
  for (let id = 1; id <= count; id++) {
    holding.seen(held(id));
  }
  return { holding, released };
}

describe('messages that wait', () => {
  it('are chosen one after the other, around the ends', () => {
    const { holding } = start(3);
    const chosen = [holding.chosen?.id];
    for (const step of [1, 1, 1, -1] as const) {
      holding.choose(step);
      chosen.push(holding.chosen?.id);
    }
    expect(chosen).toEqual([1, 2, 3, 1, 3]);
  });

  it('make room for the next when one is decided, and are decided once', () => {
    const { holding, released } = start(3);
    holding.choose(1);
    holding.decide(2, { verdict: 'drop' });
    holding.decide(2, { verdict: 'go' });
    expect(holding.chosen?.id).toBe(3);
    holding.decide(3, { verdict: 'go' });
    expect(holding.chosen?.id).toBe(1);
    expect(released).toEqual([
      [2, 'drop'],
      [3, 'go'],
    ]);
  });

  it('are forgotten when their connection is over', () => {
    const { holding, released } = start(1);
    holding.seen({ type: 'released', at: 0, tap: 't', connection: 1, id: 1, verdict: 'gone' });
    expect([holding.chosen, holding.waiting, released]).toEqual([null, 0, []]);
    holding.choose(1);
    expect(holding.chosen).toBeNull();
  });

  it('all go when nothing is to be held any more, and so does what comes then, until it is held again', () => {
    const { holding, released } = start(2);
    holding.setHolds(false);
    expect(holding.seen(held(3))).toBe(false);
    expect(released.map(([id]) => id)).toEqual([1, 2, 3]);
    holding.setHolds(true);
    expect(holding.seen(held(4))).toBe(true);
    expect(holding.chosen?.id).toBe(4);
  });

  it('are so many that a person decides about them, and no more', () => {
    const { holding, released } = start(1001);
    expect([holding.waiting, released]).toEqual([1000, [[1001, 'go']]]);
  });
});
