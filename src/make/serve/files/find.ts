/** Which file or directory a path stands for, in the order of `--try-files`. */
import type { BigIntStats } from 'node:fs';
import { type Absent, look } from './inside.ts';
import { type Asked, encoded, fromText } from './path.ts';

export type Found =
  | { readonly kind: 'file'; readonly path: string; readonly about: BigIntStats }
  | { readonly kind: 'list'; readonly path: string }
  /** What is relative to the path that was asked for. */
  | { readonly kind: 'redirect'; readonly to: string };

interface Try {
  /** It begins with the path that was asked for. */
  readonly asked: boolean;
  readonly rest: string;
  readonly directory: boolean;
}

/** `root` and the words are what was checked by plan.ts. */
export function createFinder(
  root: string,
  words: readonly string[],
  hidden: boolean,
): (asked: Asked) => Found | Absent {
  const base = root.endsWith('/') ? root.slice(0, -1) : root;
  const tries = words
    .filter((word) => word !== '=404')
    .map((word): Try => {
      const asked = word.startsWith('$uri');
      const directory = word.endsWith('/');
      const rest = fromText(asked ? word.slice('$uri'.length) : word);
      return { asked, directory, rest: directory ? rest.slice(0, -1) : rest };
    });

  return (asked) => {
    const { names, slash } = asked;
    if (!hidden && names.some((name) => name.startsWith('.'))) {
      return 'none';
    }
    const uri = names.length === 0 ? '/' : `/${names.join('/')}${slash ? '/' : ''}`;
    let absent: Absent = 'none';
    for (const one of tries) {
      const path = base + (one.asked ? uri : '') + one.rest;
      const about = look(path);
      if (typeof about === 'string') {
        absent = about === 'forbidden' ? about : absent;
      } else if (one.directory && about.isDirectory()) {
        return one.asked && one.rest === '' && !slash
          ? { kind: 'redirect', to: `./${encoded(names.at(-1)!)}/${asked.query}` }
          : inDirectory(path.endsWith('/') ? path : `${path}/`);
      } else if (!one.directory && about.isFile()) {
        return { kind: 'file', path, about };
      }
    }
    return absent;
  };
}

function inDirectory(path: string): Found | Absent {
  const index = `${path}index.html`;
  const about = look(index);
  if (about === 'forbidden') {
    return about;
  }
  return typeof about !== 'string' && about.isFile()
    ? { kind: 'file', path: index, about }
    : { kind: 'list', path };
}
