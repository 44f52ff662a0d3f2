/** Lines above one status line at the bottom of a terminal: nothing is taken over, what scrolled by stays. */
import { lostWhilePaused } from '../view/tap/held.ts';
import { width } from './output.ts';

/** Characters of lines that are kept while the output stands still. */
const MOST_KEPT = 4 * 1024 * 1024;
/** Written together, at most. */
const MOST_AT_ONCE = 64 * 1024;
/** Synchronised output: terminals that know it show the change at once, the others ignore it. */
const BEGIN = '\x1b[?2026h\x1b[?25l';
const END = '\x1b[?2026l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR = '\x1b[H\x1b[2J';

export interface Screen {
  /** Of the tap: waits while the output stands still. */
  line(text: string): void;
  /** An answer to a key: at once. */
  say(text: string): void;
  /** What the status line is made of has changed. */
  refresh(): void;
  pause(paused: boolean): void;
  readonly paused: boolean;
  /** Lines that wait. */
  readonly kept: number;
  clear(): void;
  /** The terminal is somebody else's (an editor's, the shell's) until `take`; false: lines go on, only the status line is gone. */
  give(standStill: boolean): void;
  take(): void;
  /** Everything that waits is written, and no status line is left. */
  close(): void;
}

/** `status` makes the line for a width; '' is none. */
export function createScreen(
  write: (text: string) => void,
  cellsOf: (text: string) => number,
  status: (width: number) => string,
): Screen {
  let pending = '';
  let waiting = false;
  /** What stands at the bottom now. */
  let drawn = '';
  let paused = false;
  let away = false;
  let lent = false;
  let kept: string[] = [];
  let first = 0;
  let keptLength = 0;
  let lost = 0;

  function erase(): string {
    if (drawn === '') {
      return '';
    }
    // A terminal that became narrower has folded it.
    const rows = Math.max(0, Math.ceil(cellsOf(drawn) / width()) - 1);
    drawn = '';
    return `${rows > 0 ? `\x1b[${rows}A` : ''}\r\x1b[J`;
  }

  function flush(): void {
    waiting = false;
    const next = lent ? '' : status(width());
    if (pending === '' && next === drawn) {
      return;
    }
    const before = drawn;
    const text = erase() + pending + next;
    pending = '';
    drawn = next;
    if (before === '' && next === '') {
      write(text);
    } else {
      write(`${BEGIN}${text}${END}${next === '' ? SHOW_CURSOR : ''}`);
    }
  }

  function soon(): void {
    if (!waiting) {
      waiting = true;
      setImmediate(flush);
    }
  }

  function put(text: string): void {
    pending += text;
    if (pending.length > MOST_AT_ONCE) {
      flush();
    } else {
      soon();
    }
  }

  function keep(text: string): void {
    kept.push(text);
    keptLength += text.length;
    while (keptLength > MOST_KEPT && first < kept.length - 1) {
      keptLength -= kept[first]!.length;
      kept[first++] = '';
      lost++;
    }
    if (first > 10_000 && first * 2 > kept.length) {
      kept = kept.slice(first);
      first = 0;
    }
    soon();
  }

  function letGo(): void {
    if (paused || away) {
      return;
    }
    if (lost > 0) {
      put(`${lostWhilePaused(lost)}\n`);
    }
    for (let i = first; i < kept.length; i++) {
      put(kept[i]!);
    }
    kept = [];
    first = 0;
    keptLength = 0;
    lost = 0;
    soon();
  }

  const resized = (): void => soon();
  process.stdout.on('resize', resized);

  const screen: Screen = {
    get paused() {
      return paused;
    },
    get kept() {
      return lost + kept.length - first;
    },
    line(text: string) {
      (paused || away ? keep : put)(text);
    },
    say: put,
    refresh: soon,
    pause(now: boolean) {
      paused = now;
      letGo();
    },
    clear() {
      drawn = '';
      pending = CLEAR + pending;
      soon();
    },
    give(standStill: boolean) {
      lent = true;
      flush();
      away = standStill;
    },
    take() {
      lent = false;
      away = false;
      letGo();
    },
    close() {
      paused = false;
      screen.take();
      lent = true;
      flush();
      process.stdout.off('resize', resized);
    },
  };
  return screen;
}
