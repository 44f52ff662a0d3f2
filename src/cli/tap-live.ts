/** The live line of `tap --quiet`, on standard error: how much happens, and how long answers take. */
import type { Taps } from '../tap/taps.ts';
import { liveLine as lineOf, totalsOf } from '../view/tap/summary.ts';
import { paint } from './output.ts';

const EACH_MS = 500;
const CLEAR = '\r\x1b[K';

export interface LiveLine {
  clear(): void;
  close(): void;
}

export function liveLine(taps: Taps): LiveLine {
  let before = { at: performance.now(), messages: 0, bytes: 0 };
  let asking = false;
  let closed = false;

  async function draw(): Promise<void> {
    if (asking) {
      return;
    }
    asking = true;
    const { taps: states, commands } = await taps.report();
    asking = false;
    if (closed) {
      return;
    }
    const totals = totalsOf(states);
    const now = {
      at: performance.now(),
      messages: commands.reduce((sum, { requests, replies }) => sum + requests + replies, 0),
      bytes: totals.fromClient + totals.fromServer,
    };
    const seconds = (now.at - before.at) / 1000;
    const rates = {
      messages: (now.messages - before.messages) / seconds,
      bytes: (now.bytes - before.bytes) / seconds,
    };
    before = now;
    process.stderr.write(CLEAR + paint.dim(lineOf(totals, commands, rates, process.stderr.columns ?? 80)));
  }

  const timer = setInterval(() => void draw(), EACH_MS);
  return {
    clear() {
      process.stderr.write(CLEAR);
    },
    close() {
      closed = true;
      clearInterval(timer);
      process.stderr.write(CLEAR);
    },
  };
}
