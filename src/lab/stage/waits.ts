/** Waiting until something has been seen. */
import { SockscopeError } from '../../errors.ts';
import type { SocketState } from '../../session/events.ts';
import type { Seen, Stage } from '../api.ts';

export interface Waits {
  readonly until: Stage['until'];
  /** Something new was seen. */
  look(): void;
  /** Nothing will be seen any more. */
  broke(error: Error): void;
}

const USUAL_MS = 10_000;
/** Counters and timers change without an event of their own. */
const AGAIN_MS = 20;

interface Waiting {
  look(): void;
  fail(error: Error): void;
}

export function createWaits(seen: Seen): Waits {
  const waiting = new Set<Waiting>();
  let over: Error | null = null;

  function until(what: string, holds: (seen: Seen) => boolean, timeoutMs = USUAL_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      if (holds(seen)) {
        resolve();
        return;
      }
      if (over !== null) {
        reject(over);
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        clearInterval(again);
        waiting.delete(one);
      };
      const one: Waiting = {
        look() {
          try {
            if (holds(seen)) {
              done();
              resolve();
            }
          } catch (error) {
            // The asker's own mistake is the asker's to hear of.
            done();
            reject(error);
          }
        },
        fail(error) {
          done();
          reject(error);
        },
      };
      const timer = setTimeout(() => one.fail(inVain(what, timeoutMs)), timeoutMs);
      const again = setInterval(() => one.look(), AGAIN_MS);
      waiting.add(one);
    });
  }

  return {
    until,
    look() {
      for (const one of waiting) {
        one.look();
      }
    },
    broke(error) {
      over = error;
      for (const one of waiting) {
        one.fail(error);
      }
    },
  };
}

/** A socket of the host has been in that state, a listening one too. */
export function hasReached(host: string, state: SocketState): (seen: Seen) => boolean {
  return ({ events }) =>
    events.some((event) => event.type === 'state' && event.host === host && event.to === state);
}

function inVain(what: string, timeoutMs: number): SockscopeError {
  return new SockscopeError(
    'LAB_WAITED',
    `Waited ${timeoutMs} ms in vain for ${what}.`,
    'Look at what was seen instead; a busy machine may need a longer time.',
    1,
  );
}
