/** Finding secrets in bytes: what a decoder knows to be one is blotted out wherever the same bytes are shown. */
import type { Spoken } from './conversation.ts';
import type { Value } from './value.ts';

/** Shorter ones would blot out half of everything. */
const SHORTEST = 3;
const STAR = 0x2a;
const encoder = new TextEncoder();

/** The values of a message's secret fields, as bytes. */
export function secretsOf({ message, decoder }: Spoken): Uint8Array[] {
  if (decoder.secrets.length === 0) {
    return [];
  }
  const fields = message.fields();
  const found: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (
      decoder.secrets.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name))
    ) {
      collect(value, found);
    }
  }
  return found;
}

function collect(value: Value, into: Uint8Array[]): void {
  if (typeof value === 'string') {
    if (value.length >= SHORTEST) {
      into.push(encoder.encode(value));
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) {
      collect(inner as Value, into);
    }
  }
}

/** A copy of bytes[from, to) in which every secret is stars; the range itself when none is in it. */
export function blotted(
  bytes: Uint8Array,
  from: number,
  to: number,
  secrets: readonly Uint8Array[],
): Uint8Array {
  const range = bytes.subarray(from, to);
  let copy: Uint8Array | null = null;
  for (const secret of secrets) {
    for (let at = indexOf(range, secret, 0); at >= 0; at = indexOf(range, secret, at + secret.length)) {
      copy ??= range.slice();
      copy.fill(STAR, at, at + secret.length);
    }
  }
  return copy ?? range;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const first = wanted[0]!;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + wanted.length > bytes.length) {
      return -1;
    }
    let i = 1;
    while (i < wanted.length && bytes[at + i] === wanted[i]) {
      i++;
    }
    if (i === wanted.length) {
      return at;
    }
  }
  return -1;
}
