/** How full the machine and its processes are: figures only, no judgement. */
import fs from 'node:fs';
import { readCounters, readSocketCounts, type SocketCounts } from './counters.ts';
import { countDescriptors, walkDescriptors } from './descriptors.ts';
import { listPids } from './owners.ts';
import { type Counters, parseOpenFilesLimit, type SoftHard } from './proc-parse.ts';
import { type Fact, known, openFiles, readSysctls, type Sysctls, unknown } from './sysctls.ts';

export interface MachineLimits {
  sysctls: Sysctls;
  openFiles: Fact<number>;
  counters: Fact<Counters>;
  sockets: SocketCounts;
}

export function machineLimits(): MachineLimits {
  return {
    sysctls: readSysctls(),
    openFiles: openFiles(),
    counters: readCounters(),
    sockets: readSocketCounts(),
  };
}

export interface ProcessDescriptors {
  pid: number;
  name: string;
  used: Fact<number>;
  /** RLIMIT_NOFILE. */
  limit: SoftHard;
}

/** null: no such process, one that just ended, or a zombie. Needs no permission from Linux 6.2 on. */
export function processDescriptors(pid: number): ProcessDescriptors | null {
  const text = read(`/proc/${pid}/limits`);
  const limit = parseOpenFilesLimit(text ?? '');
  if (limit === null) {
    return null;
  }
  const name = read(`/proc/${pid}/comm`)?.replace(/\n$/, '') ?? '';
  return { pid, name, used: usedBy(pid), limit };
}

/** Kernel threads and zombies hold no descriptors and are left out. */
export function allProcessDescriptors(): ProcessDescriptors[] {
  const found: ProcessDescriptors[] = [];
  for (const pid of listPids()) {
    if (countDescriptors(pid) === 0) {
      continue;
    }
    const one = processDescriptors(pid);
    if (one !== null) {
      found.push(one);
    }
  }
  return found;
}

function usedBy(pid: number): Fact<number> {
  const counted = countDescriptors(pid);
  if (counted !== null) {
    return known(counted);
  }
  let used = 0;
  const walk = walkDescriptors(pid, () => {
    used++;
    return true;
  });
  return walk === 'done' ? known(used) : unknown("another user's process: run as root or as that user");
}

function read(path: string): string | null {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
