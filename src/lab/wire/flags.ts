/** TCP flags as short words: `S`, `SA`, `FA`. */

const LETTERS: Readonly<Record<string, number>> = {
  F: 1,
  S: 2,
  R: 4,
  P: 8,
  A: 16,
  U: 32,
  E: 64,
  W: 128,
};
const SYN = 2;
const ACK = 16;
/** Those that make a segment another kind of segment. */
const TELLING = 1 | 2 | 4 | 32;

/** Bits that must be set, and bits that must not. */
export interface FlagWish {
  readonly set: number;
  readonly clear: number;
}

/** A segment's bits by their letters, or a sentence. */
export function flagBits(text: string): number | string {
  let bits = 0;
  for (const letter of text) {
    const bit = LETTERS[letter];
    if (bit === undefined) {
      return `flags "${text}": ${JSON.stringify(letter)} is none of ${Object.keys(LETTERS).join(' ')}`;
    }
    bits |= bit;
  }
  return bits;
}

/** `S` alone is a SYN and not a SYN-ACK, which answers it; `R` and `F` are found with and without ACK. */
export function flagWish(text: string): FlagWish | string {
  const set = flagBits(text);
  if (typeof set === 'string') {
    return set;
  }
  if (set === 0) {
    return 'flags: name at least one';
  }
  const clear = TELLING & ~set;
  return { set, clear: set & SYN && !(set & ACK) ? clear | ACK : clear };
}

export function flagsFit({ set, clear }: FlagWish, flags: number): boolean {
  return (flags & set) === set && (flags & clear) === 0;
}
