/** Waiting to the nanosecond: ppoll(2), for threads that must not be late. poll(2) counts milliseconds. */
import koffi from 'koffi';

const POLLIN = 1;
const PR_SET_TIMERSLACK = 29;

const library = process.platform === 'linux' ? koffi.load(null) : null;
const ppoll: (descriptors: Uint8Array, count: number, timeout: Uint8Array | null, mask: null) => number =
  library?.func('int ppoll(void*, ulong, void*, void*)') ?? (() => -1);
const prctl: (option: number, value: number) => number = library?.func('int prctl(int, ulong)') ?? (() => -1);

const schedSetattr: (call: number, tid: number, attr: Uint8Array, flags: number) => number =
  library?.func('long syscall(long, int, void*, uint)') ?? (() => -1);

/** sched_setattr(2) */
const SCHED_SETATTR: Readonly<Record<string, number>> = { x64: 314, arm64: 274 };
const SLICE_NS = 100_000n;

/**
 * A thread with a short slice gets its turn sooner (CONFIG_HZ ticks otherwise: up to 4 ms late on a busy machine). Since Linux 6.12
 * anybody may ask for one (kernel/sched/syscalls.c: sched_runtime of a fair task); older kernels do not read it.
 */
function askForShortSlices(): void {
  const call = SCHED_SETATTR[process.arch];
  if (call === undefined) {
    return;
  }
  // struct sched_attr: size, policy SCHED_OTHER, flags, nice, priority, runtime, deadline, period.
  const attributes = new Uint8Array(new ArrayBuffer(48));
  const view = new DataView(attributes.buffer);
  view.setUint32(0, attributes.length, true);
  view.setBigUint64(24, SLICE_NS, true);
  schedSetattr(call, 0, attributes, 0);
}

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
  askForShortSlices();
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
