/** Names of the system calls that have to do with connections, by architecture (arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h). */

/** As PTRACE_GET_SYSCALL_INFO names architectures (linux/audit.h). */
export const AUDIT_ARCH_X86_64 = 0xc000_003e;
export const AUDIT_ARCH_AARCH64 = 0xc000_00b7;

type Row = readonly [name: string, x86_64: number | null, arm64: number | null];

const ROWS = [
  ['read', 0, 63],
  ['write', 1, 64],
  ['close', 3, 57],
  ['poll', 7, null],
  ['ioctl', 16, 29],
  ['pread64', 17, 67],
  ['pwrite64', 18, 68],
  ['readv', 19, 65],
  ['writev', 20, 66],
  ['select', 23, null],
  ['dup', 32, 23],
  ['dup2', 33, null],
  ['sendfile', 40, 71],
  ['socket', 41, 198],
  ['connect', 42, 203],
  ['accept', 43, 202],
  ['sendto', 44, 206],
  ['recvfrom', 45, 207],
  ['sendmsg', 46, 211],
  ['recvmsg', 47, 212],
  ['shutdown', 48, 210],
  ['bind', 49, 200],
  ['listen', 50, 201],
  ['getsockname', 51, 204],
  ['getpeername', 52, 205],
  ['socketpair', 53, 199],
  ['setsockopt', 54, 208],
  ['getsockopt', 55, 209],
  ['clone', 56, 220],
  ['fork', 57, null],
  ['vfork', 58, null],
  ['execve', 59, 221],
  ['kill', 62, 129],
  ['fcntl', 72, 25],
  ['exit_group', 231, 94],
  ['epoll_wait', 232, null],
  ['epoll_ctl', 233, 21],
  ['tgkill', 234, 131],
  ['epoll_create', 213, null],
  ['pselect6', 270, 72],
  ['ppoll', 271, 73],
  ['unshare', 272, 97],
  ['splice', 275, 76],
  ['epoll_pwait', 281, 22],
  ['accept4', 288, 242],
  ['epoll_create1', 291, 20],
  ['dup3', 292, 24],
  ['preadv', 295, 69],
  ['pwritev', 296, 70],
  ['recvmmsg', 299, 243],
  ['sendmmsg', 307, 269],
  ['execveat', 322, 281],
  ['preadv2', 327, 286],
  ['pwritev2', 328, 287],
  ['io_uring_setup', 425, 425],
  ['io_uring_enter', 426, 426],
  ['clone3', 435, 435],
  ['close_range', 436, 436],
  ['epoll_pwait2', 441, 441],
] as const satisfies readonly Row[];

export type CallName = (typeof ROWS)[number][0];

export const CALL_NAMES: readonly CallName[] = ROWS.map(([name]) => name);

/** Indexed by the call's number; null for calls that we let pass. */
export const CALLS_X86_64: readonly (CallName | null)[] = numbered(1);
export const CALLS_ARM64: readonly (CallName | null)[] = numbered(2);

function numbered(column: 1 | 2): (CallName | null)[] {
  const most = Math.max(...ROWS.map((row) => row[column] ?? 0));
  const names: (CallName | null)[] = Array.from({ length: most + 1 }, () => null);
  for (const row of ROWS) {
    const number = row[column];
    if (number !== null) {
      names[number] = row[0];
    }
  }
  return names;
}
