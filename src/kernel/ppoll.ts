/** Waiting to the nanosecond: ppoll(2), for threads that must not be late. poll(2) counts milliseconds. */
import koffi from 'koffi';

const POLLIN = 1;
const PR_SET_TIMERSLACK = 29;

const library = process.platform === 'linux' ? koffi.load(null) : null;
const ppoll: (descriptors: Uint8Array, count: number, timeout: Uint8Array | null, mask: null) => number =
  library?.func('int ppoll(void*, ulong, void*, void*)') ?? (() => -1);
const prctl: (option: number, value: number) => number = library?.func('int prctl(int, ulong)') ?? (() => -1);

export interface ExactWaiting {
  /** Until one has something to read; at most so long, Infinity is for ever. How many have, 0 when the time is over, or -errno. */
  wait(nanoseconds: number): number;
  ready(index: number): boolean;
}

/**
 * Of the calling thread, which also asks to be woken when its time has come: by default the kernel may be 50 µs late to wake several
 * threads at once (PR_SET_TIMERSLACK, prctl(2)).
 */
export function exactWaiting(fds: readonly number[]): ExactWaiting {
  prctl(PR_SET_TIMERSLACK, 1);
  const bytes = new Uint8Array(new ArrayBuffer(8 * fds.length));
  const view = new DataView(bytes.buffer);
  fds.forEach((fd, index) => {
    view.setInt32(8 * index, fd, true);
    view.setInt16(8 * index + 4, POLLIN, true);
  });
  const timeout = new Uint8Array(new ArrayBuffer(16));
  const spec = new DataView(timeout.buffer);
  return {
    wait(nanoseconds) {
      const forEver = nanoseconds === Number.POSITIVE_INFINITY;
      const rest = forEver ? 0 : Math.max(0, Math.ceil(nanoseconds));
      const seconds = Math.floor(rest / 1e9);
      spec.setBigInt64(0, BigInt(seconds), true);
      spec.setBigInt64(8, BigInt(rest - seconds * 1e9), true);
      const count = ppoll(bytes, fds.length, forEver ? null : timeout, null);
      if (count > 0) {
        return count;
      }
      // What a call that failed or ran out of time leaves in revents means nothing.
      fds.forEach((_, index) => {
        view.setInt16(8 * index + 6, 0, true);
      });
      return count === 0 ? 0 : -koffi.errno();
    },
    ready: (index) => view.getInt16(8 * index + 6, true) !== 0,
  };
}
