/** The foreign programs that a program of the lab has started by fork and exec. */

import { isSignal } from '../../kernel/calls-program.ts';
import { errnoNumber } from '../../kernel/errno.ts';
import { spawnForeign } from '../../kernel/spawn-foreign.ts';
import type { Recorder } from './actor-record.ts';
import { Refused } from './actor-text.ts';
import type { Verbs } from './actor-verbs.ts';

/** Beside FromActor, in the order in which it happened. */
export type ChildMessage =
  | {
      readonly type: 'child';
      readonly child: number;
      readonly what: 'stdout' | 'stderr';
      readonly text: string;
    }
  | {
      readonly type: 'childExit';
      readonly child: number;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    };

/** What `spawn` is answered with; orders for it are `childWrite`, `childEnd` and `childKill`, with `child` first. */
export interface StartedChild {
  readonly child: number;
  readonly pid: number;
}

export function childVerbs(recorder: Recorder, send: (message: ChildMessage) => void): Verbs {
  const children = new Map<number, ReturnType<typeof spawnForeign>>();
  let next = 1;

  function of(child: unknown): ReturnType<typeof spawnForeign> {
    const found = children.get(Number(child));
    if (found === undefined) {
      throw new Refused(`this program has no child ${String(child)}`);
    }
    return found;
  }

  return {
    async spawn(given, words): Promise<StartedChild> {
      const { command, args } = commandLine('spawn', given, words);
      const child = next++;
      const at = recorder.now();
      const started = spawnForeign({ command, args, env: {}, cwd: undefined });
      started.onOutput((what, text) => send({ type: 'child', child, what, text }));
      started.onExit((code, signal) => {
        if (children.has(child)) {
          send({ type: 'childExit', child, code, signal });
        }
      });
      const told = { name: 'execve', args: [command, [command, ...args]], at };
      try {
        const pid = await started.started;
        recorder.tell({ ...told, took: recorder.now() - at, result: pid });
        children.set(child, started);
        return { child, pid };
      } catch (error) {
        const errno = (error as NodeJS.ErrnoException).code ?? 'EIO';
        recorder.tell({ ...told, took: recorder.now() - at, result: -1, errno: known(errno) });
        throw new Refused(`spawn of ${command} failed with ${known(errno)}`);
      }
    },
    async childWrite(child, text) {
      of(child).write(String(text));
    },
    async childEnd(child) {
      of(child).endInput();
    },
    async childKill(child, signal) {
      if (!isSignal(String(signal))) {
        throw new Refused(`there is no signal ${String(signal)}`);
      }
      of(child).kill(signal as NodeJS.Signals);
    },
  };
}

function known(errno: string): string {
  return errnoNumber(errno) === undefined ? 'EIO' : errno;
}

export function commandLine(
  verb: string,
  command: unknown,
  args: unknown = [],
): { command: string; args: string[] } {
  if (typeof command !== 'string' || command === '' || !Array.isArray(args)) {
    throw new Refused(`${verb} wants a command and a list of its arguments`);
  }
  return { command, args: args.map(String) };
}
