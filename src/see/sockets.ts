/** The socket table as rows: every socket, who holds it, and what could not be seen. */

import { isRoot, ownNetns } from '../kernel/names.ts';
import { type Hidden, scanOwners } from '../kernel/owners.ts';
import type { Owner, OwnerGap, Socket } from '../session/socket.ts';
import { type Asked, type Dumps, readDumps } from './dumps.ts';
import { evaluate, needsOwners } from './filter/index.ts';
import { inetSocket, type Names, unixSocket } from './row.ts';
import { FOREIGN_NAMES, NAMES } from './row-names.ts';

export type { Asked } from './dumps.ts';

/** Above this many descriptors on the machine, `auto` does not read them all for a list nobody asked owners of. */
export const UNASKED_DESCRIPTORS = 10_000;

export type OwnerWish = 'auto' | 'always' | 'never';

export interface ReadOptions extends Asked {
  owners?: OwnerWish;
  /** Inode of the network namespace that `netlink` belongs to. */
  netns?: number;
}

export interface Reading {
  sockets: Socket[];
  /** What was not visible, and why. */
  notes: string[];
}

export function readSockets(options: ReadOptions = {}): Reading {
  const dumps = readDumps(options);
  let sockets = rowsOf(
    dumps,
    options.netns ?? ownNetns(),
    options.netlink === undefined ? NAMES : FOREIGN_NAMES,
  );
  const filter = options.filter ?? null;
  const late = filter !== null && needsOwners(filter);
  const matches = filter === null || dumps.exact ? null : evaluate(filter);
  if (matches !== null && !late) {
    sockets = sockets.filter(matches);
  }
  const wish = late ? 'always' : (options.owners ?? 'auto');
  const notes = [...dumps.notes, ...addOwners(sockets, wish)];
  if (matches !== null && late) {
    sockets = sockets.filter(matches);
  }
  return { sockets, notes };
}

function rowsOf(dumps: Dumps, netns: number, names: Names): Socket[] {
  const sockets: Socket[] = [];
  for (const { protocol, dump } of dumps.parts) {
    for (const { bytes, starts, ends, rows } of dump.chunks) {
      for (let i = 0; i < rows; i++) {
        sockets.push(
          protocol === 'unix'
            ? unixSocket(bytes, starts[i]!, ends[i]!, netns)
            : inetSocket(bytes, starts[i]!, ends[i]!, protocol, netns, names),
        );
      }
    }
  }
  return sockets;
}

/** Fills in owners; says in words what stayed hidden. */
export function addOwners(sockets: Socket[], wish: OwnerWish): string[] {
  if (wish === 'never' || sockets.length === 0) {
    return [];
  }
  const wanted = new Set<number>();
  for (const { inode } of sockets) {
    if (inode !== 0) {
      wanted.add(inode);
    }
  }
  const scan = scanOwners(wish === 'auto' ? { wanted, budget: UNASKED_DESCRIPTORS } : { wanted });
  if (!scan.looked) {
    return [tooMany(scan.descriptors)];
  }
  let unseen = 0;
  for (const socket of sockets) {
    socket.owners = socket.inode === 0 ? [] : scan.ownersOf(socket.inode);
    if (socket.owners.length > 0) {
      delete socket.ownerGap;
    } else {
      socket.ownerGap = socket.inode === 0 ? 'none' : 'not visible';
      unseen += socket.inode === 0 ? 0 : 1;
    }
  }
  return hiddenNote(unseen, scan.hidden);
}

export function tooMany(descriptors: number): string {
  return `owners not looked up: ${descriptors} descriptors are open on this machine; -p reads them all`;
}

export function hiddenNote(unseen: number, { processes, users }: Hidden): string[] {
  if (unseen === 0) {
    return [];
  }
  const sockets = unseen === 1 ? 'owner of 1 socket' : `owners of ${unseen} sockets`;
  if (processes === 0) {
    return [
      `${sockets} not visible: held by the kernel or by a process in another pid namespace, or just closed`,
    ];
  }
  const others = users.filter((user) => user !== 'root');
  const remedy = isRoot()
    ? 'even root is kept out of them here'
    : `run as root${others.length > 0 ? ` or as ${others.slice(0, 3).join(', ')}` : ''}`;
  return [
    `${sockets} not visible: ${processes} ${processes === 1 ? 'process belongs' : 'processes belong'} to others; ${remedy}`,
  ];
}

export interface OwnerLookup {
  of: (inode: number) => Owner[];
  gap: (inode: number) => OwnerGap;
  /** To be asked after the last row. */
  notes: () => string[];
}

/** Owners for rows that never become objects; read before the rows. Null when no owner column is wanted. */
export function ownerLookup(wish: OwnerWish): OwnerLookup | null {
  if (wish === 'never') {
    return null;
  }
  const scan = scanOwners(wish === 'auto' ? { budget: UNASKED_DESCRIPTORS } : {});
  if (!scan.looked) {
    return { of: () => [], gap: () => 'not looked up', notes: () => [tooMany(scan.descriptors)] };
  }
  const unseen = new Set<number>();
  return {
    of: (inode) => (inode === 0 ? [] : scan.ownersOf(inode)),
    gap: (inode) => {
      if (inode === 0) {
        return 'none';
      }
      unseen.add(inode);
      return 'not visible';
    },
    notes: () => hiddenNote(unseen.size, scan.hidden),
  };
}
