import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyOut, putText, reserve } from './bytes-out.ts';

test('growing keeps what was written and makes room for more', () => {
  const out = emptyOut(2);
  out.bytes.set([7, 8]);
  out.length = 2;
  reserve(out, 1000);
  expect(out.bytes.length).toBeGreaterThanOrEqual(1002);
  expect([...out.bytes.subarray(0, out.length)]).toEqual([7, 8]);
});

test('a buffer with room enough is not replaced', () => {
  const out = emptyOut(8);
  const before = out.bytes;
  reserve(out, 8);
  expect(out.bytes).toBe(before);
});

test('text comes out as UTF-8, cut to whole characters within the limit', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 90 }),
      fc.integer({ min: 0, max: 100 }),
      (text, limit) => {
        const out = emptyOut(0);
        const length = putText(out, text, limit);
        const written = new TextDecoder('utf-8', { ignoreBOM: true }).decode(
          out.bytes.subarray(0, out.length),
        );
        expect(length).toBe(out.length);
        expect(length).toBeLessThanOrEqual(limit);
        expect(text.startsWith(written)).toBe(true);
        const next = [...text.slice(written.length)][0];
        if (next !== undefined) {
          expect(length + new TextEncoder().encode(next).length).toBeGreaterThan(limit);
        }
      },
    ),
  );
});
