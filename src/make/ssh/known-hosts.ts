/** known_hosts: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { matchesList } from './patterns.ts';

export interface KnownHost {
  readonly file: string;
  readonly line: number;
  readonly marker: 'revoked' | 'cert-authority' | null;
  /** Patterns with commas between them, or one hashed name. */
  readonly hosts: string;
  readonly type: string;
  readonly key: Buffer;
}

export type Verdict =
  | { readonly kind: 'known'; readonly entry: KnownHost }
  /** `certificates`: an authority is known for the host, which is not supported here. */
  | { readonly kind: 'unknown'; readonly certificates: KnownHost | null }
  | { readonly kind: 'changed'; readonly entries: readonly KnownHost[] }
  | { readonly kind: 'revoked'; readonly entry: KnownHost };

const SSH_PORT = 22;
const HASHED = '|1|';
const HASH_BYTES = 20;

/** A line that cannot be read is no line, as for ssh. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const found: KnownHost[] = [];
  text.split('\n').forEach((raw, index) => {
    const words = raw.trim().split(/[ \t]+/);
    if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) {
      return;
    }
    const marker = words[0].startsWith('@') ? words.shift()!.slice(1) : null;
    const [hosts, type, base64] = words;
    if (hosts === undefined || type === undefined || base64 === undefined) {
      return;
    }
    const key = Buffer.from(base64, 'base64');
    if ((marker === null || marker === 'revoked' || marker === 'cert-authority') && keyType(key) === type) {
      found.push({ file, line: index + 1, marker, hosts, type, key });
    }
  });
  return found;
}

/** The name at the beginning of a key as SSH writes it (RFC 4253, 6.6); '' where there is none. */
export function keyType(key: Buffer): string {
  if (key.length < 4) {
    return '';
  }
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? '' : key.toString('latin1', 4, 4 + length);
}

export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** As known_hosts names it. */
export function knownName(host: string, port: number): string {
  const low = host.toLowerCase();
  return port === SSH_PORT ? low : `[${low}]:${port}`;
}

function isFor({ hosts }: KnownHost, name: string): boolean {
  if (!hosts.startsWith(HASHED)) {
    return matchesList(name, hosts.toLowerCase().split(','));
  }
  const [salt = '', hash = ''] = hosts.slice(HASHED.length).split('|');
  const want = Buffer.from(hash, 'base64');
  return want.length === HASH_BYTES && timingSafeEqual(want, hashed(Buffer.from(salt, 'base64'), name));
}

function hashed(salt: Buffer, name: string): Buffer {
  return createHmac('sha1', salt).update(name).digest();
}

/**
 * `names`: the one it is listed under, then those under which it would be believed too but not refused (a host on another port
 * is known by its bare name). A key of a type that is not listed yet counts as changed when another is: whoever stands between
 * chooses the type.
 */
export function verdictOn(entries: readonly KnownHost[], names: readonly string[], key: Buffer): Verdict {
  const revoked = entries.find(
    (entry) =>
      entry.marker === 'revoked' && entry.key.equals(key) && names.some((name) => isFor(entry, name)),
  );
  if (revoked !== undefined) {
    return { kind: 'revoked', entry: revoked };
  }
  const [first = ''] = names;
  const plain = entries.filter(({ marker }) => marker === null);
  const mine = plain.filter((entry) => isFor(entry, first));
  const same = mine.find((entry) => entry.key.equals(key));
  if (same !== undefined) {
    return { kind: 'known', entry: same };
  }
  if (mine.length > 0) {
    return { kind: 'changed', entries: mine };
  }
  const elsewhere = plain.find(
    (entry) => entry.key.equals(key) && names.slice(1).some((name) => isFor(entry, name)),
  );
  if (elsewhere !== undefined) {
    return { kind: 'known', entry: elsewhere };
  }
  const authority = entries.find((entry) => entry.marker === 'cert-authority' && isFor(entry, first));
  return { kind: 'unknown', certificates: authority ?? null };
}

/** The types of the keys that are known for a host: what to ask it for first, so that a server with several keys is recognised. */
export function knownTypes(entries: readonly KnownHost[], name: string): string[] {
  const types = entries
    .filter((entry) => entry.marker === null && isFor(entry, name))
    .map(({ type }) => type);
  return [...new Set(types)];
}

export function knownLine(name: string, key: Buffer, hash: boolean): string {
  const salt = randomBytes(HASH_BYTES);
  const host = hash ? `${HASHED}${salt.toString('base64')}|${hashed(salt, name).toString('base64')}` : name;
  return `${host} ${keyType(key)} ${key.toString('base64')}\n`;
}
