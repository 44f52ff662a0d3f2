/** The kernel's side of a program's TCP connections: their states at both ends, as far as both are here, by looking often. */
import { scanOwners } from '../../kernel/owners.ts';
import { closeSockDiag, openSockDiag } from '../../kernel/sockdiag.ts';
import { stateOf } from '../../kernel/syscall-states.ts';
import { endpointText, type Listening, plainAddress, type Tuple } from '../../session/connection.ts';
import type { StateChange } from '../../session/events.ts';
import type { Generations } from '../../session/generations.ts';
import { type SocketState, TCP_STATES } from '../../session/socket.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import type { TracedEnd } from './traced-call.ts';

/** Connections looked at in one round. */
const MOST = 4096;
/** An end that was never there after so many looks is on another machine. */
const LOOKS = 20;
/** Calls are told in batches, a little after they happened: for so long what they tell is waited for. */
const PATIENCE_NS = 50e6;
/** Reading every program's descriptors may take this share of the time. */
const SHARE = 0.05;

interface Looked {
  readonly tuple: Tuple;
  state: SocketState | null;
  cookie: string;
  looks: number;
  changedAt: number;
  /** When a traced call last told of it. */
  heardAt: number;
  /** Nothing will change any more, unless another connection gets the tuple. */
  done: boolean;
}

export interface Holder {
  readonly pid: number;
  readonly program: string;
}

export interface States {
  /** From now on both directions are looked at. False: too many already. */
  track(tuple: Tuple): boolean;
  /** What a traced call found out about its own end, at the moment it ended. */
  saw(tuple: Tuple, cookie: string, state: SocketState, at: number): StateChange | null;
  /** `last`: no more calls will come, nothing is waited for. */
  sample(at: number, last: boolean): StateChange[];
  /** Who holds the socket with this cookie, where that is known. */
  holder(cookie: string): Holder | null;
  close(): void;
}

export interface StatesOptions {
  readonly host: string;
  readonly generations: Generations;
  readonly now: () => number;
}

function bytesOf(address: string): Uint8Array | null {
  return parseIpv4(address) ?? parseIpv6(address);
}

/** Answers from the socket table of the calling thread's namespace. */
export function listeningHere(): { listening: Listening; close(): void } {
  const diag = openSockDiag();
  return {
    listening(_, protocol, { address, port }) {
      const bytes = protocol === 'tcp' && diag >= 0 ? bytesOf(address) : null;
      return (
        bytes !== null &&
        TCP_STATES[stateOf(diag, bytes, port, new Uint8Array(bytes.length), 0)?.state ?? 0] === 'LISTEN'
      );
    },
    close: () => diag >= 0 && closeSockDiag(diag),
  };
}

export function createStates({ host, generations, now }: StatesOptions): States {
  const diag = openSockDiag();
  const ends = new Map<string, Looked>();
  const holders = new Map<string, Holder>();
  const wanted = new Map<number, string>();
  let nextScan = Number.NEGATIVE_INFINITY;

  function keyOf({ local, peer }: Tuple): string {
    return `${endpointText(local)}>${endpointText(peer)}`;
  }

  function plainTuple(given: Tuple): Tuple {
    const plain = (end: TracedEnd) => ({ address: plainAddress(end.address), port: end.port });
    return { ...given, local: plain(given.local), peer: plain(given.peer) };
  }

  function changed(end: Looked, from: SocketState, to: SocketState, cookie: string, at: number): StateChange {
    end.state = to;
    end.cookie = cookie;
    end.changedAt = at;
    const { connection, side } = generations.sight({ at, tuple: end.tuple, cookie, state: to });
    return {
      type: 'state',
      at,
      host,
      socket: cookie,
      from,
      to,
      source: 'sampled',
      connection: connection.id,
      side,
    };
  }

  function look(end: Looked, at: number): StateChange | null {
    const { local, peer } = end.tuple;
    const [ours, theirs] = [bytesOf(local.address), bytesOf(peer.address)];
    const row = ours === null || theirs === null ? null : stateOf(diag, ours, local.port, theirs, peer.port);
    const before = end.state;
    const cookie = row?.cookie ?? end.cookie;
    // The tuple may be another connection's by now.
    const from =
      row !== null && end.cookie !== '' && row.cookie !== end.cookie ? 'CLOSED' : (before ?? 'CLOSED');
    const to: SocketState = row === null ? 'CLOSED' : (TCP_STATES[row.state] ?? 'UNKNOWN');
    end.looks += 1;
    if ((row === null && before === null) || (before === to && end.cookie === cookie)) {
      return null;
    }
    if (row !== null && row.inode !== 0 && !holders.has(cookie)) {
      wanted.set(row.inode, cookie);
    }
    return changed(end, from, to, cookie, at);
  }

  function scan(): void {
    const began = now();
    if (wanted.size === 0 || began < nextScan) {
      return;
    }
    const owners = scanOwners({ wanted: new Set(wanted.keys()), firstOnly: true });
    for (const [inode, cookie] of wanted) {
      const [first] = owners.ownersOf(inode);
      if (first !== undefined) {
        holders.set(cookie, { pid: first.pid, program: first.name });
      }
    }
    wanted.clear();
    nextScan = now() + (now() - began) / SHARE;
  }

  return {
    track(given) {
      const tuple = plainTuple(given);
      if (diag < 0 || ends.has(keyOf(tuple))) {
        return true;
      }
      for (const [key, end] of ends.size >= MOST ? ends : []) {
        if (end.done) {
          ends.delete(key);
        }
      }
      if (ends.size >= MOST) {
        return false;
      }
      for (const one of [tuple, { ...tuple, local: tuple.peer, peer: tuple.local }]) {
        ends.set(keyOf(one), {
          tuple: one,
          state: null,
          cookie: '',
          looks: 0,
          changedAt: Number.NEGATIVE_INFINITY,
          heardAt: Number.NEGATIVE_INFINITY,
          done: false,
        });
      }
      return true;
    },
    saw(given, cookie, state, at) {
      const end = ends.get(keyOf(plainTuple(given)));
      if (end !== undefined) {
        end.heardAt = now();
      }
      // Calls are told a little later than they happen, and a look of ours may have been first.
      if (
        end === undefined ||
        at < end.changedAt ||
        (end.cookie === cookie && (end.done || end.state === state))
      ) {
        return null;
      }
      for (const key of [
        keyOf(end.tuple),
        keyOf({ ...end.tuple, local: end.tuple.peer, peer: end.tuple.local }),
      ]) {
        const both = ends.get(key);
        if (both?.done) {
          both.done = false;
          both.looks = 0;
        }
      }
      const from = end.cookie === cookie ? (end.state ?? 'CLOSED') : 'CLOSED';
      return changed(end, from, state, cookie, at);
    },
    sample(at, last) {
      const changes: StateChange[] = [];
      for (const end of ends.values()) {
        if (end.done || (!last && at - end.heardAt < PATIENCE_NS)) {
          continue;
        }
        const change = look(end, at);
        if (change !== null) {
          changes.push(change);
        }
        const settled = end.state === 'CLOSED' || end.state === 'TIME-WAIT';
        end.done = settled || (end.state === null && end.looks >= LOOKS);
      }
      scan();
      return changes;
    },
    holder: (cookie) => holders.get(cookie) ?? null,
    close: () => diag >= 0 && closeSockDiag(diag),
  };
}
