/** A foreign program with its three standard streams in our hands, in the network namespace of the calling thread. */
import { spawn } from 'node:child_process';

export interface Foreign {
  /** Its pid; rejects when it could not be started. */
  readonly started: Promise<number>;
  write(text: string): void;
  endInput(): void;
  kill(signal: NodeJS.Signals): void;
  onOutput(run: (what: 'stdout' | 'stderr', text: string) => void): void;
  /** After the last output. */
  onExit(run: (code: number | null, signal: NodeJS.Signals | null) => void): void;
}

export interface ForeignStart {
  readonly command: string;
  readonly args: readonly string[];
  /** Beside our own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
}

export function spawnForeign(start: ForeignStart): Foreign {
  const child = spawn(start.command, start.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...start.env },
    ...(start.cwd === undefined ? {} : { cwd: start.cwd }),
  });
  const started = new Promise<number>((resolve, reject) => {
    child.on('spawn', () => resolve(child.pid ?? 0));
    child.on('error', reject);
  });
  // A program need not read what it is given.
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  return {
    started,
    write: (text) => void child.stdin.write(text),
    endInput: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    onOutput(run) {
      child.stdout.on('data', (text: string) => run('stdout', text));
      child.stderr.on('data', (text: string) => run('stderr', text));
    },
    onExit: (run) => void child.on('close', run),
  };
}
