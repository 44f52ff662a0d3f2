/**
 * The tap of a program that is led through us: it has no listener. The real destination is dialled first; when it answers,
 * the program's end of the connection comes as a descriptor. So refused stays refused, for each connection by itself.
 */
import type { Address, Listener, Stream, StreamEvents } from '../reactor/reactor.ts';
import {
  attachClient,
  attachServer,
  type Connection,
  clientEvents,
  createConnection,
  happen,
  serverEvents,
} from './connection.ts';
import { createCrew } from './crew.ts';
import { type Dialling, dial } from './dial.ts';
import { listenTo } from './hearing.ts';
import type { TapHost } from './host.ts';
import type { TapPlan } from './plan.ts';
import type { RunningTap } from './tap.ts';

const LOOPBACK = '127.0.0.1';

export interface LedTap extends RunningTap {
  /** Dials for the program; `done` hears 0 or -errno. */
  dial(id: number, target: Address, done: (result: number) => void): void;
  /** The program's end of it. */
  adopt(id: number, fd: number): void;
  /** The program gave up before its end was handed over. */
  abandon(id: number): void;
  /** What the program listens on now: clients outside reach it there, on loopback. */
  publish(at: readonly { readonly host: string; readonly port: number }[]): void;
}

/** A listener outside that stands for one of the program's. */
interface Published {
  readonly listener: Listener;
}

interface Reached {
  readonly target: Address;
  dialling: Dialling | null;
  server: Stream | null;
  took: number;
}

export function openLedTap(host: TapHost, plan: TapPlan): LedTap {
  const { reactor } = host;
  // Nobody listens, so nobody is refused but by the dial: `refuse` resets what it meets.
  const crew = createCrew(host, plan, () => {});
  const reached = new Map<number, Reached>();
  const address: Address = { kind: 'unix', path: '' };
  let opened = 0;
  crew.faults(plan.faults);

  /** The destination may speak, or go, before the program's end is here: whoever adopts it looks at it again. */
  const early: StreamEvents = {
    readable(stream) {
      if (stream.owner !== null) {
        serverEvents.readable(stream);
      }
    },
    writable: (stream) => serverEvents.writable(stream),
  };

  const published = new Map<string, Published>();

  function open(key: string, inside: string, port: number): void {
    const here: Address = { kind: 'tcp', host: LOOPBACK, port };
    const listener = reactor.listen(
      here,
      { streamWishes: plan.wishes },
      {
        accepted(stream) {
          enter(stream, inside, port);
          return clientEvents;
        },
        paused() {},
        resumed() {},
      },
    );
    if (typeof listener === 'number') {
      stand(
        here,
        'closed',
        `the program listens on port ${port}, and outside it is taken: only the program itself reaches it`,
      );
      return;
    }
    published.set(key, { listener });
    stand(here, 'listening', `the program listens on port ${port}`);
  }

  function stand(listens: Address, state: 'listening' | 'closed', why: string): void {
    host.tell({ type: 'standing', at: host.now(), tap: plan.name, listens, state, why });
  }

  /** Somebody outside wants to talk to the program. */
  function enter(client: Stream, inside: string, port: number): void {
    const connection = begin(client, port);
    if (host.wants.connections) {
      host.tell({ type: 'opened', ...on(connection.number), client: client.remote, entered: client.local });
    }
    const began = reactor.now();
    happen(connection, 'accepted');
    host.enter(plan.name, inside, port, (fd) => {
      const server = fd < 0 ? fd : reactor.adopt(fd, serverEvents);
      if (typeof server === 'number' || !crew.connections.has(connection)) {
        if (typeof server !== 'number') {
          server.reset();
        }
        connection.how = 'dial';
        happen(connection, 'dial failed');
        return;
      }
      attachServer(connection, server);
      if (host.wants.connections) {
        const took = reactor.now() - began;
        host.tell({
          type: 'dialled',
          ...on(connection.number),
          source: server.local,
          target: server.remote,
          took,
        });
      }
      goOn(connection);
    });
  }

  function begin(client: Stream, port: number): Connection {
    opened++;
    const ears = listenTo(crew.hearing, opened, plan.decode, { client: 0, server: port });
    const connection = createConnection(opened, reactor, ears, crew.notify);
    crew.connections.add(connection);
    attachClient(connection, client);
    return connection;
  }

  function on(connection: number): { at: number; tap: string; connection: number } {
    return { at: host.now(), tap: plan.name, connection };
  }

  function goOn(connection: Connection): void {
    crew.rules.begin(connection);
    crew.faulty.begin(connection);
    happen(connection, 'dialled');
    happen(connection, 'client readable');
    // In a turn of its own: a reply that came meanwhile is not as old as its request.
    reactor.soon(() => happen(connection, 'server readable'));
  }

  return {
    plan,
    address,
    get open() {
      return crew.connections.size;
    },
    get opened() {
      return opened;
    },
    get fromClient() {
      return crew.fromClient;
    },
    get fromServer() {
      return crew.fromServer;
    },
    faults: (planned) => crew.faults(planned),
    release: (id, verdict) => crew.release(id, verdict),
    dial(id, target, done) {
      const one: Reached = { target, dialling: null, server: null, took: 0 };
      const began = reactor.now();
      reached.set(id, one);
      one.dialling = dial(
        reactor,
        { addresses: [target], timeout: plan.dialTimeout, wishes: plan.wishes },
        early,
        null,
        (stream, result) => {
          one.dialling = null;
          one.server = stream;
          one.took = reactor.now() - began;
          if (stream === null) {
            reached.delete(id);
            opened++;
            host.tell({
              type: 'dial-failed',
              at: host.now(),
              tap: plan.name,
              connection: opened,
              target: target.kind === 'unix' ? target.path : `${target.host}:${target.port}`,
              errno: result,
              took: one.took,
              told: 'refused',
            });
          }
          done(result);
        },
      );
    },
    adopt(id, fd) {
      const one = reached.get(id);
      const client = reactor.adopt(fd, clientEvents);
      reached.delete(id);
      if (one?.server === undefined || one.server === null || typeof client === 'number') {
        one?.server?.reset();
        return;
      }
      const connection = begin(client, one.target.kind === 'unix' ? 0 : one.target.port);
      attachServer(connection, one.server);
      if (host.wants.connections) {
        const { target, took } = one;
        host.tell({ type: 'opened', ...on(connection.number), client: client.remote, entered: target });
        host.tell({ type: 'dialled', ...on(connection.number), source: one.server.local, target, took });
      }
      happen(connection, 'accepted');
      goOn(connection);
    },
    abandon(id) {
      const one = reached.get(id);
      reached.delete(id);
      one?.dialling?.cancel();
      one?.server?.reset();
    },
    publish(at) {
      const wanted = new Map(at.map(({ host: inside, port }) => [String(port), { inside, port }]));
      for (const [key, { listener }] of published) {
        if (!wanted.has(key)) {
          listener.close();
          published.delete(key);
        }
      }
      for (const [key, { inside, port }] of wanted) {
        if (!published.has(key)) {
          open(key, inside, port);
        }
      }
    },
    close() {
      for (const { listener } of published.values()) {
        listener.close();
      }
      published.clear();
      for (const one of reached.values()) {
        one.dialling?.cancel();
        one.server?.reset();
      }
      reached.clear();
      crew.close();
    },
  };
}
