/** Dials the addresses of a target one after the other, within one time limit. Each dial is its own: a slow one delays nobody else. */
import type { Address, Reactor, SocketWishes, Stream, StreamEvents, Timer } from '../reactor/reactor.ts';

const ETIMEDOUT = -110;
const ECANCELED = -125;
const EMFILE = -24;
/** EMFILE, ENFILE: the next connection that ends leaves a descriptor, so the dial waits for one within its time. */
const SCARCE: ReadonlySet<number> = new Set([EMFILE, -23]);
const SCARCE_RETRY_NS = 20e6;

export interface DialOptions {
  readonly addresses: readonly Address[];
  /** Nanoseconds for all addresses together. */
  readonly timeout: number;
  readonly wishes: SocketWishes;
}

export interface Dialling {
  /** Nothing is told any more, and nothing stays open. */
  cancel(): void;
}

/** `done` hears of the stream, or of the last address's -errno. `events` are the stream's from its first byte on. */
export function dial(
  reactor: Reactor,
  options: DialOptions,
  events: StreamEvents,
  owner: unknown,
  done: (stream: Stream | null, result: number) => void,
): Dialling {
  const one = new Dial(reactor, options, events, owner, done);
  one.begin();
  return one;
}

/** A class, because every connection has one: as closures it was eight objects. */
class Dial implements Dialling, StreamEvents {
  readonly #reactor: Reactor;
  readonly #options: DialOptions;
  readonly #events: StreamEvents;
  readonly #owner: unknown;
  readonly #done: (stream: Stream | null, result: number) => void;
  #next = 0;
  #current: Stream | null = null;
  #over = false;
  #limit: Timer | null = null;
  #retry: Timer | null = null;

  constructor(
    reactor: Reactor,
    options: DialOptions,
    events: StreamEvents,
    owner: unknown,
    done: (stream: Stream | null, result: number) => void,
  ) {
    this.#reactor = reactor;
    this.#options = options;
    this.#events = events;
    this.#owner = owner;
    this.#done = done;
  }

  /** Even the first failure is told later: who dials is not ready to hear of it while it still dials. */
  begin(): void {
    const failed = this.#options.addresses.length === 0 ? ECANCELED : this.#try();
    if (failed !== 0) {
      this.#reactor.soon(() => !this.#over && this.#goOn(failed));
    }
    this.#limit = this.#reactor.after(this.#options.timeout, () => this.#late());
  }

  cancel(): void {
    if (!this.#over) {
      this.#over = true;
      this.#limit?.cancel();
      this.#retry?.cancel();
      this.#current?.reset();
    }
  }

  connected(stream: Stream, result: number): void {
    if (this.#over) {
      return;
    }
    this.#current = null;
    if (result === 0) {
      this.#finish(stream, 0);
    } else {
      this.#goOn(result);
    }
  }

  readable(stream: Stream): void {
    this.#events.readable(stream);
  }

  writable(stream: Stream): void {
    this.#events.writable(stream);
  }

  /** The next address. 0: it was asked; otherwise -errno, and where no descriptor was left it is still the next. */
  #try(): number {
    const { addresses, wishes } = this.#options;
    const stream = this.#reactor.connect(addresses[this.#next]!, { wishes }, this);
    if (typeof stream === 'number') {
      this.#next += SCARCE.has(stream) ? 0 : 1;
      return stream;
    }
    this.#next++;
    this.#retry = null;
    stream.owner = this.#owner;
    this.#current = stream;
    return 0;
  }

  #goOn(last: number): void {
    let failed = last;
    while (this.#next < this.#options.addresses.length) {
      failed = this.#try();
      if (failed === 0) {
        return;
      }
      if (SCARCE.has(failed)) {
        this.#retry = this.#reactor.after(SCARCE_RETRY_NS, () => this.#goOn(failed));
        return;
      }
    }
    this.#finish(null, failed);
  }

  #late(): void {
    if (!this.#over) {
      this.#current?.reset();
      this.#finish(null, this.#retry === null ? ETIMEDOUT : EMFILE);
    }
  }

  #finish(stream: Stream | null, result: number): void {
    this.#over = true;
    this.#limit?.cancel();
    this.#retry?.cancel();
    this.#done(stream, result);
  }
}
