/** Opened files, the small ones from memory as long as the file is the one that was read. */
import { type BigIntStats, close, closeSync, readSync } from 'node:fs';
import { type Absent, type Handle, openInside, type Root } from './inside.ts';
import { createRecent } from './recent.ts';

/** A file as it is sent. Whoever gets one with a descriptor lets go of it. */
export interface Opened {
  readonly path: string;
  readonly size: number;
  /** A strong validator: another content has another one. */
  readonly tag: string;
  /** Milliseconds since 1970, whole seconds. */
  readonly changed: number;
  readonly changedText: string;
  /** The same to the nanosecond, and not cut to the present. */
  readonly writtenNs: bigint;
  /** Of a small file. */
  readonly bytes: Buffer | null;
  /** -1 when the bytes are here. */
  readonly fd: number;
}

export interface Store {
  /** `about` is what a look at the path said just now. `busy`: it changes under our hands. */
  open(path: string, about: BigIntStats): Opened | Absent | 'busy';
}

const SMALL = 64 * 1024;
const MEMORY = 16 * 2 ** 20;
/** The kernel's clock for files ticks every 1 to 10 ms: what was written just now may be written again with the same time. */
const SETTLED = 100;

export function createStore(root: Root): Store {
  const recent = createRecent<{ readonly about: BigIntStats; readonly opened: Opened }>(MEMORY);
  return {
    open(path, about) {
      const known = recent.get(path);
      if (known !== undefined && isSame(known.about, about)) {
        return known.opened;
      }
      const handle = openInside(root, path, (what) => what.isFile());
      if (typeof handle === 'string') {
        return handle;
      }
      const opened = openedAs(path, handle);
      if (opened === null) {
        return 'busy';
      }
      if (opened.bytes !== null && Date.now() - Number(handle.about.ctimeMs) > SETTLED) {
        recent.put(path, { about: handle.about, opened }, opened.size);
      }
      return opened;
    },
  };
}

export function release({ fd }: Opened): void {
  if (fd !== -1) {
    close(fd);
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.ino === b.ino &&
    a.mtimeNs === b.mtimeNs &&
    a.size === b.size &&
    a.dev === b.dev &&
    a.ctimeNs === b.ctimeNs
  );
}

function openedAs(path: string, { fd, about }: Handle): Opened | null {
  const size = Number(about.size);
  // A date in the future would keep caches from ever asking (RFC 9110, section 8.8.2.1).
  const changed = Math.floor(Math.min(Number(about.mtimeMs), Date.now()) / 1000) * 1000;
  const facts = {
    path,
    size,
    tag: tagOf(about),
    changed,
    changedText: new Date(changed).toUTCString(),
    writtenNs: about.mtimeNs,
  };
  if (size > SMALL) {
    return { ...facts, bytes: null, fd };
  }
  try {
    const bytes = Buffer.allocUnsafeSlow(size);
    return size === 0 || readSync(fd, bytes, 0, size, 0) === size ? { ...facts, bytes, fd: -1 } : null;
  } finally {
    closeSync(fd);
  }
}

function tagOf({ size, mtimeNs, ino }: BigIntStats): string {
  return `"${size.toString(16)}-${mtimeNs.toString(16)}-${ino.toString(16)}"`;
}
