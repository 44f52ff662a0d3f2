/** What there is on this machine, to compare before and after: nothing of a laboratory may be left. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Every process with this in its environment was started by the test that made the mark up; children inherit it. */
export const MARK = 'SOCKSCOPE_TEST_MARK';

export interface Marked {
  readonly pid: number;
  /** In clock ticks since boot: a pid with another one is somebody else. */
  readonly started: string;
  readonly command: string;
}

export function marked(mark: string): Marked[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => read(`/proc/${pid}/environ`)?.split('\0').includes(`${MARK}=${mark}`))
    .map((pid) => ({
      pid,
      started: startOf(pid) ?? '',
      command: (read(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim(),
    }));
}

/** Still the same process. One that has ended and whose parent does not ask for its status is over. */
export function alive({ pid, started }: Marked): boolean {
  return startOf(pid) === started;
}

/** Null as well of a zombie. */
function startOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  // Behind the name, which may hold anything: state is the third field, starttime the 22nd (proc_pid_stat(5)).
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' ? null : (fields[19] ?? null);
}

/** What a person could notice of a laboratory on the machine; without what other programs change all the time. */
export function machine(): Readonly<Record<string, string>> {
  return {
    settings: settings(),
    interfaces: execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }),
    addresses: execFileSync('ip', ['-o', 'address'], { encoding: 'utf8' }).replace(/\d+sec/g, ''),
    routes: ['-4', '-6']
      .map((family) => execFileSync('ip', [family, 'route', 'show', 'table', 'all'], { encoding: 'utf8' }))
      .join('')
      .replace(/\d+sec/g, ''),
    mounts: read('/proc/self/mountinfo') ?? '',
    namespaces: ['net', 'mnt', 'pid', 'user'].map((kind) => list(`/run/${kind}ns`).join()).join(';'),
    sockets: labSockets(),
  };
}

/** 10.9.0.N and 10.8.0.N, as the kernel writes them on a little-endian machine. */
const LAB_ADDRESS = / [0-9A-F]{2}000[89]0A:/;

function labSockets(): string {
  return ['tcp', 'udp']
    .flatMap((kind) => (read(`/proc/net/${kind}`) ?? '').split('\n'))
    .filter((line) => LAB_ADDRESS.test(line))
    .join('\n');
}

/** These count what passes by. */
const COUNTS = /conntrack_count$/;

function settings(): string {
  const lines: string[] = [];
  const walk = (folder: string): void => {
    for (const name of list(folder)) {
      const path = join(folder, name);
      const text = read(path);
      if (text === undefined) {
        walk(path);
      } else if (!COUNTS.test(path)) {
        lines.push(`${path} ${text.trim()}`);
      }
    }
  };
  walk('/proc/sys/net');
  return lines.sort().join('\n');
}

/** Looks until it is good, or until the time is over; what it was in the end. */
export async function eventually<T>(look: () => T, good: (value: T) => boolean, mostMs = 15_000): Promise<T> {
  for (const end = performance.now() + mostMs; ; ) {
    const value = look();
    if (good(value) || performance.now() > end) {
      return value;
    }
    await sleep(20);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
