import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interleave, type Racers, type Running, race, STAGGER_NS } from './happy-eyeballs.ts';

const MS = 1e6;

/** Time that passes only when it is told to, and what each address answers after how long. */
function stage(plan: Readonly<Record<string, { after: number; result: 'stands' | number }>>) {
  const heap: { at: number; run: () => void }[] = [];
  const log: string[] = [];
  const open = new Set<string>();
  let now = 0;
  function after(ns: number, run: () => void): Running {
    const one = { at: now + ns, run };
    heap.push(one);
    return {
      cancel() {
        const index = heap.indexOf(one);
        if (index >= 0) {
          heap.splice(index, 1);
        }
      },
    };
  }
  const racers: Racers<string, { who: string }> = {
    begin(address, done) {
      log.push(`${now / MS} begin ${address}`);
      open.add(address);
      const { after: ms, result } = plan[address]!;
      const timer = after(ms * MS, () => {
        open.delete(address);
        done(result === 'stands' ? { who: address } : result);
      });
      return {
        cancel() {
          open.delete(address);
          timer.cancel();
        },
      };
    },
    failed: (address, errno) => log.push(`${now / MS} failed ${address} ${errno}`),
    dropped: (address) => log.push(`${now / MS} dropped ${address}`),
    after,
    over: (winner, errno) => log.push(`${now / MS} over ${winner === null ? errno : winner.who}`),
  };
  return {
    log,
    open,
    racers,
    run(): void {
      for (let one = heap.sort((a, b) => a.at - b.at).shift(); one !== undefined; ) {
        now = one.at;
        one.run();
        one = heap.sort((a, b) => a.at - b.at).shift();
      }
    },
  };
}

describe('the race of RFC 8305', () => {
  it('a silent first address costs 250 ms, and is dropped when the second stands', () => {
    const { log, racers, open, run } = stage({
      six: { after: 9000, result: 'stands' },
      four: { after: 3, result: 'stands' },
    });
    race(['six', 'four'], racers);
    run();
    expect(log).toEqual(['0 begin six', '250 begin four', '253 dropped six', '253 over four']);
    expect(open.size).toBe(0);
  });

  it('a refused first address costs nothing: the next begins at once', () => {
    const { log, racers, run } = stage({
      six: { after: 1, result: -111 },
      four: { after: 2, result: 'stands' },
    });
    race(['six', 'four'], racers);
    run();
    expect(log).toEqual(['0 begin six', '1 failed six -111', '1 begin four', '3 over four']);
  });

  it('the earlier one may still win after the later one has begun', () => {
    const { log, racers, run } = stage({
      a: { after: 300, result: 'stands' },
      b: { after: 500, result: 'stands' },
    });
    race(['a', 'b'], racers);
    run();
    expect(log.at(-1)).toBe('300 over a');
  });

  it('when all fail, the last error is told once everybody has answered', () => {
    const { log, racers, run } = stage({ a: { after: 400, result: -110 }, b: { after: 10, result: -111 } });
    race(['a', 'b'], racers);
    run();
    expect(log.slice(-3)).toEqual(['260 failed b -111', '400 failed a -110', '400 over -110']);
  });

  it('nothing is told and nothing is open after it was cancelled', () => {
    const { log, racers, open, run } = stage({
      a: { after: 1, result: 'stands' },
      b: { after: 1, result: 'stands' },
    });
    race(['a', 'b'], racers).cancel();
    run();
    expect(log).toEqual(['0 begin a']);
    expect(open.size).toBe(0);
  });

  it('always ends exactly once, with a winner if any address stands, and leaves nothing open', () => {
    const answer = fc.record({
      after: fc.integer({ min: 0, max: 2000 }),
      result: fc.constantFrom('stands' as const, -111, -113),
    });
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 8 }), (answers) => {
        const plan = Object.fromEntries(answers.map((one, index) => [`a${index}`, one]));
        const { log, racers, open, run } = stage(plan);
        race(Object.keys(plan), racers);
        run();
        expect(log.filter((line) => line.includes(' over '))).toHaveLength(1);
        expect(log.at(-1)!.includes('over a')).toBe(answers.some(({ result }) => result === 'stands'));
        expect(open.size).toBe(0);
        const begun = log.filter((line) => line.includes('begin')).map((line) => Number.parseFloat(line));
        expect(begun.every((at, index) => index === 0 || at - begun[index - 1]! <= STAGGER_NS / MS)).toBe(
          true,
        );
      }),
    );
  });
});

describe('the order of addresses', () => {
  it('IPv6 first, then in turn, each family as it came', () => {
    const hosts = ['127.0.0.1', '10.0.0.1', '::1', '10.0.0.2', 'fe80::1'].map((host) => ({ host }));
    expect(interleave(hosts).map(({ host }) => host)).toEqual([
      '::1',
      '127.0.0.1',
      'fe80::1',
      '10.0.0.1',
      '10.0.0.2',
    ]);
  });
});
