/** Where a body goes: standard output, or a file that stands there whole or not at all. */
import { once } from 'node:events';
import { closeSync, openSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';
import type { DialOutput } from './dial-io.ts';

export interface BodySink {
  write(bytes: Uint8Array): Promise<void> | void;
  /** It is whole. */
  keep(): void;
  /** Nothing came of it. */
  drop(): void;
}

/** As far as curl looks for a NUL. */
const LOOKED_AT = 2000;

/** `asked`: `-o -` was given, so that bytes may come. */
export function streamSink(output: DialOutput, asked: boolean): BodySink {
  let seen = 0;
  return {
    write(bytes) {
      if (
        output.isTTY === true &&
        !asked &&
        seen < LOOKED_AT &&
        bytes.subarray(0, LOOKED_AT - seen).includes(0)
      ) {
        throw new SockscopeError(
          'HTTP_BINARY',
          'The body is binary, and standard output is this terminal.',
          'Write it with -o FILE, or show it all the same with -o -.',
          1,
        );
      }
      seen += bytes.length;
      return output.write(bytes) ? undefined : once(output, 'drain').then(() => {});
    },
    keep() {},
    drop() {},
  };
}

function refused(path: string, error: unknown): SockscopeError {
  return new SockscopeError(
    'HTTP_FILE',
    `${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`,
    'Give a path in a folder that exists and that you may write to.',
    2,
    error,
  );
}

/** /dev/null, a pipe: to rename over it would take it away from everybody. */
function isSpecial(path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && !there.isFile() && !there.isDirectory();
}

function specialSink(fd: number, tried: (run: () => void) => void): BodySink {
  let open = true;
  const end = (): void => {
    if (open) {
      open = false;
      closeSync(fd);
    }
  };
  return { write: (bytes) => tried(() => writeAll(fd, bytes)), keep: end, drop: end };
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(fd, bytes, at);
  }
}

/** Opened before anything is asked, so that a bad path costs nobody a request. */
export function fileSink(path: string): BodySink {
  const temporary = `${path}.${process.pid}.part`;
  const tried = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw refused(path, error);
    }
  };
  if (isSpecial(path)) {
    return specialSink(
      tried(() => openSync(path, 'w')),
      tried,
    );
  }
  const fd = tried(() => openSync(temporary, 'wx'));
  let open = true;
  const drop = (): void => {
    if (open) {
      open = false;
      closeSync(fd);
      unlinkSync(temporary);
    }
  };
  return {
    write: (bytes) => tried(() => writeAll(fd, bytes)),
    keep() {
      try {
        renameSync(temporary, path);
      } catch (error) {
        drop();
        throw refused(path, error);
      }
      open = false;
      closeSync(fd);
    },
    drop,
  };
}
