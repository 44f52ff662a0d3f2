/** Which process holds which socket: one pass over every /proc/PID/fd, kept in typed arrays so that 100 000 sockets stay cheap. */
import fs from 'node:fs';
import { printable } from '../wire/printable.ts';
import { countDescriptors, socketInode, walkDescriptors } from './descriptors.ts';
import { userName } from './users.ts';

export interface OwnerRef {
  pid: number;
  fd: number;
  /** The process's short name (comm), safe to print. */
  name: string;
}

export interface OwnerOptions {
  /** Look only for these socket inodes. */
  wanted?: ReadonlySet<number>;
  /** Stop once every wanted socket has one owner, leaving out whoever else inherited it. */
  firstOnly?: boolean;
  /** More descriptors than this on the machine: return without looking. */
  budget?: number;
}

export interface Owners {
  ownersOf(inode: number): OwnerRef[];
  looked: boolean;
  /** Descriptors open in the processes that this user may look into. */
  descriptors: number;
  hidden: Hidden;
}

export interface Hidden {
  /** Processes that would not let us look. */
  processes: number;
  users: string[];
  /** /proc is mounted with hidepid: other users' processes are not even listed, so their number is not known. */
  concealed: boolean;
}

export function scanOwners(options: OwnerOptions = {}): Owners {
  const pids = listPids();
  const descriptors = totalDescriptors(pids);
  const concealed = pids.length > 0 && !pids.includes(1);
  const nothing = { ownersOf: () => [], descriptors };
  if (options.wanted?.size === 0) {
    return { ...nothing, looked: true, hidden: { processes: 0, users: [], concealed } };
  }
  if (options.budget !== undefined && descriptors > options.budget) {
    return { ...nothing, looked: false, hidden: { processes: 0, users: [], concealed } };
  }
  const table = new OwnerTable();
  const hidden = scan(pids, table, options);
  return {
    ownersOf: (inode) => table.of(inode),
    looked: true,
    descriptors,
    hidden: { ...hidden, concealed },
  };
}

function scan(pids: number[], table: OwnerTable, options: OwnerOptions): Omit<Hidden, 'concealed'> {
  const { wanted } = options;
  const users = new Set<string>();
  let processes = 0;
  let missing = options.firstOnly && wanted ? wanted.size : Number.POSITIVE_INFINITY;
  for (const pid of pids) {
    const walk = walkDescriptors(pid, (fd, bytes, length) => {
      const inode = socketInode(bytes, length);
      if (inode >= 0 && (wanted === undefined || wanted.has(inode)) && table.add(inode, pid, fd)) {
        missing--;
      }
      return missing > 0;
    });
    if (walk === 'denied') {
      const uid = uidOfProgram(pid);
      if (uid !== null) {
        processes++;
        users.add(userName(uid));
      }
    }
    if (missing <= 0) {
      break;
    }
  }
  return { processes, users: [...users] };
}

/** A chain of holders per inode: `first` has its newest entry, `next` the one before. */
class OwnerTable {
  #first = new Map<number, number>();
  #pids = new Int32Array(1024);
  #fds = new Int32Array(1024);
  #next = new Int32Array(1024);
  #length = 0;
  #names = new Map<number, string>();
  #lastPid = -1;

  /** True when this is the first holder of that inode. */
  add(inode: number, pid: number, fd: number): boolean {
    if (this.#length === this.#pids.length) {
      this.#pids = doubled(this.#pids);
      this.#fds = doubled(this.#fds);
      this.#next = doubled(this.#next);
    }
    const at = this.#length++;
    const before = this.#first.get(inode) ?? -1;
    this.#pids[at] = pid;
    this.#fds[at] = fd;
    this.#next[at] = before;
    this.#first.set(inode, at);
    if (pid !== this.#lastPid) {
      this.#lastPid = pid;
      this.#names.set(pid, commOf(pid));
    }
    return before === -1;
  }

  of(inode: number): OwnerRef[] {
    const owners: OwnerRef[] = [];
    for (let at = this.#first.get(inode) ?? -1; at >= 0; at = this.#next[at]!) {
      const pid = this.#pids[at]!;
      owners.push({ pid, fd: this.#fds[at]!, name: this.#names.get(pid) ?? '' });
    }
    return owners.length > 1 ? owners.reverse() : owners;
  }
}

function doubled(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}

/** Every process that /proc lists, ascending. */
export function listPids(): number[] {
  const pids: number[] = [];
  for (const name of fs.readdirSync('/proc')) {
    if (/^\d+$/.test(name)) {
      pids.push(Number(name));
    }
  }
  return pids;
}

function totalDescriptors(pids: number[]): number {
  let total = 0;
  for (const pid of pids) {
    total += countDescriptors(pid) ?? tableSize(pid);
  }
  return total;
}

/** Before Linux 6.2 the size of the descriptor table is the nearest cheap answer: never less than what is open. */
function tableSize(pid: number): number {
  return Number(/^FDSize:\s*(\d+)/m.exec(statusOf(pid))?.[1] ?? 0);
}

/** The user of a process that has descriptors at all: kernel threads and zombies have no memory, and none. */
function uidOfProgram(pid: number): number | null {
  const status = statusOf(pid);
  const uid = /^Uid:\s*(\d+)/m.exec(status)?.[1];
  return uid === undefined || !/^VmSize:/m.test(status) ? null : Number(uid);
}

function statusOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return ''; // gone
  }
}

function commOf(pid: number): string {
  try {
    return printable(fs.readFileSync(`/proc/${pid}/comm`, 'utf8').replace(/\n$/, ''));
  } catch {
    return ''; // gone
  }
}
