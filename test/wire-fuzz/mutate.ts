/** True bytes made wrong, in the ways that hurt readers of protocols. */
import type { Random } from './random.ts';

const encoder = new TextEncoder();
const NUMBERS = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff];
const LARGE = [...NUMBERS, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const DIGITS = ['-1', '0', '00', '+5', '1e9', '0x10', '2147483648', '4294967295', '9007199254740993'];
const DECIMALS = [...DIGITS, '99999999999999999999', 'ffffffffffffffff', '-9223372036854775808', ''];
const WORDS = [
  '\r\n',
  '\n',
  '\r\n\r\n',
  '\0',
  '*1\r\n',
  '[',
  '{"a":',
  '"',
  '\\u0000',
  '\x1b[2J',
  '\u202e',
].map((word) => encoder.encode(word));

/** A copy of `bytes` with a few wounds; `other` is what one of them may be spliced from. */
export function mutated(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let result = bytes;
  for (let times = 1 + random.small(5); times > 0; times--) {
    result = once(result, random, other);
  }
  return result;
}

function once(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  const rest = bytes.length - at;
  switch (random.below(13)) {
    case 0:
      return written(bytes, at, [(bytes[at] ?? 0) ^ (1 << random.below(8))]);
    case 1:
      return written(bytes, at, [random.below(256)]);
    case 2:
      return written(bytes, at, random.oneIn(2) ? [0] : [255]);
    case 3:
      return written(bytes, at, number(random, random.pick([2, 3, 4])));
    case 4: {
      // Near the truth: a length that is off by a little.
      return written(bytes, at, [(bytes[at] ?? 0) + random.pick([-2, -1, 1, 2])]);
    }
    case 5:
      return bytes.slice(0, at);
    case 6:
      return bytes.slice(at);
    case 7:
      return spliced(bytes, at, 1 + random.small(rest), new Uint8Array(0));
    case 8:
      return spliced(bytes, at, 0, random.bytes(1 + random.small(64)));
    case 9:
      return spliced(bytes, at, 0, bytes.subarray(at, at + 1 + random.small(Math.min(rest, 512))));
    case 10: {
      const from = random.below(other.length);
      return spliced(bytes, at, random.small(rest), other.subarray(from, from + random.small(1024)));
    }
    case 11:
      return decimal(bytes, at, random);
    default:
      return spliced(bytes, at, 0, random.pick(WORDS));
  }
}

function number(random: Random, width: number): number[] {
  const value = random.pick(width === 4 ? LARGE : NUMBERS);
  const bytes = Array.from({ length: width }, (_, i) => (value / 2 ** (8 * i)) & 255);
  return random.oneIn(2) ? bytes : bytes.reverse();
}

function written(bytes: Uint8Array, at: number, what: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i < what.length && at + i < copy.length; i++) {
    copy[at + i] = what[i]!;
  }
  return copy;
}

function spliced(bytes: Uint8Array, at: number, less: number, more: Uint8Array): Uint8Array {
  const end = Math.min(bytes.length, at + less);
  const copy = new Uint8Array(at + more.length + bytes.length - end);
  copy.set(bytes.subarray(0, at));
  copy.set(more, at);
  copy.set(bytes.subarray(end), at + more.length);
  return copy;
}

/** The next number written in digits becomes one that nobody expects. */
function decimal(bytes: Uint8Array, at: number, random: Random): Uint8Array {
  let from = at;
  while (from < bytes.length && !isDigit(bytes[from]!)) {
    from++;
  }
  let to = from;
  while (to < bytes.length && isDigit(bytes[to]!)) {
    to++;
  }
  return spliced(bytes, from, to - from, encoder.encode(random.pick(DECIMALS)));
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}
