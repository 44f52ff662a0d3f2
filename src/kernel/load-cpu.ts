/** The processor time of the calling thread (getrusage(2), RUSAGE_THREAD). */
import koffi from 'koffi';

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
