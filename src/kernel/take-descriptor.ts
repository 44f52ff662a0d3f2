/** A descriptor of another process as our own: the same open file in both, as after a fork (pidfd_getfd(2), Linux 5.6). */
import koffi from 'koffi';
import { close, pidfdOpen } from './libc.ts';

/** The same numbers on every architecture (include/uapi/asm-generic/unistd.h). */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const ENOSYS = -38;

const library = process.platform === 'linux' ? koffi.load(null) : null;
const getfdCall = library?.func('long syscall(long, int, int, uint)');

/** Needs the right to trace that process. The descriptor is closed by exec; or -errno. */
export function takeDescriptor(pid: number, theirs: number): number {
  const pidfd = pidfdOpen(SYS_PIDFD_OPEN, pid, 0);
  if (pidfd < 0) {
    return pidfd;
  }
  const taken: number = getfdCall?.(SYS_PIDFD_GETFD, pidfd, theirs, 0) ?? ENOSYS;
  const result = taken === -1 ? -koffi.errno() : taken;
  close(pidfd);
  return result;
}
