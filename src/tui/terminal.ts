/**
 * The terminal as a whole screen: entered, painted line by line where something differs, and always given back.
 * Ink hands over complete frames (its `debug` mode) and this paints them, because Ink's own writer erases upwards from
 * the cursor, clears the scroll-back of full-height screens and shows nothing at all where CI is set.
 */
import { Writable } from 'node:stream';

const ESC = '\x1b';
const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?7l${ESC}[2J`;
const LEAVE = `${ESC}[0m${ESC}[?7h${ESC}[?25h${ESC}[?1049l`;
/** Synchronised output: terminals that know it show the frame at once, the others ignore it. */
const BEGIN = `${ESC}[?2026h`;
const END = `${ESC}[?2026l`;

/** What must be written to turn the lines on screen into the next ones; empty when they are the same. */
export function difference(before: readonly string[] | null, next: readonly string[]): string {
  let out = before === null ? `${ESC}[2J` : '';
  const height = Math.max(before?.length ?? 0, next.length);
  for (let row = 0; row < height; row += 1) {
    const line = next[row] ?? '';
    if (before === null ? line !== '' : line !== (before[row] ?? '')) {
      // Erased before, not after: at the last column an erase to the end of line takes the last letter too.
      out += `${ESC}[${row + 1};1H${ESC}[0m${ESC}[2K${line}`;
    }
  }
  return out === '' ? '' : `${BEGIN}${out}${ESC}[0m${END}`;
}

export interface Terminal {
  /** What Ink writes to. */
  stream: NodeJS.WriteStream;
  size(): { columns: number; rows: number };
  /** The next frame repaints everything. */
  forget(): void;
  leave(): void;
}

const SIGNALS = { SIGTERM: 15, SIGHUP: 1, SIGINT: 2 } as const;

/** `onResize` is called after the size changed. A signal, an uncaught exception and a plain exit restore the screen first. */
export function enterTerminal(onResize: () => void): Terminal {
  const out = process.stdout;
  let painted: string[] | null = null;
  let inside = true;
  const size = (): { columns: number; rows: number } => ({
    columns: Math.max(1, out.columns || 80),
    rows: Math.max(1, out.rows || 24),
  });
  const paint = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      if (inside && chunk.length > 0) {
        // A frame made just before the terminal shrank must not write below its last row.
        const lines = chunk.toString().split('\n').slice(0, size().rows);
        const changes = difference(painted, lines);
        painted = lines;
        if (changes !== '') {
          out.write(changes);
        }
      }
      done();
    },
  });
  // Ink asks a stream only for write, on, off and columns; it is no TTY, so Ink leaves cursor and screen alone.
  const stream = Object.defineProperty(paint, 'columns', { get: () => size().columns }) as Writable & {
    columns: number;
  };

  const resized = (): void => {
    painted = null;
    onResize();
  };
  const leave = (): void => {
    if (!inside) {
      return;
    }
    inside = false;
    out.off('resize', resized);
    process.off('exit', leave);
    process.off('uncaughtExceptionMonitor', leave);
    for (const signal of Object.keys(SIGNALS)) {
      process.off(signal, onSignal);
    }
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false);
    }
    out.write(LEAVE);
  };
  // The default action is gone once a handler exists: restore, then let the signal do what it does to any program.
  const onSignal = (signal: NodeJS.Signals): void => {
    leave();
    process.kill(process.pid, signal);
  };
  out.on('resize', resized);
  process.on('exit', leave);
  process.on('uncaughtExceptionMonitor', leave);
  for (const signal of Object.keys(SIGNALS)) {
    process.on(signal, onSignal);
  }
  // Before the first frame, not when Ink gets to it: a Ctrl-C in between would be a signal to the whole shell line.
  process.stdin.setRawMode(true);
  out.write(ENTER);
  return {
    stream: stream as unknown as NodeJS.WriteStream,
    size,
    forget: () => {
      painted = null;
    },
    leave,
  };
}
