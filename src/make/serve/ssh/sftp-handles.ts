/** What a client of SFTP has open. Reads and writes run side by side; closing waits for them. */
import { close } from 'node:fs';
import type { ByteName } from '../../ssh/byte-name.ts';
import { Refusal } from './rooted.ts';

export interface OpenFile {
  readonly kind: 'file';
  readonly fd: number;
  running: number;
  idle: (() => void) | null;
}

export interface OpenFolder {
  readonly kind: 'folder';
  readonly path: ByteName;
  readonly names: readonly ByteName[];
  at: number;
}

/** More than any client needs; fewer than this process may have. */
const MOST = 256;

export class Handles {
  readonly #open = new Map<number, OpenFile | OpenFolder>();
  #next = 1;

  get count(): number {
    return this.#open.size;
  }

  full(): boolean {
    return this.#open.size >= MOST;
  }

  add(one: OpenFile | OpenFolder): number {
    const handle = this.#next;
    this.#next += 1;
    this.#open.set(handle, one);
    return handle;
  }

  file(handle: Buffer): OpenFile {
    const found = this.#find(handle);
    if (found?.kind !== 'file') {
      throw new Refusal('EBADF', 'no file is open under this handle');
    }
    return found;
  }

  folder(handle: Buffer): OpenFolder {
    const found = this.#find(handle);
    if (found?.kind !== 'folder') {
      throw new Refusal('EBADF', 'no folder is open under this handle');
    }
    return found;
  }

  async close(handle: Buffer): Promise<void> {
    const found = this.#find(handle);
    if (found === undefined) {
      throw new Refusal('EBADF', 'nothing is open under this handle');
    }
    this.#open.delete(handle.readUInt32BE(0));
    await release(found);
  }

  /** The client is gone. */
  closeAll(): void {
    for (const one of this.#open.values()) {
      release(one).catch(() => undefined);
    }
    this.#open.clear();
  }

  #find(handle: Buffer): OpenFile | OpenFolder | undefined {
    return handle.length === 4 ? this.#open.get(handle.readUInt32BE(0)) : undefined;
  }
}

async function release(one: OpenFile | OpenFolder): Promise<void> {
  if (one.kind === 'folder') {
    return;
  }
  if (one.running > 0) {
    await new Promise<void>((resolve) => {
      one.idle = resolve;
    });
  }
  await new Promise<void>((resolve, reject) => {
    close(one.fd, (error) => (error ? reject(error) : resolve()));
  });
}

/** Runs something on an open file, which stays open meanwhile. */
export async function using<T>(file: OpenFile, work: (fd: number) => Promise<T>): Promise<T> {
  file.running += 1;
  try {
    return await work(file.fd);
  } finally {
    file.running -= 1;
    if (file.running === 0) {
      file.idle?.();
    }
  }
}
