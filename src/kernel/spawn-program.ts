/** The two processes of `tap -- CMD`: the stage, which owns the namespaces, and the program, which lives in one of them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface StageProcess {
  readonly pid: number | undefined;
  /** Calls back whenever the stage has left messages, and when it is over. */
  onBell(run: () => void): void;
  onExit(run: (code: number | null, signal: NodeJS.Signals | null) => void): void;
  onError(run: (error: Error) => void): void;
  kill(): void;
}

export interface StageStart {
  readonly entry: string;
  /** The program's command line. */
  readonly words: readonly string[];
  /** Our end's peer; it becomes descriptor 3 there. */
  readonly channel: number;
  /** In a user namespace of its own, as its root. */
  readonly asRootOfItsOwn: boolean;
  readonly environment: NodeJS.ProcessEnv;
}

/** Descriptors of the stage. */
export const STAGE_CHANNEL = 3;
export const STAGE_BELL = 4;

export function spawnStage(start: StageStart): StageProcess {
  const node = [process.execPath, start.entry, ...start.words];
  const [command, ...args] = start.asRootOfItsOwn
    ? (['unshare', '--user', '--map-root-user', '--', ...node] as const)
    : (node as [string, string]);
  const child = spawn(command, args, {
    stdio: ['inherit', 'inherit', 'inherit', start.channel, 'pipe'],
    env: start.environment,
  });
  return {
    pid: child.pid,
    onBell: (run) => void child.stdio[STAGE_BELL]?.on('data', run).on('error', run),
    // 'close' comes once the bell has been read to its end as well.
    onExit: (run) => void child.on('close', run),
    onError: (run) => void child.on('error', run),
    kill: () => void child.kill('SIGKILL'),
  };
}

export interface ProgramStart {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Who it is to be inside a user namespace where we are root; null: nobody else. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

export interface ProgramProcess {
  readonly pid: number | undefined;
  onExit(run: (code: number | null, signal: NodeJS.Signals | null) => void): void;
  onError(run: (error: Error) => void): void;
  kill(signal: NodeJS.Signals): void;
}

/** In the network namespace of the calling thread, on our own terminal. */
export function spawnProgram(start: ProgramStart): ProgramProcess {
  const { user } = start;
  const words = [start.command, ...start.args];
  const [command, ...args] =
    user === null
      ? (words as [string, ...string[]])
      : (['unshare', `--map-user=${user.uid}`, `--map-group=${user.gid}`, '--', ...words] as const);
  const child: ChildProcess = spawn(command, args, { stdio: 'inherit', env: start.environment });
  return {
    pid: child.pid,
    onExit: (run) => void child.on('exit', run),
    onError: (run) => void child.on('error', run),
    kill: (signal) => void child.kill(signal),
  };
}

/** The path that the shell would start, or why it would not. */
export function findCommand(command: string): { path: string } | { why: 'missing' | 'not executable' } {
  const folders = command.includes('/') ? [''] : (process.env.PATH ?? '/usr/bin:/bin').split(delimiter);
  let why: 'missing' | 'not executable' = 'missing';
  for (const folder of folders) {
    const path = command.includes('/') ? command : join(folder === '' ? '.' : folder, command);
    if (!isFile(path)) {
      continue;
    }
    try {
      accessSync(path, constants.X_OK);
      return { path };
    } catch {
      why = 'not executable';
    }
  }
  return { why };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Null: a user namespace with a root of its own can be made here. */
export function whyNoUserNamespace(): string | null {
  // As it will be done: the outer one for the network, the inner one to be oneself again.
  const inner = [
    'unshare',
    `--map-user=${process.getuid?.()}`,
    `--map-group=${process.getgid?.()}`,
    '--',
    'true',
  ];
  const tried = spawnSync('unshare', ['--user', '--map-root-user', '--net', '--', ...inner], {
    encoding: 'utf8',
  });
  if (tried.status === 0) {
    return null;
  }
  if ((tried.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return 'the program unshare (of util-linux) is not there';
  }
  return forbiddingSysctl() ?? (tried.stderr.trim() || 'unshare --user --net failed');
}

export function forbiddingSysctl(): string | null {
  const kinds: [name: string, forbids: (value: string) => boolean][] = [
    ['user/max_user_namespaces', (value) => value === '0'],
    ['user/max_net_namespaces', (value) => value === '0'],
    ['kernel/unprivileged_userns_clone', (value) => value === '0'],
    ['kernel/apparmor_restrict_unprivileged_userns', (value) => value !== '0'],
  ];
  for (const [name, forbids] of kinds) {
    const value = read(`/proc/sys/${name}`)?.trim();
    if (value !== undefined && forbids(value)) {
      return `${name.replace('/', '.')} is ${value}`;
    }
  }
  return null;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** What the terminal sends to its foreground group (Ctrl-C) has reached the program already when this is true. */
export function inForeground(): boolean {
  const stat = read('/proc/self/stat') ?? '';
  // Behind the name, which may hold anything: state, ppid, pgrp, session, tty, tpgid (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[5] !== undefined && fields[5] !== '-1' && fields[5] === fields[2];
}

const CAP_SYS_ADMIN = 21n;

/** Without a user namespace around it: root, where root has not lost that right. */
export function mayMakeNamespaces(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status') ?? '')?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}
