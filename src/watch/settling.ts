/** Calls, states and packets come by three ways and not equally fast: they wait here until what happened earlier has come too. */
import type { Event } from '../session/events.ts';

/** A batch of calls, a block of packets and a look at the states are all here after so long, unless the machine is very busy. */
const HOLD_NS = 60e6;

export interface Settling {
  add(events: readonly Event[]): void;
  /** What has waited long enough, in the order in which it happened. */
  take(now: number): Event[];
  /** The end: all of it. */
  rest(): Event[];
}

export function createSettling(): Settling {
  let waiting: { readonly when: number; readonly event: Event }[] = [];

  function upTo(limit: number): Event[] {
    waiting.sort((one, other) => one.when - other.when);
    const open = waiting.findIndex(({ when }) => when > limit);
    const ready = waiting.slice(0, open < 0 ? waiting.length : open);
    waiting = waiting.slice(ready.length);
    return ready.map(({ event }) => event);
  }

  return {
    add(events) {
      for (const event of events) {
        waiting.push({ when: whenOf(event), event });
      }
    },
    take: (now) => upTo(now - HOLD_NS),
    rest: () => upTo(Number.POSITIVE_INFINITY),
  };
}

/** A call that has waited is told twice: when it began, and when it returned. */
function whenOf(event: Event): number {
  return event.type === 'syscall' && event.took !== null && event.took > HOLD_NS
    ? event.at + event.took
    : event.at;
}
