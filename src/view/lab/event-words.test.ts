import fc from 'fast-check';
import { expect, test } from 'vitest';
import { someEvent } from '../../session/events.contract.ts';
import { eventWords } from './event-words.ts';

const call = {
  type: 'syscall',
  at: 0,
  host: 'client',
  pid: 1,
  tid: 1,
  name: 'recv',
  args: [5, 4096, ['MSG_PEEK'], { from: '10.9.0.2:80' }, '"a b"'],
} as const;

test('a call is told as a manual page writes it, with how long it waited', () => {
  expect(eventWords({ ...call, took: 2e9, result: -1, errno: 'ECONNRESET' })).toBe(
    'client: recv(5, 4096, [MSG_PEEK], {from: 10.9.0.2:80}, "a b") = -1 ECONNRESET, after 2.0 s',
  );
  expect(eventWords({ ...call, args: [4096], fd: 5, took: 5000, result: 3 })).toBe(
    'client: recv(5, 4096) = 3',
  );
  expect(eventWords({ ...call, args: [5], fd: 5, took: null, result: null })).toBe('client: recv(5) …');
});

test('any event is one line that moves no cursor', () => {
  fc.assert(
    fc.property(someEvent, (event) => {
      const words = eventWords(event);
      expect(words).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }),
  );
});
