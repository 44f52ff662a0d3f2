/**
 * Opens files of a directory, and nothing else. A link that leads out is found after the file was opened: the kernel says where the
 * opened file is, so there is no moment between the check and the use. Metadata is asked for without going through the thread pool,
 * as nginx does it: microseconds, where a thread would take ten times as many.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  type PathLike,
  realpathSync,
  statSync,
} from 'node:fs';
import { openedPath } from '../../../kernel/opened-path.ts';
import { bytesOf } from './path.ts';

export interface Root {
  /** Absolute, a character for each byte. What a link in it leads to may change at any time. */
  readonly path: string;
  /** Links may lead out of it. */
  readonly follow: boolean;
}

export type Absent = 'none' | 'forbidden' | 'outside';

export interface Handle {
  readonly fd: number;
  readonly about: BigIntStats;
}

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

/** Follows links. */
export function look(path: string): BigIntStats | Absent {
  try {
    return statSync(bytesOf(path), { bigint: true, throwIfNoEntry: false }) ?? 'none';
  } catch (error) {
    return absent(error);
  }
}

/** `wanted` says of what was opened whether it is what was meant. */
export function openInside(
  { path: root, follow }: Root,
  path: string,
  wanted: (about: BigIntStats) => boolean,
): Handle | Absent {
  let fd: number;
  try {
    // Whoever put a FIFO there since the look must not make us wait for its writer.
    fd = openSync(bytesOf(path), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    return absent(error);
  }
  let problem: Absent | null = null;
  try {
    const about = fstatSync(fd, { bigint: true });
    problem = wanted(about) ? (follow || isInside(root, path, fd, about) ? null : 'outside') : 'none';
    if (problem === null) {
      return { fd, about };
    }
  } catch (error) {
    problem = absent(error, fd);
  }
  closeSync(fd);
  return problem;
}

function isInside(root: string, path: string, fd: number, about: BigIntStats): boolean {
  const real = openedPath(fd);
  if (real !== null) {
    return contains(root, real);
  }
  // The name has to be looked up again: it leads inside, and to what was opened.
  const again = realpathSync.native(bytesOf(path) as PathLike, 'latin1');
  const there = statSync(bytesOf(again), { bigint: true });
  return contains(root, again) && there.dev === about.dev && there.ino === about.ino;
}

/** `real` is a path without links. */
export function contains(root: string, real: string): boolean {
  const base = realpathSync.native(bytesOf(root) as PathLike, 'latin1');
  return real === base || real.startsWith(base.endsWith('/') ? base : `${base}/`);
}

/** What is not there for the client; anything else is our trouble and is thrown. */
function absent(error: unknown, open: number | null = null): Absent {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
      return 'forbidden';
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
    // A socket, or a device that nothing drives.
    case 'ENXIO':
    case 'ENODEV':
      return 'none';
    default:
      if (open !== null) {
        closeSync(open);
      }
      throw error;
  }
}
