/** One answer in the cache, and what it allows. */
import { millis, readDirectives } from './directives.ts';
import { endToEnd, type Fields, fieldOf, without } from './fields.ts';
import { initialAge, lifetime } from './freshness.ts';
import { dateText } from './http-date.ts';
import { nominated } from './vary.ts';

export interface Head {
  readonly status: number;
  readonly message: string;
  readonly fields: Fields;
}

export interface Stored extends Head {
  readonly uri: string;
  readonly body: Buffer;
  /** Name, value: what the request had in the fields that Vary names. */
  readonly varies: readonly string[];
  /** When it came or was last found valid; milliseconds since 1970. */
  readonly received: number;
  readonly initialAge: number;
  readonly lifetime: number;
  /** no-cache: never without asking. */
  readonly alwaysAsk: boolean;
  /** must-revalidate or proxy-revalidate: never when stale. */
  readonly neverStale: boolean;
  /** Not stale because a client would not mind. */
  readonly notOnWish: boolean;
  readonly whileRevalidate: number;
  readonly ifError: number;
  readonly bytes: number;
}

/** For the object itself and the strings' headers. */
const OVERHEAD = 512;

export interface Arrival {
  readonly uri: string;
  readonly request: Fields;
  readonly asked: number;
  readonly received: number;
}

export function toStore({ uri, request, asked, received }: Arrival, head: Head, body: Buffer): Stored {
  const { status, message } = head;
  const told = readDirectives(fieldOf(head.fields, 'cache-control'));
  const kept = endToEnd(head.fields);
  // Who has no clock gets ours (RFC 9110, section 6.6.1).
  const dated = fieldOf(kept, 'date') === undefined ? [...kept, 'Date', dateText(received)] : kept;
  const fields = without(dated, (name) => name === 'age' || name === 'content-length');
  const varies = nominated(fields, request);
  return {
    uri,
    status,
    message,
    fields,
    body,
    varies,
    received,
    initialAge: initialAge(head.fields, asked, received),
    lifetime: lifetime(status, fields, told, received),
    alwaysAsk: told.has('no-cache'),
    neverStale: told.has('must-revalidate') || told.has('proxy-revalidate'),
    // s-maxage means proxy-revalidate too (RFC 9111, section 5.2.2.10); whoever writes stale-if-error beside it knows what he wants.
    notOnWish: told.has('s-maxage'),
    whileRevalidate: millis(told, 'stale-while-revalidate') ?? 0,
    ifError: millis(told, 'stale-if-error') ?? 0,
    bytes: OVERHEAD + body.length + uri.length + lengthOf(fields) + lengthOf(varies),
  };
}

function lengthOf(fields: Fields): number {
  return fields.reduce((sum, one) => sum + one.length, 0);
}

/** The body is what they describe, and it did not come again (RFC 9111, section 3.2). */
const KEPT_AT_304 = new Set(['content-encoding', 'content-length', 'content-range', 'content-type']);

/** A 304 makes it new: each field that came replaces all of that name. */
export function refreshed(stored: Stored, arrival: Arrival, fields: Fields): Stored {
  const came = without(endToEnd(fields), (name) => KEPT_AT_304.has(name));
  const names = new Set<string>(['date']);
  for (let i = 0; i < came.length; i += 2) {
    names.add(came[i]!.toLowerCase());
  }
  const merged = [...without(stored.fields, (name) => names.has(name)), ...came];
  return toStore(arrival, { ...stored, fields: merged }, stored.body);
}

export function ageOf(stored: Stored, now: number): number {
  return stored.initialAge + Math.max(0, now - stored.received);
}

/** Milliseconds; negative when stale. */
export function freshFor(stored: Stored, now: number): number {
  return stored.lifetime - ageOf(stored, now);
}
