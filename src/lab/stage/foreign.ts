/** Foreign programs on a host: anything that can be started, with its system calls in the session. */
import { SockscopeError } from '../../errors.ts';
import { type Foreign, spawnForeign } from '../../kernel/spawn-foreign.ts';
import { findCommand } from '../../kernel/spawn-program.ts';
import type { Child, SpawnWish } from '../api.ts';
import { createChildren } from './children.ts';
import type { Common } from './common.ts';

export interface ForeignWish {
  readonly host: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly options: SpawnWish;
}

export interface RunningForeign {
  readonly child: Child;
  end(): Promise<void>;
}

export async function startForeign(
  _common: Common,
  { host, command, args, options }: ForeignWish,
  inside: <T>(run: () => T) => T,
): Promise<RunningForeign> {
  const found = findCommand(command);
  if (!('path' in found)) {
    throw new SockscopeError(
      'NO_PROGRAM',
      found.why === 'missing' ? `There is no program ${command}.` : `${command} may not be executed.`,
      'Give the command as you would type it.',
      2,
    );
  }
  const limit = options.nofile === undefined ? [] : ['prlimit', `--nofile=${options.nofile}`, '--'];
  const [file = command, ...words] = [...limit, command, ...args];
  const running: Foreign = inside(() =>
    spawnForeign({ command: file, args: words, env: options.env ?? {}, cwd: options.cwd }),
  );
  const children = createChildren(host, async (method, _child, given) => {
    if (method === 'childWrite') {
      running.write(String(given));
    } else if (method === 'childEnd') {
      running.endInput();
    } else {
      running.kill(given as NodeJS.Signals);
    }
  });
  running.onOutput((what, text) => children.hear({ type: 'child', child: 1, what, text }));
  running.onExit((code, signal) => children.hear({ type: 'childExit', child: 1, code, signal }));
  const pid = await running.started;
  const child = children.add({ child: 1, pid });
  return {
    child,
    async end() {
      running.kill('SIGKILL');
      await child.exited;
    },
  };
}
