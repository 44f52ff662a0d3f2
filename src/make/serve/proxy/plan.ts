/** What a proxy is to do: plain data, made of words, options or a file, and sent to the threads. */
import type { Destination } from '../../../kernel/web-client.ts';

export type Balance = 'round-robin' | 'least';

export interface Target {
  /** As people wrote it: `127.0.0.1:3000`. */
  readonly text: string;
  readonly to: Destination;
  /** What takes the place of the location's prefix; empty: the path goes on as it came. */
  readonly base: string;
}

export interface HealthCheck {
  readonly path: string;
  readonly everyMs: number;
}

export interface Access {
  readonly realm: string;
  /** Name → SHA-256 of the password in hex. */
  readonly users: Readonly<Record<string, string>>;
  /** SHA-256 of each token in hex. */
  readonly tokens: readonly string[];
}

/** Everything that may be said for one location. */
export interface Route {
  /** `/api/`: paths that begin with it; the longest that fits counts. */
  readonly prefix: string;
  readonly targets: readonly Target[];
  readonly balance: Balance;
  readonly health: HealthCheck | null;
  /** So many failures in a row mark an upstream down, for so long. */
  readonly failures: number;
  readonly downMs: number;
  /** Until the connection stands and the head has come, and between two pieces of the body. */
  readonly timeoutMs: number;
  /** What the upstream gets as Host: the client's, its own, or a name. */
  readonly host: string;
  readonly cache: boolean;
  readonly compress: boolean;
  /** A directory whose files are served before the upstream is asked; empty: none. */
  readonly tryFiles: string;
  readonly access: Access | null;
  /** Requests per second for each client; 0 is no limit. */
  readonly rate: number;
}

export interface ProxyPlan {
  /** In `Via`, by which a request that comes back is known. */
  readonly id: string;
  /** The longest prefix first; the last one is `/`. */
  readonly routes: readonly Route[];
  /** 0: no cache. */
  readonly cacheBytes: number;
  readonly stale: boolean;
  readonly status: boolean;
}

export const DEFAULTS = {
  balance: 'round-robin',
  health: null,
  failures: 3,
  downMs: 10_000,
  timeoutMs: 60_000,
  host: 'upstream',
  cache: true,
  compress: false,
  tryFiles: '',
  access: null,
  rate: 0,
} as const satisfies Omit<Route, 'prefix' | 'targets'>;

export const CACHE_BYTES = 64_000_000;
export const HEALTH_EVERY = 5000;
