/** What the terminal says about this process, and programs of the person's own on it. */
import { findCommand, inForeground, type ProgramProcess, spawnProgram } from '../kernel/spawn-program.ts';

export { inForeground };

export function isInstalled(command: string): boolean {
  return 'path' in findCommand(command);
}

export interface OnTerminal {
  /** Its exit code; null when a signal ended it or it could not be started. */
  readonly ended: Promise<number | null>;
  kill(): void;
}

/** Words that a shell would leave as they are: then none stands between us and the program. */
const PLAIN = /^[\w@%+:,./ -]+$/;

/** `command` is shell text, as $EDITOR is; `file` is one word behind it. */
export function runOnTerminal(command: string, file: string): OnTerminal {
  const words = PLAIN.test(command)
    ? [...command.trim().split(/ +/), file]
    : ['sh', '-c', `${command} "$1"`, 'sh', file];
  const program: ProgramProcess = spawnProgram({
    command: words[0]!,
    args: words.slice(1),
    environment: process.env,
    user: null,
  });
  return {
    ended: new Promise((resolve) => {
      program.onExit((code) => resolve(code));
      program.onError(() => resolve(null));
    }),
    kill: () => program.kill('SIGTERM'),
  };
}
