/** What is in a directory, for people and for programs. */
import { closeSync, existsSync, lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { throughOpened } from '../../../kernel/opened-path.ts';
import { type Absent, contains, openInside, type Root } from './inside.ts';
import { bytesOf, encoded, shown } from './path.ts';

export interface Entry {
  /** A character for each byte. */
  readonly name: string;
  readonly directory: boolean;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

/** So many entries are looked at before others have their turn. */
const BATCH = 500;

/** Directories first, then by name. What would not be served is not there: hidden files, links that lead out, FIFOs. */
export async function listDirectory(root: Root, path: string, hidden: boolean): Promise<Entry[] | Absent> {
  const handle = openInside(root, path, (about) => about.isDirectory());
  if (typeof handle === 'string') {
    return handle;
  }
  try {
    // What was opened is what is listed, whatever stands under its name by now.
    const through = throughOpened(handle.fd);
    const folder = existsSync(`${through}/.`) ? through : path;
    const entries: Entry[] = [];
    for (const [at, name] of readdirSync(bytesOf(folder), 'latin1').entries()) {
      if (at % BATCH === BATCH - 1) {
        await new Promise(setImmediate);
      }
      if (name.startsWith('.') && !hidden) {
        continue;
      }
      const about = lookAt(root, `${folder}/${name}`);
      if (about?.isFile() === true || about?.isDirectory() === true) {
        const directory = about.isDirectory();
        entries.push({ name, directory, size: about.size, changed: about.mtimeMs });
      }
    }
    return entries.sort(
      (a, b) => Number(b.directory) - Number(a.directory) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
    );
  } finally {
    closeSync(handle.fd);
  }
}

/** Null: it is gone, may not be looked at, or is a link that leads out or nowhere. */
function lookAt({ path: root, follow }: Root, path: string): Stats | null {
  const bytes = bytesOf(path);
  try {
    const about = lstatSync(bytes);
    if (!about.isSymbolicLink()) {
      return about;
    }
    return follow || contains(root, realpathSync.native(bytes, 'latin1')) ? statSync(bytes) : null;
  } catch {
    return null;
  }
}

export function asJson(entries: readonly Entry[]): string {
  const lines = entries.map(({ name, directory, size, changed }) =>
    JSON.stringify({
      name: shown(name),
      href: hrefOf(name, directory),
      type: directory ? 'directory' : 'file',
      ...(directory ? {} : { size }),
      mtime: new Date(changed).toISOString(),
    }),
  );
  return lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`;
}

const STYLE =
  'body{font:15px/1.6 system-ui,sans-serif;margin:2rem}td,th{padding:0 1.5rem 0 0;text-align:left}' +
  'td:nth-child(2),th:nth-child(2){text-align:right;font-variant-numeric:tabular-nums}' +
  '@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}';

/** `names` lead from the root to the directory. */
export function asHtml(entries: readonly Entry[], names: readonly string[]): string {
  const title = escaped(names.length === 0 ? '/' : `/${names.map(shown).join('/')}/`);
  const up = names.length === 0 ? '' : '<tr><td><a href="../">../</a></td><td></td><td></td></tr>\n';
  const rows = entries.map(({ name, directory, size, changed }) => {
    const text = escaped(shown(name) + (directory ? '/' : ''));
    const date = new Date(changed).toISOString();
    return (
      `<tr><td><a href="${hrefOf(name, directory)}">${text}</a></td><td>${directory ? '' : size}</td>` +
      `<td><time datetime="${date}">${date.slice(0, 16).replace('T', ' ')}</time></td></tr>\n`
    );
  });
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
    `<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head>\n<body><h1>${title}</h1>\n` +
    `<table>\n<tr><th>name</th><th>bytes</th><th>changed (UTC)</th></tr>\n${up}${rows.join('')}</table>\n</body></html>\n`
  );
}

/** With a dot in front: a name may look like a scheme. */
function hrefOf(name: string, directory: boolean): string {
  return `./${encoded(name)}${directory ? '/' : ''}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter]!);
}
