/** A host key as ssh(1) shows it: its type, its size, and the SHA-256 of the key in base64 without padding. */
import type { Value } from '../value.ts';
import { sha256 } from './sha256.ts';
import { mpintBits, stringAt, stringEnd } from './ssh-bytes.ts';

const MAX_TYPE = 64;
const CERTIFICATE = '-cert-v01@openssh.com';
/** How many strings make up the key inside a certificate, behind its nonce. */
const KEY_STRINGS = new Map([
  ['ssh-ed25519', 1],
  ['ssh-rsa', 2],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
]);

/** Adds `host_key.*` for the key in bytes[from, to). */
export function addHostKey(
  fields: { [name: string]: Value },
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  const type = stringAt(bytes, from, to, MAX_TYPE);
  if (type === null) {
    return;
  }
  fields['host_key.type'] = type;
  let key = from + 4 + type.length;
  let hashed = bytes.subarray(from, to);
  if (type.endsWith(CERTIFICATE)) {
    key = stringEnd(bytes, key, to);
    const plain = plainKey(type.slice(0, -CERTIFICATE.length), bytes, key, to);
    if (plain === null) {
      return;
    }
    hashed = plain;
  }
  if (type.startsWith('ssh-rsa')) {
    fields['host_key.bits'] = mpintBits(bytes, stringEnd(bytes, key, to), to);
  }
  fields['host_key.fingerprint'] = `SHA256:${base64(sha256(hashed))}`;
}

/** A certificate is known by the key in it, without nonce and signature. */
function plainKey(type: string, bytes: Uint8Array, from: number, to: number): Uint8Array | null {
  let end = from;
  const strings = KEY_STRINGS.get(type);
  for (let i = 0; i < (strings ?? 0); i++) {
    end = stringEnd(bytes, end, to);
  }
  if (strings === undefined || from < 0 || end < 0) {
    return null;
  }
  const plain = new Uint8Array(4 + type.length + end - from);
  plain[3] = type.length;
  plain.set(new TextEncoder().encode(type), 4);
  plain.set(bytes.subarray(from, end), 4 + type.length);
  return plain;
}

function base64(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  return btoa(String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 16)))).replace(/=+$/, '');
}
