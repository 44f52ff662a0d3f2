/** The key by which clients know this server again: made on first use, beside the local CA, never overwritten. */
import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import ssh2 from 'ssh2';
import { SockscopeError } from '../../../errors.ts';
import { makeFolder } from '../../../kernel/make-folder.ts';

const NAME = 'ssh_host_ed25519_key';

export interface HostKey {
  readonly path: string;
  /** OpenSSH's format. */
  readonly text: string;
  /** `SHA256:…`, as ssh shows it. */
  readonly fingerprint: string;
  /** `ssh-ed25519 AAAA…`, as known_hosts has it. */
  readonly line: string;
}

/** In the folder where the local CA is (src/tap/tls/ca.ts). */
export function hostKeyPath(environment: NodeJS.ProcessEnv = process.env): string {
  const settings = environment.XDG_CONFIG_HOME;
  // A relative path there is to be ignored (XDG Base Directory Specification).
  const base = settings?.startsWith('/') ? settings : join(homedir(), '.config');
  return join(base, 'sockscope', NAME);
}

/** Of a public key as it travels (RFC 4253 section 6.6). */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Throws a SockscopeError for a file that holds no key, or one that others can read. */
export function openHostKey(path: string): HostKey {
  if (!exists(path)) {
    place(path, newKey());
  }
  const text = readText(path);
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error || !firstOf(key).isPrivateKey()) {
    const why = key instanceof Error ? key.message : 'it is a public key';
    throw new SockscopeError(
      'SSH_HOST_KEY',
      `${path} holds no private key that can be read (${why}).`,
      'Give a key without a passphrase with --host-key, or remove the file; a new key is made then.',
      2,
    );
  }
  const bytes = firstOf(key).getPublicSSH();
  const line = `${firstOf(key).type} ${bytes.toString('base64')}`;
  return { path, text, fingerprint: fingerprint(bytes), line };
}

/** ssh2 gives a list for OpenSSH's format, whatever its types say. */
export function firstOf(key: ssh2.ParsedKey | ssh2.ParsedKey[]): ssh2.ParsedKey {
  return Array.isArray(key) ? key[0]! : key;
}

function newKey(): string {
  return ssh2.utils.generateKeyPairSync('ed25519', { comment: 'sockscope test server' }).private;
}

function exists(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) {
      throw new SockscopeError(
        'SSH_HOST_KEY_OPEN',
        `The host key ${path} can be read by others (mode ${(mode & 0o777).toString(8)}): whoever has it can pretend to be this server.`,
        `Remove it, so that a new one is made; or, if nobody else was on this machine: chmod 600 ${path}`,
        2,
      );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw error instanceof SockscopeError ? error : unusable(path, error);
  }
}

/** Whole or not at all; what another process put there first stays. */
function place(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    makeFolder(dirname(path));
    writeFileSync(unfinished, text, { flag: 'wx', mode: 0o600, flush: true });
    try {
      linkSync(unfinished, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    } finally {
      rmSync(unfinished, { force: true });
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): SockscopeError {
  return new SockscopeError(
    'SSH_HOST_KEY',
    `The host key ${path} can be neither read nor made (${(error as Error).message}).`,
    'Name another file with --host-key.',
    1,
    error,
  );
}
