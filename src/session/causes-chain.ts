/** From one event back to what began it, a cause at a time. */
import type { Cause, Why } from './causes-model.ts';
import type { Event } from './events.ts';

export interface Because {
  readonly why: Why;
  readonly event: Event;
}

/** The strongest first, where an event has several. */
const STRENGTH: readonly Why[] = [
  'error from',
  'state from',
  'sent by',
  'retransmits',
  'answers',
  'read from',
  'woken by',
  'fate of',
  'acknowledges',
];

export function becauseOf(event: Event, causes: readonly Cause[], most: number): Because[] {
  const chain: Because[] = [];
  const told = new Set<Event>([event]);
  let here = event;
  while (chain.length < most) {
    const [cause] = causes
      .filter(({ to, from }) => to === here && !told.has(from))
      .sort((a, b) => STRENGTH.indexOf(a.why) - STRENGTH.indexOf(b.why));
    if (cause === undefined) {
      break;
    }
    chain.push({ why: cause.why, event: cause.from });
    told.add(cause.from);
    here = cause.from;
  }
  return chain;
}
