import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeObservation, encodeObservation } from './codec.ts';
import type { Observation } from './observation.ts';

function through(observation: Observation): Observation {
  const record = encodeObservation(observation);
  const placed = new Uint8Array(record.length + 7);
  placed.set(record, 3);
  return decodeObservation(placed, 3, 3 + record.length);
}

test('bytes of any length come back as they were, whatever the tap is called', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300_000 }),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.constantFrom('client' as const, 'server' as const),
      (bytes, tap, connection, from) => {
        const observation: Observation = { type: 'bytes', at: 1.5e15 + 1, tap, connection, from, bytes };
        const back = through(observation);
        expect({ ...back, bytes: [] }).toEqual({ ...observation, bytes: [] });
        expect(back.type === 'bytes' && Buffer.compare(back.bytes, bytes) === 0).toBe(true);
      },
    ),
    { numRuns: 30 },
  );
});

test('a message keeps big numbers, bytes and what is nested', () => {
  const observation: Observation = {
    type: 'message',
    at: 12,
    tap: '6379',
    connection: 3,
    heard: {
      protocol: 'redis',
      decoder: 'redis',
      side: 'server',
      kind: 'reply',
      name: 'GET',
      summary: '"x"',
      fields: { big: 2n ** 60n, list: [1, 'two', null] },
      bytes: 7,
      at: 12,
      began: 11,
      failed: false,
      asked: 'GET',
      askedAt: 5,
      latency: 7,
      firstByte: 6,
    },
  };
  expect(through(observation)).toEqual(observation);
});
