/** The authority of this machine that signs what TLS clients are shown: made on first use, kept in two files, never overwritten. */
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { chmodSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { SockscopeError } from '../../errors.ts';
import { makeFolder } from '../../kernel/make-folder.ts';
import { authorityCertificate, newKey, type Signer, signingKey, verifyingKey } from './mint.ts';

const YEARS = 5;
const LARGEST_FILE = 1 << 20;

export interface Authority extends Signer {
  readonly path: string;
  readonly keyPath: string;
  readonly from: Date;
  readonly to: Date;
}

export interface AuthorityOptions {
  /** Instead of the folder of the settings. */
  readonly folder?: string;
}

export function authorityFolder(): string {
  const settings = process.env.XDG_CONFIG_HOME;
  // A relative path there is to be ignored (XDG Base Directory Specification).
  const base = settings?.startsWith('/') ? settings : join(homedir(), '.config');
  return join(base, 'sockscope');
}

/** Where the certificate is, whether it exists or not. */
export function authorityPath({ folder = authorityFolder() }: AuthorityOptions = {}): string {
  return join(folder, 'ca.pem');
}

/** Throws a SockscopeError that says which file is wrong and what to do. */
export async function openAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const folder = options.folder ?? authorityFolder();
  const path = join(folder, 'ca.pem');
  const keyPath = join(folder, 'ca-key.pem');
  if (size(keyPath) === null && size(path) !== null) {
    throw broken(
      `${path} is there, but its key ${keyPath} is not.`,
      `Remove ${path}; a new pair is made then.`,
    );
  }
  // The key comes first and the certificate is made from it: of two who begin at once, or one who was stopped between,
  // everybody ends with the same key and the same certificate.
  if (size(keyPath) === null) {
    place(folder, keyPath, await newKey(), 0o600);
  }
  const key = readKey(keyPath);
  const publicKey = await verifyingKey(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  const signing = await signingKey(key.export({ type: 'pkcs8', format: 'der' }));
  if (size(path) === null) {
    const pair = { publicKey, privateKey: signing };
    place(folder, path, await authorityCertificate(authorityName(), pair, YEARS * 365), 0o644);
  }
  const certificate = readCertificate(path);
  if (!certificate.checkPrivateKey(key)) {
    throw broken(`${path} does not belong to the key ${keyPath}.`, startAnew(path, keyPath));
  }
  const from = new Date(certificate.validFrom);
  const to = new Date(certificate.validTo);
  if (to.getTime() <= Date.now()) {
    throw broken(
      `The local CA ${path} expired on ${to.toISOString().slice(0, 10)}.`,
      startAnew(path, keyPath),
    );
  }
  return { path, keyPath, certificate: certificate.toString(), key: signing, from, to };
}

function authorityName(): string {
  let user = '';
  try {
    user = `${userInfo().username}@`;
  } catch {
    // A user id without an entry, as in many containers.
  }
  return `sockscope local CA ${user}${hostname()}`;
}

/** The file's size, or null when there is none. */
function size(path: string): number | null {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? null;
  } catch (error) {
    throw unkept(dirname(path), error);
  }
}

/** Whole or not at all; what another process put there first stays. */
function place(folder: string, path: string, text: string, mode: number): void {
  const unfinished = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    if (makeFolder(folder)) {
      // Whatever the umask took away.
      chmodSync(folder, 0o700);
    }
    writeFileSync(unfinished, text, { flag: 'wx', mode, flush: true });
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
    throw unkept(folder, error);
  }
}

function readKey(path: string) {
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) {
    throw broken(
      `The key of the local CA, ${path}, can be read by others (mode ${(mode & 0o777).toString(8)}): whoever has it can pretend to be any server.`,
      `Remove it, and its ca.pem, from wherever the CA is trusted; or, if nobody else was on this machine: chmod 600 ${path}`,
    );
  }
  try {
    const key = createPrivateKey(readText(path));
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new Error('it is no key on the curve P-256');
    }
    return key;
  } catch (error) {
    throw broken(
      `${path} holds no key that can be read (${(error as Error).message}).`,
      startAnew(path.replace(/ca-key\.pem$/, 'ca.pem'), path),
      error,
    );
  }
}

function readCertificate(path: string): X509Certificate {
  try {
    const certificate = new X509Certificate(readText(path));
    if (!certificate.ca) {
      throw new Error('it is not a CA');
    }
    return certificate;
  } catch (error) {
    throw broken(
      `${path} holds no certificate of a CA (${(error as Error).message}).`,
      `Remove ${path}; it is made again from its key.`,
      error,
    );
  }
}

function readText(path: string): string {
  const bytes = size(path) ?? 0;
  if (bytes === 0 || bytes > LARGEST_FILE) {
    throw new Error(bytes === 0 ? 'the file is empty' : 'the file is too large');
  }
  return readFileSync(path, 'utf8');
}

const startAnew = (path: string, keyPath: string) =>
  `Remove both and trust the new one: rm ${path} ${keyPath}`;

const unkept = (folder: string, cause: unknown) =>
  new SockscopeError(
    'TLS_CA',
    `The local CA cannot be kept in ${folder}: ${(cause as Error).message}.`,
    'Make the folder writable, or name another one with XDG_CONFIG_HOME.',
    3,
    cause,
  );

const broken = (message: string, hint: string, cause?: unknown) =>
  new SockscopeError('TLS_CA', message, hint, 3, cause);
