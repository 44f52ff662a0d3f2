/** The faults of one tap: which connections they touch, put in and taken out while it runs. */
import type { Reactor, Timer } from '../reactor/reactor.ts';
import { createRandom } from '../session/random.ts';
import type { Side } from '../wire/app/decoder.ts';
import { appliesTo, inWindow } from './applies.ts';
import { createChain } from './chain.ts';
import { type Connection, chainOf, settle } from './connection.ts';
import type { Admission, Fault, PlannedFault } from './fault.ts';
import { faultNamed } from './faults.ts';
import type { Link, Stage } from './stage.ts';

type Way = 'up' | 'down';

interface Standing {
  readonly planned: PlannedFault;
  readonly fault: Fault;
  readonly since: number;
  readonly shared: Record<string, unknown>;
  readonly timers: Timer[];
}

export interface Faulty {
  /** All faults that there are from now on. Those with a `when` are the gate's. */
  set(faults: readonly PlannedFault[]): void;
  /** The connection is new: its links get their stages. */
  begin(connection: Connection): void;
  /** Null: nothing is in its way. */
  admission(connection: Connection, moment: 'accepted' | 'dialled'): Admission | null;
  readonly refuses: boolean;
  /** Whether a fault that waits for a message is meant for this connection. */
  touches(connection: Connection, planned: PlannedFault): boolean;
  /** A message has matched: from here on this fault is on this connection's direction. */
  impose(connection: Connection, planned: PlannedFault, from: Side): void;
  close(): void;
}

export interface FaultyOptions {
  readonly reactor: Reactor;
  readonly seed: number;
  readonly connections: ReadonlySet<Connection>;
  /** The client's address, without its port. */
  clientOf(connection: Connection): string;
  /** Whether clients shall be refused has changed. */
  refusalChanged(): void;
}

export function createFaulty(options: FaultyOptions): Faulty {
  const { reactor, seed, connections } = options;
  let standing: Standing[] = [];
  let refuses = false;
  const began = reactor.now();
  const imposed: Record<string, unknown> = {};

  function applies(one: Standing, connection: Connection, link: string): boolean {
    const roll = createRandom(seed, 'roll', one.planned.name, connection.number, link);
    const at = reactor.now() - one.since;
    const client = one.planned.client === undefined ? '' : options.clientOf(connection);
    return appliesTo(one.planned, { client, connection: connection.number, at }, roll);
  }

  function linkOf(one: Standing, connection: Connection, way: Way): Link {
    return {
      from: way === 'up' ? 'client' : 'server',
      connection: connection.number,
      random: createRandom(seed, one.planned.name, connection.number, way),
      shared: one.shared,
    };
  }

  function put(one: Standing, connection: Connection, way: Way): void {
    const placed = connection.stages?.get(key(one.planned.name, way));
    if (placed !== undefined || one.fault.stream === undefined || !applies(one, connection, way)) {
      return;
    }
    const stage = one.fault.stream(one.planned.attributes, linkOf(one, connection, way));
    keep(connection, key(one.planned.name, way), stage);
    chainOf(connection, way, (sink) => createChain([], sink, () => reactor.now())).insert(stage);
    settle(connection, way);
  }

  function putEverywhere(one: Standing): void {
    for (const connection of [...connections]) {
      for (const way of waysOf(one.planned)) {
        put(one, connection, way);
      }
    }
  }

  function takeOut(one: Standing): void {
    for (const connection of [...connections]) {
      for (const way of ['up', 'down'] as const) {
        const stage = connection.stages?.get(key(one.planned.name, way));
        if (stage !== undefined) {
          connection.stages?.delete(key(one.planned.name, way));
          connection[way].chain?.remove(stage);
          settle(connection, way);
        }
      }
    }
  }

  /** The same fault with other attributes: what it holds goes on under the new ones. */
  function change(before: Standing, after: Standing): void {
    for (const connection of [...connections]) {
      for (const way of ['up', 'down'] as const) {
        const old = connection.stages?.get(key(before.planned.name, way));
        const stays =
          old !== undefined &&
          after.fault.stream !== undefined &&
          waysOf(after.planned).includes(way) &&
          applies(after, connection, way);
        if (stays) {
          const stage: Stage = after.fault.stream!(after.planned.attributes, linkOf(after, connection, way));
          keep(connection, key(after.planned.name, way), stage);
          connection[way].chain?.replace(old, stage);
          settle(connection, way);
        } else if (old !== undefined) {
          connection.stages?.delete(key(before.planned.name, way));
          connection[way].chain?.remove(old);
          settle(connection, way);
        } else if (waysOf(after.planned).includes(way)) {
          put(after, connection, way);
        }
      }
    }
  }

  function begin(planned: PlannedFault, fault: Fault, since: number): Standing {
    const one: Standing = { planned, fault, since, shared: {}, timers: [] };
    const start = planned.at ?? 0;
    if (start > 0) {
      one.timers.push(reactor.after(start, () => started(one)));
    }
    if (planned.lasts !== undefined) {
      one.timers.push(
        reactor.after(start + planned.lasts, () => {
          takeOut(one);
          judgeRefusal();
        }),
      );
    }
    return one;
  }

  function started(one: Standing): void {
    putEverywhere(one);
    judgeRefusal();
  }

  function judgeRefusal(): void {
    const now = standing.some(
      ({ planned, fault, since }) =>
        fault.refuses === true &&
        planned.toxicity >= 1 &&
        planned.client === undefined &&
        planned.connections === undefined &&
        inWindow(planned, reactor.now() - since),
    );
    if (now !== refuses) {
      refuses = now;
      options.refusalChanged();
    }
  }

  return {
    get refuses() {
      return refuses;
    },
    set(faults) {
      const before = new Map(standing.map((one) => [one.planned.name, one]));
      const next: Standing[] = [];
      for (const planned of faults) {
        const fault = faultNamed(planned.fault);
        if (fault === undefined || planned.when !== undefined) {
          continue;
        }
        const old = before.get(planned.name);
        if (old !== undefined && JSON.stringify(old.planned) === JSON.stringify(planned)) {
          next.push(old);
        } else {
          next.push(begin(planned, fault, reactor.now()));
        }
      }
      standing = next;
      for (const one of standing) {
        const old = before.get(one.planned.name);
        if (old === undefined) {
          putEverywhere(one);
        } else if (old !== one) {
          cancel(old);
          change(old, one);
        }
        before.delete(one.planned.name);
      }
      for (const gone of before.values()) {
        cancel(gone);
        takeOut(gone);
      }
      judgeRefusal();
    },
    begin(connection) {
      for (const one of standing) {
        for (const way of waysOf(one.planned)) {
          put(one, connection, way);
        }
      }
    },
    admission(connection, moment) {
      let delay = 0;
      for (const one of standing) {
        const { fault, planned } = one;
        if (fault.admit === undefined || !applies(one, connection, 'admission')) {
          continue;
        }
        const found = fault.admit(planned.attributes, linkOf(one, connection, 'up'), moment);
        delay += found.delay;
        if (found.outcome !== 'go on') {
          return { delay, outcome: found.outcome };
        }
      }
      return delay === 0 ? null : { delay, outcome: 'go on' };
    },
    touches(connection, planned) {
      const fault = faultNamed('noop')!;
      return applies({ planned, fault, since: began, shared: imposed, timers: [] }, connection, 'message');
    },
    impose(connection, planned, from) {
      const fault = faultNamed(planned.fault);
      if (fault?.stream === undefined) {
        return;
      }
      for (const way of planned.stream === 'both'
        ? waysOf(planned)
        : ([from === 'client' ? 'up' : 'down'] as const)) {
        if (!connection.stages?.has(key(planned.name, way))) {
          const link = linkOf({ planned, fault, since: 0, shared: imposed, timers: [] }, connection, way);
          const stage = fault.stream(planned.attributes, link);
          keep(connection, key(planned.name, way), stage);
          chainOf(connection, way, (sink) => createChain([], sink, () => reactor.now())).insert(stage, 1);
        }
      }
    },
    close() {
      for (const one of standing) {
        cancel(one);
      }
      standing = [];
    },
  };
}

function cancel(one: Standing): void {
  for (const timer of one.timers) {
    timer.cancel();
  }
}

function keep(connection: Connection, name: string, stage: Stage): void {
  connection.stages ??= new Map();
  connection.stages.set(name, stage);
}

function key(name: string, way: Way): string {
  return `${way} ${name}`;
}

function waysOf({ stream }: PlannedFault): readonly Way[] {
  return stream === 'both' ? ['up', 'down'] : stream === 'upstream' ? ['up'] : ['down'];
}
