/** One TCP or UNIX tap while it runs: its listener, its mirror of the target, its connections. */
import type { Address, Listener, ListenerEvents } from '../reactor/reactor.ts';
import { createArrivals } from './arrival.ts';
import type { Verdict } from './control.ts';
import { createCrew } from './crew.ts';
import { dial } from './dial.ts';
import { errnoText } from './errno-text.ts';
import type { PlannedFault } from './fault.ts';
import type { TapHost } from './host.ts';
import { createMirror } from './mirror.ts';
import type { Resolved, TapPlan } from './plan.ts';
import type { TlsKit } from './tls/kit.ts';

export interface Places {
  readonly listen: Address;
  readonly target: Resolved;
  /** What TLS needs, where the plan wants it. */
  readonly kit: TlsKit | null;
}

export interface RunningTap {
  readonly plan: TapPlan;
  readonly address: Address;
  /** Connections that stand now. */
  readonly open: number;
  readonly opened: number;
  readonly fromClient: number;
  readonly fromServer: number;
  faults(planned: readonly PlannedFault[]): void;
  /** False: no message waits here under this number. */
  release(id: number, verdict: Verdict): boolean;
  close(): void;
}

/** Listens, or says why not (-errno). */
export function openTap(host: TapHost, plan: TapPlan, places: Places): RunningTap | number {
  const { reactor } = host;
  const crew = createCrew(host, plan, (refuses) => mirror.refuse(refuses));
  let closed = false;

  const events: ListenerEvents = {
    accepted: (stream) => arrivals.accepted(stream),
    paused(errno) {
      stand('resting', `no descriptor is left (${-errno}); clients wait in the queue`);
    },
    resumed() {
      stand('listening', '');
    },
  };

  function listen(address: Address): Listener | number {
    return reactor.listen(address, { streamWishes: plan.wishes, backlog: 1024 }, events);
  }

  function stand(state: 'listening' | 'refusing' | 'silent' | 'resting' | 'closed', why: string): void {
    host.tell({ type: 'standing', at: host.now(), tap: plan.name, listens: address, state, why });
  }

  const arrivals = createArrivals({
    host,
    plan,
    target: places.target,
    kit: places.kit,
    crew,
    dialled: (result) => mirror.dialled(result),
  });
  const listener = listen(places.listen);
  if (typeof listener === 'number') {
    return listener;
  }
  const { address } = listener;
  const mirror = createMirror(reactor, plan.mirrorsRefusal ? places.target : [], listener, {
    listens: (target) => host.listens(target),
    probe(done) {
      const { target } = places;
      const nobody = { readable() {}, writable() {} };
      dial(
        reactor,
        { addresses: target, timeout: plan.dialTimeout, wishes: {} },
        nobody,
        null,
        (stream, result) => {
          stream?.close();
          done(result);
        },
      );
    },
    listen: () => listen(address),
    taken(errno) {
      stand(
        'closed',
        `the target takes connections again, but the tap's port cannot be had (${errnoText(errno)})`,
      );
    },
    changed(state, why) {
      stand(state, why === 0 ? '' : String(why));
    },
  });
  crew.faults(plan.faults);
  if (mirror.state === 'listening') {
    stand('listening', '');
  }

  return {
    plan,
    address,
    get open() {
      return crew.connections.size;
    },
    get opened() {
      return arrivals.count;
    },
    get fromClient() {
      return crew.fromClient;
    },
    get fromServer() {
      return crew.fromServer;
    },
    faults: (planned) => crew.faults(planned),
    release: (id, verdict) => crew.release(id, verdict),
    close() {
      if (!closed) {
        closed = true;
        mirror.close();
        crew.close();
        stand('closed', '');
      }
    },
  };
}
