/** All lanes on one clock: events in order of time, bounded, and found again by their connection. */
import type { ConnectionId } from './connection.ts';
import type { Event, Lost } from './events.ts';
import { bytesOf, CONNECTION_BYTES } from './timeline-bytes.ts';
import { EventList } from './timeline-list.ts';

/** What is held at most, unless told otherwise. Estimated bytes: the events themselves and what finds them again. */
export const MOST_EVENTS = 1_000_000;
export const MOST_BYTES = 768 * 2 ** 20;

/** Connections of which nothing is held any more and of which it is still known how many events they had. */
const MOST_GONE = 65_536;

export interface Bound {
  readonly events: number;
  readonly bytes: number;
}

/** Of the events that are held. */
export interface ConnectionSpan {
  readonly id: ConnectionId;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/**
 * Events with equal moments stay in the order in which they came. When more is added than the bound allows, the oldest go first, and
 * every answer whose time reaches back to them begins with a `lost` event that says how many.
 */
export interface Timeline extends Iterable<Event> {
  /** Nearly in order is cheapest; any order is right. */
  add(event: Event): void;
  /**
   * Puts `next` where `old` is: a call that was told when it began, and again when it returned. False when `old` is not held (any more);
   * then nothing is changed.
   */
  replace(old: Event, next: Event): boolean;
  readonly length: number;
  /** How many were added and are gone. */
  readonly dropped: number;
  /** Estimated; never above the bound after `add`. */
  readonly bytes: number;
  /** Counts every change. */
  readonly version: number;
  /** Of those held, from 0; negative counts from the end. */
  at(index: number): Event | undefined;
  /** from ≤ at ≤ to. */
  between(from: number, to: number): Event[];
  ofConnection(id: ConnectionId, from?: number, to?: number): Event[];
  /** In the order in which they were first seen. */
  connections(): ConnectionSpan[];
}

interface Track {
  readonly events: EventList;
  dropped: number;
}

export function createTimeline(bound: Partial<Bound> = {}): Timeline {
  const mostEvents = bound.events ?? MOST_EVENTS;
  const mostBytes = bound.bytes ?? MOST_BYTES;
  const all = new EventList();
  const tracks = new Map<ConnectionId, Track>();
  const gone = new Map<ConnectionId, number>();
  let goneForgotten = false;
  let dropped = 0;
  let droppedUpTo = Number.NEGATIVE_INFINITY;
  let droppedFrom = Number.POSITIVE_INFINITY;
  let bytes = 0;
  let version = 0;

  function trackOf(id: ConnectionId): Track {
    let track = tracks.get(id);
    if (track === undefined) {
      track = { events: new EventList(), dropped: gone.get(id) ?? 0 };
      gone.delete(id);
      tracks.set(id, track);
      bytes += CONNECTION_BYTES;
    }
    return track;
  }

  /** `wasDropped`: counted as such. */
  function untrack(event: Event, wasDropped: boolean): void {
    const id = connectionOf(event);
    const track = id === undefined ? undefined : tracks.get(id);
    if (id === undefined || track === undefined) {
      return;
    }
    track.events.remove(event);
    track.dropped += wasDropped ? 1 : 0;
    if (track.events.length === 0) {
      tracks.delete(id);
      bytes -= CONNECTION_BYTES;
      remember(id, track.dropped);
    }
  }

  function remember(id: ConnectionId, count: number): void {
    if (count === 0) {
      return;
    }
    gone.set(id, count);
    if (gone.size > MOST_GONE) {
      for (const oldest of gone.keys()) {
        gone.delete(oldest);
        goneForgotten = true;
        break;
      }
    }
  }

  function countDropped(event: Event): void {
    dropped += 1;
    droppedUpTo = Math.max(droppedUpTo, event.at);
    droppedFrom = Math.min(droppedFrom, event.at);
  }

  /** What is held is always everything since some moment: what comes late and is older than that is dropped as it comes. */
  function refuse(event: Event): void {
    countDropped(event);
    const id = connectionOf(event);
    if (id === undefined) {
      return;
    }
    const track = tracks.get(id);
    if (track === undefined) {
      remember(id, (gone.get(id) ?? 0) + 1);
    } else {
      track.dropped += 1;
    }
  }

  function keepBound(): void {
    while (all.length > mostEvents || (bytes > mostBytes && all.length > 0)) {
      const oldest = all.first!;
      all.remove(oldest);
      bytes -= bytesOf(oldest);
      countDropped(oldest);
      untrack(oldest, true);
    }
  }

  function lost(from: number, to: number, count: number | null, connection?: ConnectionId): Lost[] {
    if (count === 0 || from > droppedUpTo || to < droppedFrom) {
      return [];
    }
    const why = `The timeline keeps ${mostEvents} events or ${Math.ceil(mostBytes / 2 ** 20)} MiB; older ones were dropped.`;
    const told = { type: 'lost', at: droppedUpTo, source: 'timeline', count, why } as const;
    return [connection === undefined ? told : { ...told, connection }];
  }

  function swapTracks(old: Event, next: Event): void {
    const id = connectionOf(next);
    if (id !== undefined && id === connectionOf(old)) {
      trackOf(id).events.replace(old, next);
      return;
    }
    untrack(old, false);
    if (id === undefined) {
      return;
    }
    const { events } = trackOf(id);
    for (const behind of all.equalsBehind(next)) {
      if (connectionOf(behind) === id) {
        events.addBefore(behind, next);
        return;
      }
    }
    events.add(next);
  }

  function add(event: Event): void {
    version += 1;
    if (event.at < droppedUpTo) {
      refuse(event);
      return;
    }
    all.add(event);
    bytes += bytesOf(event);
    const id = connectionOf(event);
    if (id !== undefined) {
      trackOf(id).events.add(event);
    }
    keepBound();
  }

  return {
    add,
    replace(old, next) {
      if (old.at !== next.at) {
        if (!all.remove(old)) {
          return false;
        }
        bytes -= bytesOf(old);
        untrack(old, false);
        add(next);
        return true;
      }
      if (!all.replace(old, next)) {
        return false;
      }
      version += 1;
      bytes += bytesOf(next) - bytesOf(old);
      swapTracks(old, next);
      keepBound();
      return true;
    },
    get length() {
      return all.length;
    },
    get dropped() {
      return dropped;
    },
    get bytes() {
      return bytes;
    },
    get version() {
      return version;
    },
    at: (index) => all.at(index),
    between(from, to) {
      const answer: Event[] = lost(from, to, dropped);
      all.copy(from, to, answer);
      return answer;
    },
    ofConnection(id, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY) {
      const track = tracks.get(id);
      const missing = track?.dropped ?? gone.get(id) ?? (goneForgotten ? null : 0);
      const answer: Event[] = lost(from, to, missing, id);
      track?.events.copy(from, to, answer);
      return answer;
    },
    connections: () =>
      [...tracks].map(([id, { events }]) => ({
        id,
        first: events.first!.at,
        last: events.last!.at,
        count: events.length,
      })),
    [Symbol.iterator]: () => all[Symbol.iterator](),
  };
}

function connectionOf(event: Event): ConnectionId | undefined {
  return 'connection' in event ? event.connection : undefined;
}
