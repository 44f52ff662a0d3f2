/** A named pipe that many processes write lines into and one reads (fifo(7)). */
import { constants, mkdtempSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import * as libc from './libc.ts';

const mkfifo: ((path: string, mode: number) => number) | undefined =
  process.platform === 'linux' ? koffi.load(null).func('int mkfifo(const char*, uint)') : undefined;

export interface Fifo {
  /** A folder of our own, and the pipe in it. */
  readonly folder: string;
  readonly path: string;
  /** What has been written since the last time; at most 64 KiB at once. */
  read(): string;
  close(): void;
}

const SIZE = 64 * 1024;

/** Null when the system refuses: no temporary folder, no pipes there. */
export function createFifo(): Fifo | null {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'sockscope-tap-'));
    const path = join(folder, 'sites');
    if (mkfifo?.(path, 0o600) !== 0) {
      return null;
    }
    // Open for writing too: then it has no end when the last writer goes.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(SIZE);
    return {
      folder,
      path,
      read() {
        const length = libc.read(fd, buffer, SIZE);
        return length > 0 ? buffer.toString('utf8', 0, length) : '';
      },
      close: () => void libc.close(fd),
    };
  } catch {
    return null;
  }
}
