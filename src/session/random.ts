/**
 * Chance that can be repeated: the same seed and keys give the same numbers on every machine. The generator is sfc32 (Chris
 * Doty-Humphrey's small fast counting generator, which passes PractRand); the hash only has to tell keys apart.
 */

const WARM_UP = 12;

/** Numbers 0 ≤ n < 1 for one seed, connection, fault and direction: each combination of keys has a sequence of its own. */
export function createRandom(seed: number, ...keys: readonly (string | number)[]): () => number {
  const text = JSON.stringify([seed, ...keys]);
  let a = hash(text, 0x9e3779b9);
  let b = hash(text, 0x85ebca6b);
  let c = hash(text, 0xc2b2ae35);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  for (let i = 0; i < WARM_UP; i++) {
    next();
  }
  return next;
}

/** FNV-1a over UTF-16 units, then an avalanche so that keys that differ in their last character differ in every bit. */
function hash(text: string, start: number): number {
  let h = start | 0;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}
