/** One process as /proc tells it. What this user may not see is null, and `notVisible` says why. */
import fs from 'node:fs';
import { type Container, parseCgroup, parseContainer } from './container.ts';
import { parseCommand, parseStat, type Stat, statusField, statusNumber } from './proc-parse.ts';
import { userName } from './users.ts';

export interface Parent {
  pid: number;
  name: string;
}

export interface ProcessInfo {
  pid: number;
  ppid: number;
  /** comm: at most 15 bytes, whatever the program wrote there. */
  name: string;
  /** Empty for kernel threads, zombies, and when not visible. */
  command: string[];
  cwd: string | null;
  exe: string | null;
  /** Real uid; null when /proc would not say. */
  uid: number | null;
  user: string;
  container: Container | null;
  cgroup: string | null;
  /** Nearest first, up to pid 1. */
  parents: Parent[];
  /** Inode of its network namespace. */
  netns: number | null;
  /** Milliseconds since 1970. */
  startedAt: number | null;
  /** Why a field is null; null when nothing is hidden. */
  notVisible: string | null;
}

/** /proc counts in USER_HZ, which is 100 on every architecture that Node runs on. */
const TICK_MS = 10;
/** Deeper than any real tree; a pid reused while we climb cannot make a circle endless. */
const MOST_PARENTS = 64;

/** null: no such process, or one that ended while we looked. */
export function processInfo(pid: number): ProcessInfo | null {
  const stat = readStat(pid);
  if (stat === null) {
    return null;
  }
  const status = readText(`/proc/${pid}/status`);
  const command = readText(`/proc/${pid}/cmdline`);
  const cgroup = readText(`/proc/${pid}/cgroup`);
  const cwd = readLink(`/proc/${pid}/cwd`);
  const exe = readLink(`/proc/${pid}/exe`);
  const netns = readLink(`/proc/${pid}/ns/net`);
  // Zombies and kernel threads have no directory and no program: nothing is hidden there.
  const bare = status.text === null || statusField(status.text, 'VmSize') === null;
  const uid = statusNumber(status.text ?? '', 'Uid');
  const user = uid === null ? 'another user' : userName(uid);
  const denied = [cwd, exe, netns, command, cgroup].some((read) => read.denied);
  return {
    pid: stat.pid,
    ppid: stat.ppid,
    name: stat.name,
    command: parseCommand(command.text ?? ''),
    cwd: cwd.text,
    exe: exe.text,
    uid,
    user,
    container: parseContainer(cgroup.text ?? ''),
    cgroup: parseCgroup(cgroup.text ?? ''),
    parents: parentsOf(stat.ppid),
    netns: Number(/^net:\[(\d+)\]$/.exec(netns.text ?? '')?.[1] ?? 0) || null,
    startedAt: startedAt(stat),
    notVisible: denied && !bare ? `a process of ${user}: run as root or as ${user}` : null,
  };
}

function parentsOf(first: number): Parent[] {
  const parents: Parent[] = [];
  for (let pid = first; pid > 0 && parents.length < MOST_PARENTS; ) {
    const stat = readStat(pid);
    if (stat === null) {
      break;
    }
    parents.push({ pid, name: stat.name });
    pid = stat.ppid;
  }
  return parents;
}

function readStat(pid: number): Stat | null {
  return parseStat(readText(`/proc/${pid}/stat`).text ?? '');
}

let bootMs: number | null = null;
function startedAt(stat: Stat): number | null {
  bootMs ??= Number(/^btime (\d+)$/m.exec(readText('/proc/stat').text ?? '')?.[1] ?? Number.NaN) * 1000;
  return Number.isFinite(bootMs) ? bootMs + stat.startTicks * TICK_MS : null;
}

interface Read {
  text: string | null;
  denied: boolean;
}

function attempt(read: () => string): Read {
  try {
    return { text: read(), denied: false };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    return { text: null, denied: code === 'EACCES' || code === 'EPERM' };
  }
}

/** Text that is not UTF-8 (a name is any bytes but zero) shows replacement marks. */
function readText(path: string): Read {
  return attempt(() => fs.readFileSync(path, 'utf8'));
}

function readLink(path: string): Read {
  return attempt(() => fs.readlinkSync(path));
}
