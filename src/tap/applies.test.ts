import { describe, expect, it } from 'vitest';
import { appliesTo, parseConnections, parsePrefix } from './applies.ts';
import type { PlannedFault } from './fault.ts';

const plan = (change: Partial<PlannedFault>): PlannedFault => ({
  name: 'x',
  fault: 'noop',
  attributes: {},
  stream: 'both',
  toxicity: 1,
  ...change,
});

const never = (): number => {
  throw new Error('nobody should have rolled');
};

const touches = (change: Partial<PlannedFault>, client = '10.1.2.3', connection = 3, at = 0): boolean =>
  appliesTo(plan(change), { client, connection, at }, never);

describe('whether a fault applies', () => {
  it('without conditions it does, and nobody rolls', () => {
    expect(touches({})).toBe(true);
  });

  it.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.2.2/31', '10.1.2.3', true],
    ['10.1.2.4/31', '10.1.2.3', false],
    ['0.0.0.0/0', '10.1.2.3', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '::1', true],
    ['fe80::/10', 'febf::1%eth0', true],
    ['fe80::/10', 'fec0::1', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['10.0.0.0/8', '/run/some.sock', false],
  ])('client %s and a connection from %s: %s', (client, from, expected) => {
    expect(touches({ client }, from)).toBe(expected);
  });

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', '::ffff:10.0.0.0/95', 'host', '10.0.0.0/1e1'])(
    'the prefix %s is none',
    (text) => {
      expect(parsePrefix(text)).toBe(null);
    },
  );

  it('connections are chosen by number, by range, or from one on', () => {
    expect(parseConnections('3')).toEqual({ from: 3, to: 3 });
    expect(parseConnections('2-5')).toEqual({ from: 2, to: 5 });
    expect(parseConnections('10-')).toEqual({ from: 10, to: Number.POSITIVE_INFINITY });
    for (const wrong of ['0', '5-2', '-5', 'a', '', '1-2-3', '1.5']) {
      expect(parseConnections(wrong)).toBe(null);
    }
    expect([1, 2, 5, 6].map((n) => touches({ connections: '2-5' }, '::1', n))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('a window begins at `at` and is over after `lasts`', () => {
    const window = { at: 5e9, lasts: 10e9 };
    const at = [0, 5e9 - 1, 5e9, 15e9 - 1, 15e9];
    expect(at.map((n) => touches(window, '::1', 1, n))).toEqual([false, false, true, true, false]);
  });

  it('toxicity 0 never rolls and never applies; between 0 and 1 the roll decides, once', () => {
    expect(touches({ toxicity: 0 })).toBe(false);
    let rolls = 0;
    const roll = (n: number) => (): number => {
      rolls++;
      return n;
    };
    const applicant = { client: '::1', connection: 1, at: 0 };
    expect(appliesTo(plan({ toxicity: 0.5 }), applicant, roll(0.49))).toBe(true);
    expect(appliesTo(plan({ toxicity: 0.5 }), applicant, roll(0.5))).toBe(false);
    expect(rolls).toBe(2);
  });
});
