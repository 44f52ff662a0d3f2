/**
 * The Huffman code of RFC 7541 appendix B. It is canonical: within a length the codes count up by symbol, and each length
 * goes on where the shorter one stopped; so the lengths alone are the whole code.
 */

const EOS = 256;

/** Bits of the code of each byte, and of EOS at the end. */
export const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/** The codes, by symbol, as numbers of LENGTHS[symbol] bits. */
export function huffmanCodes(): Int32Array {
  const codes = new Int32Array(LENGTHS.length);
  let code = 0;
  for (let length = 1; length <= 30; length++) {
    for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
      if (LENGTHS[symbol] === length) {
        codes[symbol] = code++;
      }
    }
    code <<= 1;
  }
  return codes;
}

// A step takes four bits in a state (an inner node of the code's tree). No code is shorter than five bits, so a step
// completes one symbol at most: bits 0–7 the next state, 8–15 the symbol, and these:
const SYMBOL = 1 << 16;
const WRONG = 1 << 17;
const STATES = LENGTHS.length - 1;

interface Machine {
  readonly steps: Int32Array;
  /** 1 for the states in which a string may end: at most seven bits of padding, all of them ones. */
  readonly ends: Uint8Array;
}

const { steps, ends } = machine();

function machine(): Machine {
  // children[2 * node + bit]: an inner node, or -1 - symbol, or 0 (nothing points at the root).
  const children = new Int16Array(2 * STATES);
  const codes = huffmanCodes();
  let nodes = 1;
  for (let symbol = 0; symbol < codes.length; symbol++) {
    let node = 0;
    for (let bit = LENGTHS[symbol]! - 1; bit > 0; bit--) {
      const way = 2 * node + ((codes[symbol]! >> bit) & 1);
      if (children[way] === 0) {
        children[way] = nodes++;
      }
      node = children[way]!;
    }
    children[2 * node + (codes[symbol]! & 1)] = -1 - symbol;
  }
  const made: Machine = { steps: new Int32Array(16 * STATES), ends: new Uint8Array(STATES) };
  for (let state = 0; state < STATES; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      made.steps[16 * state + nibble] = walk(children, state, nibble);
    }
  }
  for (let node = 0, depth = 0; depth <= 7; depth++) {
    made.ends[node] = 1;
    node = children[2 * node + 1]!;
  }
  return made;
}

function walk(children: Int16Array, state: number, nibble: number): number {
  let node = state;
  let found = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[2 * node + ((nibble >> bit) & 1)]!;
    if (next >= 0) {
      node = next;
    } else if (next === -1 - EOS) {
      return WRONG;
    } else {
      found = SYMBOL | ((-1 - next) << 8);
      node = 0;
    }
  }
  return found | node;
}

/**
 * Decodes bytes[from, to) into `into`, which has room for 8/5 of their number. Returns how many bytes came of it, or -1
 * when they are no Huffman string (RFC 7541 section 5.2: EOS inside, wrong or too much padding).
 */
export function huffmanDecode(bytes: Uint8Array, from: number, to: number, into: Uint8Array): number {
  let state = 0;
  let written = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    const high = steps[16 * state + (byte >> 4)]!;
    if ((high & SYMBOL) !== 0) {
      into[written++] = (high >> 8) & 0xff;
    }
    const low = steps[16 * (high & 0xff) + (byte & 15)]!;
    if ((low & SYMBOL) !== 0) {
      into[written++] = (low >> 8) & 0xff;
    }
    if (((high | low) & WRONG) !== 0) {
      return -1;
    }
    state = low & 0xff;
  }
  return ends[state] === 1 ? written : -1;
}
