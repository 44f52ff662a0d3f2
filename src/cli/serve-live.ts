/** One line at the bottom of the terminal that says how the server is doing. */
import { writeSync } from 'node:fs';

const REFRESH_MS = 500;
const CLEAR = '\r\x1b[K';

export function liveFigures(text: () => string): { clear(): void; close(): void } {
  const put = (what: string): void => {
    try {
      writeSync(2, what);
    } catch {
      // A terminal that cannot take a line now gets the next one.
    }
  };
  const draw = (): void =>
    put(`${CLEAR}${text().slice(0, Math.max(20, (process.stderr.columns ?? 100) - 1))}`);
  const timer = setInterval(draw, REFRESH_MS);
  draw();
  return {
    clear: () => put(CLEAR),
    close() {
      clearInterval(timer);
      put(CLEAR);
    },
  };
}
