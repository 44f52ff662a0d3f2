import { describe, expect, it } from 'vitest';
import { evaluate } from '../see/filter/index.ts';
import { isUnfinished, pinpoint, readFilter } from './filter-line.ts';
import { makeSocket } from './testing.ts';

describe('the filter line', () => {
  it('nothing typed is no filter; nonsense has a place and words that were possible there', () => {
    expect(readFilter('  ')).toEqual({ filter: null });
    expect(readFilter(':80 and )')).toMatchObject({
      problem: { at: 8, text: expect.stringContaining('possible:') },
    });
  });

  it('a word that may still become one of the language waits; one that cannot does not', () => {
    expect([':80 a', ':80 an', 's', 'sta', 'not (spor'].map(isUnfinished)).toEqual([
      true,
      true,
      true,
      true,
      true,
    ]);
    expect([':80 and', ':80 ', 'node', 'sport = :ss', ''].map(isUnfinished)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it('a pinpointed socket is found, its neighbours and its other end are not', () => {
    for (const [family, address, other] of [
      [4, '127.0.0.1', '127.0.0.2'],
      [6, '2001:db8::1', '::ffff:10.0.0.1'],
    ] as const) {
      const socket = makeSocket({
        family,
        local: { address, port: 80 },
        peer: { address: other, port: 5000 },
      });
      const filter = pinpoint(socket);
      const matches = evaluate(filter!);
      expect(matches(socket)).toBe(true);
      expect(matches({ ...socket, local: socket.peer, peer: socket.local })).toBe(false);
      expect(matches({ ...socket, peer: { address: other, port: 5001 } })).toBe(false);
      expect(matches({ ...socket, peer: { address, port: 5000 } })).toBe(false);
    }
  });

  it('a listener is found without its thousands of connections', () => {
    const listener = makeSocket({
      state: 'LISTEN',
      accept: { used: 0, limit: 1 },
      peer: { address: '0.0.0.0', port: 0 },
    });
    const matches = evaluate(pinpoint(listener)!);
    expect(matches(listener)).toBe(true);
    expect(matches(makeSocket())).toBe(false);
  });

  it('where addresses say nothing there is nothing to pinpoint', () => {
    expect(
      pinpoint(makeSocket({ protocol: 'unix', family: 0, local: { address: '*', port: 1 } })),
    ).toBeNull();
  });
});
