import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createOurs } from './ours.ts';
import type { RawState } from './protocol.ts';

function state(at: number, port: number, socket = ''): RawState {
  const tuple = {
    protocol: 'tcp',
    local: { address: '10.9.0.1', port },
    peer: { address: '10.9.0.2', port: 80 },
  } as const;
  return {
    type: 'state',
    at,
    host: 'client',
    socket,
    tuple,
    from: 'CLOSED',
    to: 'SYN-SENT',
    source: 'traced',
  };
}

it('a change of ends that nobody here has met is not ours', () => {
  const through: RawState[] = [];
  const ours = createOurs((one) => through.push(one));
  expect(ours.told(state(1, 4000))).toBe(false);
  ours.witness(state(1, 4001).tuple);
  expect(through).toEqual([]);
});

it('a change just before its first frame comes through with it, in order, whichever side the frame is from', () => {
  const through: RawState[] = [];
  const ours = createOurs((one) => through.push(one));
  const [first, second] = [state(1, 4000), state(2, 4000)];
  ours.told(first);
  ours.told(state(2, 5000));
  ours.told(second);
  const { local, peer } = first.tuple;
  ours.witness({ local: peer, peer: { address: `::ffff:${local.address}`, port: local.port } });
  expect(through).toEqual([first, second]);
  expect(ours.told({ ...state(3, 4000), to: 'ESTABLISHED' })).toBe(true);
});

it('a change with a cookie is ours: only a look at our own hosts knows it', () => {
  const ours = createOurs(() => {});
  expect(ours.told(state(1, 4000, 'cookie'))).toBe(true);
  expect(ours.told({ ...state(2, 4000), to: 'ESTABLISHED' })).toBe(true);
});

it('what waited too long is forgotten', () => {
  const through: RawState[] = [];
  const ours = createOurs((one) => through.push(one));
  ours.told(state(1, 4000));
  ours.told(state(5e9, 5000));
  ours.witness(state(1, 4000).tuple);
  expect(through).toEqual([]);
});

it('each of ours that is witnessed comes through exactly once, and none of another stage', () => {
  const step = fc.record({ port: fc.integer({ min: 1, max: 6 }), witness: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const told: RawState[] = [];
      const ours = createOurs((one) => told.push(one));
      const given: RawState[] = [];
      const met = new Set<number>();
      for (const [at, { port, witness }] of steps.entries()) {
        const one = state(at, port);
        // Odd ports are ours.
        if (witness && port % 2 === 1) {
          met.add(port);
          ours.witness(one.tuple);
        } else {
          given.push(one);
          if (ours.told(one)) {
            told.push(one);
          }
        }
      }
      // A SYN-SENT waits for the next witness, also of ends that are known.
      const lastMet = (port: number): number =>
        steps.findLastIndex((one) => one.witness && one.port === port);
      const expected = given.filter(
        ({ at, tuple }) => met.has(tuple.local.port) && at < lastMet(tuple.local.port),
      );
      expect(told.map(({ at }) => at).sort((a, b) => a - b)).toEqual(expected.map(({ at }) => at));
    }),
  );
});
