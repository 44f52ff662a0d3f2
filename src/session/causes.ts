/**
 * What led to what, only where it is certain: a link that is missing says nothing, a link that is there is true. Streams are followed by
 * counting bytes from the SYN on; where a count does not work out, calls or packets were not seen and that side gets no links at all.
 */
import { datagrams, icmpErrors } from './causes-datagrams.ts';
import { endsOf, type Fates } from './causes-ends.ts';
import { type Cause, STAMPS_DIFFER_NS } from './causes-model.ts';
import { readFrom } from './causes-read.ts';
import { answers } from './causes-resets.ts';
import { retransmissions, sentBy } from './causes-sent.ts';
import { errorsFrom, statesFrom } from './causes-states.ts';
import type { ConnectionId } from './connection.ts';
import type { Event, Fate, Packet } from './events.ts';

export { type Cause, STAMPS_DIFFER_NS, WHYS, type Why } from './causes-model.ts';

/** In the order of what was caused. `events` may come in any order. */
export function linkCauses(events: readonly Event[]): Cause[] {
  const ordered = events.toSorted((a, b) => a.at - b.at);
  const fates = fatesOf(ordered);
  const causes = fateLinks(ordered, fates);
  for (const [id, own] of byConnection(ordered)) {
    if (isToItself(id)) {
      continue;
    }
    if (id.startsWith('udp')) {
      causes.push(...datagrams(own, fates));
    } else {
      const { client, server } = endsOf(own, fates);
      for (const end of [client, server]) {
        causes.push(
          ...retransmissions(end),
          ...sentBy(end),
          ...readFrom(end),
          ...answers(end),
          ...errorsFrom(end),
          ...statesFrom(end),
        );
      }
    }
  }
  causes.push(...icmpErrors(ordered, fates));
  return causes.sort((a, b) => a.to.at - b.to.at);
}

function fatesOf(events: readonly Event[]): Fates {
  const fates = new Map<number, Fate[]>();
  for (const event of events) {
    if (event.type === 'fate') {
      const known = fates.get(event.packet);
      if (known === undefined) {
        fates.set(event.packet, [event]);
      } else {
        known.push(event);
      }
    }
  }
  return fates;
}

function fateLinks(events: readonly Event[], fates: Fates): Cause[] {
  return events
    .filter((event): event is Packet => event.type === 'packet' && event.id !== undefined)
    .flatMap((packet) =>
      (fates.get(packet.id!) ?? [])
        .filter(({ connection }) => connection === undefined || connection === packet.connection)
        .filter(({ at }) => at >= packet.at - STAMPS_DIFFER_NS)
        .map((fate) => ({ from: packet, to: fate, why: 'fate of' as const })),
    );
}

function byConnection(events: readonly Event[]): Map<ConnectionId, Event[]> {
  const groups = new Map<ConnectionId, Event[]>();
  for (const event of events) {
    const id = 'connection' in event ? event.connection : undefined;
    if (id !== undefined) {
      const group = groups.get(id);
      if (group === undefined) {
        groups.set(id, [event]);
      } else {
        group.push(event);
      }
    }
  }
  return groups;
}

/** `tcp/NETNS/A>A#1`: one socket is both ends, and whose event is whose cannot be told. */
function isToItself(id: ConnectionId): boolean {
  const match = /^[^/]*\/[^/]*\/(.*)>(.*)#\d+$/.exec(id);
  return match !== null && match[1] === match[2];
}
