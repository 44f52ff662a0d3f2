/**
 * Starts a program so that it can be traced from its first instruction. Not with node:child_process: libuv would wait for it, and its
 * waitpid(pid, WNOHANG) takes a tracee's stop for its end. posix_spawn(3) is asked from the calling thread, whose network namespace the child gets.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { fixedMemory } from './epoll.ts';
import { reap } from './ptrace.ts';

export type Stdio = 'inherit' | 'pipe' | 'ignore';

export interface StartWish {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** RLIMIT_NOFILE, soft and hard. */
  readonly nofile?: number;
  readonly stdio: readonly [Stdio, Stdio, Stdio];
}

/** A shell that becomes the program once it reads a line; should we die before, it reads the end and goes too. */
export interface Waiting {
  readonly pid: number;
  /** Where that line is to be written by the tracer, who closes it. */
  readonly gate: number;
  readonly stdin: Socket | null;
  readonly stdout: Socket | null;
  readonly stderr: Socket | null;
}

const GATE = 3;
const SETSIGDEF = 4;
const SETSIGMASK = 8;
const SIGSET = 128;
/** posix_spawnattr_t has 336 bytes and posix_spawn_file_actions_t 80 in glibc; musl needs no more. */
const ATTRIBUTES = 512;
const ACTIONS = 256;
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const F_GETFL = 3;
const F_SETFL = 4;
const SIGKILL = 9;
const ENOSYS = -38;

const library = process.platform === 'linux' ? koffi.load(null) : null;

function bind<A extends unknown[]>(declaration: string): (...args: A) => number {
  return library === null ? () => -1 : library.func(declaration);
}

type Memory = [memory: number];
const spawn = bind<
  [pid: number, path: string, actions: number, attributes: number, argv: number, environment: number]
>('int posix_spawn(intptr_t, const char*, intptr_t, intptr_t, intptr_t, intptr_t)');
const attributesInit = bind<Memory>('int posix_spawnattr_init(intptr_t)');
const attributesDestroy = bind<Memory>('int posix_spawnattr_destroy(intptr_t)');
const setFlags = bind<[memory: number, flags: number]>('int posix_spawnattr_setflags(intptr_t, short)');
const setDefaults = bind<[memory: number, set: number]>(
  'int posix_spawnattr_setsigdefault(intptr_t, intptr_t)',
);
const setMask = bind<[memory: number, set: number]>('int posix_spawnattr_setsigmask(intptr_t, intptr_t)');
const actionsInit = bind<Memory>('int posix_spawn_file_actions_init(intptr_t)');
const actionsDestroy = bind<Memory>('int posix_spawn_file_actions_destroy(intptr_t)');
const addDup2 = bind<[memory: number, from: number, to: number]>(
  'int posix_spawn_file_actions_adddup2(intptr_t, int, int)',
);
const pipe2 = bind<[into: number, flags: number]>('int pipe2(intptr_t, int)');
const fcntl = bind<[fd: number, command: number, argument: number]>('int fcntl(int, int, long)');

/** Or -errno. */
export function startWaiting(wish: StartWish): Waiting | number {
  if (library === null) {
    return ENOSYS;
  }
  const theirs: number[] = [];
  const ours: number[] = [];
  try {
    const gate = pipePair();
    theirs.push(gate[0]);
    ours.push(gate[1]);
    const ends = wish.stdio.map((kind, fd) => {
      if (kind === 'inherit') {
        blocking(fd);
        return { child: fd, own: null };
      }
      const pair = kind === 'pipe' ? pipePair() : null;
      const [reads, writes] = pair ?? [nothing(), -1];
      const child = pair === null || fd === 0 ? reads : writes;
      const own = pair === null ? null : fd === 0 ? writes : reads;
      theirs.push(child);
      if (own !== null) {
        ours.push(own);
      }
      return { child, own };
    });
    const pid = spawnShell(wish, [...ends.map(({ child }) => child), gate[0]]);
    if (pid < 0) {
      ours.forEach(closeSync);
      return pid;
    }
    const [stdin, stdout, stderr] = ends.map(({ own }, fd) =>
      own === null ? null : new Socket({ fd: own, readable: fd !== 0, writable: fd === 0 }),
    );
    return { pid, gate: gate[1], stdin: stdin ?? null, stdout: stdout ?? null, stderr: stderr ?? null };
  } finally {
    theirs.forEach(closeSync);
  }
}

/** Of descriptors in the order of their numbers in the child. */
function spawnShell(wish: StartWish, descriptors: readonly number[]): number {
  const attributes = fixedMemory(ATTRIBUTES);
  const actions = fixedMemory(ACTIONS);
  const all = fixedMemory(SIGSET);
  const none = fixedMemory(SIGSET);
  const pid = fixedMemory(4);
  all.bytes.fill(0xff);
  attributesInit(attributes.address);
  actionsInit(actions.address);
  // Node ignores SIGPIPE and blocks SIGUSR1; what it starts must not.
  setFlags(attributes.address, SETSIGDEF | SETSIGMASK);
  setDefaults(attributes.address, all.address);
  setMask(attributes.address, none.address);
  for (const [to, from] of descriptors.entries()) {
    addDup2(actions.address, from, to);
  }
  const argv = vector(['sh', '-c', script(wish), 'sh', wish.cwd ?? '.', wish.command, ...wish.args]);
  const environment = vector(
    Object.entries(wish.env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
  );
  const failed = spawn(
    pid.address,
    '/bin/sh',
    actions.address,
    attributes.address,
    argv.address,
    environment.address,
  );
  attributesDestroy(attributes.address);
  actionsDestroy(actions.address);
  return failed === 0 ? pid.words[0]! : -failed;
}

/** Shells leave their own variables behind for what they exec. */
const OF_SHELLS = ['PWD', 'OLDPWD', 'SHLVL', '_'];

function script({ cwd, env, nofile }: StartWish): string {
  const steps = [
    `read -r go <&${GATE} || exit 1`,
    `exec ${GATE}<&-`,
    cwd === undefined ? '' : 'cd -- "$1" || exit 126',
    'shift',
    nofile === undefined ? '' : `ulimit -n ${nofile}`,
    `unset go ${OF_SHELLS.filter((name) => env[name] === undefined).join(' ')}`,
    'exec "$@"',
  ];
  return steps.filter((step) => step !== '').join('\n');
}

/** A `char *[]` that ends with NULL. */
function vector(texts: readonly string[]): { readonly address: number; readonly bytes: Uint8Array } {
  const encoded = texts.map((text) => Buffer.from(`${text.replaceAll('\0', '')}\0`));
  const table = 8 * (texts.length + 1);
  const size = table + encoded.reduce((sum, { length }) => sum + length, 0);
  const memory = fixedMemory((size + 7) & ~7);
  const view = new DataView(memory.bytes.buffer);
  let at = table;
  for (const [index, bytes] of encoded.entries()) {
    view.setBigUint64(8 * index, BigInt(memory.address + at), true);
    memory.bytes.set(bytes, at);
    at += bytes.length;
  }
  return memory;
}

function pipePair(): [reads: number, writes: number] {
  const pair = fixedMemory(8);
  if (pipe2(pair.address, O_CLOEXEC) === -1) {
    throw Object.assign(new Error('pipe2 failed'), { errno: -koffi.errno() });
  }
  return [pair.words[0]!, pair.words[1]!];
}

function nothing(): number {
  return openSync('/dev/null', constants.O_RDWR);
}

/** As libuv does: our own streams may have made it non-blocking, and O_NONBLOCK belongs to the open file, which both would share. */
function blocking(fd: number): void {
  const flags = fcntl(fd, F_GETFL, 0);
  if (flags !== -1 && (flags & O_NONBLOCK) !== 0) {
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  }
}

export function openGate(gate: number): void {
  try {
    writeSync(gate, 'go\n');
  } finally {
    closeSync(gate);
  }
}

/** It was never traced, and never shall be. */
export function giveUp({ pid, gate }: Pick<Waiting, 'pid' | 'gate'>): void {
  closeSync(gate);
  sendSignal(pid, SIGKILL);
  reap(pid);
}

/** To one process; it may be gone already. */
export function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone, or no longer ours
  }
}
