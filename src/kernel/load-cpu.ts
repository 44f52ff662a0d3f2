/** What the load costs on this side: the processor time of a thread (getrusage(2), RUSAGE_THREAD), threads and memory of the process. */
import fs from 'node:fs';
import koffi from 'koffi';
import { statusNumber } from './proc-parse.ts';

const RUSAGE_THREAD = 1;
const USAGE_WORDS = 18;

const getrusage = process.platform === 'linux' ? koffi.load(null).func('int getrusage(int, void*)') : null;

/** In seconds. */
export interface ThreadCpu {
  readonly user: number;
  readonly system: number;
}

export function threadCpu(): ThreadCpu {
  const usage = new BigInt64Array(USAGE_WORDS);
  if (getrusage === null || getrusage(RUSAGE_THREAD, usage) !== 0) {
    return { user: 0, system: 0 };
  }
  const [userSeconds = 0n, userMicros = 0n, systemSeconds = 0n, systemMicros = 0n] = usage;
  return {
    user: Number(userSeconds) + Number(userMicros) / 1e6,
    system: Number(systemSeconds) + Number(systemMicros) / 1e6,
  };
}

export interface OwnProcess {
  readonly threads: number;
  /** Bytes in memory (VmRSS, proc_pid_status(5)). */
  readonly memory: number;
}

const KIB = 1024;

export function ownProcess(): OwnProcess {
  let status = '';
  try {
    status = fs.readFileSync('/proc/self/status', 'utf8');
  } catch {
    // No /proc here.
  }
  return {
    threads: statusNumber(status, 'Threads') ?? 0,
    memory: (statusNumber(status, 'VmRSS') ?? 0) * KIB,
  };
}
