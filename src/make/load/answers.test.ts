import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadKind, Wishes } from './kind.ts';
import { kinds } from './kinds.ts';
import { kind as line } from './line.ts';
import { createPace } from './pace.ts';
import { sharesOf } from './plan.ts';
import { kind as redis } from './redis.ts';
import { kind as rpc } from './rpc.ts';
import { kind as tcp } from './tcp.ts';

const WISHES: Wishes = {
  keepAlive: true,
  authority: 'localhost',
  path: '/',
  method: 'GET',
  headers: [],
  body: new Uint8Array(0),
  command: ['ECHO', '1'],
  size: 20,
};

/** The statuses of the answers in the bytes, cut as told; `refused` when they are no answers. */
function statuses(
  kind: LoadKind,
  bytes: Uint8Array,
  cuts: readonly number[],
  wishes = WISHES,
): number[] | 'refused' {
  const one = kind.recogniser(wishes);
  const edges = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  const found: number[] = [];
  let from = 0;
  for (const to of edges) {
    while (from < to) {
      const next = one.take(bytes, from, to);
      if (next < 0) {
        return 'refused';
      }
      expect(next).toBeGreaterThan(from);
      from = next;
      if (one.done) {
        found.push(one.status);
      }
    }
  }
  return found;
}

const cuts = fc.array(fc.nat(500), { maxLength: 6 });

interface Reply {
  readonly text: string;
  readonly error: boolean;
}

const { reply } = fc.letrec<{ reply: Reply; leaf: Reply; list: Reply }>((tie) => ({
  reply: fc.oneof({ maxDepth: 3 }, tie('leaf'), tie('list')),
  leaf: fc.oneof(
    fc
      .constantFrom('+PONG\r\n', ':42\r\n', ':-1\r\n', '$-1\r\n', '*-1\r\n', '_\r\n', '#t\r\n', ',1.5\r\n')
      .map((text) => ({ text, error: false })),
    fc.constantFrom('-ERR no\r\n', '!5\r\nERR x\r\n').map((text) => ({ text, error: true })),
    fc
      .string({ maxLength: 12 })
      .map((text) => ({ text: `$${Buffer.byteLength(text)}\r\n${text}\r\n`, error: false })),
  ),
  list: fc
    .tuple(
      fc.constantFrom('*', '~', '>', '%'),
      fc.array(tie('reply') as fc.Arbitrary<Reply>, { maxLength: 4 }),
    )
    .map(([type, items]) => {
      const even = type === '%' ? items.slice(0, items.length & ~1) : items;
      const length = type === '%' ? even.length / 2 : even.length;
      return { text: `${type}${length}\r\n${even.map(({ text }) => text).join('')}`, error: false };
    }),
}));

describe('the ends of answers', () => {
  it('of Redis are found at any depth, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(reply, { minLength: 1, maxLength: 5 }), cuts, (replies, where) => {
        const bytes = Buffer.from(replies.map(({ text }) => text).join(''));
        expect(statuses(redis, bytes, where)).toEqual(replies.map(({ error }) => (error ? 1 : 0)));
      }),
      { numRuns: 200 },
    );
    expect(statuses(redis, Buffer.from('|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n'), [])).toEqual([0, 0]);
  });

  it('of JSON-RPC are found whatever is in the strings, and an error is one', () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ result: value, error: fc.oneof(fc.constant(null), value) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.constantFrom('\n', '', ' \r\n'),
        cuts,
        (answers, between, where) => {
          const text = answers.map((one) => JSON.stringify({ id: 1, ...one }) + between).join('');
          expect(statuses(rpc, Buffer.from(text), where)).toEqual(
            answers.map(({ error }) => (error === null ? 0 : 1)),
          );
        },
      ),
      { numRuns: 200 },
    );
    expect(statuses(rpc, Buffer.from('{"a":"error","b":[{"error":1}],"error" : null}'), [])).toEqual([0]);
  });

  it('of lines are line feeds, of echoes the same bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), cuts, (count, where) => {
        expect(statuses(line, Buffer.from('PONG\r\n'.repeat(count)), where)).toHaveLength(count);
        const echo = Buffer.from(tcp.request(WISHES));
        expect(statuses(tcp, Buffer.concat(Array(count).fill(echo)), where)).toHaveLength(count);
        echo[7]! ^= 1;
        expect(statuses(tcp, echo, where)).toBe('refused');
      }),
      { numRuns: 50 },
    );
  });

  it('are looked for in rubbish without an exception and without standing still', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), cuts, (bytes, where) => {
        for (const kind of kinds) {
          statuses(kind, bytes, where);
        }
      }),
    );
  });
});

describe('the pace', () => {
  const share = { connections: 1, requests: 0, rate: 1000, offsetNs: 0 };

  it('charges a request that had to wait for a connection from when it was due', () => {
    const pace = createPace(share, 0);
    expect(pace.begin(0, true)).toBe(0);
    // For ten milliseconds nobody was free: requests 1 to 10 were due in that time.
    const starts = Array.from({ length: 10 }, () => pace.begin(10e6, false));
    expect(starts).toEqual([1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6, 8e6, 9e6, 10e6]);
    expect(pace.begin(10e6, false)).toBe(-1);
    expect(pace.late()).toBe(10);
  });

  it('charges nobody for the tick of our own timer', () => {
    const pace = createPace(share, 0);
    expect(pace.begin(0.9e6, true)).toBe(0.9e6);
    expect(pace.late()).toBe(0);
    expect(pace.begin(4e6, true), 'but for a long sleep').toBe(1e6);
  });

  it('makes exactly as many requests as were wished for, whatever is given back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(0, 1000),
        fc.nat(5),
        (requests, rate, back) => {
          const pace = createPace({ ...share, requests, rate }, 0);
          const all = (): number => {
            let made = 0;
            while (pace.begin(1e12, true) >= 0) {
              made++;
            }
            return made;
          };
          expect(all()).toBe(requests);
          expect(pace.finished()).toBe(true);
          const returned = Math.min(back, requests);
          for (let index = 0; index < returned; index++) {
            pace.giveBack();
          }
          expect(all()).toBe(returned);
        },
      ),
    );
  });

  it('is shared out without losing a request or a connection', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 100 }),
        (connections, threads, requests) => {
          const shares = sharesOf({ connections, threads, requests, rate: 100 } as Parameters<
            typeof sharesOf
          >[0]);
          expect(shares.reduce((sum, one) => sum + one.requests, 0)).toBe(requests);
          expect(shares.every((one) => one.connections > 0)).toBe(true);
          expect(shares.length).toBeLessThanOrEqual(threads);
        },
      ),
    );
  });
});
