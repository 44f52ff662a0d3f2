/** Numbers and addresses written straight into bytes: for tables of 100 000 rows, where a string per cell is what costs. Each returns the next free position. */
import { ipv6Text, isMapped } from './address.ts';

export function writeDecimal(out: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) {
    digits++;
  }
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    // Port numbers and most queues fit in 31 bits, where whole division is one instruction.
    const next = rest <= 0x7fff_ffff ? (rest / 10) | 0 : Math.floor(rest / 10);
    out[i] = 48 + rest - next * 10;
    rest = next;
  }
  return at + digits;
}

function writeByte(out: Uint8Array, at: number, value: number): number {
  let next = at;
  if (value >= 100) {
    const hundreds = (value / 100) | 0;
    out[next++] = 48 + hundreds;
    const rest = value - hundreds * 100;
    const tens = (rest / 10) | 0;
    out[next++] = 48 + tens;
    out[next++] = 48 + rest - tens * 10;
  } else if (value >= 10) {
    const tens = (value / 10) | 0;
    out[next++] = 48 + tens;
    out[next++] = 48 + value - tens * 10;
  } else {
    out[next++] = 48 + value;
  }
  return next;
}

export function writeIpv4(out: Uint8Array, at: number, bytes: Uint8Array, from: number): number {
  let next = writeByte(out, at, bytes[from]!);
  for (let i = 1; i < 4; i++) {
    out[next++] = 46;
    next = writeByte(out, next, bytes[from + i]!);
  }
  return next;
}

export function writeAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    out[at + i] = text.charCodeAt(i);
  }
  return at + text.length;
}

/** `[address]`, with the brackets that keep the port apart. */
export function writeIpv6(out: Uint8Array, at: number, bytes: Uint8Array, from: number): number {
  let next = at;
  out[next++] = 91;
  if (isMapped(bytes, from)) {
    next = writeIpv4(out, writeAscii(out, next, '::ffff:'), bytes, from + 12);
  } else {
    next = writeAscii(out, next, ipv6Text(bytes, from));
  }
  out[next++] = 93;
  return next;
}
