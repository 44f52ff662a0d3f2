/** The local half of a copy: files that are written under another name until they are complete. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { type ByteName, bufferOf } from './byte-name.ts';
import { partPath, sameOriginal } from './copy-part.ts';

export interface Original {
  readonly size: number;
  readonly mode: number;
  readonly modified: number | null;
  readonly read: number | null;
}

/** Of a mode that a server sent: nobody else makes a program here run as its owner (set-user-ID, set-group-ID). */
export const FROM_OUTSIDE = 0o1777;

/** A file on its way. `finish` gives it its name, `abandon` takes it away. */
export class LocalPart {
  readonly #fd: number;
  readonly #path: Buffer;
  readonly #target: Buffer;
  readonly #keep: boolean;
  #open = true;
  /** Bytes that are there, without a hole. */
  position: number;

  private constructor(fd: number, path: Buffer, target: Buffer, keep: boolean, position: number) {
    this.#fd = fd;
    this.#path = path;
    this.#target = target;
    this.#keep = keep;
    this.position = position;
  }

  /** With `resume` a partial file of the same original is continued, and stays when it is abandoned. */
  static open(target: ByteName, original: Original, resume: boolean): LocalPart {
    const there = localStat(target);
    if (there !== null && !there.isFile() && !there.isSymbolicLink()) {
      // To rename over /dev/null is to take it away from everybody.
      throw new Error('what is there is no regular file, and is not replaced');
    }
    const same = resume ? sameOriginal(original.size, original.modified ?? 0) : null;
    const path = bufferOf(partPath(target, same));
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    const flags = O_CREAT | O_WRONLY | O_NOFOLLOW | (resume ? 0 : O_EXCL);
    // What nobody may write could not be continued.
    const fd = openSync(path, flags, (original.mode & 0o777) | (resume ? 0o200 : 0));
    let position = 0;
    if (resume) {
      const { size } = fstatSync(fd);
      position = size <= original.size ? size : 0;
      ftruncateSync(fd, position);
    }
    return new LocalPart(fd, path, bufferOf(target), resume, position);
  }

  /** Behind what is there. At once: a thread of the pool would cost more than the copy into the page cache that this is. */
  write(pieces: readonly Uint8Array[], length: number): void {
    let written = writevSync(this.#fd, pieces, this.position);
    this.position += written;
    if (written < length) {
      // A nearly full disk takes a part; the next call says what is wrong.
      const rest = Buffer.concat(pieces);
      while (written < length) {
        const more = writeSync(this.#fd, rest, written, length - written, this.position);
        written += more;
        this.position += more;
      }
    }
  }

  /** Complete: `preserve` sets mode and times first. */
  finish(original: Original, preserve: boolean): void {
    if (preserve) {
      fchmodSync(this.#fd, original.mode & FROM_OUTSIDE);
      if (original.modified !== null) {
        futimesSync(this.#fd, original.read ?? original.modified, original.modified);
      }
    } else if (this.#keep) {
      fchmodSync(this.#fd, original.mode & 0o777 & ~process.umask());
    }
    this.#close();
    renameSync(this.#path, this.#target);
  }

  abandon(): void {
    if (!this.#open) {
      return;
    }
    this.#close();
    if (!this.#keep) {
      try {
        unlinkSync(this.#path);
      } catch {
        // Somebody else took it away.
      }
    }
  }

  #close(): void {
    this.#open = false;
    closeSync(this.#fd);
  }
}

export function localStat(path: ByteName): Stats | null {
  try {
    return lstatSync(bufferOf(path));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return null;
    }
    throw error;
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** `permission denied`: the kernel's words without Node's around them. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    return getSystemErrorMap().get(error.errno)?.[1] ?? error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Errors that the next file would have as well. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error));
}
