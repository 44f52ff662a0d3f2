import { expect, test } from 'vitest';
import { Collapse } from './collapse.ts';

test('one asks, the others wait and hear what became of it', async () => {
  const collapse = new Collapse();
  expect(collapse.join('a', 0)).toBeNull();
  const others = [collapse.join('a', 1), collapse.join('a', 2)];
  expect(collapse.join('b', 2)).toBeNull();
  collapse.done('a', 'look');
  expect(await Promise.all(others)).toEqual(['look', 'look']);
  expect(collapse.join('a', 3)).toBeNull();
});

test('what is for one only is not waited for, until it is tried again', async () => {
  const collapse = new Collapse();
  expect(collapse.join('a', 0)).toBeNull();
  const other = collapse.join('a', 0);
  collapse.apart('a', 100);
  expect(await other).toBe('ask');
  expect([collapse.join('a', 101), collapse.join('a', 10_099)]).toEqual([undefined, undefined]);
  expect(collapse.join('a', 10_100)).toBeNull();
  expect(collapse.join('a', 10_100)).toBeInstanceOf(Promise);
});

test('asking while nobody waits happens once, whatever is known about the answer', () => {
  const collapse = new Collapse();
  collapse.join('a', 0);
  collapse.apart('a', 0);
  expect([collapse.lead('a'), collapse.lead('a')]).toEqual([true, false]);
  collapse.done('a', 'look');
  expect(collapse.lead('a')).toBe(true);
});

test('however many answers are for one only, a bounded number is remembered', () => {
  const collapse = new Collapse();
  for (let at = 0; at <= 1000; at++) {
    collapse.apart(String(at), 0);
  }
  expect(collapse.join('0', 1)).toBeNull();
  expect(collapse.join('1000', 1)).toBeUndefined();
});
