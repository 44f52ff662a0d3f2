import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Socket, TCP_STATES } from '../session/socket.ts';
import { SORT_KEYS, sortedPositions, startingSort } from './order.ts';
import { makeSocket } from './testing.ts';

const rows = fc.array(
  fc.record({
    state: fc.constantFrom(...TCP_STATES),
    port: fc.integer({ min: 1, max: 5 }),
    pid: fc.option(fc.integer({ min: 1, max: 9 }), { nil: null }),
    queue: fc.integer({ min: 0, max: 3 }),
  }),
);

function sockets(
  list: readonly { state: Socket['state']; port: number; pid: number | null; queue: number }[],
): Socket[] {
  return list.map(({ state, port, pid, queue }, index) =>
    makeSocket({
      cookie: String(index).padStart(16, '0'),
      state,
      local: { address: '127.0.0.1', port },
      recvQueue: queue,
      owners: pid === null ? [] : [{ pid, fd: 3, name: `p${pid}` }],
    }),
  );
}

describe('order', () => {
  it('every order shows every row exactly once, and depends on the rows, not on how they came', () => {
    fc.assert(
      fc.property(rows, fc.constantFrom(...SORT_KEYS), fc.boolean(), (list, key, reverse) => {
        const forward = sockets(list);
        const cookies = [...sortedPositions(forward, { key, reverse })].map(
          (index) => forward[index]?.cookie,
        );
        expect(new Set(cookies).size).toBe(forward.length);
        const backward = [...forward].reverse();
        expect(
          [...sortedPositions(backward, { key, reverse })].map((index) => backward[index]?.cookie),
        ).toEqual(cookies);
      }),
    );
  });

  it('listeners come first, the fullest queue comes first, and rows without a process come last', () => {
    const list = sockets([
      { state: 'TIME-WAIT', port: 1, pid: null, queue: 0 },
      { state: 'ESTABLISHED', port: 2, pid: 7, queue: 3 },
      { state: 'LISTEN', port: 3, pid: 5, queue: 1 },
    ]);
    expect([...sortedPositions(list, startingSort())]).toEqual([2, 1, 0]);
    expect([
      ...sortedPositions(
        list,
        startingSort([
          { name: 'rtt', descending: true },
          { name: 'recv', descending: true },
        ]),
      ),
    ]).toEqual([1, 2, 0]);
    expect([...sortedPositions(list, startingSort([{ name: 'pid', descending: false }]))]).toEqual([2, 1, 0]);
    expect([...sortedPositions(list, startingSort([{ name: 'port', descending: true }]))]).toEqual([2, 1, 0]);
  });
});
