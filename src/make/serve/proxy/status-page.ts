/** How the connections to the upstreams are used: told now and then, and on a page of its own with --status. */
import type { NodeHouse } from '../kind.ts';
import type { Relay } from './relay.ts';
import type { Location } from './upstreams.ts';

export const STATUS_PATH = '/.sockscope/status';
/** Milliseconds; nothing is said when nothing happened. */
const REPORT = 60_000;

export function statusJson(locations: readonly Location[], { cache, tally }: Relay): string {
  const now = Date.now();
  return JSON.stringify(
    {
      locations: locations.map(({ route, upstreams }) => ({
        path: route.prefix,
        upstreams: upstreams.all.map(({ target, client, active, requests, failed, downUntil }) => ({
          upstream: target.text,
          up: now >= downUntil,
          active,
          requests,
          failed,
          connections: client.counters,
        })),
      })),
      cache: cache === null ? null : { uris: cache.uris, bytes: cache.bytes, answers: tally },
    },
    null,
    2,
  );
}

/** Returns what ends it. */
export function reportConnections(house: NodeHouse, locations: readonly Location[]): () => void {
  const told = new Map<object, number>();
  const timer = setInterval(() => {
    for (const one of locations.flatMap(({ upstreams }) => upstreams.all)) {
      if (one.requests !== (told.get(one) ?? 0)) {
        told.set(one, one.requests);
        const { open, opened, reused } = one.client.counters;
        house.say(
          `upstream ${one.target.text}: ${open} open, ${opened} opened, ${reused} requests on a used one`,
        );
      }
    }
  }, REPORT);
  timer.unref();
  return () => clearInterval(timer);
}
