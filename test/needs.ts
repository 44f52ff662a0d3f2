/** What a test needs from the machine. Absent: the test skips and the reason is printed; with CI set, it is an error instead. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Need {
  /** Why the test cannot run here, or null when everything is there. */
  missing: string | null;
}

const known = new Map<string, string | null>();

/** `'linux'`, `'root'`, `'namespace'` (`unshare -Urn` works), or the name of any program. */
export function needs(...names: string[]): Need {
  const reasons = names.map(probe).filter((reason) => reason !== null);
  if (reasons.length === 0) {
    return { missing: null };
  }
  const missing = reasons.join('; ');
  const inCi = process.env.CI;
  if (inCi && inCi !== 'false' && inCi !== '0') {
    throw new Error(`needs(${names.join(', ')}): ${missing}. With CI set nothing may be skipped.`);
  }
  console.log(`skipped: ${missing}`);
  return { missing };
}

function probe(name: string): string | null {
  const before = known.get(name);
  if (before !== undefined) {
    return before;
  }
  const reason = look(name);
  known.set(name, reason);
  return reason;
}

function look(name: string): string | null {
  switch (name) {
    case 'linux':
      return process.platform === 'linux' ? null : `needs Linux; here is ${process.platform}`;
    case 'root':
      return process.getuid?.() === 0 ? null : 'needs root';
    case 'namespace':
      return namespaceReason();
    default:
      return findProgram(name) === null ? `needs the program ${name}, which is not on PATH` : null;
  }
}

function namespaceReason(): string | null {
  const tried = spawnSync('unshare', ['-Urn', 'true'], { encoding: 'utf8' });
  if (tried.status === 0) {
    return null;
  }
  const said = tried.error?.message ?? tried.stderr.trim();
  return `needs \`unshare -Urn\` to work: ${said}`;
}

/** Debian keeps the server's programs of each version of PostgreSQL to itself. */
const POSTGRES = '/usr/lib/postgresql';

function postgresFolders(): string[] {
  return existsSync(POSTGRES) ? readdirSync(POSTGRES).map((version) => join(POSTGRES, version, 'bin')) : [];
}

/** The program's path, or null. The system folders count too: they hold nginx and tc, and a plain user's PATH leaves them out. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', ...postgresFolders()];
  for (const folder of folders) {
    const path = join(folder === '' ? '.' : folder, name);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      continue;
    }
    if (statSync(path).isFile()) {
      return path;
    }
  }
  return null;
}
