/** What everything on one stage shares. */
import type { Event } from '../../session/events.ts';
import type { Home } from './machine.ts';
import type { Plan } from './plan.ts';
import type { RawEvent, Start } from './protocol.ts';
import type { WireLink } from './wire-link.ts';

export interface Surroundings {
  readonly start: Start;
  readonly actorEntry: string;
  readonly wireEntry: string;
  readonly traceEntry: string;
  /** Everything that is seen, as it becomes known. */
  onEvents(events: readonly Event[]): void;
}

export interface Common {
  readonly home: Home;
  readonly plan: Plan;
  readonly wire: WireLink;
  readonly around: Surroundings;
  /** Of this moment. */
  now(): number;
  tell(event: Event): void;
  take(events: readonly RawEvent[]): void;
}
