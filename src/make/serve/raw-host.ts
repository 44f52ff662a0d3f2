/** Runs a kind that stands on the reactor: accepts, counts, ends the idle, drains. */
import type {
  Address,
  Datagrams,
  Listener,
  ListenerEvents,
  Reactor,
  Stream,
  StreamEvents,
  Timer,
} from '../../reactor/reactor.ts';
import type { AnyKind, Over, RawHouse, RawService, Talk, Visit } from './kind.ts';
import type { Ledger } from './ledger.ts';
import { misbehave } from './misbehave.ts';

/** How a drain went: connections that came to their end, and those that were cut. */
export interface Drained {
  readonly drained: number;
  readonly dropped: number;
}

export interface RunningHost {
  readonly address: Address;
  drain(done: (how: Drained) => void): void;
  /** Everything ends now. */
  close(): void;
}

/** Where connections come from: the reactor's listener, or TLS over Node's. */
export interface Source {
  readonly address: Address;
  hold(on: boolean): void;
  retire(done: () => void): void;
  close(): void;
}

/** The idle are looked for so many times within the limit. */
const LOOKS = 4;
const LEAST_LOOK_NS = 50e6;

export interface RawHostOptions {
  readonly kind: AnyKind;
  readonly plan: unknown;
  readonly ledger: Ledger;
  readonly reactor: Reactor;
  readonly reusePort: boolean;
  /** Listens for TLS; null where the reactor's own listener will do. */
  readonly listenSecurely: ((accepted: (stream: Stream) => StreamEvents | null) => Source | number) | null;
}

/** Listens on all that the kind wants of this address; -errno when it cannot. */
export function openRawHost(address: Address, over: Over, options: RawHostOptions): RunningHost | number {
  const { kind, plan, ledger, reactor, reusePort, listenSecurely } = options;
  const { common } = ledger.house;
  const house: RawHouse = { ...ledger.house, reactor, wantsLines: ledger.house.wantsLines };
  const service = kind.raw!(house, plan);
  const visits = new Set<HostedVisit>();
  const perConnection = kind.lines === 'connections';
  let draining: ((how: Drained) => void) | null = null;
  let retired = false;
  let drained = 0;
  let idleTimer: Timer | null = null;

  const wing: Wing = {
    house,
    perConnection,
    gone(visit) {
      visits.delete(visit);
      // A leaked one stays open: nobody looks after it any more.
      if (common.misbehaviour?.leak !== true) {
        ledger.closed();
      }
      if (common.maxConnections > 0 && visits.size < common.maxConnections && draining === null) {
        listener?.hold(false);
      }
      if (draining !== null) {
        drained++;
        whenDrained();
      }
    },
  };

  const accepted = (stream: Stream): StreamEvents | null => {
    ledger.opened();
    const visit = new HostedVisit(wing, stream);
    if (perConnection && !house.allows(visit.client)) {
      ledger.closed();
      return null;
    }
    visits.add(visit);
    if (common.maxConnections > 0 && visits.size >= common.maxConnections) {
      listener?.hold(true);
    }
    const bad = common.misbehaviour === null ? null : misbehave(stream, common.misbehaviour, reactor);
    visit.stream = bad?.stream ?? stream;
    visit.why = bad?.why ?? null;
    const talk = service.visit!(visit.stream, visit);
    if (talk === null) {
      visits.delete(visit);
      ledger.closed();
      return null;
    }
    visit.talk = talk;
    if (draining !== null) {
      reactor.soon(() => visit.drain());
    }
    return bad?.hear(visit) ?? visit;
  };

  const events: ListenerEvents = {
    accepted,
    paused: (errno) => house.say(`no descriptor is left (${-errno}); clients wait in the queue`),
    resumed: () => house.say('descriptors are free again'),
  };

  const wantsStreams = over === 'tcp' || over === 'unix' || kind.both === true;
  const wantsDatagrams = over === 'udp' || over === 'unix-dgram' || kind.both === true;
  let listener: Source | Listener | null = null;
  let datagrams: Datagrams | null = null;
  let real = address;
  if (wantsStreams) {
    const opened =
      listenSecurely === null
        ? reactor.listen(
            address.kind === 'udp' ? { ...address, kind: 'tcp' } : address,
            {
              ...(common.backlog > 0 ? { backlog: common.backlog } : {}),
              reusePort,
              streamWishes: common.wishes,
            },
            events,
          )
        : listenSecurely(accepted);
    if (typeof opened === 'number') {
      service.close?.();
      return opened;
    }
    listener = opened;
    real = opened.address;
    if (common.misbehaviour?.noAccept === true) {
      opened.hold(true);
    }
  }
  if (wantsDatagrams) {
    const own: Address = real.kind === 'unix' ? real : { kind: 'udp', host: real.host, port: real.port };
    const opened = openDatagrams(reactor, own, service);
    if (typeof opened === 'number') {
      listener?.close();
      service.close?.();
      return opened;
    }
    datagrams = opened;
    real = opened.address;
  }
  if (common.idleNs > 0) {
    watchIdle();
  }

  function watchIdle(): void {
    idleTimer = reactor.after(Math.max(LEAST_LOOK_NS, common.idleNs / LOOKS), () => {
      const before = house.now() - common.idleNs;
      for (const visit of visits) {
        if (visit.lastAt < before && visit.talk?.idle?.() !== true) {
          visit.drop('idle for too long');
        }
      }
      watchIdle();
    });
  }

  function whenDrained(): void {
    if (draining !== null && retired && visits.size === 0) {
      const done = draining;
      draining = null;
      end();
      done({ drained, dropped: 0 });
    }
  }

  function end(): void {
    idleTimer?.cancel();
    listener?.close();
    datagrams?.close();
    service.close?.();
  }

  return {
    address: real,
    drain(done) {
      draining = done;
      datagrams?.close();
      datagrams = null;
      const closed = (): void => {
        retired = true;
        whenDrained();
      };
      // Who promised to accept nobody does not do so at the end either.
      if (listener === null || common.misbehaviour?.noAccept === true) {
        listener?.close();
        closed();
      } else {
        listener.retire(closed);
      }
      for (const visit of [...visits]) {
        visit.drain();
      }
      reactor.after(common.drainNs, () => {
        if (draining !== null) {
          const dropped = visits.size;
          draining = null;
          for (const visit of [...visits]) {
            visit.drop('cut off: the server ends');
          }
          end();
          done({ drained, dropped });
        }
      });
      whenDrained();
    },
    close() {
      draining = null;
      for (const visit of [...visits]) {
        visit.drop('cut off: the server ends');
      }
      end();
    },
  };
}

function openDatagrams(reactor: Reactor, address: Address, service: RawService): Datagrams | number {
  const socket: Datagrams | number = reactor.datagrams(address, null, {
    datagram(from, bytes, length) {
      service.datagram!(from, bytes, length, (answer, start, end) =>
        (socket as Datagrams).send(answer, start, end, from),
      );
    },
  });
  return socket;
}

interface Wing {
  readonly house: RawHouse;
  readonly perConnection: boolean;
  gone(visit: HostedVisit): void;
}

/** Stands between the reactor and the kind for one connection; there may be a hundred thousand. */
class HostedVisit implements Visit, StreamEvents {
  stream: Stream;
  talk: Talk | null = null;
  /** What the house did to the client on purpose. */
  why: (() => string | null) | null = null;
  lastAt: number;
  readonly since: number;
  readonly #wing: Wing;
  #over = false;

  constructor(wing: Wing, stream: Stream) {
    this.#wing = wing;
    this.stream = stream;
    this.since = wing.house.now();
    this.lastAt = this.since;
  }

  get peer(): string {
    return peerText(this.stream.remote);
  }

  get client(): string {
    const { remote } = this.stream;
    return remote.kind === 'unix' ? 'local' : remote.host;
  }

  readable(stream: Stream): void {
    if (this.#over) {
      return;
    }
    this.lastAt = this.#wing.house.reactor.now();
    this.talk!.readable(stream);
  }

  writable(stream: Stream): void {
    if (!this.#over) {
      this.lastAt = this.#wing.house.reactor.now();
      this.talk!.writable(stream);
    }
  }

  drain(): void {
    if (!this.#over) {
      this.talk!.drain();
    }
  }

  done(how: string, received: number, sent: number, fine = true): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    const { house, perConnection } = this.#wing;
    if (perConnection) {
      const took = house.now() - this.since;
      if (house.wantsLines) {
        const result = this.why?.() ?? how;
        const line = { what: 'connection', result, fine, took, received, sent, note: '' };
        house.access({ at: this.since, from: this.peer, ...line });
      } else {
        house.counted(took, received, sent, fine);
      }
    }
    const why = perConnection ? null : (this.why?.() ?? null);
    if (why !== null) {
      house.say(`${this.peer} was ${why}`);
    }
    this.stream.close();
    this.#wing.gone(this);
  }

  /** The house ends it. */
  drop(why: string): void {
    if (!this.#over) {
      const [received, sent] = this.talk?.moved?.() ?? [0, 0];
      this.talk?.dropped?.();
      this.done(why, received, sent, false);
    }
  }
}

export function peerText(remote: Address): string {
  if (remote.kind === 'unix') {
    return remote.path === '' ? 'a local process' : remote.path;
  }
  return remote.host.includes(':') ? `[${remote.host}]:${remote.port}` : `${remote.host}:${remote.port}`;
}
