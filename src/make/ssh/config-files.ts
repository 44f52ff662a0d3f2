/** The files of ssh_config(5), and those that they include. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SockscopeError } from '../../errors.ts';
import type { ConfigText } from './config.ts';
import { matchesPattern } from './patterns.ts';

const SYSTEM = '/etc/ssh';
const OTHERS_MAY_WRITE = 0o022;

/** null: there is no such file. `own`: others must not be able to write commands into it. */
function textOf(path: string, own: boolean): string | null {
  try {
    const found = statSync(path);
    if (found.isDirectory()) {
      return null;
    }
    const uid = process.getuid?.() ?? found.uid;
    if (own && ((found.uid !== 0 && found.uid !== uid) || (found.mode & OTHERS_MAY_WRITE) !== 0)) {
      throw new SockscopeError(
        'SSH_CONFIG_MODE',
        `${path} is not read: others can write to it, or own it.`,
        `Do \`chmod 600 ${path}\` when you know every line of it.`,
        1,
      );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return null;
    }
    throw error instanceof SockscopeError
      ? error
      : new SockscopeError(
          'SSH_CONFIG',
          `${path} cannot be read: ${message}.`,
          'Look at its owner and mode.',
          1,
          error,
        );
  }
}

/** `name` null: the person's own and the system's. */
export function configTexts(name: string | null, home: string): ConfigText[] {
  if (name === 'none') {
    return [];
  }
  if (name !== null) {
    const text = textOf(name, false);
    if (text === null) {
      throw new SockscopeError(
        'SSH_CONFIG',
        `There is no file ${name}.`,
        'Name a configuration of ssh, or `none`.',
        2,
      );
    }
    return [{ name, text, own: true }];
  }
  const files = [
    { path: join(home, '.ssh', 'config'), own: true },
    { path: join(SYSTEM, 'ssh_config'), own: false },
  ];
  return files.flatMap(({ path, own }) => {
    const text = textOf(path, own);
    return text === null ? [] : [{ name: path, text, own }];
  });
}

export function includedTexts(pattern: string, own: boolean, home: string): ConfigText[] {
  const path =
    pattern === '~' || pattern.startsWith('~/')
      ? join(home, pattern.slice(1))
      : pattern.startsWith('/')
        ? pattern
        : join(own ? join(home, '.ssh') : SYSTEM, pattern);
  return globbed(path).flatMap((name) => {
    const text = textOf(name, own);
    return text === null ? [] : [{ name, text, own }];
  });
}

function globbed(path: string): string[] {
  let found = ['/'];
  for (const part of path.split('/').filter((word) => word !== '')) {
    found = /[*?]/.test(part)
      ? found.flatMap((folder) => entries(folder, part).map((name) => join(folder, name)))
      : found.map((folder) => join(folder, part));
  }
  return found;
}

function entries(folder: string, pattern: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => (!name.startsWith('.') || pattern.startsWith('.')) && matchesPattern(name, pattern))
      .sort();
  } catch {
    return [];
  }
}
