/** What a program does to itself: signals, limits, becoming another program, and the end. */
import { constants } from 'node:os';
import koffi from 'koffi';
import { fcntlCall } from './calls.ts';
import { F_GETFD, F_SETFD } from './calls-flags.ts';
import { fixedMemory } from './epoll.ts';

const library = process.platform === 'linux' ? koffi.load(null) : null;
const ENOSYS = -38;
const RLIMIT_NOFILE = 7;
const ITSELF = 0;
const SIG_DFL = 0;
const SIG_IGN = 1;

const signalCall = library?.func('intptr_t signal(int, intptr_t)');
const prlimitCall = library?.func('int prlimit64(int, int, intptr_t, intptr_t)');
const execveCall = library?.func('int execve(const char *, char **, char **)');
const exitCall = library?.func('void _exit(int)');

function checked(result: number | undefined): number {
  return result === undefined ? ENOSYS : result === -1 ? -koffi.errno() : result;
}

/** 0 or -errno. */
export function setSignal(signal: NodeJS.Signals, what: 'default' | 'ignore'): number {
  const result = checked(signalCall?.(constants.signals[signal], what === 'default' ? SIG_DFL : SIG_IGN));
  // What it returned is the address of the handler before.
  return Math.min(0, result);
}

export function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name);
}

const wanted = fixedMemory(16);
const before = fixedMemory(16);

/** Changes the soft limit of open descriptors; `before` is what it was. */
export function limitDescriptors(soft: number): { result: number; before: number } {
  const old = new DataView(before.bytes.buffer);
  const view = new DataView(wanted.bytes.buffer);
  const known = checked(prlimitCall?.(ITSELF, RLIMIT_NOFILE, 0, before.address));
  if (known < 0) {
    return { result: known, before: 0 };
  }
  view.setBigUint64(0, BigInt(soft), true);
  view.setBigUint64(8, old.getBigUint64(8, true), true);
  const result = checked(prlimitCall?.(ITSELF, RLIMIT_NOFILE, wanted.address, before.address));
  return { result, before: Number(old.getBigUint64(0, true)) };
}

/** Only returns when it failed, with -errno. */
export function becomeProgram(
  path: string,
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): number {
  for (const standard of [0, 1, 2]) {
    // Node marks what it inherited as close-on-exec, its standard streams too.
    fcntlCall.now(standard, F_SETFD, 0);
  }
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  return checked(execveCall?.(path, [...words, null], [...variables, null]));
}

/** At once: process.exit would first wait for the threads of the pool, and those wait inside system calls. */
export function exitAtOnce(status: number): void {
  exitCall?.(status);
}

const MOST_LOOKED_AT = 1024;

/** The descriptors that are open now. */
export function openDescriptors(): ReadonlySet<number> {
  const open = new Set<number>();
  for (let fd = 0; fd < MOST_LOOKED_AT; fd++) {
    if (fcntlCall.now(fd, F_GETFD, 0) >= 0) {
      open.add(fd);
    }
  }
  return open;
}
