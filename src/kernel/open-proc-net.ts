/** Files of /proc/net that stay those of one network namespace, whoever reads them later. An open one keeps that namespace alive. */
import fs from 'node:fs';
import { openFile } from './libc.ts';

const O_RDONLY_CLOEXEC = 0o2000000;
const ROOM = 16 * 1024;
const room = Buffer.alloc(ROOM);

/** Opened in the calling thread's namespace: a descriptor, or -errno. */
export function openProcNet(name: 'netstat' | 'snmp'): number {
  return openFile(`/proc/thread-self/net/${name}`, O_RDONLY_CLOEXEC);
}

/** The whole text as it is now, or null when it cannot be read. */
export function readAgain(fd: number): string | null {
  let text = '';
  try {
    for (;;) {
      const length = fs.readSync(fd, room, 0, ROOM, text.length);
      text += room.toString('latin1', 0, length);
      if (length < ROOM) {
        return text;
      }
    }
  } catch {
    return null;
  }
}
