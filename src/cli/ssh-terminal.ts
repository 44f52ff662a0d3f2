/** Our terminal as the other side's: raw while the command runs, its size kept up to date, given back whatever happens. */
import { Writable } from 'node:stream';
import type { Terminal } from '../make/ssh/run.ts';

export interface Screen {
  size(): Terminal;
  onResize(tell: (rows: number, columns: number) => void): void;
  /** `out`, with what a raw terminal of ours would get wrong put right. */
  over(out: Writable): Writable;
  giveBack(): void;
}

const CR = 0x0d;
const LF = 0x0a;
/** One line down in the same column (ECMA-48, IND). */
const DOWN = [0x1b, 0x44];

/**
 * libuv's raw mode still puts a CR before each LF (uv_tty_set_mode sets ONLCR), but programs that draw a whole screen mean a bare
 * LF as "down". `before` is the last byte of what came earlier.
 */
export function bareLineFeeds(bytes: Uint8Array, before: number): Uint8Array {
  const found: number[] = [];
  let last = before;
  for (const byte of bytes) {
    if (byte === LF && last !== CR) {
      found.push(...DOWN);
    } else {
      found.push(byte);
    }
    last = byte;
  }
  return Uint8Array.from(found);
}

const USUAL = { rows: 24, columns: 80 };

export function borrowTerminal(): Screen {
  const { stdin, stdout } = process;
  const raw = stdin.isTTY === true;
  const sizeNow = (): { rows: number; columns: number } => ({
    rows: stdout.rows ?? USUAL.rows,
    columns: stdout.columns ?? USUAL.columns,
  });
  let resized = (): void => {};
  let lent = true;
  const giveBack = (): void => {
    if (lent) {
      lent = false;
      stdout.off('resize', resized);
      process.off('exit', giveBack);
      if (raw) {
        stdin.setRawMode(false);
      }
    }
  };
  if (raw) {
    stdin.setRawMode(true);
  }
  process.once('exit', giveBack);
  return {
    size: () => ({ term: process.env.TERM ?? 'xterm', ...sizeNow() }),
    onResize(tell) {
      resized = () => {
        const { rows, columns } = sizeNow();
        tell(rows, columns);
      };
      stdout.on('resize', resized);
    },
    over(out) {
      if (!raw || out !== stdout || stdout.isTTY !== true) {
        return out;
      }
      let last = 0;
      return new Writable({
        write(chunk: Buffer, _encoding, done) {
          stdout.write(bareLineFeeds(chunk, last), () => done());
          last = chunk[chunk.length - 1] ?? last;
        },
      });
    },
    giveBack,
  };
}
