/** A connection from the moment its client is accepted until both ends stand: greeted, dialled, let through or not. */
import type { Stream, StreamEvents } from '../reactor/reactor.ts';
import {
  attachClient,
  attachServer,
  type Connection,
  clientEvents,
  createConnection,
  type EndedHow,
  happen,
  serverEvents,
  settle,
} from './connection.ts';
import type { Crew } from './crew.ts';
import { dial } from './dial.ts';
import { type Greeted, type Greeter, greeterFor } from './greeting.ts';
import { listenTo } from './hearing.ts';
import type { TapHost } from './host.ts';
import { enqueue } from './mover.ts';
import type { Resolved, TapPlan } from './plan.ts';
import { writeProxyHeader } from './proxy-protocol.ts';
import { secure } from './securing.ts';
import type { TlsKit } from './tls/kit.ts';

export interface ArrivalOptions {
  readonly host: TapHost;
  readonly plan: TapPlan;
  readonly target: Resolved;
  readonly crew: Crew;
  /** Null: TLS is none of the tap's business. */
  readonly kit: TlsKit | null;
  /** How the dial of the tap's own target went. */
  dialled(result: number): void;
}

export interface Arrivals {
  readonly count: number;
  accepted(stream: Stream): StreamEvents;
}

const NOTHING = new Uint8Array(0);

/** A connection that is on its way, and what it has said before its own words. */
interface Coming {
  readonly connection: Connection;
  greeter: Greeter | null;
  greeted: Greeted | null;
}

export function createArrivals(options: ArrivalOptions): Arrivals {
  const { host, plan, crew } = options;
  const { hearing, connections, faulty, notify } = crew;
  const { reactor } = host;
  const coming = new WeakMap<Connection, Coming>();
  const greets = greeterFor(plan) !== null;
  let count = 0;

  /** Until the client has said where it wants to go, its bytes are not for the target. */
  const greetingEvents: StreamEvents = {
    readable(stream) {
      const connection = stream.owner as Connection;
      const one = coming.get(connection);
      if (one?.greeter === null || one === undefined) {
        clientEvents.readable(stream);
      } else {
        greet(one, one.greeter);
      }
    },
    writable: (stream) => clientEvents.writable(stream),
  };

  function begin(stream: Stream): Connection {
    count++;
    const ears = listenTo(hearing, count, plan.decode, { client: 0, server: plan.target.port });
    const connection = createConnection(count, reactor, ears, notify);
    connections.add(connection);
    attachClient(connection, stream);
    if (host.wants.connections) {
      host.tell({ type: 'opened', ...on(connection), client: stream.remote, entered: stream.local });
    }
    return connection;
  }

  function on(connection: Connection): { at: number; tap: string; connection: number } {
    return { at: host.now(), tap: plan.name, connection: connection.number };
  }

  function greet(one: Coming, greeter: Greeter): void {
    const { connection } = one;
    const greeting = greeter.read(connection.client!);
    switch (greeting.kind) {
      case 'more':
        return;
      case 'done':
        one.greeter = null;
        one.greeted = greeting.greeted;
        find(one, greeting.greeted);
        return;
      case 'refused':
        notify.said(connection, `not let in: ${greeting.why}`, 'client');
        end(connection, 'fault', 'close both');
        return;
      case 'gone':
        connection.endedBy = 'client';
        end(connection, 'dial', 'close both');
    }
  }

  function find(one: Coming, { wanted }: Greeted): void {
    if (wanted === null) {
      reach(one, options.target, '');
      return;
    }
    host.resolve(wanted.host, wanted.port, (addresses) => {
      if (connections.has(one.connection)) {
        reach(one, addresses, `${wanted.host}:${wanted.port}`);
      }
    });
  }

  /** `wanted`: what the client asked for, when it was not the tap's own target. */
  function reach(one: Coming | Connection, addresses: Resolved, wanted: string): void {
    const connection = 'connection' in one ? one.connection : one;
    const greeted = 'connection' in one ? one.greeted : null;
    happen(connection, 'accepted');
    if (greeted !== null) {
      // What was read of the greeting may have been all there was to be told of.
      happen(connection, 'client readable');
    }
    if (options.kit !== null) {
      shake(connection, options.kit, addresses, greeted, wanted);
      return;
    }
    const began = reactor.now();
    connection.dialling = dial(
      reactor,
      { addresses, timeout: plan.dialTimeout, wishes: plan.wishes },
      serverEvents,
      connection,
      (stream, result) => {
        connection.dialling = null;
        const took = reactor.now() - began;
        if (stream === null) {
          failed(connection, greeted, result, took, wanted);
        } else {
          stands(connection, greeted, stream, took);
        }
      },
    );
  }

  function shake(
    connection: Connection,
    kit: TlsKit,
    addresses: Resolved,
    greeted: Greeted | null,
    wanted: string,
  ): void {
    // The client says its name in TLS only after it was told that it may go on.
    const answer = greeted?.answer(0, null) ?? NOTHING;
    connection.client?.write(answer, 0, answer.length);
    secure(connection, {
      host,
      plan,
      kit,
      addresses,
      already: greeted?.early ?? NOTHING,
      dialled(stream, took) {
        if (host.wants.connections) {
          host.tell({
            type: 'dialled',
            ...on(connection),
            source: stream.local,
            target: stream.remote,
            took,
          });
        }
      },
      undialled: (errno, took) => failed(connection, null, errno, took, wanted),
      failed: (message, hint) =>
        host.tell({
          type: 'trouble',
          of: 'tls',
          ...on(connection),
          from: 'client',
          why: `${message} ${hint}`,
        }),
      stands() {
        crew.rules.begin(connection);
        faulty.begin(connection);
      },
    });
  }

  function stands(connection: Connection, greeted: Greeted | null, stream: Stream, took: number): void {
    attachServer(connection, stream);
    if (host.wants.connections) {
      host.tell({ type: 'dialled', ...on(connection), source: stream.local, target: stream.remote, took });
    }
    admit(connection, 'dialled', () => {
      crew.rules.begin(connection);
      faulty.begin(connection);
      if (plan.proxyOut !== 0) {
        const client = connection.client!;
        enqueue(
          connection.up,
          writeProxyHeader(plan.proxyOut, greeted?.source ?? client.remote, client.local),
        );
      }
      if (greeted !== null) {
        enqueue(connection.down, greeted.answer(0, stream.local));
        forward(connection, greeted.early);
      }
      happen(connection, 'dialled');
      if (plan.proxyOut !== 0 || greeted !== null) {
        settle(connection, 'up');
        settle(connection, 'down');
      }
    });
  }

  function forward({ up, ears }: Connection, early: Uint8Array): void {
    if (early.length === 0) {
      return;
    }
    if (up.chain === null) {
      enqueue(up, early);
      ears.hear('client', early, 0, early.length);
    } else {
      up.chain.data(early, reactor.now());
    }
  }

  /** What a fault does to a connection before a byte crosses it. */
  function admit(connection: Connection, moment: 'accepted' | 'dialled', goOn: () => void): void {
    const found = faulty.admission(connection, moment);
    if (found === null) {
      goOn();
      return;
    }
    const decide = (): void => {
      connection.waiting = null;
      if (found.outcome === 'go on') {
        goOn();
        return;
      }
      notify.said(connection, found.outcome === 'swallow' ? 'nothing comes of it' : found.outcome, null);
      if (found.outcome !== 'swallow') {
        end(connection, 'fault', found.outcome === 'reset' ? 'reset both' : 'close both');
      }
    };
    if (found.delay > 0) {
      notify.said(connection, `waits ${Math.round(found.delay / 1e6)} ms`, null);
      connection.waiting = reactor.after(found.delay, decide);
    } else {
      decide();
    }
  }

  function failed(
    connection: Connection,
    greeted: Greeted | null,
    errno: number,
    took: number,
    wanted: string,
  ): void {
    const target = wanted === '' ? `${plan.target.host}:${plan.target.port}` : wanted;
    const answer = greeted?.answer(errno, null) ?? null;
    // Who wants clients to be accepted all the same (Toxiproxy's do) wants them to see an ordinary end.
    const told = answer !== null && answer.length > 0 ? 'refused' : plan.mirrorsRefusal ? 'reset' : 'closed';
    host.tell({ type: 'dial-failed', ...on(connection), target, errno, took, told });
    if (told === 'refused') {
      connection.client?.write(answer!, 0, answer!.length);
      end(connection, 'dial', 'close both');
    } else {
      end(connection, 'dial', told === 'reset' ? 'dial failed' : 'close both');
    }
    if (wanted === '') {
      options.dialled(errno);
    }
  }

  function end(
    connection: Connection,
    how: EndedHow,
    event: 'dial failed' | 'reset both' | 'close both',
  ): void {
    connection.how = how;
    happen(connection, event);
  }

  return {
    get count() {
      return count;
    },
    accepted(stream) {
      const connection = begin(stream);
      if (!greets) {
        admit(connection, 'accepted', () => reach(connection, options.target, ''));
        return clientEvents;
      }
      const one: Coming = { connection, greeter: greeterFor(plan), greeted: null };
      admit(connection, 'accepted', () => {
        coming.set(connection, one);
        greet(one, one.greeter!);
      });
      return greetingEvents;
    },
  };
}
