/** Events on their way to the stage: many in one message, and none waits long. */
import type { RawEvent } from '../stage/protocol.ts';

const MOST = 256;
const LONGEST_NS = 5e6;

export interface Outbox {
  readonly events: RawEvent[];
  /** When they must go; Infinity when there are none. */
  deadline(now: number): number;
  postDue(now: number): void;
  post(): void;
}

export function createOutbox(send: (events: RawEvent[]) => void): Outbox {
  const events: RawEvent[] = [];
  let since = Number.POSITIVE_INFINITY;

  function post(): void {
    if (events.length > 0) {
      send(events);
      events.length = 0;
    }
    since = Number.POSITIVE_INFINITY;
  }

  function deadline(now: number): number {
    since = events.length === 0 ? Number.POSITIVE_INFINITY : Math.min(since, now);
    return since + LONGEST_NS;
  }

  return {
    events,
    deadline,
    post,
    postDue(now) {
      if (events.length >= MOST || deadline(now) <= now) {
        post();
      }
    },
  };
}
