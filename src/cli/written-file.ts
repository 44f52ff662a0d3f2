/** A file that is being written. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { SockscopeError } from '../errors.ts';

export interface Target {
  write(bytes: Uint8Array): void;
  close(): void;
}

export function writtenFile(path: string): Target {
  let fd: number;
  try {
    fd = openSync(path, 'w', 0o600);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new SockscopeError(
      'WRITE_FILE',
      `${path} cannot be written: ${code}.`,
      'Give a path in a folder that exists and that you may write to.',
      2,
      { cause: error },
    );
  }
  return {
    write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(fd, bytes, at);
      }
    },
    close: () => closeSync(fd),
  };
}
