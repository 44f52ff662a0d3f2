/** A shell for somebody who logged in: in a session of its own, with pipes or on a terminal. */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Pty } from './pty.ts';

export interface ShellStart {
  readonly shell: string;
  /** Null: it reads its commands from its input. */
  readonly command: string | null;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Instead of pipes. It is handed over. */
  readonly terminal: Pty | null;
}

export interface ShellProcess {
  readonly pid: number | undefined;
  /** Null on a terminal. */
  readonly pipes: { readonly input: Writable; readonly output: Readable; readonly errors: Readable } | null;
  /** The shell itself has ended; what it started may go on. */
  onExit(run: (code: number | null, signal: NodeJS.Signals | null) => void): void;
  /** It has ended and nobody has its pipes any more. */
  onClose(run: () => void): void;
  onError(run: (error: Error) => void): void;
  /** To its whole process group. */
  signal(name: NodeJS.Signals): void;
}

/**
 * A leader of a session without a terminal gets the first one that it opens (tty(4)), so opening it again is all it takes; Node has
 * made it the leader (`detached`) before it runs.
 */
const ONTO_TERMINAL = 'exec 0<>"$0" 1>&0 2>&0 && exec "$@"';

export function spawnShell(start: ShellStart): ShellProcess {
  const { shell, command, terminal } = start;
  const words = command === null ? [shell] : [shell, '-c', command];
  const options = { cwd: start.directory, env: { ...start.environment }, detached: true } as const;
  const child =
    terminal === null
      ? spawn(shell, words.slice(1), { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
      : spawn('/bin/sh', ['-c', ONTO_TERMINAL, terminal.path, ...words], {
          ...options,
          stdio: [terminal.slave, terminal.slave, terminal.slave],
        });
  terminal?.handedOver();
  const { stdin: input, stdout: output, stderr: errors } = child;
  // A program need not read what it is given.
  input?.on('error', () => {});
  return {
    pid: child.pid,
    pipes: input !== null && output !== null && errors !== null ? { input, output, errors } : null,
    onExit: (run) => void child.on('exit', run),
    onClose: (run) => void child.on('close', () => run()),
    onError: (run) => void child.on('error', run),
    signal(name) {
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, name);
        } catch {
          // Nobody of the group is left.
        }
      }
    },
  };
}
