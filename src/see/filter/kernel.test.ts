import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TCP_STATES } from '../../session/socket.ts';
import type { Filter } from './ast.ts';
import { evaluate } from './evaluate.ts';
import { compileForKernel } from './kernel.ts';
import { parseFilter } from './parse.ts';
import { filterText, type Pool, socket } from './testing/arbitrary.ts';
import { audit, run } from './testing/interpreter.ts';

const DEVICES = ['lo', 'eth0'];
const CGROUPS = ['/a', '/a/b'];
const machine = {
  deviceIndex: (name: string) => (DEVICES.includes(name) ? DEVICES.indexOf(name) + 1 : null),
  cgroupId: (path: string) => (CGROUPS.includes(path) ? 2 ** 33 + CGROUPS.indexOf(path) : null),
};
const pool: Pool = {
  ports: [22, 80, 8080, 40000],
  four: ['10.0.0.1', '10.0.128.2', '127.0.0.1', '0.0.0.0'],
  six: ['::1', '::', 'fe80::1', '2001:db8::ff'],
  devices: DEVICES,
  cgroups: CGROUPS,
};

function parsed(text: string): Filter {
  const result = parseFilter(text, machine);
  if (!result.ok || result.filter === null) {
    throw new Error(`${text}: ${result.ok ? 'empty' : result.message}`);
  }
  return result.filter;
}

const ask = (text: string, options = {}) => compileForKernel(parsed(text), { ...machine, ...options });

describe('what the kernel is asked', () => {
  it('a port is one comparison per side, and the whole truth', () => {
    expect(ask(':8080')).toMatchObject({ exact: true, families: [4, 6] });
    expect([...ask('sport = :8080').bytecode!]).toEqual([11, 8, 12, 0, 0, 0, 0x90, 0x1f]);
  });

  it('states at the top become the mask and need no bytecode', () => {
    const listen = 1 << TCP_STATES.indexOf('LISTEN');
    expect(ask('listen')).toMatchObject({ states: listen, bytecode: null, exact: true });
    expect(ask('not ( not listen or :80 )')).toMatchObject({ states: listen, exact: true });
  });

  it('what only the row knows is left out, and the answer is not exact', () => {
    expect(ask('node and :80')).toMatchObject({ bytecode: ask(':80').bytecode, exact: false });
    expect(ask('node or :80')).toMatchObject({ bytecode: null, exact: false });
    expect(ask('not node')).toMatchObject({ bytecode: null, exact: false });
    expect(ask('not ( node or :80 )')).toMatchObject({ bytecode: ask('not :80').bytecode, exact: false });
  });

  it('a state within an "or" widens the mask instead of losing rows', () => {
    const { states, exact } = ask('( listen and sport = :80 ) or ( time-wait and dport = :80 )');
    expect(states).toBe((1 << TCP_STATES.indexOf('LISTEN')) | (1 << TCP_STATES.indexOf('TIME-WAIT')));
    expect(exact).toBe(false);
  });

  it('UNIX paths ask no internet family but keep the states', () => {
    expect(ask('/run/*')).toMatchObject({ families: [0], bytecode: null });
    expect(ask('/run/* and listen').states).toBe(1 << TCP_STATES.indexOf('LISTEN'));
  });

  it('marks are asked only with CAP_NET_ADMIN, since the kernel refuses the request otherwise', () => {
    expect(ask('fwmark = 1')).toMatchObject({ bytecode: null, exact: false });
    expect(ask('fwmark = 1', { netAdmin: true })).toMatchObject({ exact: true });
  });

  it('protocols are decided when the request is for one', () => {
    expect(ask('tcp and :80')).toMatchObject({ exact: false, protocols: ['tcp'] });
    expect(ask('tcp and :80', { protocol: 'tcp' })).toMatchObject({ exact: true });
    expect(ask('tcp or :80', { protocol: 'tcp' })).toMatchObject({ exact: true, bytecode: null });
    expect(ask('tcp', { protocol: 'udp' }).families).toEqual([0]);
  });

  it('a filter too long for the kernel is left to us', () => {
    const text = Array.from({ length: 2000 }, (_, i) => `sport = :${i + 1}`).join(' or ');
    expect(ask(text)).toMatchObject({ bytecode: null, exact: false });
  });

  it('no filter asks for everything', () => {
    expect(compileForKernel(null)).toMatchObject({
      bytecode: null,
      states: 0x3fff,
      families: [4, 6, 0],
      exact: true,
    });
  });
});

describe('bytecode against evaluate, on random rows', () => {
  const within = (text: string, check: (selected: boolean, wanted: boolean, exact: boolean) => void) =>
    fc.property(fc.array(socket(pool), { minLength: 1, maxLength: 20 }), (rows) => {
      const filter = parsed(text);
      const { bytecode, states, families, exact } = compileForKernel(filter, { ...machine, netAdmin: true });
      expect(bytecode === null ? null : audit(bytecode)).toBeNull();
      const test = evaluate(filter);
      for (const row of rows) {
        const selected =
          (states & (1 << TCP_STATES.indexOf(row.state))) !== 0 &&
          families.includes(row.family) &&
          (bytecode === null || run(bytecode, row, machine));
        check(selected, test(row), exact);
      }
    });

  it('an exact program selects the very rows, and any other never too few', () => {
    let exactOnes = 0;
    fc.assert(
      fc.property(filterText(pool, true), (text) => {
        fc.assert(
          within(text, (selected, wanted, exact) => {
            exactOnes += exact ? 1 : 0;
            expect(exact ? selected === wanted : selected || !wanted, text).toBe(true);
          }),
          { numRuns: 3, seed: 7 },
        );
      }),
      { numRuns: 700, seed: 20260 },
    );
    expect(exactOnes).toBeGreaterThan(1000);
  });
});
