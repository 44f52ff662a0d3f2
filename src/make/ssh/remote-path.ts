/** `host:path`, `user@host:path`, `scp://user@host:port/path`, or a path here. */
import { SockscopeError } from '../../errors.ts';
import { type ByteName, nameOf } from './byte-name.ts';

export type CopyPlace =
  | { readonly kind: 'here'; readonly path: ByteName }
  /** `target` is what `connectTo` takes. */
  | { readonly kind: 'there'; readonly target: string; readonly path: ByteName };

/** As scp reads it: a colon before the first slash makes it a place on a host. `./a:b` is a file. */
export function readCopyPlace(typed: string): CopyPlace {
  if (/^scp:\/\//i.test(typed)) {
    return readUri(typed);
  }
  const match = /^((?:[^/:[\]]+@)?(?:\[[^\]/]*\]|[^/:[\]]+)):([\s\S]*)$/.exec(typed);
  if (match === null) {
    if (typed === '' || typed.startsWith(':')) {
      throw bad(typed, 'it names no host and no file');
    }
    return { kind: 'here', path: nameOf(typed) };
  }
  return there(typed, match[1]!, match[2]!);
}

function readUri(typed: string): CopyPlace {
  const match = /^scp:\/\/([^/]+)(?:\/([\s\S]*))?$/i.exec(typed);
  if (match === null) {
    throw bad(typed, 'a host belongs behind scp://');
  }
  let path: string;
  try {
    path = decodeURIComponent(match[2] ?? '');
  } catch {
    throw bad(typed, 'a % in it is not followed by two hexadecimal digits');
  }
  return there(typed, match[1]!, path);
}

function there(typed: string, target: string, path: string): CopyPlace {
  const host = target.slice(target.lastIndexOf('@') + 1);
  if (
    host === '' ||
    host === '[]' ||
    target.startsWith('-') ||
    host.startsWith('-') ||
    target.startsWith('@')
  ) {
    throw bad(typed, 'that is no host');
  }
  if (path.includes('\0')) {
    throw bad(typed, 'a path has no zero byte');
  }
  return { kind: 'there', target, path: fromHome(path) };
}

/** Both protocols begin in the home folder. `~somebody` only a shell knows. */
function fromHome(path: string): ByteName {
  const plain = path === '~' ? '' : path.startsWith('~/') ? path.slice(2).replace(/^\/+/, '') : path;
  return plain === '' ? '.' : nameOf(plain);
}

function bad(typed: string, why: string): SockscopeError {
  return new SockscopeError(
    'COPY_PLACE',
    `"${typed}" is not a place to copy from or to: ${why}.`,
    'Write host:path, user@host:path, scp://user@host:port/path, or a path on this machine (./a:b when it has a colon).',
    2,
  );
}

/** One word for a POSIX shell, whatever is in it. A leading dash would be read as an option. */
export function shellWord(path: ByteName): string {
  const plain = path.startsWith('-') ? `./${path}` : path;
  return `'${plain.replaceAll("'", "'\\''")}'`;
}
