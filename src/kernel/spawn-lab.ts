/** The processes of a laboratory: the stage, which is the first of its own namespaces, and the programs on its hosts. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { forbiddingSysctl, mayMakeNamespaces } from './spawn-program.ts';

/** A process that is spoken to in whole messages. */
export interface Speaking {
  readonly pid: number | undefined;
  send(message: object): void;
  onMessage(run: (message: unknown) => void): void;
  /** Once everything it said has been heard. */
  onExit(run: (code: number | null, signal: NodeJS.Signals | null) => void): void;
  onError(run: (error: Error) => void): void;
  /** It closed its channel, by ending or by becoming another program. */
  onSilence(run: () => void): void;
  kill(signal: NodeJS.Signals): void;
  /** What it wrote to its standard error, the end of it: for the sentence when it broke. */
  complaint(): string;
  /** Lets it end by itself: a stage and a program end when nobody speaks with them any more. */
  disconnect(): void;
}

const LONGEST_COMPLAINT = 4000;

function speaking(child: ChildProcess): Speaking {
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-LONGEST_COMPLAINT);
  });
  return {
    pid: child.pid,
    send(message) {
      // It may be gone already; its exit says so.
      if (child.connected) {
        child.send(message, () => {});
      }
    },
    onMessage: (run) => void child.on('message', run),
    // Not 'close': with a channel that we closed ourselves it never comes (seen on Node 20).
    onExit: (run) => void child.on('exit', (code, signal) => afterLastWord(child, () => run(code, signal))),
    onError: (run) => void child.on('error', run),
    onSilence: (run) => void child.on('disconnect', run),
    kill: (signal) => void child.kill(signal),
    complaint: () => complaint.trim(),
    disconnect() {
      if (child.connected) {
        child.disconnect();
      }
    },
  };
}

function afterLastWord({ stderr }: ChildProcess, run: () => void): void {
  if (stderr === null || stderr.closed) {
    run();
  } else {
    stderr.once('close', run);
  }
}

/** As the first process of namespaces of its own: when it ends, by whatever hand, the kernel ends everything inside. */
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;
const AS_ROOT = ['--user', '--map-root-user'] as const;

export function spawnLabStage(entry: string): Speaking {
  const first = mayMakeNamespaces() ? [] : AS_ROOT;
  const child = spawn('unshare', [...first, ...NAMESPACES, '--', process.execPath, entry], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    // What Node takes personally was meant for whoever started us.
    env: { ...withoutNodes(process.env), UV_THREADPOOL_SIZE: '4' },
    // The terminal's Ctrl-C is for us; we end the stage in our own time.
    detached: true,
  });
  return speaking(child);
}

export interface NoStage {
  readonly why: string;
  /** A root of the machine could. */
  readonly rootCould: boolean;
}

/** Null: namespaces can be made here, all of them at once. */
export function whyNoStage(): NoStage | null {
  const privileged = mayMakeNamespaces();
  const first = privileged ? [] : AS_ROOT;
  const tried = spawnSync('unshare', [...first, ...NAMESPACES, '--', 'true'], { encoding: 'utf8' });
  if (tried.status === 0) {
    return null;
  }
  if ((tried.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return { why: 'the program unshare (of util-linux) is not there', rootCould: false };
  }
  const limit = forbiddingSysctl() ?? noneOf('pid') ?? noneOf('mnt');
  return { why: limit ?? (tried.stderr.trim() || 'unshare failed'), rootCould: !privileged };
}

function noneOf(kind: 'pid' | 'mnt'): string | null {
  try {
    const most = readFileSync(`/proc/sys/user/max_${kind}_namespaces`, 'latin1').trim();
    return most === '0' ? `user.max_${kind}_namespaces is 0` : null;
  } catch {
    return null;
  }
}

export interface ActorStart {
  readonly entry: string;
  readonly setup: string;
}

/** A program on the host in whose namespace the calling thread is. */
export function spawnActor({ entry, setup }: ActorStart): Speaking {
  const child = spawn(process.execPath, [entry], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: { ...process.env, UV_THREADPOOL_SIZE: '64', SOCKSCOPE_LAB_ACTOR: setup },
  });
  return speaking(child);
}

function withoutNodes(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('NODE_')));
}
