/** Programs that a program of the lab has started: what they print, and how they end. */
import { SockscopeError } from '../../errors.ts';
import type { Child, Exit } from '../api.ts';
import type { ChildMessage } from './actor-child.ts';

export interface Children {
  hear(message: ChildMessage): void;
  add(started: { readonly child: number; readonly pid: number }): Child;
}

/** What is kept of one child's output, each of the two. */
const MOST_TEXT = 1 << 20;
const PRINTS_MS = 5000;

interface Kept {
  readonly text: { stdout: string; stderr: string };
  readonly heard: Set<() => void>;
  readonly exited: Promise<Exit>;
  ended: Exit | null;
  end(exit: Exit): void;
}

/** `ask` speaks with the program: childWrite, childEnd, childKill. */
export function createChildren(
  host: string,
  ask: (method: string, ...args: readonly unknown[]) => Promise<void>,
): Children {
  const kept = new Map<number, Kept>();

  function of(child: number): Kept {
    let one = kept.get(child);
    if (one === undefined) {
      one = keep();
      kept.set(child, one);
    }
    return one;
  }

  return {
    hear(message) {
      const one = of(message.child);
      if (message.type === 'childExit') {
        one.ended = { code: message.code, signal: message.signal };
        one.end(one.ended);
      } else {
        one.text[message.what] = (one.text[message.what] + message.text).slice(-MOST_TEXT);
      }
      for (const run of one.heard) {
        run();
      }
    },
    add: ({ child, pid }) => {
      const one = of(child);
      return {
        pid,
        host,
        write: (text) => ask('childWrite', child, text),
        end: () => ask('childEnd', child),
        kill: (signal) => ask('childKill', child, signal),
        stdout: async () => one.text.stdout,
        stderr: async () => one.text.stderr,
        prints: (what, timeoutMs = PRINTS_MS) => prints(one, what, timeoutMs),
        exited: one.exited,
      };
    },
  };
}

function keep(): Kept {
  let end: (exit: Exit) => void = () => {};
  const exited = new Promise<Exit>((resolve) => {
    end = resolve;
  });
  return { text: { stdout: '', stderr: '' }, heard: new Set(), exited, ended: null, end };
}

function prints(one: Kept, what: RegExp, timeoutMs: number): Promise<string> {
  const found = (): string | null => {
    const { stdout, stderr } = one.text;
    // `search` is not led astray by a flag g, as `test` is.
    return stdout.search(what) >= 0 ? stdout : stderr.search(what) >= 0 ? stderr : null;
  };
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      one.heard.delete(look);
    };
    const look = (): void => {
      const text = found();
      if (text !== null) {
        done();
        resolve(text);
      } else if (one.ended !== null) {
        const { code, signal } = one.ended;
        done();
        reject(inVain(one, what, `before it ended (${signal ?? `exit ${code}`})`));
      }
    };
    const timer = setTimeout(() => {
      done();
      reject(inVain(one, what, `within ${timeoutMs} ms`));
    }, timeoutMs);
    one.heard.add(look);
    look();
  });
}

const SHOWN = 200;

function inVain({ text }: Kept, what: RegExp, when: string): SockscopeError {
  const printed = (text.stdout + text.stderr).slice(-SHOWN);
  return new SockscopeError(
    'LAB_WAITED',
    `The program did not print ${what} ${when}; it printed ${printed === '' ? 'nothing' : JSON.stringify(printed)}.`,
    'Look at what it prints, or wait longer.',
    1,
  );
}
