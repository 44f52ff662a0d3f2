/** The events of one traced program: its calls with the connections they belong to, the states of those, and what came out in the end. */
import type { Event, SocketState, StateChange, Syscall } from '../../session/events.ts';
import { trackGenerations } from '../../session/generations.ts';
import { createStates, type Holder, listeningHere } from './states.ts';
import type { TracedCall } from './traced-call.ts';

export interface CallTotal {
  readonly name: string;
  readonly calls: number;
  readonly tookNs: number;
  /** By errno. */
  readonly errors: ReadonlyMap<string, number>;
}

export interface ConnectionEnd {
  readonly id: string;
  readonly client: string | null;
  readonly server: string | null;
}

export interface ProgramSummary {
  readonly calls: readonly CallTotal[];
  /** The last state of either end that was seen. */
  readonly connections: readonly ConnectionEnd[];
}

export interface ProgramSession {
  calls(batch: readonly TracedCall[]): Event[];
  /** `last`: when the program has ended. */
  sample(last: boolean): StateChange[];
  /** Whose socket it is: for lines about an end that is not the program's. */
  holder(change: StateChange): Holder | null;
  summary(): ProgramSummary;
  close(): void;
}

export interface ProgramSessionOptions {
  readonly host: string;
  readonly netns: number;
  readonly now: () => number;
}

/** Who connects has sent the SYN: the listener may be gone by the time we look for it. */
const BEGINNINGS: Readonly<Record<string, { readonly state: SocketState }>> = {
  connect: { state: 'SYN-SENT' },
  accept: { state: 'SYN-RECV' },
  accept4: { state: 'SYN-RECV' },
};

const MOST_CONNECTIONS = 65_536;

export function createProgramSession({ host, netns, now }: ProgramSessionOptions): ProgramSession {
  const here = listeningHere();
  const generations = trackGenerations(here.listening);
  const states = createStates({ host, generations, now });
  const totals = new Map<string, { calls: number; tookNs: number; errors: Map<string, number> }>();
  const connections = new Map<string, { client: string | null; server: string | null }>();
  let full = false;

  /** The call, and what it shows of the state of its own end. */
  function eventsOf(call: TracedCall): Event[] {
    const { type, at, took, pid, tid, fd, name, args, result, errno, tuple, socket, state } = call;
    const event: Syscall = {
      type,
      at,
      host,
      took,
      pid,
      tid,
      ...(fd === undefined ? {} : { fd }),
      name,
      args,
      result,
      ...(errno === undefined ? {} : { errno }),
    };
    if (tuple === undefined || tuple.local.port === 0 || tuple.peer.port === 0) {
      return [event];
    }
    const whole = { netns, ...tuple };
    const { connection, side } = generations.sight({
      at,
      tuple: whole,
      ...(socket === undefined || tuple.protocol !== 'tcp' ? {} : { cookie: socket }),
      ...BEGINNINGS[name],
    });
    if (tuple.protocol === 'tcp') {
      full = !states.track(whole) || full;
    }
    remember(connection.id);
    const known = { ...event, connection: connection.id, side };
    if (state === undefined || socket === undefined || took === null) {
      return [known];
    }
    const change = states.saw(whole, socket, state, at + took);
    return change === null ? [known] : [known, noted(change)];
  }

  function noted(change: StateChange): StateChange {
    if (change.connection !== undefined && change.side !== undefined) {
      remember(change.connection)[change.side] = change.to;
    }
    return change;
  }

  function remember(id: string): { client: string | null; server: string | null } {
    let known = connections.get(id);
    if (known === undefined) {
      known = { client: null, server: null };
      if (connections.size < MOST_CONNECTIONS) {
        connections.set(id, known);
      }
    }
    return known;
  }

  function count({ name, took, errno }: TracedCall): void {
    if (took === null) {
      return;
    }
    let total = totals.get(name);
    if (total === undefined) {
      total = { calls: 0, tookNs: 0, errors: new Map() };
      totals.set(name, total);
    }
    total.calls += 1;
    total.tookNs += took;
    if (errno !== undefined) {
      total.errors.set(errno, (total.errors.get(errno) ?? 0) + 1);
    }
  }

  return {
    calls(batch) {
      const wasFull = full;
      const events = batch.flatMap((call) => {
        count(call);
        return eventsOf(call);
      });
      if (full && !wasFull) {
        events.push({
          type: 'lost',
          at: now(),
          source: 'states',
          count: null,
          why: 'too many connections at once: the states of the newest are not looked at',
        });
      }
      return events;
    },
    sample(last) {
      return states.sample(now(), last).map(noted);
    },
    holder: ({ socket }) => (socket === undefined ? null : states.holder(socket)),
    summary: () => ({
      calls: [...totals]
        .map(([name, total]) => ({ name, ...total }))
        .sort((one, other) => other.tookNs - one.tookNs),
      connections: [...connections].map(([id, ends]) => ({ id, ...ends })),
    }),
    close() {
      states.close();
      here.close();
    },
  };
}
