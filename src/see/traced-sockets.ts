/** Which running programs have to do with a filter, and with which of their connections: for those who trace them. */
import { listPids } from '../kernel/owners.ts';
import { processInfo } from '../kernel/proc.ts';
import { connectionKey, isSelfConnected } from '../session/connection.ts';
import type { Endpoint, Owner, Socket } from '../session/socket.ts';
import { evaluate, type Filter } from './filter/index.ts';
import { readSockets } from './sockets.ts';

export interface Concerned {
  /** Connections with an end that matches; both ends, as far as both are here. */
  readonly connected: readonly Socket[];
  /** What waits for strangers and matches. */
  readonly waiting: readonly Socket[];
  /** Who holds them; and who was named, with or without sockets. */
  readonly programs: ReadonlyMap<number, string>;
  /** Of those, what we run inside: each line we write would make it call, and us write. */
  readonly ours: ReadonlyMap<number, string>;
  /** What could not be seen. */
  readonly notes: readonly string[];
}

export function concernedBy(filter: Filter): Concerned {
  const { sockets, notes } = readSockets({ protocols: ['tcp', 'udp'], owners: 'always' });
  const matches = evaluate(filter);
  const chosen = sockets.filter(matches);
  const keys = new Set(chosen.filter(isConnected).map(connectionKey));
  const connected = sockets.filter((socket) => isConnected(socket) && keys.has(connectionKey(socket)));
  const waiting = chosen.filter(waits);
  const programs = new Map<number, string>();
  for (const { owners } of [...connected, ...waiting]) {
    for (const { pid, name } of owners) {
      programs.set(pid, name);
    }
  }
  const named = namedPids(filter);
  const here = named.length === 0 ? new Set<number>() : new Set(listPids());
  for (const pid of named.filter((one) => here.has(one) && !programs.has(one))) {
    programs.set(pid, '');
  }
  const ours = new Map<number, string>();
  for (const pid of [process.pid, ...(processInfo(process.pid)?.parents.map((parent) => parent.pid) ?? [])]) {
    const name = programs.get(pid);
    if (name !== undefined && programs.delete(pid)) {
      ours.set(pid, name);
    }
  }
  return { connected, waiting, programs, ours, notes };
}

function isConnected(socket: Socket): boolean {
  return socket.peer.port !== 0 && !isSelfConnected(socket);
}

function waits({ state, protocol, local, peer }: Socket): boolean {
  return state === 'LISTEN' || (protocol === 'udp' && local.port !== 0 && peer.port === 0);
}

/** Processes that must match by their number; none where other words could let others in. */
export function namedPids(filter: Filter): number[] {
  switch (filter.kind) {
    case 'pid':
      return [filter.pid];
    case 'or':
      return filter.of.flatMap(namedPids);
    default:
      return [];
  }
}

/** Judges connections that are younger than the last look at the table, by what a call tells of them. */
export function judgeOf(
  filter: Filter,
): (ends: {
  readonly protocol: 'tcp' | 'udp';
  readonly local: Endpoint;
  readonly peer: Endpoint;
  readonly owner: Owner;
}) => boolean {
  const matches = evaluate(filter);
  return ({ protocol, local, peer, owner }) => {
    const family = local.address.includes(':') ? 6 : 4;
    const state = peer.port === 0 ? 'LISTEN' : 'ESTABLISHED';
    const row = {
      netns: 0,
      protocol,
      family,
      state,
      recvQueue: 0,
      sendQueue: 0,
      uid: 0,
      inode: 0,
      cookie: '',
    } as const;
    const seen = { ...row, local, peer, owners: [owner] };
    return matches(seen) || (peer.port !== 0 && matches({ ...seen, local: peer, peer: local }));
  };
}
