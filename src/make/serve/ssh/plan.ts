/** What was typed behind `serve ssh`, read and checked. */
import { randomBytes } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import ssh2 from 'ssh2';
import { SockscopeError } from '../../../errors.ts';
import type { Typed } from '../kind.ts';
import { firstOf, hostKeyPath, openHostKey } from './host-key.ts';

export interface SshPlan {
  /** Null: any name will do. It is always the same user who runs things: the one who started the server. */
  readonly user: string | null;
  /** Null with --none. */
  readonly password: string | null;
  /** It was made here, so it has to be told. */
  readonly passwordIsNew: boolean;
  /** Public keys in base64, as they travel. */
  readonly keys: readonly string[];
  /** Where they come from; empty when there is no such file. */
  readonly keysFrom: string;
  /** Everybody is let in. */
  readonly none: boolean;
  /** A real path. */
  readonly directory: string;
  readonly forwarding: boolean;
  readonly hostKey: { readonly path: string; readonly text: string; readonly fingerprint: string };
}

/** 80 bits, in letters that are hard to mistake. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

function newPassword(): string {
  const letters = [...randomBytes(16)].map((byte) => LETTERS[byte % LETTERS.length]);
  return [0, 4, 8, 12].map((at) => letters.slice(at, at + 4).join('')).join('-');
}

export function readPlan({ options }: Typed): SshPlan {
  const text = (name: string): string | null => {
    const value = options[name];
    return typeof value === 'string' ? value : null;
  };
  const none = options.none === true;
  const password = text('password');
  const file = text('authorizedKeys');
  if (none && (password !== null || file !== null)) {
    throw usage(
      `--none lets everybody in, so ${password === null ? '--authorized-keys' : '--password'} has no meaning.`,
      'Leave one of the two out.',
    );
  }
  if (password === '') {
    throw usage('The password is empty.', 'Give one, or say --none to let everybody in.');
  }
  const user = text('user');
  if (user === '') {
    throw usage('The name of the user is empty.', 'Leave --user out to accept every name.');
  }
  const keysFrom = none ? null : (file ?? join(homedir(), '.ssh', 'authorized_keys'));
  const keys = keysFrom === null ? null : readKeys(keysFrom, file !== null);
  const { path, text: key, fingerprint } = openHostKey(resolve(text('hostKey') ?? hostKeyPath()));
  return {
    user,
    password: none ? null : (password ?? newPassword()),
    passwordIsNew: !none && password === null,
    keys: keys ?? [],
    keysFrom: keys === null || keys.length === 0 ? '' : (keysFrom ?? ''),
    none,
    directory: folder(text('dir') ?? '.'),
    forwarding: options.forwarding === true,
    hostKey: { path, text: key, fingerprint },
  };
}

function folder(path: string): string {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) {
      return real;
    }
  } catch (error) {
    throw usage(`The folder ${path} cannot be served (${(error as Error).message}).`, 'Name one with --dir.');
  }
  throw usage(`${path} is no folder.`, 'Name one with --dir.');
}

/** Null where there is no such file and nobody named it. */
function readKeys(path: string, named: boolean): string[] | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!named) {
      return null;
    }
    throw usage(
      `The keys in ${path} cannot be read (${(error as Error).message}).`,
      'Name a file with one public key on each line.',
    );
  }
  const keys = authorizedKeys(text);
  if (named && keys.length === 0) {
    throw usage(
      `No public key is in ${path}.`,
      'Name a file with one public key on each line, such as ~/.ssh/id_ed25519.pub.',
    );
  }
  return keys;
}

/** The keys of a file as sshd(8) describes it. A line with options restricts its key, and what restricts is not done here: it is left out. */
export function authorizedKeys(text: string): string[] {
  const keys: string[] = [];
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (/^(ssh-|ecdsa-)/.test(trimmed)) {
      const key = ssh2.utils.parseKey(trimmed);
      if (!(key instanceof Error)) {
        keys.push(firstOf(key).getPublicSSH().toString('base64'));
      }
    }
  }
  return keys;
}

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('SSH_SERVER', message, hint, 2);
}
