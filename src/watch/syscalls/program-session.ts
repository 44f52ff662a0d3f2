/** The events of traced programs: their calls with the connections they belong to, the states and the packets of those, and what came out in the end. */
import type { Tuple } from '../../session/connection.ts';
import type { Event, Lost, SocketState, StateChange, Syscall } from '../../session/events.ts';
import { type Generations, trackGenerations } from '../../session/generations.ts';
import type { Endpoint } from '../../session/socket.ts';
import type { TracedPackets } from '../traced-packets.ts';
import { peersHere } from './peers-here.ts';
import { createStates, type Holder, listeningHere } from './states.ts';
import type { TracedCall, TracedTuple } from './traced-call.ts';

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
  /** What crossed, and calls that were waiting for it. Without a capture there is nothing. `last`: everything up to now. */
  packets(last: boolean): Event[];
  /** A connection that was there before us: its packets and states are told as well. Returns what can be said of it. */
  watch(
    tuple: Omit<Tuple, 'netns'>,
    known: { readonly cookie: string; readonly state: SocketState },
  ): Event[];
  /** An end that strangers speak to. */
  listens(protocol: 'tcp' | 'udp', end: Endpoint): void;
  /** Whose socket it is: for lines about an end that is not the program's. */
  holder(change: StateChange): Holder | null;
  summary(): ProgramSummary;
  close(): void;
}

export interface ProgramSessionOptions {
  readonly host: string;
  readonly netns: number;
  readonly now: () => number;
  /** Absent: there is no capture. */
  readonly packets?: (generations: Generations) => TracedPackets;
}

/** A call whose ends are not all known: the packets that cross meanwhile show them. */
interface Unsure {
  readonly event: Syscall;
  readonly call: TracedCall;
  readonly tuple: Tuple;
  readonly told: number;
}

/** Packets come through a ring, which hands them over when a block is full or some milliseconds are over. */
const UNSURE_NS = 40e6;

/** Who connects has sent the SYN: the listener may be gone by the time we look for it. */
const BEGINNINGS: Readonly<Record<string, { readonly state: SocketState }>> = {
  connect: { state: 'SYN-SENT' },
  accept: { state: 'SYN-RECV' },
  accept4: { state: 'SYN-RECV' },
};

const MOST_CONNECTIONS = 65_536;

/** A refused connect has given its address back; who sends datagrams from any address does not say from which. */
function isUnsure({ local, peer }: TracedTuple): boolean {
  return peer.port !== 0 && (local.port === 0 || local.address === '0.0.0.0' || local.address === '::');
}

export function createProgramSession(options: ProgramSessionOptions): ProgramSession {
  const { host, netns, now } = options;
  const here = listeningHere();
  const generations = trackGenerations(here.listening);
  const states = createStates({ host, generations, now });
  const crossing = options.packets?.(generations) ?? null;
  const peers = peersHere();
  let unsure: Unsure[] = [];
  /** Sockets whose ends the packets have shown. */
  const shown = new Map<string, Tuple>();
  const totals = new Map<string, { calls: number; tookNs: number; errors: Map<string, number> }>();
  const connections = new Map<string, { client: string | null; server: string | null }>();
  let full = false;

  /** The call, and what it shows of the state of its own end. */
  function eventsOf(call: TracedCall): Event[] {
    const { type, at, took, pid, tid, fd, name, args, result, errno, tuple } = call;
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
    if (tuple === undefined) {
      return [event];
    }
    const whole = { netns, ...tuple };
    if (name === 'listen' || (tuple.protocol === 'udp' && tuple.peer.port === 0 && tuple.local.port !== 0)) {
      crossing?.wantAll(tuple.protocol, tuple.local);
    }
    if (crossing !== null && isUnsure(tuple)) {
      unsure.push({ event, call, tuple: whole, told: now() });
      return [];
    }
    return known(event, call, whole);
  }

  function known(event: Syscall, call: TracedCall, tuple: Tuple): Event[] {
    const { at, took, name, socket, state } = call;
    if (tuple.local.port === 0 || tuple.peer.port === 0) {
      return [event];
    }
    const { connection, side } = generations.sight({
      at,
      tuple,
      ...(socket === undefined || tuple.protocol !== 'tcp' ? {} : { cookie: socket }),
      ...BEGINNINGS[name],
    });
    const events: Event[] = [{ ...event, connection: connection.id, side }, ...follow(tuple, side, at)];
    remember(connection.id);
    if (state === undefined || socket === undefined || took === null) {
      return events;
    }
    const change = states.saw(tuple, socket, state, at + took);
    return change === null ? events : [...events, noted(change)];
  }

  /** From now on. Says, once for each side, that the other end is not here. */
  function follow(tuple: Tuple, side: 'client' | 'server', at: number): Lost[] {
    if (tuple.protocol === 'tcp') {
      full = !states.track(tuple) || full;
    }
    crossing?.want(tuple);
    const away = peers.away(tuple.peer, side);
    return away === null ? [] : [{ type: 'lost', at, count: null, ...away }];
  }

  function completed({ at, took, socket = '' }: TracedCall, tuple: Tuple): Tuple | null {
    const before = shown.get(socket);
    if (before !== undefined && tuple.protocol === 'tcp') {
      return before;
    }
    const complete = crossing?.complete(tuple, at, took === null ? Number.POSITIVE_INFINITY : at + took);
    if (complete === undefined || complete === null) {
      return null;
    }
    if (socket !== '' && shown.size < MOST_CONNECTIONS) {
      shown.set(socket, complete);
    }
    return complete;
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
    watch(given, { cookie, state }) {
      const tuple = { netns, ...given };
      const at = now();
      const { connection, side } = generations.sight({ at, tuple, cookie, state });
      remember(connection.id);
      const events: Event[] = follow(tuple, side, at);
      const change = tuple.protocol === 'tcp' ? states.saw(tuple, cookie, state, at) : null;
      return change === null ? events : [...events, noted(change)];
    },
    listens: (protocol, end) => crossing?.wantAll(protocol, end),
    packets(last) {
      if (crossing === null) {
        return [];
      }
      const crossed = last ? crossing.finish() : crossing.read();
      const waited = unsure;
      unsure = [];
      for (const one of waited) {
        const { call, event, tuple, told } = one;
        const complete = completed(call, tuple);
        if (complete === null && !last && now() < told + UNSURE_NS) {
          unsure.push(one);
        } else {
          crossed.push(...known(event, call, complete ?? tuple));
        }
      }
      return waited.length === unsure.length ? crossed : [...crossed, ...crossing.read()];
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
      crossing?.close();
      here.close();
    },
  };
}
