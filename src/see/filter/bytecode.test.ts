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

describe.skipIf(linux.missing)('the running kernel', () => {
  let zoo: Zoo;
  let options: KernelOptions;
  let everything: Socket[];
  beforeAll(() => {
    zoo = openZoo();
    options = { deviceIndex, cgroupId, netAdmin: zoo.marked };
    everything = selected(zoo, EVERYTHING);
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

  it('selects the rows that evaluate selects, for 240 generated filters', () => {
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
        const rows = selected(zoo, ask);
        exactOnes += ask.exact ? 1 : 0;
        const wanted = everything.filter(test);
        partial += wanted.length > 0 && wanted.length < everything.length ? 1 : 0;
        expect(names(ask.exact ? rows : rows.filter(test)), text).toEqual(names(wanted));
      }),
      { numRuns: 240, seed: 4711 },
    );
    // Most filters must be decided by the kernel alone and must split the rows, or this proves little.
    expect(exactOnes).toBeGreaterThan(120);
    expect(partial).toBeGreaterThan(80);
  }, 120_000);

  it('autobound: the kernel knows what bind() was told, the row only the port, and both must agree, as in ss', () => {
    const [auto, named] = ['autobound', 'not autobound'].map((text) => {
      const filter = filterOf(text);
      const ask = compileForKernel(filter, options);
      expect(ask.exact).toBe(false);
      return selected(zoo, ask).filter(evaluate(filter));
    });
    // Every port here was picked by the kernel, but those given to bind(…, 0) before listen() count as picked, too.
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
