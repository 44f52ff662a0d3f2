/** What was typed behind `serve files`, read and checked. */
import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { SockscopeError } from '../../../errors.ts';
import { nearMisses } from '../../../session/near.ts';
import type { Typed } from '../kind.ts';

export interface FilesPlan {
  /** Absolute. */
  readonly directory: string;
  /** What is tried for a path, in this order, as nginx writes it: `$uri`, `$uri/`, `$uri.html`, `/index.html`, and at the end `=404`. */
  readonly tries: readonly string[];
  readonly cacheControl: string | null;
  readonly listing: boolean;
  readonly hidden: boolean;
  readonly follow: boolean;
  readonly cors: boolean;
}

export function planFrom({ words, options }: Typed): FilesPlan {
  const [directory, more] = words;
  if (directory === undefined || more !== undefined) {
    throw new SockscopeError(
      'SERVE_WORDS',
      `serve files takes one directory, and got ${words.length === 0 ? 'none' : words.join(' ')}.`,
      'Example: sockscope serve files public :8080',
      2,
    );
  }
  return {
    directory: checked(resolve(directory)),
    tries: triesFrom(options.tryFiles),
    cacheControl: cacheControlFrom(options.cacheControl),
    listing: options.listing !== false,
    hidden: options.hidden === true,
    follow: options.follow === true,
    cors: options.cors === true,
  };
}

function checked(directory: string): string {
  try {
    if (!statSync(directory).isDirectory()) {
      throw new SockscopeError(
        'SERVE_FILES_DIRECTORY',
        `${directory} is not a directory.`,
        `Serve the one that it is in: sockscope serve files ${dirname(directory)}`,
        2,
      );
    }
    // To read it and to enter it are two rights.
    closeSync(openSync(directory, 'r'));
    statSync(`${directory}/.`);
    return directory;
  } catch (error) {
    throw error instanceof SockscopeError ? error : problem(directory, error as NodeJS.ErrnoException);
  }
}

function problem(directory: string, error: NodeJS.ErrnoException): SockscopeError {
  const code = 'SERVE_FILES_DIRECTORY';
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    const near = nearMisses(basename(directory), beside(directory))[0];
    const hint = near === undefined ? 'Name one that exists.' : `Did you mean ${near}?`;
    return new SockscopeError(code, `There is no directory ${directory}.`, hint, 2, error);
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    const hint = 'Give this user the right to read and enter it (chmod +rx), and to enter those above it.';
    return new SockscopeError(code, `${directory} may not be read by this user.`, hint, 3, error);
  }
  const hint = 'Look at it with `ls -ld`.';
  return new SockscopeError(code, `${directory} cannot be served: ${error.code}.`, hint, 1, error);
}

function beside(directory: string): string[] {
  try {
    const all = readdirSync(dirname(directory), { withFileTypes: true });
    return all.filter((one) => one.isDirectory()).map((one) => one.name);
  } catch {
    return [];
  }
}

export const PLAIN_TRIES: readonly string[] = ['$uri', '$uri/'];

function triesFrom(given: unknown): readonly string[] {
  if (given === undefined) {
    return PLAIN_TRIES;
  }
  const words = String(given)
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  if (words.length === 1 && !words[0]!.includes('$') && !words[0]!.startsWith('=')) {
    // The single page application, which is what most people want.
    return [...PLAIN_TRIES, words[0]!.startsWith('/') ? words[0]! : `/${words[0]}`];
  }
  const wrong = words.find((word, at) => !isTry(word, at === words.length - 1));
  if (words.length === 0 || wrong !== undefined) {
    throw new SockscopeError(
      'SERVE_FILES_TRY',
      `--try-files cannot be ${JSON.stringify(given)}${wrong === undefined ? '' : `: ${wrong} is nothing to try`}.`,
      "Name a file, --try-files index.html, or write as nginx does: --try-files '$uri $uri/ $uri.html /index.html' (=404 at the end).",
      2,
    );
  }
  return words;
}

function isTry(word: string, last: boolean): boolean {
  if (word.startsWith('=')) {
    return last && word === '=404';
  }
  const rest = word.replace(/^\$uri/, '/');
  return rest.startsWith('/') && !rest.includes('$') && !rest.split('/').includes('..');
}

function cacheControlFrom(given: unknown): string | null {
  if (given === undefined) {
    return null;
  }
  const text = String(given).trim();
  if (!/^[\x20-\x7e]+$/.test(text)) {
    throw new SockscopeError(
      'SERVE_FILES_CACHE_CONTROL',
      `--cache-control cannot be ${JSON.stringify(given)}: it is sent as it is, and this is no header.`,
      "Example: --cache-control 'max-age=3600'",
      2,
    );
  }
  return text;
}
