/** The upstreams of one location: whose turn it is, who is down, and how their connections are used. */
import { createWebClient, type WebClient } from '../../../kernel/web-client.ts';
import type { Route, Target } from './plan.ts';

export class Upstream {
  readonly target: Target;
  readonly client: WebClient;
  active = 0;
  requests = 0;
  failed = 0;
  /** In a row. */
  failures = 0;
  /** `Date.now()` at which it may be tried again; 0: it is up. Infinity: until a health check finds it well. */
  downUntil = 0;

  constructor(target: Target) {
    this.target = target;
    this.client = createWebClient();
  }
}

export class Upstreams {
  readonly all: readonly Upstream[];
  readonly #route: Route;
  readonly #say: (text: string) => void;
  #turn = -1;

  constructor(route: Route, say: (text: string) => void) {
    this.#route = route;
    this.#say = say;
    this.all = route.targets.map((target) => new Upstream(target));
  }

  /** Of those that were not tried. All of them down: they are tried nevertheless, so that the first one to come back is found. */
  pick(tried: ReadonlySet<Upstream>, now: number): Upstream | null {
    const left = this.all.filter((one) => !tried.has(one));
    const up = left.filter((one) => now >= one.downUntil);
    const from = up.length > 0 ? up : left;
    if (from.length === 0) {
      return null;
    }
    // A second try takes nobody's turn.
    this.#turn += tried.size === 0 ? 1 : 0;
    const first = this.#turn % from.length;
    if (this.#route.balance === 'round-robin') {
      return from[first]!;
    }
    // Equals take turns.
    const turned = [...from.slice(first), ...from.slice(0, first)];
    return turned.reduce((best, one) => (one.active < best.active ? one : best));
  }

  failed(one: Upstream, why: string, now: number): void {
    one.failed++;
    one.failures++;
    const { failures, downMs, health } = this.#route;
    if (one.failures >= failures) {
      this.#mark(one, why, health === null ? now + downMs : Number.POSITIVE_INFINITY);
    }
  }

  answered(one: Upstream): void {
    one.failures = 0;
    if (one.downUntil !== 0) {
      one.downUntil = 0;
      this.#say(`upstream ${one.target.text} is up again`);
    }
  }

  /** A health check is asked for nothing else: one is enough. */
  unwell(one: Upstream, why: string): void {
    this.#mark(one, why, Number.POSITIVE_INFINITY);
  }

  #mark(one: Upstream, why: string, until: number): void {
    if (one.downUntil === 0) {
      this.#say(`upstream ${one.target.text} is down: ${why}`);
    }
    one.downUntil = until;
  }

  close(): void {
    for (const { client } of this.all) {
      client.close();
    }
  }
}

/** A part of the paths, with those who answer for it. */
export interface Location {
  readonly route: Route;
  readonly upstreams: Upstreams;
  /** The time is in milliseconds. */
  readonly allows: (client: string, now: number) => boolean;
}
