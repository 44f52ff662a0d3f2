/** One TCP or UNIX tap while it runs: its listener, its mirror of the target, its connections. */
import type { Address, Listener, ListenerEvents } from '../reactor/reactor.ts';
import { createArrivals } from './arrival.ts';
import { type Connection, happen, type Notified } from './connection.ts';
import type { Verdict } from './control.ts';
import { dial } from './dial.ts';
import type { PlannedFault } from './fault.ts';
import { createFaulty } from './faulty.ts';
import type { TapHost } from './host.ts';
import { createMirror } from './mirror.ts';
import type { Resolved, TapPlan } from './plan.ts';
import { createRules } from './rules.ts';
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
  const hearing = host.hearingFor(plan.name);
  const connections = new Set<Connection>();
  let fromClient = 0;
  let fromServer = 0;
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

  const notify: Notified = {
    halfClosed(connection, from) {
      if (host.wants.connections) {
        host.tell({ type: 'half-closed', ...on(connection), from });
      }
    },
    said(connection, what, from) {
      host.tell({ type: 'fault', ...on(connection), what, from });
    },
    over(connection) {
      connections.delete(connection);
      rules.over(connection);
      fromClient += connection.up.moved;
      fromServer += connection.down.moved;
      if (!host.wants.connections) {
        return;
      }
      host.tell({
        type: 'ended',
        ...on(connection),
        how: connection.how ?? 'fin',
        by: connection.endedBy,
        fromClient: connection.up.moved,
        fromServer: connection.down.moved,
        took: reactor.now() - connection.began,
      });
    },
  };

  function on(connection: Connection): { at: number; tap: string; connection: number } {
    return { at: host.now(), tap: plan.name, connection: connection.number };
  }

  function listen(address: Address): Listener | number {
    return reactor.listen(address, { streamWishes: plan.wishes, backlog: 1024 }, events);
  }

  function stand(state: 'listening' | 'refusing' | 'silent' | 'resting' | 'closed', why: string): void {
    host.tell({ type: 'standing', at: host.now(), tap: plan.name, listens: address, state, why });
  }

  const faulty = createFaulty({
    reactor,
    seed: host.seed,
    connections,
    clientOf: ({ client }) => (client === null || client.remote.kind === 'unix' ? '' : client.remote.host),
    refusalChanged: () => mirror.refuse(faulty.refuses),
  });
  const rules = createRules({
    reactor,
    plan,
    budget: hearing.budget,
    connections,
    reveals: () => host.wants.reveal,
    now: () => host.now(),
    held(connection, heard, bytes) {
      const id = host.nextHeld();
      host.tell({ type: 'held', ...on(connection), id, heard, bytes });
      return id;
    },
    forgotten(connection, id) {
      host.tell({ type: 'released', ...on(connection), id, verdict: 'gone' });
    },
    touches: (connection, fault) => faulty.touches(connection, fault),
    impose: (connection, fault, from) => faulty.impose(connection, fault, from),
  });
  const arrivals = createArrivals({
    host,
    plan,
    target: places.target,
    kit: places.kit,
    hearing,
    connections,
    faulty,
    notify,
    prepare: (connection) => rules.begin(connection),
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
    changed(state, why) {
      stand(state, why === 0 ? '' : String(why));
    },
  });
  faulty.set(plan.faults);
  rules.set(plan.faults);
  if (mirror.state === 'listening') {
    stand('listening', '');
  }

  return {
    plan,
    address,
    get open() {
      return connections.size;
    },
    get opened() {
      return arrivals.count;
    },
    get fromClient() {
      return [...connections].reduce((sum, { up }) => sum + up.moved, fromClient);
    },
    get fromServer() {
      return [...connections].reduce((sum, { down }) => sum + down.moved, fromServer);
    },
    faults(planned) {
      faulty.set(planned);
      rules.set(planned);
    },
    release: (id, verdict) => rules.release(id, verdict),
    close() {
      if (closed) {
        return;
      }
      closed = true;
      mirror.close();
      faulty.close();
      for (const connection of [...connections]) {
        connection.how = 'tap closed';
        happen(connection, 'close both');
      }
      stand('closed', '');
    },
  };
}
