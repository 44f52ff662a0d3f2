import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sha256 } from './sha256.ts';

const other = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

it('the digest of "abc" is the published one', () => {
  expect(sha256(new TextEncoder().encode('abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

it('every length around the block size agrees with node:crypto', () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);
    expect(sha256(bytes)).toBe(other(bytes));
  }
});

it('any bytes agree with node:crypto', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
      expect(sha256(bytes)).toBe(other(bytes));
    }),
  );
});
