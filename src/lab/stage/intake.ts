/**
 * What the wire and the programs tell becomes events of connections, in order. Two sources are never quite in step, so each event waits
 * a few milliseconds for those that happened before it: a reused tuple must not take a call of the connection before.
 */
import type { Event } from '../../session/events.ts';
import type { Identify } from './identify.ts';
import type { RawEvent } from './protocol.ts';

const WAIT_NS = 8e6;
const TURN_MS = 4;

export interface Intake {
  add(events: readonly RawEvent[]): void;
  /** Everything told so far becomes events now. */
  flush(): void;
  close(): void;
}

export function createIntake(now: () => number, identify: Identify, out: (events: Event[]) => void): Intake {
  let waiting: RawEvent[] = [];
  let timer: NodeJS.Timeout | null = null;

  function drain(until: number): void {
    timer = null;
    waiting.sort((a, b) => knownAt(a) - knownAt(b));
    let ready = 0;
    while (ready < waiting.length && knownAt(waiting[ready]!) <= until) {
      ready += 1;
    }
    if (ready > 0) {
      out(identify(waiting.slice(0, ready)));
      waiting = waiting.slice(ready);
    }
    later();
  }

  function later(): void {
    if (waiting.length > 0 && timer === null) {
      timer = setTimeout(() => drain(now() - WAIT_NS), TURN_MS);
    }
  }

  return {
    add(events) {
      for (const event of events) {
        waiting.push(event);
      }
      later();
    },
    flush() {
      if (timer !== null) {
        clearTimeout(timer);
      }
      drain(Number.POSITIVE_INFINITY);
    },
    close() {
      if (timer !== null) {
        clearTimeout(timer);
      }
      waiting = [];
    },
  };
}

/** A call's ends are known when it returns, so that is when it is placed. */
function knownAt(event: RawEvent): number {
  return event.type === 'syscall' && event.took !== null ? event.at + event.took : event.at;
}
