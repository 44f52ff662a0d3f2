/** UNIX sockets in the file system: a name that a dead process left is taken over, one that somebody listens on is not. */
import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { closeFd } from '../kernel/epoll.ts';
import {
  bindSocket,
  connectSocket,
  openSocket,
  type RawAddress,
  SOCK_STREAM,
} from '../kernel/stream-sockets.ts';

const EADDRINUSE = -98;
const ECONNREFUSED = -111;

/** A bound name in the file system. `remove` leaves alone what somebody else put there since. */
export interface BoundPath {
  remove(): void;
}

const NOTHING: BoundPath = { remove() {} };

export function bindPath(
  fd: number,
  path: string,
  raw: RawAddress,
  mode: number | undefined,
): BoundPath | number {
  let result = bindSocket(fd, raw);
  if (result === EADDRINUSE && isStale(path, raw)) {
    silently(() => unlinkSync(path));
    result = bindSocket(fd, raw);
  }
  if (result < 0) {
    return result;
  }
  if (path.startsWith('@')) {
    return NOTHING;
  }
  const ours = look(path);
  const bound = {
    remove() {
      const there = look(path);
      if (there !== null && there.ino === ours?.ino && there.dev === ours.dev) {
        silently(() => unlinkSync(path));
      }
    },
  };
  const refused = mode === undefined ? 0 : silently(() => chmodSync(path, mode));
  if (refused < 0) {
    bound.remove();
    return refused;
  }
  return bound;
}

/** connect(2) is refused by a regular file too (unix_find_bsd), so the file must be a socket to be taken for stale. */
function isStale(path: string, raw: RawAddress): boolean {
  if (path.startsWith('@') || look(path)?.isSocket() !== true) {
    return false;
  }
  const probe = openSocket(raw.family, SOCK_STREAM);
  if (probe < 0) {
    return false;
  }
  const result = connectSocket(probe, raw);
  closeFd(probe);
  return result === ECONNREFUSED;
}

function look(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

/** 0 or -errno. */
function silently(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? -5;
  }
}
