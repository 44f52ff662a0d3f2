/** What the slow path makes of a header: named fields with their bytes. Reading beyond what was captured gives no field. */
import { ipv4Text, ipv6Text } from '../net/address.ts';
import type { Value } from '../value.ts';

export interface Field {
  readonly name: string;
  readonly value: Value;
  /** The value for people: words beside the number. */
  readonly text: string;
  /** The bytes it was read from, absolute; equal for what was concluded rather than read. */
  readonly from: number;
  readonly to: number;
}

export interface Layer {
  readonly name: string;
  title: string;
  readonly from: number;
  /** The end of the header, or of what was captured of it. */
  to: number;
  readonly fields: Field[];
}

/** A layer being written. */
export interface Draft {
  readonly bytes: Uint8Array;
  /** Nothing at or after this position may be read. */
  readonly limit: number;
  readonly layer: Layer;
}

export function draft(bytes: Uint8Array, limit: number, name: string, title: string, from: number): Draft {
  return { bytes, limit, layer: { name, title, from, to: from, fields: [] } };
}

export function finished(d: Draft, to: number): Layer {
  d.layer.to = Math.max(d.layer.from, Math.min(to, d.limit));
  return d.layer;
}

export function put(d: Draft, name: string, value: Value, text: string, from: number, to: number): void {
  d.layer.fields.push({ name, value, text, from, to });
}

export type Words = (value: number) => string;

/** An unsigned number of 1 to 4 bytes. Returns it, or -1 when it was not captured. */
export function num(d: Draft, name: string, at: number, size: number, words: Words = String): number {
  if (at + size > d.limit) {
    return -1;
  }
  let value = 0;
  for (let i = 0; i < size; i++) {
    value = value * 256 + d.bytes[at + i]!;
  }
  put(d, name, value, words(value), at, at + size);
  return value;
}

/** Some bits of a number of 1 or 2 bytes. */
export function bits(
  d: Draft,
  name: string,
  at: number,
  size: 1 | 2,
  shift: number,
  mask: number,
  words: Words = String,
): number {
  if (at + size > d.limit) {
    return -1;
  }
  const whole = size === 1 ? d.bytes[at]! : u16(d.bytes, at);
  const value = (whole >> shift) & mask;
  put(d, name, value, words(value), at, at + size);
  return value;
}

export function flag(d: Draft, name: string, at: number, mask: number): boolean {
  if (at >= d.limit) {
    return false;
  }
  const set = (d.bytes[at]! & mask) !== 0;
  put(d, name, set, set ? 'yes' : 'no', at, at + 1);
  return set;
}

export function big(d: Draft, name: string, at: number): void {
  if (at + 8 <= d.limit) {
    const value = (BigInt(u32(d.bytes, at)) << 32n) | BigInt(u32(d.bytes, at + 4));
    put(d, name, value, String(value), at, at + 8);
  }
}

export function mac(d: Draft, name: string, at: number): void {
  if (at + 6 <= d.limit) {
    const text = macText(d.bytes, at);
    put(d, name, text, text, at, at + 6);
  }
}

/** Returns the text, or '' when it was not captured. */
export function address(d: Draft, name: string, at: number, size: number): string {
  if (at + size > d.limit) {
    return '';
  }
  const text = size === 4 ? ipv4Text(d.bytes, at) : ipv6Text(d.bytes, at);
  put(d, name, text, text, at, at + size);
  return text;
}

const HEX_SHOWN = 64;

/** Bytes without further meaning, as hex; nothing when there are none. The value is cut, the range is not. */
export function hex(d: Draft, name: string, from: number, end: number): void {
  const to = Math.min(end, d.limit);
  if (to > from) {
    const text = hexText(d.bytes, from, Math.min(to, from + HEX_SHOWN));
    const more = to - from > HEX_SHOWN ? '…' : '';
    put(d, name, text + more, text + more, from, to);
  }
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function hexText(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) {
    text += (bytes[i]! < 16 ? '0' : '') + bytes[i]!.toString(16);
  }
  return text;
}

export function macText(bytes: Uint8Array, at: number): string {
  return hexText(bytes, at, at + 6).replace(/..(?=.)/g, '$&:');
}

export const hex16: Words = (value) => `0x${value.toString(16).padStart(4, '0')}`;

/** `number` or `number (name)`. */
export function named(names: Readonly<Record<number, string>>): Words {
  return (value) => {
    const name = names[value];
    return name === undefined ? String(value) : `${value} (${name})`;
  };
}
