/** A file that is being written. What stood in it goes when the first bytes come, not before: nothing may come of it. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { SockscopeError } from '../errors.ts';
import { isTerminal, printBytes } from './output.ts';

export interface Target {
  write(bytes: Uint8Array): void;
  close(): void;
  /** Nothing came of it: a file that was not there before is not there afterwards. */
  abandon(): void;
}

/** `-` is standard output. `input`, a descriptor, is what is being read: it must not be the same file. */
export function writtenFile(path: string, input = -1): Target {
  if (path === '-') {
    return standardOutput();
  }
  const before = existsSync(path);
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  } catch (error) {
    throw refused(path, error);
  }
  if (input >= 0 && isSame(fd, input)) {
    closeSync(fd);
    throw new SockscopeError(
      'WRITE_SAME',
      `${path} is the file that is being read.`,
      'Write to another, and rename it afterwards.',
      2,
    );
  }
  let begun = false;
  function begin(): void {
    if (!begun) {
      begun = true;
      if (fstatSync(fd).isFile()) {
        ftruncateSync(fd, 0);
      }
    }
  }
  return {
    write(bytes) {
      begin();
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(fd, bytes, at);
      }
    },
    close() {
      begin();
      closeSync(fd);
    },
    abandon() {
      closeSync(fd);
      if (!before && !begun) {
        unlinkSync(path);
      }
    },
  };
}

function standardOutput(): Target {
  if (isTerminal()) {
    throw new SockscopeError(
      'WRITE_TERMINAL',
      'Standard output is this terminal, and a capture file is not for reading.',
      'Pipe it into a program, or name a file.',
      2,
    );
  }
  return { write: printBytes, close() {}, abandon() {} };
}

function isSame(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)];
  return a.isFile() && a.ino === b.ino && a.dev === b.dev;
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'what should be its folder is a file',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ENOSPC: 'no space is left',
};

function refused(path: string, error: unknown): SockscopeError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new SockscopeError(
    'WRITE_FILE',
    `${path} cannot be written: ${MEANINGS[code] ?? code}.`,
    'Give a path in a folder that exists and that you may write to.',
    2,
    { cause: error },
  );
}
