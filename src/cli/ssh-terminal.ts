/** Our terminal as the other side's: raw while the command runs, its size kept up to date, given back whatever happens. */
import type { Terminal } from '../make/ssh/run.ts';

export interface Screen {
  size(): Terminal;
  onResize(tell: (rows: number, columns: number) => void): void;
  giveBack(): void;
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
    giveBack,
  };
}
