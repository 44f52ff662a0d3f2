/** HTTP/2 written by hand, for the tests: an HPACK encoder that can be told every choice, and frames. */
import { huffmanCodes, LENGTHS } from './hpack-huffman.ts';
import { STATIC_NAMES, STATIC_VALUES } from './hpack-static.ts';
import { FRAME_HEAD } from './http2-frame.ts';

const utf8 = new TextEncoder();

export interface Header {
  readonly name: string;
  readonly value: string;
  /** How it is written; `indexed` becomes `insert` when no table has it. */
  readonly as: 'indexed' | 'insert' | 'plain' | 'never';
  readonly huffman: boolean;
}

/** The encoder's side of a connection: its table, newest entry first. */
export interface Encoder {
  entries: { name: string; value: string; size: number }[];
  max: number;
}

export function newEncoder(): Encoder {
  return { entries: [], max: 4096 };
}

export function header(name: string, value: string): Header {
  return { name, value, as: 'indexed', huffman: true };
}

export function encoded(encoder: Encoder, headers: readonly Header[]): number[] {
  return headers.flatMap((one) => encodedHeader(encoder, one));
}

/** The table's size, said at the start of a block. */
export function resized(encoder: Encoder, max: number): number[] {
  encoder.max = max;
  shrink(encoder);
  return integer(max, 5, 0x20);
}

function encodedHeader(encoder: Encoder, { name, value, as, huffman }: Header): number[] {
  const whole = find(encoder, name, value);
  if (as === 'indexed' && whole > 0) {
    return integer(whole, 7, 0x80);
  }
  const known = find(encoder, name, null);
  const start =
    as === 'plain' || as === 'never' ? integer(known, 4, as === 'never' ? 0x10 : 0) : integer(known, 6, 0x40);
  const bytes = [...start, ...(known > 0 ? [] : string(name, huffman)), ...string(value, huffman)];
  if (as === 'indexed' || as === 'insert') {
    const size = utf8.encode(name).length + utf8.encode(value).length + 32;
    encoder.entries.unshift({ name, value, size });
    shrink(encoder);
  }
  return bytes;
}

function shrink(encoder: Encoder): void {
  while (encoder.entries.reduce((sum, { size }) => sum + size, 0) > encoder.max) {
    encoder.entries.pop();
  }
}

function find({ entries }: Encoder, name: string, value: string | null): number {
  for (let i = 1; i < STATIC_NAMES.length; i++) {
    if (STATIC_NAMES[i] === name && (value === null || STATIC_VALUES[i] === value)) {
      return i;
    }
  }
  const at = entries.findIndex((one) => one.name === name && (value === null || one.value === value));
  return at < 0 ? 0 : STATIC_NAMES.length + at;
}

export function integer(value: number, bits: number, first: number): number[] {
  const full = (1 << bits) - 1;
  if (value < full) {
    return [first | value];
  }
  const bytes = [first | full];
  let rest = value - full;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

function string(value: string, huffman: boolean): number[] {
  const raw = utf8.encode(value);
  const bytes = huffman ? huffmanEncoded(raw) : [...raw];
  return [...integer(bytes.length, 7, huffman ? 0x80 : 0), ...bytes];
}

export function huffmanEncoded(raw: Uint8Array): number[] {
  const codes = huffmanCodes();
  let bits = '';
  for (const byte of raw) {
    bits += codes[byte]!.toString(2).padStart(LENGTHS[byte]!, '0');
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return (bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2));
}

export function framed(type: number, flags: number, stream: number, payload: readonly number[]): number[] {
  const bytes = new Array<number>(FRAME_HEAD).fill(0);
  bytes[0] = payload.length >> 16;
  bytes[1] = (payload.length >> 8) & 0xff;
  bytes[2] = payload.length & 0xff;
  bytes[3] = type;
  bytes[4] = flags;
  for (let i = 0; i < 4; i++) {
    bytes[5 + i] = (stream >>> (24 - 8 * i)) & 0xff;
  }
  return bytes.concat(payload);
}
