import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkFor, stageOf, trial } from '../chain-fixture.ts';
import { corrupt } from './corrupt.ts';

function corrupted(
  chunks: readonly number[],
  attributes: Record<string, number | string>,
  seed = 1,
): number[] {
  const t = trial([stageOf(corrupt, attributes, linkFor(seed))]);
  for (const size of chunks) {
    t.data(new Uint8Array(size));
  }
  t.chain.end();
  expect(t.log.at(-1)).toBe('end @0');
  return t.passed;
}

const bitsOf = (bytes: readonly number[]): number =>
  bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

describe('corrupt', () => {
  it('flips the share of bits that was asked for', () => {
    const bytes = corrupted([100_000], { share: 0.01 });
    expect(bytes).toHaveLength(100_000);
    expect(Math.abs(bitsOf(bytes) / 800_000 - 0.01)).toBeLessThan(0.0005);
  });

  it('or changes the share of bytes', () => {
    const bytes = corrupted([100_000], { share: 0.05, unit: 'bytes' });
    expect(Math.abs(bytes.filter((byte) => byte !== 0).length / 100_000 - 0.05)).toBeLessThan(0.003);
  });

  it('share 0 changes none, share 1 all', () => {
    expect(bitsOf(corrupted([1000], { share: 0 }))).toBe(0);
    expect(bitsOf(corrupted([1000], { share: 1 }))).toBe(8000);
    expect(corrupted([1000], { share: 1, unit: 'bytes' }).every((byte) => byte !== 0)).toBe(true);
  });

  it('the same seed hits the same bytes, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.constantFrom('bits', 'bytes'), fc.nat(), (chunks, unit, seed) => {
        const whole = chunks.reduce((sum, size) => sum + size, 0);
        const attributes = { share: 0.1, unit };
        expect(corrupted(chunks, attributes, seed)).toEqual(corrupted([whole], attributes, seed));
      }),
    );
  });

  it('says how much it changed', () => {
    const t = trial([stageOf(corrupt, { share: 1, unit: 'bytes' })]);
    t.data(new Uint8Array(3));
    expect(t.said).toEqual(['corrupted 3 bytes']);
  });
});
