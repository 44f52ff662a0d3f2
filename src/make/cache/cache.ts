/**
 * A shared HTTP cache as RFC 9111 has it, with RFC 5861's stale answers. It decides and keeps; it asks nobody: who owns it forwards
 * what it is told to forward, says what came, and gives the time (milliseconds since 1970).
 */
import { type Answer, answerFrom } from './answer.ts';
import { isConditional, isForOrigin, sameTag } from './conditions.ts';
import { millis, readDirectives, requestDirectives } from './directives.ts';
import { type Fields, fieldOf, has, without } from './fields.ts';
import { unsafe, urisToForget } from './invalidate.ts';
import { Keeper, type Room } from './keeper.ts';
import { whyNotStored } from './storable.ts';
import { Store } from './store.ts';
import { ageOf, freshFor, type Head, refreshed, type Stored } from './stored.ts';

export interface CacheRequest {
  readonly method: string;
  /** The absolute URI: what answers are kept under. */
  readonly uri: string;
  readonly fields: Fields;
}

/** Why a request goes on (RFC 9211, section 2.2). */
export type Why = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale';

/** A request that goes on to the origin. */
export interface Question {
  readonly request: CacheRequest;
  readonly why: Why;
  /** What is forwarded in place of the client's fields: validators of ours. */
  readonly fields: Fields;
  /** What we have, and want to know whether it is still true. */
  readonly stored: Stored | null;
  readonly asked: number;
  /** Others that ask the same may wait for its answer. */
  readonly shareable: boolean;
}

export interface FromCache {
  readonly do: 'answer';
  readonly how: 'hit' | 'stale' | 'revalidated';
  readonly answer: Answer;
  /** Milliseconds it is still fresh for; negative: stale. */
  readonly ttl: number;
  /** Why a stale one was sent. */
  readonly detail: '' | 'stale-while-revalidate' | 'stale-if-error' | 'max-stale' | 'origin-down';
  /** To be asked now, while nobody waits for it. */
  readonly refresh: Question | null;
}

export type Verdict =
  | FromCache
  | { readonly do: 'forward'; readonly question: Question }
  /** only-if-cached, and it is not: 504. */
  | { readonly do: 'refuse' };

export type Outcome =
  | FromCache
  /** To the client as it comes, and a copy of each piece of the body to the keeper. */
  | { readonly do: 'pass'; readonly keeper: Keeper | null }
  /** The 304 is about something else: ask once more without validators. */
  | { readonly do: 'again'; readonly question: Question };

export interface CacheSettings {
  readonly bytes: number;
  /** Stale answers while the origin is down even if nobody allowed them. */
  readonly staleWhenDown: boolean;
}

/** What an origin says when it is down (RFC 5861, section 4). */
const DOWN = new Set([500, 502, 503, 504]);
const VALIDATORS = new Set(['if-none-match', 'if-modified-since', 'if-range', 'range']);

export class Cache {
  readonly #store: Store;
  readonly #staleWhenDown: boolean;
  readonly #room: Room;

  constructor({ bytes, staleWhenDown }: CacheSettings) {
    this.#store = new Store(bytes);
    this.#staleWhenDown = staleWhenDown;
    this.#room = { bound: bytes, pending: 0 };
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  get uris(): number {
    return this.#store.uris;
  }

  ask(request: CacheRequest, now: number): Verdict {
    const { method, uri, fields } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      return forward(request, 'method', null, now);
    }
    const asked = requestDirectives(fields);
    if (asked.has('no-store') || isForOrigin(fields)) {
      return asked.has('only-if-cached') ? { do: 'refuse' } : forward(request, 'bypass', null, now);
    }
    const found = this.#store.find(uri, fields);
    if (!found) {
      const why = found === null ? 'uri-miss' : 'vary-miss';
      return asked.has('only-if-cached') ? { do: 'refuse' } : forward(request, why, null, now);
    }
    const left = freshFor(found, now);
    const most = millis(asked, 'max-age') ?? Number.POSITIVE_INFINITY;
    const willing = !asked.has('no-cache') && ageOf(found, now) <= most;
    const usable = willing && !found.alwaysAsk;
    if (usable && left > 0 && left >= (millis(asked, 'min-fresh') ?? 0)) {
      return answered(found, request, now, 'hit', '', null);
    }
    const why = left > 0 && !found.alwaysAsk ? 'request' : 'stale';
    if (usable && left <= 0 && !found.neverStale && !asked.has('min-fresh')) {
      if (found.whileRevalidate > 0 && -left <= found.whileRevalidate) {
        const refresh = question(request, 'stale', found, now);
        return answered(found, request, now, 'stale', 'stale-while-revalidate', refresh);
      }
      // Without a number any staleness will do (RFC 9111, section 5.2.1.2).
      const bearable =
        asked.get('max-stale') === null ? Number.POSITIVE_INFINITY : millis(asked, 'max-stale');
      if (!found.notOnWish && bearable !== undefined && -left <= bearable) {
        return answered(found, request, now, 'stale', 'max-stale', null);
      }
    }
    return asked.has('only-if-cached') ? { do: 'refuse' } : forward(request, why, found, now);
  }

  /** The head of the origin's answer came. */
  answered(asking: Question, head: Head, now: number): Outcome {
    const { request, stored, asked } = asking;
    const { uri } = request;
    if (unsafe(request.method)) {
      for (const one of urisToForget(uri, head)) {
        this.#store.remove(one);
      }
      return { do: 'pass', keeper: null };
    }
    const arrival = { uri, request: request.fields, asked, received: now };
    if (stored !== null && head.status === 304) {
      const [ours, theirs] = [fieldOf(stored.fields, 'etag'), fieldOf(head.fields, 'etag')];
      if (theirs !== undefined && (ours === undefined || !sameTag(ours, theirs))) {
        this.#store.remove(uri);
        return { do: 'again', question: question(request, asking.why, null, now) };
      }
      const fresh = refreshed(stored, arrival, head.fields);
      const told = readDirectives(fieldOf(fresh.fields, 'cache-control'));
      const wishes = requestDirectives(request.fields);
      if (whyNotStored(request.fields, wishes, fresh.status, fresh.fields, told) === null) {
        this.#store.put(fresh);
      } else {
        this.#store.remove(uri);
      }
      return answered(fresh, request, now, 'revalidated', '', null);
    }
    if (stored !== null && DOWN.has(head.status)) {
      const instead = this.failed(asking, now);
      if (instead !== null) {
        return instead;
      }
    }
    return { do: 'pass', keeper: this.#keeperFor(asking, head, now) };
  }

  /** Nothing came. Null: nothing we have may be sent instead. */
  failed({ request, stored }: Question, now: number): FromCache | null {
    if (stored === null) {
      return null;
    }
    const staleness = -freshFor(stored, now);
    const asked = requestDirectives(request.fields);
    const bearable = Math.max(stored.ifError, millis(asked, 'stale-if-error') ?? 0);
    if (!stored.alwaysAsk && !stored.neverStale && staleness <= bearable && bearable > 0) {
      return answered(stored, request, now, 'stale', 'stale-if-error', null);
    }
    return this.#staleWhenDown ? answered(stored, request, now, 'stale', 'origin-down', null) : null;
  }

  #keeperFor({ request, asked }: Question, head: Head, now: number): Keeper | null {
    if (request.method !== 'GET') {
      return null;
    }
    const { uri, fields } = request;
    const told = readDirectives(fieldOf(head.fields, 'cache-control'));
    if (whyNotStored(fields, requestDirectives(fields), head.status, head.fields, told) !== null) {
      return null;
    }
    const arrival = { uri, request: fields, asked, received: now };
    const keeper = new Keeper(arrival, head, this.#room, (stored) => this.#store.put(stored));
    // What is stale at once and cannot be asked about is of use only while the origin is down.
    return keeper.isWorthIt(this.#staleWhenDown) ? keeper : null;
  }
}

function forward(request: CacheRequest, why: Why, stored: Stored | null, now: number): Verdict {
  return { do: 'forward', question: question(request, why, stored, now) };
}

function question(request: CacheRequest, why: Why, stored: Stored | null, now: number): Question {
  const { fields } = request;
  const shareable =
    request.method === 'GET' &&
    (why === 'uri-miss' || why === 'stale') &&
    !isConditional(fields) &&
    !has(fields, 'authorization');
  if (stored === null) {
    return { request, why, fields, stored, asked: now, shareable };
  }
  // Ours, because it is our copy that is asked about; the client's own are answered from what comes (RFC 9111, section 4.3.1).
  const tag = fieldOf(stored.fields, 'etag');
  const changed = fieldOf(stored.fields, 'last-modified');
  const ours = [
    ...without(fields, (name) => VALIDATORS.has(name)),
    ...(tag === undefined ? [] : ['If-None-Match', tag]),
    ...(changed === undefined ? [] : ['If-Modified-Since', changed]),
  ];
  return { request, why, fields: ours, stored, asked: now, shareable };
}

function answered(
  stored: Stored,
  { method, fields }: CacheRequest,
  now: number,
  how: FromCache['how'],
  detail: FromCache['detail'],
  refresh: Question | null,
): FromCache {
  const answer = answerFrom(stored, method, fields, now);
  return { do: 'answer', how, answer, ttl: freshFor(stored, now), detail, refresh };
}
