/** Whatever is asked of it in whatever order: nothing is served that is older than it allows, and the bound holds. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { World } from './cache-fixture.ts';
import { readDirectives } from './directives.ts';
import { fieldOf } from './fields.ts';
import { readDate } from './http-date.ts';
import { readRange } from './ranges.ts';

const seconds = fc.nat(20);
const directive = fc.oneof(
  fc.constantFrom(
    'public',
    'private',
    'no-store',
    'no-cache',
    'must-revalidate',
    'proxy-revalidate',
    'max-stale',
  ),
  fc
    .tuple(
      fc.constantFrom(
        'max-age',
        's-maxage',
        'stale-while-revalidate',
        'stale-if-error',
        'min-fresh',
        'max-stale',
      ),
      seconds,
    )
    .map(([name, value]) => `${name}=${value}`),
);
const control = fc.array(directive, { maxLength: 4 }).map((list) => list.join(', '));

interface Move {
  readonly wait: number;
  readonly path: string;
  readonly asks: string;
  readonly says: string;
  readonly down: boolean;
}

const move: fc.Arbitrary<Move> = fc.record({
  wait: seconds,
  path: fc.constantFrom('/a', '/b'),
  asks: control,
  says: control,
  down: fc.boolean(),
});

const number = (text: string, name: string) => {
  const all = [...text.matchAll(new RegExp(`(?:^|, )${name}=(\\d+)`, 'g'))].map((found) => Number(found[1]));
  return all.length === 0 ? undefined : Math.min(...all);
};
const word = (text: string, name: string) => text.split(', ').includes(name);

it('nothing is served that is older than its origin and its client allow', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 12 }), (moves) => {
      const world = new World('200');
      // What the origin last gave out whole for each path: when, and under which rules.
      const given = new Map<string, { at: number; says: string }>();
      for (const { wait, path, asks, says, down } of moves) {
        const origin = down ? 'down' : `200 Cache-Control: ${says} ¦ X-Says: ${says}`;
        const step = world.step(`+${wait} GET ${path} Cache-Control: ${asks} → ${origin}`);
        const [how = ''] = step.came.split(' ');
        if (how === 'miss') {
          // What is not stored leaves what was there.
          if (step.came.endsWith('stored')) {
            given.set(path, { at: world.now, says });
          }
          continue;
        }
        if (how !== 'hit' && how !== 'stale') {
          continue;
        }
        const source = given.get(path)!;
        const age = (world.now - source.at) / 1000;
        const rules = source.says;
        const life = number(rules, 's-maxage') ?? number(rules, 'max-age') ?? 0;
        const staleness = age - life;
        expect(Number(fieldOf(step.fields, 'age'))).toBe(age);
        expect(word(rules, 'no-store') || word(rules, 'private') || word(rules, 'no-cache')).toBe(false);
        if (how === 'hit') {
          expect(age).toBeLessThan(life);
          expect(age).toBeLessThanOrEqual(number(asks, 'max-age') ?? Number.POSITIVE_INFINITY);
          expect(life - age).toBeGreaterThanOrEqual(number(asks, 'min-fresh') ?? 0);
          expect(word(asks, 'no-cache')).toBe(false);
        } else {
          const willing = word(asks, 'max-stale') ? 1e9 : (number(asks, 'max-stale') ?? 0);
          const whileDown = down
            ? Math.max(number(rules, 'stale-if-error') ?? 0, number(asks, 'stale-if-error') ?? 0)
            : 0;
          const allowed = Math.max(number(rules, 'stale-while-revalidate') ?? 0, whileDown, willing);
          expect(staleness).toBeLessThanOrEqual(allowed);
          expect(word(rules, 'must-revalidate') || word(rules, 'proxy-revalidate')).toBe(false);
        }
      }
    }),
    { numRuns: 200 },
  );
});

it('the bound holds whatever is stored, and what was used last stays longest', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(30), fc.nat(3000)), { maxLength: 60 }), (all) => {
      const bound = 10_000;
      const world = new World('200', { bytes: bound });
      for (const [path, size] of all) {
        world.step(`GET /${path} → 200 Cache-Control: max-age=99 ¦ X-Body: ${'x'.repeat(size)}`);
        expect(world.cache.bytes).toBeLessThanOrEqual(bound);
      }
    }),
    { numRuns: 25 },
  );
  const world = new World(`200 Cache-Control: max-age=99 ¦ X-Body: ${'x'.repeat(1500)}`, { bytes: 12_000 });
  const names = ['a', 'b', 'c', 'a', 'd', 'e', 'a', 'b'];
  expect(names.map((name) => world.step(`GET /${name}`).came.split(' ')[0])).toEqual([
    'miss',
    'miss',
    'miss',
    'hit',
    'miss',
    'miss',
    'hit',
    'miss',
  ]);
});

it('an answer larger than a quarter of the cache is not kept', () => {
  const world = new World(`200 Cache-Control: max-age=99 ¦ X-Body: ${'x'.repeat(3000)}`, { bytes: 10_000 });
  world.step('GET /a');
  expect(world.step('GET /a').came).not.toBe('hit 200');
});

it('dates, directives and ranges are read or refused, whatever they are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(100), (text, length) => {
      readDirectives(text);
      readDate(text, 0);
      const slice = readRange(`bytes=${text}`, length);
      if (typeof slice !== 'string') {
        expect(slice.from).toBeLessThan(slice.to);
        expect(slice.to).toBeLessThanOrEqual(length);
      }
    }),
  );
});

it.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784111777000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 784111777000],
  ['Sun Nov  6 08:49:37 1994', 784111777000],
  ['Sun, 06 Nov 1994 08:49:37 +0000', null],
  ['Sun, 31 Feb 1994 08:49:37 GMT', null],
  ['Sun, 06 Nov 1994 24:49:37 GMT', null],
  ['0', null],
])('the date %s', (text, at) => {
  expect(readDate(text, Date.UTC(2026, 0, 1))).toBe(at);
});
