/** What a header of version 2 may carry behind the addresses: a type, a length, a value. */
import type { Value } from '../value.ts';
import { crc32c } from './proxy-crc.ts';
import { shortened, text } from './text.ts';

const CRC32C = 3;
const NOOP = 4;
const SSL = 0x20;

const NAMES = new Map([
  [1, 'alpn'],
  [2, 'authority'],
  [5, 'unique_id'],
  [0x30, 'netns'],
]);

const SSL_NAMES = new Map([
  [0x21, 'version'],
  [0x22, 'cn'],
  [0x23, 'cipher'],
  [0x24, 'sig_alg'],
  [0x25, 'key_alg'],
  [0x26, 'group'],
  [0x27, 'sig_scheme'],
  [0x28, 'client_cert'],
]);

const HEAD = 3;
/** Flags of the client and the result of the verification. */
const SSL_HEAD = 5;
const OVER_SSL = 1;
const CERTIFICATE_NOW = 2;
const CERTIFICATE_IN_SESSION = 4;

const MAX_TEXT = 1024;
const MAX_HEX = 256;

type Fields = { [name: string]: Value };

/** True when the values fill bytes[from, to). */
export function tlvsFit(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (to - at >= HEAD) {
    at += HEAD + lengthAt(bytes, at);
  }
  return at === to;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

/** Whether the checksum over the header bytes[start, to) is right; null: there is none. */
export function checksum(bytes: Uint8Array, start: number, from: number, to: number): boolean | null {
  for (let at = from; to - at >= HEAD; at += HEAD + lengthAt(bytes, at)) {
    if (bytes[at] === CRC32C && lengthAt(bytes, at) === 4) {
      return crc32c(bytes, start, to, at + HEAD) === u32(bytes, at + HEAD);
    }
  }
  return null;
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Adds `tlv.*` for what `tlvsFit`. */
export function addTlvs(fields: Fields, bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; to - at >= HEAD; at += HEAD + lengthAt(bytes, at)) {
    const type = bytes[at]!;
    const value = at + HEAD;
    const end = value + lengthAt(bytes, at);
    if (type === SSL) {
      addSsl(fields, bytes, value, end);
    } else if (type !== NOOP && type !== CRC32C) {
      fields[`tlv.${NAMES.get(type) ?? numbered(type)}`] = shown(bytes, value, end);
    }
  }
}

function addSsl(fields: Fields, bytes: Uint8Array, from: number, to: number): void {
  if (to - from < SSL_HEAD) {
    return;
  }
  const flags = bytes[from]!;
  const verified = u32(bytes, from + 1);
  fields['tlv.ssl'] = (flags & OVER_SSL) !== 0;
  if ((flags & (CERTIFICATE_NOW | CERTIFICATE_IN_SESSION)) !== 0) {
    fields['tlv.ssl.certificate'] = (flags & CERTIFICATE_NOW) !== 0 ? 'connection' : 'session';
    fields['tlv.ssl.verified'] = verified === 0;
  }
  if (!tlvsFit(bytes, from + SSL_HEAD, to)) {
    return;
  }
  for (let at = from + SSL_HEAD; to - at >= HEAD; at += HEAD + lengthAt(bytes, at)) {
    const type = bytes[at]!;
    const value = at + HEAD;
    fields[`tlv.ssl.${SSL_NAMES.get(type) ?? numbered(type)}`] = shown(
      bytes,
      value,
      value + lengthAt(bytes, at),
    );
  }
}

function numbered(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}

/** As text where it is one, otherwise in hex. */
function shown(bytes: Uint8Array, from: number, to: number): string {
  for (let at = from; at < to; at++) {
    if (bytes[at]! < 32 || bytes[at] === 127) {
      return inHex(bytes, from, to);
    }
  }
  const words = text(bytes, from, Math.min(to, from + 4 * MAX_TEXT));
  return words.includes('\ufffd') ? inHex(bytes, from, to) : shortened(words, MAX_TEXT);
}

function inHex(bytes: Uint8Array, from: number, to: number): string {
  let hex = '';
  for (let at = from; at < Math.min(to, from + MAX_HEX); at++) {
    hex += bytes[at]!.toString(16).padStart(2, '0');
  }
  return to - from > MAX_HEX ? `${hex}…` : hex;
}
