import { expect, test } from 'vitest';
import { Deadline, rootScope, sleep } from './scope.ts';

const never = new AbortController().signal;

test('a deadline cancels every step below it and names the innermost ones', async () => {
  const told: (readonly string[])[] = [];
  const scope = rootScope(never, 30, (steps) => told.push(steps));
  const both = scope.step('a', (a) =>
    Promise.all([
      a.step('b', ({ signal }) => sleep(10_000, signal)),
      a.step('c', (c) => c.step('d', () => new Promise(() => {}))),
    ]),
  );
  await expect(both).rejects.toBeInstanceOf(Deadline);
  expect(told).toEqual([['a > b', 'a > c > d']]);
  expect(scope.left()).toBe(0);
  await expect(scope.step('late', async () => 1)).rejects.toBeInstanceOf(Deadline);
  scope.end();
});

test('what is done in time leaves nothing behind', async () => {
  const client = new AbortController();
  const told: unknown[] = [];
  const scope = rootScope(client.signal, 20, (steps) => told.push(steps));
  expect(await scope.step('a', async () => 7)).toBe(7);
  scope.end();
  client.abort(new Error('too late to matter'));
  await sleep(40, never);
  expect([told, scope.signal.aborted]).toEqual([[], false]);
});

test('a step that fails fails alone', async () => {
  const scope = rootScope(never, null, () => {});
  await expect(
    scope.step('a', async () => {
      throw new Error('own');
    }),
  ).rejects.toThrow('own');
  expect([scope.signal.aborted, scope.left()]).toEqual([false, null]);
  expect(await scope.step('b', async () => 1)).toBe(1);
});

test('a client that has left already gets nothing done', async () => {
  const scope = rootScope(AbortSignal.abort(new Error('gone')), 1000, () => {});
  await expect(scope.step('a', async () => 1)).rejects.toThrow('gone');
  scope.end();
});
