/** Keys while a tap runs: the terminal gives each as it is pressed, and is given back in every way this can end. */
import { inForeground } from '../tap/on-terminal.ts';
import { printBytes } from './output.ts';

export interface Keyboard {
  /** The terminal behaves as usual again, for an editor or the shell. */
  give(): void;
  take(): void;
  close(): void;
}

export interface KeyboardUse {
  key(name: string): void;
  /** We are about to be stopped (Ctrl-Z), and go on again. */
  suspending(): void;
  resumed(): void;
}

const NAMED: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x1b': 'escape',
  '\x1b[A': 'up',
  '\x1b[B': 'down',
  '\x1b[C': 'right',
  '\x1b[D': 'left',
  '\x1b[H': 'home',
  '\x1b[F': 'end',
  '\x1b[1~': 'home',
  '\x1b[4~': 'end',
  '\x1bOH': 'home',
  '\x1bOF': 'end',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys begin with it
const ONE_KEY = /\x1b(?:\[[0-9;?<]*[A-Za-z~]|O[A-Z])|./gsu;
/** A stop signal is thrown away where no shell would ever continue us; then we go on by ourselves. */
const STOPPED_BY_NOW_MS = 200;
const LOOK_EACH_MS = 300;
/** Ctrl-\, counted from the letters. */
const QUIT = 'ctrl-|';
const SHOW_CURSOR = Buffer.from('\x1b[?25h');

/** Keys typed fast arrive as one piece. */
export function keysIn(text: string): string[] {
  return (text.match(ONE_KEY) ?? []).flatMap((key) => {
    const name = NAMED[key];
    if (name !== undefined) {
      return [name];
    }
    const code = key.charCodeAt(0);
    return code === 27 ? [] : code < 32 ? [`ctrl-${String.fromCharCode(code + 96)}`] : [key];
  });
}

export function canReadKeys(): boolean {
  // In the background a look at the terminal's settings is answered by SIGTTOU, and this process would stand.
  return process.stdin.isTTY === true && process.stdout.isTTY === true && inForeground();
}

export function openKeyboard({ key, suspending, resumed }: KeyboardUse): Keyboard {
  const { stdin } = process;
  let ours = false;
  let lent = false;
  let closed = false;
  let looking: NodeJS.Timeout | undefined;

  const typed = (text: string): void => {
    for (const name of keysIn(text)) {
      if (name === 'ctrl-z') {
        suspend();
      } else if (name === QUIT) {
        quit();
      } else if (!closed && !lent) {
        key(name);
      }
    }
  };

  function enter(): void {
    if (!closed && !lent && inForeground()) {
      // Somebody else may have set it meanwhile, and Node does nothing where it believes to be there already.
      stdin.setRawMode(false);
      stdin.setRawMode(true);
      stdin.resume();
      ours = true;
    }
  }

  function leave(): void {
    if (ours) {
      ours = false;
      stdin.pause();
      stdin.setRawMode(false);
    }
  }

  function suspend(): void {
    if (!lent) {
      suspending();
    }
    leave();
    process.off('SIGTSTP', suspend);
    // All of the job, as the terminal itself would; an editor that stops has told the others already.
    process.kill(lent ? process.pid : 0, 'SIGTSTP');
    setTimeout(continued, STOPPED_BY_NOW_MS);
  }

  function continued(): void {
    if (closed) {
      return;
    }
    process.off('SIGTSTP', suspend).on('SIGTSTP', suspend);
    const had = ours;
    enter();
    if (ours && !had) {
      resumed();
    } else if (!ours && !lent) {
      // In the background; shells tell nobody when a job that runs is fetched from there.
      clearTimeout(looking);
      looking = setTimeout(continued, LOOK_EACH_MS).unref();
    }
  }

  function quit(): void {
    close();
    process.kill(process.pid, 'SIGQUIT');
  }

  /** Whatever happens, an exit passes here. */
  const restore = (): void => {
    if (ours) {
      leave();
      printBytes(SHOW_CURSOR);
    }
  };

  function close(): void {
    restore();
    closed = true;
    stdin.off('data', typed);
    process.off('exit', restore).off('SIGCONT', continued).off('SIGTSTP', suspend);
  }

  stdin.setEncoding('utf8');
  stdin.on('data', typed);
  process.on('exit', restore).on('SIGCONT', continued).on('SIGTSTP', suspend);
  enter();
  return {
    give() {
      lent = true;
      leave();
    },
    take() {
      lent = false;
      enter();
    },
    close,
  };
}
