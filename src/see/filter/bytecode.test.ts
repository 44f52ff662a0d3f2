/** The compiled program against the running kernel: what it selects is what evaluate selects from an unfiltered dump. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { cgroupId, deviceIndex } from '../../kernel/names.ts';
import type { Socket } from '../../session/socket.ts';
import type { Filter } from './ast.ts';
import { evaluate } from './evaluate.ts';
import { compileForKernel, type KernelOptions } from './kernel.ts';
import { parseFilter } from './parse.ts';
import { filterText } from './testing/arbitrary.ts';
import { closeZoo, openZoo, selected, type Zoo } from './testing/sockets.ts';

const linux = needs('linux');
const EVERYTHING = compileForKernel(null);

function filterOf(text: string): Filter {
  const result = parseFilter(text);
  if (!result.ok || result.filter === null) {
    throw new Error(`${text}: ${result.ok ? 'empty' : result.message}`);
  }
  return result.filter;
}

const names = (rows: readonly Socket[]): string[] =>
  rows
    .map(
      (r) =>
        `${r.protocol} ${r.state} ${r.local.address}:${r.local.port} ${r.peer.address}:${r.peer.port} ${r.cookie}`,
    )
    .sort();

const PASSING = new Set(['FIN-WAIT-1', 'LAST-ACK', 'CLOSING', 'SYN-RECV', 'SYN-SENT']);

/** A FIN is acknowledged up to 40 ms late: the rows from when no socket is on its way any more. */
async function settled(zoo: Zoo): Promise<Socket[]> {
  for (;;) {
    const rows = selected(zoo, EVERYTHING);
    if (!rows.some(({ state }) => PASSING.has(state))) {
      return rows;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.skipIf(linux.missing)('the running kernel', () => {
  let zoo: Zoo;
  let options: KernelOptions;
  let everything: Socket[];
  beforeAll(async () => {
    zoo = openZoo();
    options = { deviceIndex, cgroupId, netAdmin: zoo.marked };
    everything = await settled(zoo);
  });
  afterAll(() => closeZoo(zoo));

  it('has sockets of many states, both families, mapped addresses and a bound device here', () => {
    const states = new Set(everything.map(({ state }) => state));
    for (const state of ['LISTEN', 'ESTABLISHED', 'CLOSE-WAIT', 'FIN-WAIT-2', 'TIME-WAIT', 'CLOSED']) {
      expect(states).toContain(state);
    }
    expect(everything.some(({ peer }) => peer.address.startsWith('::ffff:127.'))).toBe(true);
    expect(everything.some(({ device }) => device === 'lo')).toBe(true);
    expect(everything.length).toBeGreaterThan(20);
  });

  it('selects the rows that evaluate selects, for 400 generated filters', () => {
    const cgroup =
      everything.find((row) => row.cgroup !== undefined && cgroupId(row.cgroup) !== null)?.cgroup ?? '/';
    const pool = {
      ports: [...zoo.ports],
      four: ['127.0.0.1', '127.0.0.2', '0.0.0.0', '10.0.0.1'],
      six: ['::1', '::', '::ffff:127.0.0.1', 'fe80::1'],
      devices: ['lo'],
      cgroups: [cgroup, '/'],
    };
    let exactOnes = 0;
    let partial = 0;
    fc.assert(
      fc.property(filterText(pool, true), (text) => {
        const filter = filterOf(text);
        const ask = compileForKernel(filter, options);
        const test = evaluate(filter);
        const choice = (): string[] => names(selected(zoo, ask).filter((row) => ask.exact || test(row)));
        let chosen = choice();
        if (chosen.join() !== names(everything.filter(test)).join()) {
          // TIME-WAIT ends after a minute: only a difference that stays is one.
          everything = selected(zoo, EVERYTHING);
          chosen = choice();
        }
        const wanted = everything.filter(test);
        exactOnes += ask.exact ? 1 : 0;
        partial += wanted.length > 0 && wanted.length < everything.length ? 1 : 0;
        expect(chosen, text).toEqual(names(wanted));
      }),
      { numRuns: 400, seed: 4711 },
    );
    // Most filters must be decided by the kernel alone and must split the rows, or this proves little.
    expect(exactOnes).toBeGreaterThan(200);
    expect(partial).toBeGreaterThan(130);
  }, 120_000);

  it('autobound: the kernel knows what bind() was told, the row only the port, and both must agree, as in ss', () => {
    const [auto, named] = ['autobound', 'not autobound'].map((text) => {
      const filter = filterOf(text);
      const ask = compileForKernel(filter, options);
      expect(ask.exact).toBe(false);
      return selected(zoo, ask).filter(evaluate(filter));
    });
    // Every port of the zoo was left to the kernel: bind(…, 0) names none.
    expect(auto!.length).toBeGreaterThan(10);
    expect(auto!.some(({ state }) => state === 'LISTEN')).toBe(true);
    expect(names(named!)).toEqual([]);
  });

  it('takes a program at the length limit', () => {
    const listed = [...zoo.ports].slice(0, 3);
    const filler = Array.from({ length: 500 }, (_, i) => i + 1);
    const filter = filterOf([...filler, ...listed].map((port) => `sport = :${port}`).join(' or '));
    const ask = compileForKernel(filter, options);
    expect(ask.exact).toBe(true);
    expect(names(selected(zoo, ask))).toEqual(
      names(everything.filter(({ local }) => listed.includes(local.port))),
    );
  });
});
