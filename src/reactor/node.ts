/**
 * The reactor on Node's own sockets and loop, for every system. What it cannot do it answers with -errno: options other than
 * `nodelay` and `keepalive`, `reusePort`, silence, bulk. Out of descriptors, libuv accepts and closes by itself and tells nobody.
 */
import { datagramsNet } from '../kernel/net-datagrams.ts';
import { listenNet } from '../kernel/net-listen.ts';
import { adoptNet, connectNet, duplexOf } from '../kernel/net-streams.ts';
import type { Reactor, Stream } from './reactor.ts';
import { createTimerWheel } from './timer-wheel.ts';

const EOPNOTSUPP = -95;
const ECANCELED = -125;
const MS = 1_000_000;
/** setTimeout takes what is longer for 1 ms. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

export interface NodeReactor extends Reactor {
  /** Ends everything that was made here, at once, and resolves when all of it is gone. */
  close(): Promise<void>;
}

interface Live {
  destroy(): void;
  once(event: 'close', run: () => void): unknown;
}

function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

export interface NodeOptions {
  /** The session's clock, so that times of all its threads agree. */
  readonly clock?: { now(): number };
}

export function createNodeReactor(options: NodeOptions = {}): NodeReactor {
  const { clock } = options;
  const read = clock === undefined ? monotonic : () => clock.now();
  const live = new Set<Live>();
  const wheel = createTimerWheel();
  let closed = false;
  let sleep: NodeJS.Timeout | null = null;
  let wakeAt = Number.POSITIVE_INFINITY;

  function keep(one: Live): void {
    live.add(one);
    one.once('close', () => live.delete(one));
  }

  function keepStream<T extends Stream | number>(stream: T): T {
    const duplex = typeof stream === 'number' ? null : duplexOf(stream);
    if (duplex !== null) {
      keep(duplex);
    }
    return stream;
  }

  function disarm(): void {
    if (sleep !== null) {
      clearTimeout(sleep);
      sleep = null;
      wakeAt = Number.POSITIVE_INFINITY;
    }
  }

  /** One timer of Node's for the whole wheel: its own may run a millisecond early, and not in order. */
  function arm(): void {
    const now = read();
    const ns = wheel.next(now);
    if (now + ns < wakeAt) {
      disarm();
      wakeAt = now + ns;
      sleep = setTimeout(wake, Math.min(LONGEST_SLEEP_MS, Math.ceil(ns / MS)));
    }
  }

  function wake(): void {
    sleep = null;
    wakeAt = Number.POSITIVE_INFINITY;
    wheel.advance(read());
    if (!closed) {
      arm();
    }
  }

  return {
    kind: 'node',
    now: read,
    listen(address, options, events) {
      if (closed) {
        return ECANCELED;
      }
      const listener = listenNet(address, options, (stream, socket) => {
        keep(socket);
        return events.accepted(stream);
      });
      if (typeof listener === 'number') {
        return listener;
      }
      const { server } = listener;
      keep({ destroy: () => server.close(), once: (event, run) => server.once(event, run) });
      return {
        address: listener.address,
        silence: () => EOPNOTSUPP,
        hold: (on) => listener.hold(on),
        retire: (done) => listener.retire(done),
        close: () => listener.close(),
      };
    },
    connect(address, options, events) {
      return closed ? ECANCELED : keepStream(connectNet(address, options, events));
    },
    adopt(fd, events) {
      return closed ? ECANCELED : keepStream(adoptNet(fd, events));
    },
    datagrams(local, peer, events) {
      const made = closed ? ECANCELED : datagramsNet(local, peer, events);
      if (typeof made !== 'number') {
        keep({ destroy: () => made.close(), once: (event, run) => made.socket.once(event, run) });
      }
      return made;
    },
    bulk() {
      return null;
    },
    after(ns, run) {
      const timer = wheel.after(read(), ns, run);
      arm();
      return {
        cancel() {
          timer.cancel();
          if (wheel.size === 0) {
            disarm();
          }
        },
      };
    },
    soon(run) {
      setImmediate(run);
    },
    async close() {
      closed = true;
      disarm();
      const gone = [...live].map((one) => new Promise<void>((resolve) => one.once('close', resolve)));
      for (const one of live) {
        one.destroy();
      }
      await Promise.all(gone);
    },
  };
}
