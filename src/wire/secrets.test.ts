import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blotted } from './secrets.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (all: Uint8Array) => new TextDecoder().decode(all);

test('every occurrence of a secret is stars, and nothing else changes', () => {
  const said = bytes('xxAUTH hunter2 hunter2\r\nhunter');
  expect(text(blotted(said, 2, said.length, [bytes('hunter2')]))).toBe('AUTH ******* *******\r\nhunter');
});

test('the bytes that were lent stay as they are', () => {
  const said = bytes('AUTH hunter2');
  blotted(said, 0, said.length, [bytes('hunter2')]);
  expect(text(said)).toBe('AUTH hunter2');
});

test('no secret remains, whatever surrounds it', () => {
  fc.assert(
    fc.property(fc.string(), fc.string({ minLength: 3 }), fc.string(), (before, secret, after) => {
      const said = bytes(before + secret + after);
      const wanted = bytes(secret);
      const shown = Buffer.from(blotted(said, 0, said.length, [wanted]));
      const allStars = wanted.every((byte) => byte === 0x2a);
      expect(allStars || shown.indexOf(wanted) < 0).toBe(true);
    }),
  );
});
