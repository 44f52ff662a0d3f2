import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflated, inflatedMessage } from './inflate.ts';

const NONE = new Uint8Array(0);
const text = new TextEncoder().encode('a line that is said twice\n'.repeat(50));

describe('inflated', () => {
  it.each([
    ['gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    [' GZIP ,identity, br', brotliCompressSync(gzipSync(text))],
    ['', text],
  ])('undoes %j', (encoding, bytes) => {
    const result = inflated(bytes, encoding, 10_000);
    expect(result).toMatchObject({ whole: true, size: text.length });
    expect('bytes' in result && Uint8Array.from(result.bytes)).toEqual(text);
  });

  it('gives what the beginning of a stream holds', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.constantFrom(gzipSync, deflateSync, deflateRawSync, brotliCompressSync),
        (n, pack) => {
          const packed = pack(text);
          const encoding = pack === gzipSync ? 'gzip' : pack === brotliCompressSync ? 'br' : 'deflate';
          const cut = Math.min(n, packed.length - 1);
          const result = inflated(packed.subarray(0, cut), encoding, 10_000);
          if ('bytes' in result) {
            expect(Uint8Array.from(result.bytes)).toEqual(text.slice(0, result.bytes.length));
          } else {
            // A cut inside a raw stream may look like nothing at all.
            expect(result.why).not.toBe('');
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('knows the size of more than it gives', () => {
    expect(inflated(gzipSync(text), 'gzip', 5)).toMatchObject({ whole: false, size: text.length });
  });

  it.each([
    ['gzip', gzipSync(new Uint8Array(30_000_000))],
    ['deflate', deflateSync(new Uint8Array(30_000_000))],
    ['br', brotliCompressSync(new Uint8Array(30_000_000))],
  ])('of a %s bomb gives the first bytes', (encoding, bomb) => {
    const result = inflated(bomb, encoding, 16_384);
    expect(result).toMatchObject({ whole: false, size: -1 });
    expect('bytes' in result && Uint8Array.from(result.bytes)).toEqual(new Uint8Array(16_384));
  });

  it('says why not', () => {
    expect(inflated(text, 'gzip', 9)).toEqual({ why: 'incorrect header check' });
    expect(inflated(text, 'zstd', 9)).toEqual({ why: 'zstd, which Node 20 cannot undo' });
    expect(inflated(text, 'compress', 9)).toEqual({ why: 'the unknown coding compress' });
    expect(inflated(text, 'gzip,gzip,gzip,gzip', 9)).toEqual({ why: '4 codings on top of each other' });
  });
});

describe('inflatedMessage', () => {
  it('reaches back into what was said before', () => {
    const again = deflateRawSync(text, { dictionary: text });
    expect(inflatedMessage(again, text, 10_000)).toMatchObject({ size: text.length });
    expect(inflatedMessage(again, NONE, 10_000)).toEqual({ why: 'invalid distance too far back' });
  });

  it('does not give more than it may', () => {
    expect(inflatedMessage(deflateRawSync(text), NONE, 100)).toEqual({ why: 'more than 100 bytes' });
  });
});
