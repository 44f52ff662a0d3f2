/** A protocol of lines: one is sent, one comes back. */
import type { LoadKind, Recogniser } from './kind.ts';

const LINE_FEED = 10;

export const kind: LoadKind = {
  name: 'line',
  about: 'a line is sent (PING), a line comes back',
  manner: 'talk',
  counts: 'requests',
  canReconnect: true,
  request: ({ command }) => Buffer.from(`${command.length === 0 ? 'PING' : command.join(' ')}\r\n`),
  recogniser: lines,
  badStatus: () => null,
};

function lines(): Recogniser {
  const made = {
    done: false,
    status: 0,
    last: false,
    take(bytes: Uint8Array, from: number, to: number): number {
      for (let at = from; at < to; at++) {
        if (bytes[at] === LINE_FEED) {
          made.done = true;
          return at + 1;
        }
      }
      made.done = false;
      return to;
    },
    ended: () => false,
    reset() {
      made.done = false;
    },
  };
  return made;
}
