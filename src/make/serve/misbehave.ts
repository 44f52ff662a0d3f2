/** A stream that does what a bad server does, put between a kind and its real stream. Kinds know nothing of it. */
import {
  type Address,
  AGAIN,
  type Reactor,
  type Stream,
  type StreamEvents,
  type Timer,
} from '../../reactor/reactor.ts';
import type { Misbehaviour } from './kind.ts';

export interface Misbehaving {
  readonly stream: Stream;
  /** Who the real stream should tell, given who wants to hear. */
  hear(events: StreamEvents): StreamEvents;
  /** What was done to the client on purpose; null: nothing yet. */
  why(): string | null;
}

const SECOND = 1e9;
/** A slow answer leaves in so many pieces per second, or byte by byte. */
const PIECES_PER_SECOND = 10;
const ECONNABORTED = -103;

export function misbehave(inner: Stream, how: Misbehaviour, reactor: Reactor): Misbehaving {
  const stream = new BadStream(inner, how, reactor);
  return {
    stream,
    hear(events) {
      stream.events = events;
      stream.begin();
      return {
        readable: () => stream.arrived(),
        writable: () => stream.room(),
      };
    },
    why: () => stream.why,
  };
}

class BadStream implements Stream {
  owner: unknown = null;
  events: StreamEvents | null = null;
  why: string | null = null;
  readonly #inner: Stream;
  readonly #how: Misbehaviour;
  readonly #reactor: Reactor;
  #written = 0;
  #allowance: number;
  #refill: Timer | null = null;
  #end: Timer | null = null;
  #over = false;

  constructor(inner: Stream, how: Misbehaviour, reactor: Reactor) {
    this.#inner = inner;
    this.#how = how;
    this.#reactor = reactor;
    this.#allowance = this.#piece();
  }

  get local(): Address {
    return this.#inner.local;
  }

  get remote(): Address {
    return this.#inner.remote;
  }

  get hungUp(): boolean {
    return this.#inner.hungUp;
  }

  begin(): void {
    const { halfClose, leak, closeAfter, resetAfter } = this.#how;
    if (leak) {
      this.why = 'leaked on purpose';
    }
    if (halfClose) {
      this.why = 'half-closed on purpose';
      this.#inner.shutdown();
    }
    for (const [limit, reset] of [
      [closeAfter, false],
      [resetAfter, true],
    ] as const) {
      if (limit !== null && 'ns' in limit) {
        this.#end = this.#reactor.after(limit.ns, () => this.#finish(reset));
      } else if (limit !== null && limit.bytes === 0) {
        this.#reactor.soon(() => this.#finish(reset));
      }
    }
  }

  arrived(): void {
    if (!this.#how.noRead && !this.#over) {
      this.events?.readable(this);
    }
  }

  room(): void {
    if (!this.#over && this.#refill === null) {
      this.events?.writable(this);
    }
  }

  read(into: Uint8Array, from: number, to: number): number {
    if (this.#over) {
      return ECONNABORTED;
    }
    return this.#how.noRead ? AGAIN : this.#inner.read(into, from, to);
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    if (this.#over) {
      return ECONNABORTED;
    }
    if (this.#how.halfClose) {
      return to - from;
    }
    const most = Math.min(to - from, this.#leftBeforeEnd(), this.#allowance);
    if (most === 0 && to > from) {
      this.#wait();
      return AGAIN;
    }
    const taken = this.#inner.write(bytes, from, from + most);
    if (taken > 0) {
      this.#written += taken;
      this.#allowance -= taken;
      const reset = this.#reached(this.#how.resetAfter);
      if (reset || this.#reached(this.#how.closeAfter)) {
        this.#reactor.soon(() => this.#finish(reset));
      } else if (taken === most && most < to - from) {
        this.#wait();
      }
    }
    return taken;
  }

  shutdown(): number {
    return this.#how.leak || this.#over ? 0 : this.#inner.shutdown();
  }

  reset(): void {
    this.#leave(() => this.#inner.reset());
  }

  close(): void {
    this.#leave(() => this.#inner.close());
  }

  set(option: string, value: number): number {
    return this.#inner.set(option, value);
  }

  get(option: string): number {
    return this.#inner.get(option);
  }

  #leave(end: () => void): void {
    this.#end?.cancel();
    this.#refill?.cancel();
    this.#over = true;
    if (!this.#how.leak) {
      end();
    }
  }

  #finish(reset: boolean): void {
    if (this.#over) {
      return;
    }
    this.why = reset ? 'reset on purpose' : 'closed on purpose';
    this.#over = true;
    this.#refill?.cancel();
    if (reset) {
      this.#inner.reset();
    } else {
      this.#inner.close();
    }
    // Whether it waits to read or to write, it is told now that there is no connection any more, and cleans up.
    this.events?.readable(this);
    this.events?.writable(this);
  }

  #reached(limit: Misbehaviour['closeAfter']): boolean {
    return limit !== null && 'bytes' in limit && this.#written >= limit.bytes;
  }

  #leftBeforeEnd(): number {
    let left = Number.MAX_SAFE_INTEGER;
    for (const limit of [this.#how.closeAfter, this.#how.resetAfter]) {
      if (limit !== null && 'bytes' in limit) {
        left = Math.min(left, limit.bytes - this.#written);
      }
    }
    return Math.max(0, left);
  }

  #piece(): number {
    const { slow } = this.#how;
    return slow === 0 ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.round(slow / PIECES_PER_SECOND));
  }

  #wait(): void {
    if (this.#refill !== null || this.#how.slow === 0) {
      return;
    }
    const piece = this.#piece();
    this.#refill = this.#reactor.after((piece / this.#how.slow) * SECOND, () => {
      this.#refill = null;
      this.#allowance = piece;
      this.room();
    });
  }
}
