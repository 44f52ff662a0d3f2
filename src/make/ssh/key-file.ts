/** Private keys in files: OpenSSH's own format, PEM and PKCS#8, encrypted or not. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { ParsedKey } from 'ssh2';
import type { Ssh2 } from './ssh2.ts';

type Parse = Ssh2['utils']['parseKey'];

export type KeyFile =
  | { readonly kind: 'none' }
  | { readonly kind: 'fault'; readonly why: string }
  /** Only good for picking a key of the agent. */
  | { readonly kind: 'public'; readonly key: ParsedKey }
  | { readonly kind: 'private'; readonly key: ParsedKey }
  /** `key` is the public half where the file or the .pub beside it tells it. */
  | { readonly kind: 'locked'; readonly key: ParsedKey | null; unlock(passphrase: string): ParsedKey | null };

const OTHERS = 0o077;
const MAGIC = 'openssh-key-v1\0';
const BIGGEST = 1024 * 1024;

export function readKeyFile(path: string, parse: Parse): KeyFile {
  const beside = publicKeyIn(`${path}.pub`, parse);
  let bytes: Buffer;
  let mode: number;
  let uid: number;
  try {
    ({ mode, uid } = statSync(path));
    bytes = readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return beside === null ? { kind: 'none' } : { kind: 'public', key: beside };
    }
    return { kind: 'fault', why: `${path} cannot be read (${message})` };
  }
  const text = bytes.subarray(0, BIGGEST).toString('latin1');
  const alone = parsed(parse, text);
  if (alone !== null && !alone.isPrivateKey()) {
    return { kind: 'public', key: alone };
  }
  if (uid === process.getuid?.() && (mode & OTHERS) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    return {
      kind: 'fault',
      why: `${path} is not used: its mode ${octal} lets others read it (\`chmod 600 ${path}\`)`,
    };
  }
  if (alone !== null) {
    return { kind: 'private', key: alone };
  }
  const plain = fromPkcs8(text, undefined, parse);
  if (plain !== null) {
    return { kind: 'private', key: plain };
  }
  if (!isLocked(text, parse)) {
    return { kind: 'fault', why: `${path} holds no private key of a kind that is known here` };
  }
  return {
    kind: 'locked',
    key: beside ?? publicHalf(text, parse),
    unlock: (passphrase) => parsed(parse, text, passphrase) ?? fromPkcs8(text, passphrase, parse),
  };
}

/** ssh2 hands the keys of one file over as an array in some formats, and may throw on what it half understands. */
function parsed(parse: Parse, text: string, passphrase?: string): ParsedKey | null {
  try {
    const found: ParsedKey | Error | ParsedKey[] = parse(text, passphrase);
    const key = Array.isArray(found) ? found[0] : found;
    return key === undefined || key instanceof Error ? null : key;
  } catch {
    return null;
  }
}

function isLocked(text: string, parse: Parse): boolean {
  if (text.includes('BEGIN ENCRYPTED PRIVATE KEY')) {
    return true;
  }
  try {
    const found: unknown = parse(text);
    return found instanceof Error && found.message.includes('no passphrase');
  } catch {
    return false;
  }
}

function publicKeyIn(path: string, parse: Parse): ParsedKey | null {
  try {
    const key = parsed(parse, readFileSync(path, 'latin1'));
    return key?.isPrivateKey() === false ? key : null;
  } catch {
    return null;
  }
}

/** ssh2 does not read PKCS#8; what Node can write in the older forms it reads. */
function fromPkcs8(text: string, passphrase: string | undefined, parse: Parse): ParsedKey | null {
  if (!/BEGIN (ENCRYPTED )?PRIVATE KEY/.test(text)) {
    return null;
  }
  try {
    const key = createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
    const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
    return parsed(parse, key.export({ type, format: 'pem' }) as string);
  } catch {
    return null;
  }
}

/** OpenSSH leaves the public key in the clear before the encrypted part (PROTOCOL.key), so that a key can be offered without its passphrase. */
function publicHalf(text: string, parse: Parse): ParsedKey | null {
  const [, base64 = ''] = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    return null;
  }
  let at = MAGIC.length;
  const string = (): Buffer => {
    const length = at + 4 <= bytes.length ? bytes.readUInt32BE(at) : 0;
    const found = bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return found;
  };
  // Cipher, derivation, its options; then a count.
  string();
  string();
  string();
  at += 4;
  const blob = string();
  const type = blob.length < 4 ? '' : blob.toString('latin1', 4, 4 + blob.readUInt32BE(0));
  return parsed(parse, `${type} ${blob.toString('base64')}`);
}
