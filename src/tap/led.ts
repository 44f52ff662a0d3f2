/**
 * The tap of a program that is led through us: it has no listener. The real destination is dialled first; when it answers,
 * the program's end of the connection comes as a descriptor. So refused stays refused, for each connection by itself.
 */
import type { Address, Stream, StreamEvents } from '../reactor/reactor.ts';
import {
  attachClient,
  attachServer,
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

export interface LedTap extends RunningTap {
  /** Dials for the program; `done` hears 0 or -errno. */
  dial(id: number, target: Address, done: (result: number) => void): void;
  /** The program's end of it. */
  adopt(id: number, fd: number): void;
  /** The program gave up before its end was handed over. */
  abandon(id: number): void;
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
      opened++;
      const port = one.target.kind === 'unix' ? 0 : one.target.port;
      const ears = listenTo(crew.hearing, opened, plan.decode, { client: 0, server: port });
      const connection = createConnection(opened, reactor, ears, crew.notify);
      const on = { at: host.now(), tap: plan.name, connection: opened };
      crew.connections.add(connection);
      attachClient(connection, client);
      attachServer(connection, one.server);
      if (host.wants.connections) {
        host.tell({ type: 'opened', ...on, client: client.remote, entered: one.target });
        host.tell({
          type: 'dialled',
          ...on,
          source: one.server.local,
          target: one.target,
          took: one.took,
        });
      }
      happen(connection, 'accepted');
      crew.rules.begin(connection);
      crew.faulty.begin(connection);
      happen(connection, 'dialled');
      happen(connection, 'client readable');
      happen(connection, 'server readable');
    },
    abandon(id) {
      const one = reached.get(id);
      reached.delete(id);
      one?.dialling?.cancel();
      one?.server?.reset();
    },
    close() {
      for (const one of reached.values()) {
        one.dialling?.cancel();
        one.server?.reset();
      }
      reached.clear();
      crew.close();
    },
  };
}
