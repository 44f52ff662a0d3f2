/** Where an opened file or directory is, asked of the kernel: no name is looked up again, so nobody can swap one meanwhile. */
import { readlinkSync } from 'node:fs';

/** Its path, a character for each byte. Null where the kernel does not tell (no /proc). */
export function openedPath(fd: number): string | null {
  try {
    return readlinkSync(throughOpened(fd), 'latin1');
  } catch {
    return null;
  }
}

/** A path that leads to what is open, whatever its names say by now (proc_pid_fd(5)). */
export function throughOpened(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
