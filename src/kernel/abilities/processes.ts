/** Other people's processes: whose sockets they hold, and following what programs do. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { errnoName } from '../errno.ts';
import * as libc from '../libc.ts';
import { type Ability, ability, holds, insideUserNamespace, readText, refusal, sysctl } from './ability.ts';

const PTRACE_SEIZE = 0x4206;
const EFAULT = -14;

type Look = 'readable' | 'refused' | 'gone';

function attempt(look: () => unknown): Look {
  try {
    look();
    return 'readable';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EACCES' || code === 'EPERM' ? 'refused' : 'gone';
  }
}

function uidOf(pid: string): number | null {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
}

interface Looks {
  /** Processes of other users that could be looked into, and those that could not. */
  others: { readable: number; refused: string[] };
  /** The same for processes of our own user. Root inside a user namespace is refused the machine's root processes. */
  own: { readable: number; refused: string[] };
}

/**
 * Reading a link of /proc/PID asks the same question as reading the links of its descriptors (ptrace_may_access), and costs
 * one call; listing the descriptors takes file permission as well, so that is tried once, on somebody else's process.
 */
function lookAround(): Looks {
  const me = process.geteuid?.();
  const looks: Looks = { others: { readable: 0, refused: [] }, own: { readable: 0, refused: [] } };
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const side = uidOf(pid) === me ? looks.own : looks.others;
    let look = attempt(() => readlinkSync(`/proc/${pid}/ns/net`));
    if (look === 'readable' && side === looks.others && side.readable === 0) {
      look = attempt(() => readdirSync(`/proc/${pid}/fd`));
    }
    if (look === 'readable') {
      side.readable++;
    } else if (look === 'refused') {
      side.refused.push(pid);
    }
  }
  return looks;
}

export function ownersReason(looks: Looks, hidden: boolean, insideNamespace: boolean): string | null {
  const { others, own } = looks;
  const refused = others.readable === 0 ? (others.refused[0] ?? own.refused[0]) : undefined;
  if (refused !== undefined && (others.refused.length > 0 || own.refused.length > own.readable)) {
    const advice = insideNamespace
      ? 'it runs outside this user namespace; run outside it'
      : 'run as root, or as the user whose processes you want to see';
    return `looking into process ${refused} was refused: ${advice}`;
  }
  return hidden ? 'processes of other users are hidden (/proc is mounted with hidepid): run as root' : null;
}

export function otherOwners(): Ability {
  const looks = lookAround();
  const why = ownersReason(looks, !existsSync('/proc/1'), insideUserNamespace());
  const refused = [...looks.others.refused, ...looks.own.refused];
  const entry = ability(
    'owners',
    "see which sockets other users' processes hold",
    'owners in ls, kill and limits',
    why,
  );
  return why === null && refused.length > 0
    ? {
        ...entry,
        note: `not visible even so: ${refused.length === 1 ? 'process' : 'processes'} ${refused.slice(0, 5).join(', ')}`,
      }
    : entry;
}

/** Seizes a `cat` started for the purpose; it ends when its input closes, so nothing survives even if we die here. */
export function traceChildren(capabilities: bigint): Ability {
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  // A child that did not start says so by having no pid; without a listener the same news would be an exception.
  child.once('error', () => undefined);
  const result = child.pid === undefined ? null : libc.ptrace(PTRACE_SEIZE, child.pid, null, null);
  child.kill('SIGKILL');
  child.stdin.destroy();
  child.unref();
  const why =
    result === null
      ? 'could not be tried: the program `cat` did not start'
      : result < 0
        ? refusal('ptrace(PTRACE_SEIZE)', result, 'CAP_SYS_PTRACE', capabilities)
        : null;
  return ability(
    'trace-own',
    'follow the system calls of a program you start (ptrace)',
    'tracing what it asks the kernel',
    why,
  );
}

/** Reads one byte at address 0 of the process: the kernel checks the right to trace first, then says EFAULT (process_vm_rw_core). */
function mayTrace(pid: number): boolean | number {
  const here = new Uint8Array(1);
  const vector = (address: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(address, 1n).buffer);
  const result = libc.processVmReadv(pid, vector(libc.addressOf(here)), 1, vector(0n), 1, 0);
  return result >= 0 || result === EFAULT ? true : result;
}

function yamaReason(scope: string | null): string | null {
  switch (scope) {
    case '1':
      return 'kernel.yama.ptrace_scope is 1, so only a program you start yourself can be followed; run as root, or as root: sysctl kernel.yama.ptrace_scope=0';
    case '2':
      return 'kernel.yama.ptrace_scope is 2, so it takes CAP_SYS_PTRACE; run as root';
    case '3':
      return 'kernel.yama.ptrace_scope is 3: no process may be followed until the machine is restarted with another setting';
    default:
      return null;
  }
}

function protectedReason(result: number): string {
  const said = `process_vm_readv on the parent process said ${errnoName(result)}`;
  return insideUserNamespace()
    ? `${said}: it runs outside this user namespace; run outside it`
    : `${said}: it protects itself, or a security module forbids it`;
}

export function traceRunning(capabilities: bigint): Ability {
  const parent = process.ppid;
  const yama = yamaReason(sysctl('kernel.yama.ptrace_scope'));
  const privileged = holds(capabilities, 'CAP_SYS_PTRACE');
  const tried =
    parent > 0 && (privileged || uidOf(String(parent)) === process.geteuid?.()) ? mayTrace(parent) : null;
  const refused = typeof tried === 'number' ? tried : null;
  const why = refused === null ? (tried === null ? yama : null) : (yama ?? protectedReason(refused));
  return ability(
    'trace-running',
    'follow the system calls of a running program (ptrace)',
    'tracing what it asks the kernel',
    why,
  );
}

export function tracefs(): Ability {
  const entry = (why: string | null): Ability =>
    ability(
      'tracefs',
      "read the kernel's own trace of TCP states (tracefs)",
      'watching TCP states without polling',
      why,
    );
  const places = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
  for (const place of places) {
    if (readText(`${place}/events/sock/inet_sock_set_state/id`) !== null) {
      return entry(null);
    }
  }
  const known = /\ttracefs$/m.test(readText('/proc/filesystems') ?? '');
  if (!known) {
    return entry('this kernel was built without tracefs (CONFIG_FTRACE)');
  }
  const mounted = (readText('/proc/self/mounts') ?? '')
    .split('\n')
    .find((line) => line.split(' ')[2] === 'tracefs');
  if (mounted === undefined) {
    return entry('tracefs is not mounted; as root: mount -t tracefs tracefs /sys/kernel/tracing');
  }
  return entry(
    existsSync(`${mounted.split(' ')[1]}/events`)
      ? 'the trace point sock:inet_sock_set_state is not in this kernel'
      : 'tracefs is mounted but only root may read it; run as root',
  );
}
