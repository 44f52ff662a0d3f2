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
  { addresses, timeout, wishes }: DialOptions,
  events: StreamEvents,
  owner: unknown,
  done: (stream: Stream | null, result: number) => void,
): Dialling {
  let next = 0;
  let current: Stream | null = null;
  let over = false;
  let limit: Timer | null = null;
  let retry: Timer | null = null;

  const finish = (stream: Stream | null, result: number): void => {
    over = true;
    limit?.cancel();
    retry?.cancel();
    done(stream, result);
  };
  const answered: StreamEvents = {
    connected(stream, result) {
      if (over) {
        return;
      }
      current = null;
      if (result === 0) {
        finish(stream, 0);
      } else {
        attempt(result);
      }
    },
    readable(stream) {
      events.readable(stream);
    },
    writable(stream) {
      events.writable(stream);
    },
  };

  function attempt(last: number): void {
    let failed = last;
    while (next < addresses.length) {
      const stream = reactor.connect(addresses[next]!, { wishes }, answered);
      if (typeof stream !== 'number') {
        next++;
        retry = null;
        stream.owner = owner;
        current = stream;
        return;
      }
      failed = stream;
      if (SCARCE.has(failed)) {
        retry = reactor.after(SCARCE_RETRY_NS, () => attempt(failed));
        return;
      }
      next++;
    }
    finish(null, failed);
  }

  // Even the first failure is told later: who dials is not ready to hear of it while it still dials.
  if (addresses.length === 0) {
    reactor.soon(() => !over && finish(null, ECANCELED));
  } else {
    const first = reactor.connect(addresses[0]!, { wishes }, answered);
    next = typeof first === 'number' && SCARCE.has(first) ? 0 : 1;
    if (typeof first === 'number') {
      reactor.soon(() => !over && attempt(first));
    } else {
      first.owner = owner;
      current = first;
    }
  }
  limit = reactor.after(timeout, () => {
    if (!over) {
      current?.reset();
      finish(null, retry === null ? ETIMEDOUT : EMFILE);
    }
  });
  return {
    cancel() {
      if (!over) {
        over = true;
        limit?.cancel();
        retry?.cancel();
        current?.reset();
      }
    },
  };
}
