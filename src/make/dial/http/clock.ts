/** The phases of one request, measured; and the deadlines over them. */
import { SockscopeError } from '../../../errors.ts';
import type { HttpPhase, HttpPhaseName } from '../../../session/http-exchange.ts';
import { durationText } from '../../../session/quantities.ts';
import type { Deadlines } from './plan.ts';

const NS_PER_MS = 1e6;
/** setTimeout's largest. */
const MOST_MS = 2 ** 31 - 1;

const LIMITS: Readonly<
  Record<HttpPhaseName, { readonly of: keyof Deadlines; readonly option: string } | null>
> = {
  resolve: { of: 'resolve', option: '--resolve-timeout' },
  connect: { of: 'connect', option: '--connect-timeout' },
  proxy: { of: 'connect', option: '--connect-timeout' },
  tls: { of: 'tls', option: '--tls-timeout' },
  send: null,
  'first byte': { of: 'firstByte', option: '--first-byte-timeout' },
  body: { of: 'body', option: '--body-timeout' },
};

/** What had not happened. */
const MISSING: Readonly<Record<HttpPhaseName, string>> = {
  resolve: 'no address',
  connect: 'no connection',
  proxy: 'no answer from the proxy to CONNECT',
  tls: 'no end of the TLS handshake',
  send: 'the request was not taken',
  'first byte': 'no first byte',
  body: 'the body did not end',
};

export class RequestClock {
  readonly #began = process.hrtime.bigint();
  readonly #deadlines: Deadlines;
  readonly #phases: HttpPhase[] = [];
  readonly #expired = new AbortController();
  readonly #reached: () => string;
  readonly #cancelled: AbortSignal;
  #running: { readonly name: HttpPhaseName; readonly from: number } | null = null;
  #limit: NodeJS.Timeout | null = null;
  #whole: NodeJS.Timeout | null = null;
  #why: SockscopeError | null = null;

  /** `whole` is what is left for this and all that follows; `reached` says what had come about when a deadline strikes. */
  constructor(deadlines: Deadlines, whole: number | null, reached: () => string, cancelled: AbortSignal) {
    this.#deadlines = deadlines;
    this.#reached = reached;
    this.#cancelled = cancelled;
    if (whole !== null) {
      this.#whole = this.#after(whole, () => this.#strike(deadlines.whole ?? whole, '--timeout'));
    }
    cancelled.addEventListener('abort', this.#interrupt, { once: true });
    if (cancelled.aborted) {
      this.#interrupt();
    }
  }

  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  /** Why `signal` was given. */
  get why(): SockscopeError | null {
    return this.#why;
  }

  get phase(): HttpPhaseName | null {
    return this.#running?.name ?? null;
  }

  now(): number {
    return Number(process.hrtime.bigint() - this.#began);
  }

  /** It ended, now or a moment ago; until the next begins the time is our own. */
  end(at = this.now()): void {
    this.#end(true, at);
  }

  /** A phase that still runs ends at the same moment. */
  begin(name: HttpPhaseName): void {
    this.end();
    this.#running = { name, from: this.now() };
    const limit = LIMITS[name];
    const ns = limit === null ? null : this.#deadlines[limit.of];
    if (limit !== null && ns !== null) {
      this.#limit = this.#after(ns, () => this.#strike(ns, limit.option));
    }
  }

  /** Everything is over; false: in the middle of a phase. */
  finish(done: boolean): void {
    this.#end(done, this.now());
    if (this.#whole !== null) {
      clearTimeout(this.#whole);
    }
    this.#cancelled.removeEventListener('abort', this.#interrupt);
  }

  phases(): readonly HttpPhase[] {
    return this.#phases;
  }

  #after(ns: number, run: () => void): NodeJS.Timeout {
    return setTimeout(run, Math.min(MOST_MS, Math.max(0, ns / NS_PER_MS)));
  }

  #end(done: boolean, at: number): void {
    if (this.#limit !== null) {
      clearTimeout(this.#limit);
      this.#limit = null;
    }
    if (this.#running !== null) {
      const { name, from } = this.#running;
      this.#phases.push({ name, from, ns: Math.max(0, at - from), done });
      this.#running = null;
    }
  }

  #strike(ns: number, option: string): void {
    const phase = this.phase;
    const missing = phase === null ? 'no end' : MISSING[phase];
    const sentence = `${missing} within ${durationText(ns)}: ${this.#reached()}.`;
    this.#abort(
      new SockscopeError(
        'HTTP_TIMEOUT',
        `${sentence.slice(0, 1).toUpperCase()}${sentence.slice(1)}`,
        `${option} gives it more time.`,
        1,
      ),
    );
  }

  readonly #interrupt = (): void => {
    this.#abort(new SockscopeError('HTTP_INTERRUPTED', 'Interrupted.', 'Nothing of it is kept.', 1));
  };

  #abort(why: SockscopeError): void {
    this.#why ??= why;
    this.#expired.abort();
  }
}
