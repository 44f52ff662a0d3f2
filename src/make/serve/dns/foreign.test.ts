import * as packet from 'dns-packet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortText } from './fixture.ts';
import { readForeign } from './foreign.ts';

const MESSAGE = packet.encode({
  type: 'response',
  id: 1,
  questions: [{ name: 'a.test', type: 'A' }],
  answers: [
    { name: 'a.test', type: 'MX', ttl: 1, data: { preference: 7, exchange: 'b.test' } },
    { name: 'A.test', type: 'MX', ttl: 1, data: { preference: 8, exchange: 'c.test' } },
    { name: 'a.test', type: 'HINFO', ttl: 1, data: { cpu: 'x', os: 'y' } },
  ],
  authorities: [{ name: 'test', type: 'NS', ttl: 2, data: 'ns.test' }],
});

test('somebody else’s records are read into sets', () => {
  const { answers, authority } = readForeign(MESSAGE)!;
  expect(answers.map(({ type, data }) => [type, data.length])).toEqual([
    [15, 2],
    [13, 1],
  ]);
  const { data, ...set } = answers[0]!;
  expect(data.map((one) => shortText({ ...set, data: one }))).toEqual([
    'a.test MX 7 b.test.',
    'a.test MX 8 c.test.',
  ]);
  expect(answers[1]!.data).toEqual([['\x01x\x01y']]);
  expect(authority[0]).toMatchObject({ type: 2, ttl: 2, data: [[{ name: '\x02ns\x04test' }]] });
});

test('what is broken is null and never throws', () => {
  const changes = fc.array(fc.tuple(fc.nat(MESSAGE.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(changes, fc.nat(MESSAGE.length), (list, length) => {
      const bytes = Uint8Array.from(MESSAGE);
      for (const [at, value] of list) {
        bytes[at] = value;
      }
      const read = readForeign(bytes.subarray(0, length));
      expect(read === null || read.answers.length <= 0xffff).toBe(true);
    }),
    { numRuns: 500 },
  );
  expect(readForeign(MESSAGE.subarray(0, MESSAGE.length - 1))).toBe(null);
});
