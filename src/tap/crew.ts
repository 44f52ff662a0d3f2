/** The connections of one tap, and what is done to all of them: counted, told of, ruled, broken, closed. */
import { type Connection, happen, type Notified } from './connection.ts';
import type { Verdict } from './control.ts';
import type { PlannedFault } from './fault.ts';
import { createFaulty, type Faulty } from './faulty.ts';
import type { Hearing } from './hearing.ts';
import type { TapHost } from './host.ts';
import type { TapPlan } from './plan.ts';
import { createRules, type Rules } from './rules.ts';

export interface Crew {
  readonly connections: Set<Connection>;
  readonly hearing: Hearing;
  readonly faulty: Faulty;
  readonly rules: Rules;
  readonly notify: Notified;
  /** Bytes of all connections, those that are over as well. */
  readonly fromClient: number;
  readonly fromServer: number;
  faults(planned: readonly PlannedFault[]): void;
  release(id: number, verdict: Verdict): boolean;
  /** Everything that stands is closed. */
  close(): void;
}

export function createCrew(host: TapHost, plan: TapPlan, refusalChanged: (refuses: boolean) => void): Crew {
  const { reactor } = host;
  const hearing = host.hearingFor(plan.name);
  const connections = new Set<Connection>();
  let fromClient = 0;
  let fromServer = 0;

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

  const faulty = createFaulty({
    reactor,
    seed: host.seed,
    connections,
    clientOf: ({ client }) => (client === null || client.remote.kind === 'unix' ? '' : client.remote.host),
    refusalChanged: () => refusalChanged(faulty.refuses),
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

  return {
    connections,
    hearing,
    faulty,
    rules,
    notify,
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
      faulty.close();
      for (const connection of [...connections]) {
        connection.how = 'tap closed';
        happen(connection, 'close both');
      }
    },
  };
}
