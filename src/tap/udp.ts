/**
 * A tap for UDP. Clients share one bound socket; each has a flow: a connected socket of its own towards the target, so that replies
 * and ICMP errors find their way back to the right one. A flow ends when nothing has passed for a while, for nothing else ends it.
 */
import type { Address, DatagramEvents, Datagrams, Reactor, Timer } from '../reactor/reactor.ts';
import type { Side } from '../wire/app/decoder.ts';
import { createDatagramChain, type DatagramChain } from './datagram-chain.ts';
import type { Resolved } from './plan.ts';
import type { DatagramStage } from './stage.ts';

/** RFC 4787 section 4.3 wants two minutes of a NAT; on a developer's machine a minute is long. */
export const UDP_IDLE = 60e9;
/** Each costs a descriptor. */
export const MOST_UDP_FLOWS = 1024;

const EMFILE = -24;
const ENFILE = -23;

export type FlowEnd = 'idle' | 'crowded' | 'closed';

/** What passes between one client and the target. */
export interface UdpFlow {
  /** From 1, as connections are counted. */
  readonly number: number;
  readonly client: Address;
  /** Where the client sent to. */
  readonly entered: Address;
  /** The end of ours that the target sees, and the target; null before the first datagram went on. */
  readonly source: Address | null;
  readonly target: Address | null;
  readonly opened: number;
  /** Bytes and datagrams as they came from each side, before any fault. */
  readonly fromClient: number;
  readonly fromServer: number;
  readonly datagramsFromClient: number;
  readonly datagramsFromServer: number;
  /** For whoever is told of the flow; the tap never looks at it. */
  owner: unknown;
}

export interface UdpHooks {
  opened(flow: UdpFlow): void;
  /** Sent on, after all stages: bytes [0, length), borrowed. */
  datagram(flow: UdpFlow, from: Side, bytes: Uint8Array, length: number, at: number): void;
  ended(flow: UdpFlow, how: FlowEnd): void;
  /** The target's machine, or one on the way, said by ICMP that nobody takes this (ECONNREFUSED, EHOSTUNREACH): -errno. */
  refused(flow: UdpFlow, errno: number): void;
  /** It could not be sent on: -errno. UDP's way of back-pressure is to lose it. */
  lost(flow: UdpFlow, from: Side, errno: number): void;
  /** A stage did something. */
  said(flow: UdpFlow, from: Side, what: string): void;
  /** The stages that stand at the beginning, upstream's and downstream's. */
  stages(flow: UdpFlow): { readonly up: readonly DatagramStage[]; readonly down: readonly DatagramStage[] };
}

export interface UdpOptions {
  readonly listen: Address;
  /** Tried in this order, while none of them has ever answered. */
  readonly target: Resolved;
  /** Nanoseconds. */
  readonly idle?: number;
  readonly most?: number;
}

export interface UdpTap {
  readonly address: Address;
  readonly flows: Iterable<UdpFlow>;
  readonly flowCount: number;
  /** A stage at the end of a flow's direction, while it runs. */
  addStage(flow: UdpFlow, from: Side, stage: DatagramStage): void;
  removeStage(flow: UdpFlow, from: Side, stage: DatagramStage): void;
  /** A stage of that direction wants its timer called soon. */
  stir(flow: UdpFlow, from: Side): void;
  close(): void;
}

interface Flow extends UdpFlow {
  source: Address | null;
  target: Address | null;
  upstream: Datagrams | null;
  fromClient: number;
  fromServer: number;
  datagramsFromClient: number;
  datagramsFromServer: number;
  up: DatagramChain | null;
  down: DatagramChain | null;
  upTimer: Timer | null;
  downTimer: Timer | null;
  lastAt: number;
  /** Which of the target's addresses it leads to, and whether that one refused. */
  which: number;
  refusing: boolean;
  over: boolean;
  /** Neighbours in the order of their last datagram. */
  older: Flow | null;
  newer: Flow | null;
}

/** Listens, or says why not (-errno). */
export function createUdpTap(reactor: Reactor, options: UdpOptions, hooks: UdpHooks): UdpTap | number {
  const { target, idle = UDP_IDLE, most = MOST_UDP_FLOWS } = options;
  const flows = new Map<string, Map<number, Flow>>();
  let count = 0;
  let opened = 0;
  let oldest: Flow | null = null;
  let newest: Flow | null = null;
  let sweep: Timer | null = null;
  /** Which address new flows begin with, and whether it has ever answered. */
  let preferred = 0;
  let answered = false;
  let closed = false;

  const listening = reactor.datagrams(options.listen, null, {
    datagram(from, bytes, length) {
      // UNIX datagram sockets have no flows to be told apart; the plan never has them.
      if (closed || from.kind === 'unix') {
        return;
      }
      const flow = flows.get(from.host)?.get(from.port) ?? open(from);
      flow.fromClient += length;
      flow.datagramsFromClient++;
      touch(flow);
      if (flow.up === null) {
        toServer(flow, bytes, length);
      } else {
        flow.up.datagram(bytes.slice(0, length), reactor.now());
      }
    },
    // What a client's machine answers to a reply names no client here, so nobody can be told whose it was.
  });
  if (typeof listening === 'number') {
    return listening;
  }
  const socket: Datagrams = listening;

  function open(client: Address & { readonly host: string; readonly port: number }): Flow {
    if (count >= most && oldest !== null) {
      end(oldest, 'crowded');
    }
    const now = reactor.now();
    const flow: Flow = {
      number: ++opened,
      client,
      entered: socket.address,
      source: null,
      target: null,
      opened: now,
      fromClient: 0,
      fromServer: 0,
      datagramsFromClient: 0,
      datagramsFromServer: 0,
      owner: null,
      upstream: null,
      up: null,
      down: null,
      upTimer: null,
      downTimer: null,
      lastAt: now,
      which: preferred,
      refusing: false,
      over: false,
      older: null,
      newer: null,
    };
    const ofHost = flows.get(client.host) ?? new Map<number, Flow>();
    flows.set(client.host, ofHost.set(client.port, flow));
    count++;
    append(flow);
    sweep ??= reactor.after(idle, sweepIdle);
    hooks.opened(flow);
    const { up, down } = hooks.stages(flow);
    if (up.length > 0) {
      chain(flow, 'client', up);
    }
    if (down.length > 0) {
      chain(flow, 'server', down);
    }
    return flow;
  }

  function eventsOf(flow: Flow): DatagramEvents {
    return {
      datagram(_from, bytes, length) {
        if (flow.over) {
          return;
        }
        answered = true;
        preferred = flow.which;
        flow.refusing = false;
        flow.fromServer += length;
        flow.datagramsFromServer++;
        touch(flow);
        if (flow.down === null) {
          toClient(flow, bytes, length);
        } else {
          flow.down.datagram(bytes.slice(0, length), reactor.now());
        }
      },
      error(errno) {
        if (!flow.over) {
          // It may come in the middle of `send`: the next datagram goes to the next address.
          flow.refusing = true;
          hooks.refused(flow, errno);
        }
      },
    };
  }

  function reach(flow: Flow): Datagrams | number {
    if (flow.upstream !== null && flow.refusing && !answered && target.length > 1) {
      flow.upstream.close();
      flow.upstream = null;
      flow.which = (flow.which + 1) % target.length;
    }
    if (flow.upstream !== null) {
      return flow.upstream;
    }
    flow.refusing = false;
    const to = target[flow.which]!;
    let made = reactor.datagrams(null, to, eventsOf(flow));
    if ((made === EMFILE || made === ENFILE) && oldest !== null && oldest !== flow) {
      end(oldest, 'crowded');
      made = reactor.datagrams(null, to, eventsOf(flow));
    }
    if (typeof made === 'number') {
      // No route, or no such family here: the next datagram tries the next address.
      flow.which = (flow.which + 1) % target.length;
      return made;
    }
    flow.upstream = made;
    flow.source = made.address;
    flow.target = to;
    return made;
  }

  function toServer(flow: Flow, bytes: Uint8Array, length: number): void {
    if (flow.over) {
      return;
    }
    const upstream = reach(flow);
    const sent = typeof upstream === 'number' ? upstream : upstream.send(bytes, 0, length, null);
    if (sent < 0) {
      hooks.lost(flow, 'client', sent);
    } else {
      hooks.datagram(flow, 'client', bytes, length, reactor.now());
    }
  }

  function toClient(flow: Flow, bytes: Uint8Array, length: number): void {
    if (flow.over) {
      return;
    }
    const sent = socket.send(bytes, 0, length, flow.client);
    if (sent < 0) {
      hooks.lost(flow, 'server', sent);
    } else {
      hooks.datagram(flow, 'server', bytes, length, reactor.now());
    }
  }

  function chain(flow: Flow, from: Side, stages: readonly DatagramStage[]): void {
    const onward = from === 'client' ? toServer : toClient;
    const back = from === 'client' ? toClient : toServer;
    const key = from === 'client' ? 'upTimer' : 'downTimer';
    const run = (): void => {
      flow[key] = null;
      (from === 'client' ? flow.up : flow.down)?.timer();
    };
    const made = createDatagramChain(
      stages,
      {
        datagram: (bytes) => onward(flow, bytes, bytes.length),
        answer: (bytes) => back(flow, bytes, bytes.length),
        say: (what) => hooks.said(flow, from, what),
        wake(at) {
          flow[key]?.cancel();
          const wait = at - reactor.now();
          flow[key] =
            flow.over || wait === Number.POSITIVE_INFINITY ? null : reactor.after(Math.max(0, wait), run);
        },
      },
      () => reactor.now(),
    );
    if (from === 'client') {
      flow.up = made;
    } else {
      flow.down = made;
    }
  }

  function append(flow: Flow): void {
    flow.older = newest;
    flow.newer = null;
    if (newest === null) {
      oldest = flow;
    } else {
      newest.newer = flow;
    }
    newest = flow;
  }

  function unlink(flow: Flow): void {
    if (flow.older === null) {
      oldest = flow.newer;
    } else {
      flow.older.newer = flow.newer;
    }
    if (flow.newer === null) {
      newest = flow.older;
    } else {
      flow.newer.older = flow.older;
    }
  }

  function touch(flow: Flow): void {
    flow.lastAt = reactor.now();
    if (flow !== newest) {
      unlink(flow);
      append(flow);
    }
  }

  /** One timer for all flows, since they stand in the order in which they fall idle. */
  function sweepIdle(): void {
    sweep = null;
    const now = reactor.now();
    while (oldest !== null && oldest.lastAt + idle <= now) {
      // What a fault holds back for longer than that is still under way.
      if (held(oldest) > 0) {
        touch(oldest);
      } else {
        end(oldest, 'idle');
      }
    }
    if (oldest !== null && !closed) {
      sweep = reactor.after(oldest.lastAt + idle - now, sweepIdle);
    }
  }

  function held(flow: Flow): number {
    return (flow.up?.held ?? 0) + (flow.down?.held ?? 0);
  }

  function end(flow: Flow, how: FlowEnd): void {
    flow.over = true;
    unlink(flow);
    const { host, port } = flow.client as { host: string; port: number };
    const ofHost = flows.get(host);
    if (ofHost?.delete(port) === true && ofHost.size === 0) {
      flows.delete(host);
    }
    count--;
    flow.upTimer?.cancel();
    flow.downTimer?.cancel();
    flow.upstream?.close();
    flow.upstream = null;
    hooks.ended(flow, how);
  }

  function chainOf(flow: Flow, from: Side): DatagramChain | null {
    return from === 'client' ? flow.up : flow.down;
  }

  return {
    address: socket.address,
    flows: {
      *[Symbol.iterator]() {
        for (let flow = oldest; flow !== null; flow = flow.newer) {
          yield flow;
        }
      },
    },
    get flowCount() {
      return count;
    },
    addStage(flow, from, stage) {
      const there = chainOf(flow as Flow, from);
      if (there === null) {
        chain(flow as Flow, from, [stage]);
      } else {
        there.insert(stage);
      }
    },
    stir(flow, from) {
      reactor.soon(() => chainOf(flow as Flow, from)?.timer());
    },
    removeStage(flow, from, stage) {
      chainOf(flow as Flow, from)?.remove(stage);
    },
    close() {
      if (closed) {
        return;
      }
      closed = true;
      sweep?.cancel();
      while (oldest !== null) {
        end(oldest, 'closed');
      }
      socket.close();
    },
  };
}
