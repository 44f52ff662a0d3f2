/** A call that waits is told when it begins and again when it ends: which told event the ended one stands for. */
import type { Event } from './events.ts';

/** Begun calls that are remembered; more are two events each. */
const MOST_BEGUN = 10_000;

export function createBegun(): (event: Event) => Event | null {
  const begun = new Map<string, Event>();
  return (event) => {
    if (event.type !== 'syscall') {
      return null;
    }
    const key = `${event.host}/${event.pid}/${event.tid}/${event.name}/${event.at}`;
    const before = begun.get(key) ?? null;
    if (event.took !== null) {
      begun.delete(key);
    } else if (begun.size < MOST_BEGUN) {
      begun.set(key, event);
    }
    return before;
  };
}
