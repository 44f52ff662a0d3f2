/** Numbers that look random and are the same for the same seed. */

/** SOCKSCOPE_SEED=… plays a run again. */
export const SEED = Number(process.env.SOCKSCOPE_SEED ?? Date.now() % 1_000_000_000) >>> 0;

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** 32 bits: a counter, stirred (splitmix32). */
  next(): number {
    this.state = (this.state + 0x9e3779b9) | 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** From 0 to limit - 1; 0 when there is nothing to choose from. */
  below(limit: number): number {
    return limit < 2 ? 0 : this.next() % limit;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** Small ones mostly: each size of numbers is as likely as the others. */
  small(limit: number): number {
    return this.below(Math.min(limit, 1 << this.below(1 + Math.ceil(Math.log2(limit + 1)))));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      bytes[i] = this.next();
    }
    return bytes;
  }
}

export function seedOf(seed: number, word: string, number: number): number {
  let hash = seed ^ Math.imul(number, 0x85ebca6b);
  for (let i = 0; i < word.length; i++) {
    hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
