/** Who among a program and its descendants has a socket, and who else lives in a network namespace. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { socketInode, walkDescriptors } from './descriptors.ts';

/** More descendants than any test run has; a tree that grows while we climb ends here. */
const MOST_PROCESSES = 1024;

export interface Owner {
  readonly pid: number;
  readonly name: string;
}

function children(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // gone, or a kernel without CONFIG_PROC_CHILDREN
  }
}

function has(pid: number, inode: number): boolean {
  return walkDescriptors(pid, (_, bytes, length) => socketInode(bytes, length) !== inode) === 'stopped';
}

/** The process below `root` (itself included) that has the socket; `first` is asked before all others. */
export function ownerBelow(root: number, inode: number, first: number | null): Owner | null {
  if (first !== null && has(first, inode)) {
    return { pid: first, name: nameOf(first) };
  }
  const queue = [root];
  for (let i = 0; i < queue.length && i < MOST_PROCESSES; i++) {
    const pid = queue[i]!;
    if (has(pid, inode)) {
      return { pid, name: nameOf(pid) };
    }
    queue.push(...children(pid));
  }
  return null;
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Processes whose network namespace has this inode. */
export function inhabitants(inode: number): number[] {
  const link = `net:[${inode}]`;
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return Number.isInteger(pid) && readlinkSync(`/proc/${pid}/ns/net`) === link;
      } catch {
        return false; // gone, or somebody else's
      }
    });
}

/** The number of the network namespace that a descriptor of this process is of. */
export function namespaceOfDescriptor(fd: number): number {
  const found = /^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`));
  return found === null ? 0 : Number(found[1]);
}
