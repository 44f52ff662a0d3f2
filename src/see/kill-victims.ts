/** What is told of a process before it is signalled: what it listens on, and who would lose what. Pure. */
import type { Protocol, Socket } from '../session/socket.ts';
import { isListener } from './kill-targets.ts';

export interface ProcessFacts {
  pid: number;
  name: string;
  /** What its file is called: the program that runs, and the name it was started under. */
  files: string[];
  /** The command line, or the name alone where it is not visible. */
  command: string;
  cwd: string | null;
  user: string;
  container: string | null;
  /** Nearest first. */
  parents: { pid: number; name: string }[];
}

/** What a program listens on; for UNIX the path is the address. */
export interface Place {
  protocol: Protocol;
  address: string;
  port: number;
}

export interface Named {
  pid: number;
  name: string;
}

export interface Victim {
  process: ProcessFacts;
  /** The targets that led to it. */
  because: string[];
  listens: Place[];
  /** Connections of its clients that end with it: accepted ones, and those still waiting for accept(). */
  clients: number;
  /** Programs on this machine that hold the other end of these. */
  clientPrograms: Named[];
  /** Its own connections to others. */
  outgoing: number;
  /** The process above it that holds the same listening socket. */
  sharesWith: Named | null;
}

export function ownersOf(sockets: readonly Socket[]): Named[] {
  const found = new Map<number, Named>();
  for (const { owners } of sockets) {
    for (const { pid, name } of owners) {
      found.set(pid, { pid, name });
    }
  }
  return [...found.values()];
}

export function victimOf(
  { process, because }: { process: ProcessFacts; because: string[] },
  sockets: readonly Socket[],
  doomed: ReadonlySet<number>,
): Victim {
  const mine = sockets.filter(({ owners }) => owners.some(({ pid }) => pid === process.pid));
  const listeners = mine.filter(isListener);
  const served = new Set(listeners.map(serviceKey));
  const isServed = (s: Socket): boolean =>
    !isListener(s) && s.state !== 'TIME-WAIT' && served.has(serviceKey(s));
  const endsWith = (s: Socket): boolean => s.owners.every(({ pid }) => doomed.has(pid));
  const accepted = mine.filter((s) => isServed(s) && endsWith(s));
  const waiting = listeners.filter(endsWith).reduce((sum, { accept }) => sum + (accept?.used ?? 0), 0);
  const own = mine.filter(
    (s) =>
      s.protocol !== 'unix' && s.protocol !== 'raw' && !isListener(s) && s.peer.port !== 0 && !isServed(s),
  );
  return {
    process,
    because,
    listens: places(listeners),
    clients: accepted.length + waiting,
    clientPrograms: otherEnds(accepted, sockets).filter(({ pid }) => pid !== process.pid),
    outgoing: own.length,
    sharesWith:
      process.parents.find(({ pid }) => ownersOf(listeners).some((owner) => owner.pid === pid)) ?? null,
  };
}

/** What ties an accepted connection to its listener: the protocol and the port, or a UNIX socket's path. */
function serviceKey({ protocol, local }: Socket): string {
  return protocol === 'unix' ? `unix ${local.address}` : `${protocol} ${local.port}`;
}

function places(listeners: readonly Socket[]): Place[] {
  const found = new Map<string, Place>();
  for (const { protocol, local } of listeners) {
    const port = protocol === 'unix' ? 0 : local.port;
    found.set(`${protocol} ${local.address} ${port}`, { protocol, address: local.address, port });
  }
  return [...found.values()];
}

function otherEnds(accepted: readonly Socket[], sockets: readonly Socket[]): Named[] {
  if (accepted.length === 0) {
    return [];
  }
  const wanted = new Set(accepted.map(({ protocol, local, peer }) => ends(protocol, peer, local)));
  return ownersOf(sockets.filter(({ protocol, local, peer }) => wanted.has(ends(protocol, local, peer))));
}

function ends(protocol: string, local: Socket['local'], peer: Socket['peer']): string {
  const text = ({ address, port }: Socket['local']): string => `${address.replace(/^::ffff:/, '')} ${port}`;
  return protocol === 'unix' ? `unix ${local.port} ${peer.port}` : `${protocol} ${text(local)} ${text(peer)}`;
}

/** A master that outlives its worker would only start another. */
export function parentsFirst(a: Victim, b: Victim): number {
  const above = (v: Victim, other: Victim): boolean =>
    v.process.parents.some(({ pid }) => pid === other.process.pid);
  const depth = a.process.parents.length - b.process.parents.length;
  if (above(a, b)) {
    return 1;
  }
  return above(b, a) ? -1 : depth || a.process.pid - b.process.pid;
}
