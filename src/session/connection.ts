/** What a connection is (docs/decisions/0004): network namespace, protocol, both endpoints, generation; and which end is the client. */
import type { Endpoint, Protocol, Socket, SocketState } from './socket.ts';

export type Side = 'client' | 'server';

/** `tcp/NETNS/CLIENT>SERVER#GENERATION`: client first as decided at first sight, and never renamed afterwards. */
export type ConnectionId = string;

/** How it is known which end is the client, surest first. `self`: one socket connected to itself is both. */
export type How = 'listen' | 'syn' | 'self' | 'guessed';

export interface Tuple {
  readonly netns: number;
  readonly protocol: Protocol;
  readonly local: Endpoint;
  readonly peer: Endpoint;
}

export interface Connection {
  readonly id: ConnectionId;
  readonly key: string;
  /** 1 for the first connection seen with this tuple, then one more for each reuse. */
  readonly generation: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly how: How;
}

export interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly how: How;
}

export type Listening = (netns: number, protocol: Protocol, endpoint: Endpoint) => boolean;

/** A tuple in canonical order: `ends[0]` has the lower port (the lower address when ports are equal). */
interface Placed {
  readonly key: string;
  readonly ends: readonly [Endpoint, Endpoint];
  /** Which of `ends` the tuple's local end is. */
  readonly local: 0 | 1;
}

const MAPPED = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i;

/** IPv4-mapped IPv6 as the IPv4 address it is: a v6 socket that talks IPv4 has a plain v4 socket at its other end. */
export function plainAddress(address: string): string {
  if (!address.startsWith('::f') && !address.startsWith('::F')) {
    return address;
  }
  const match = MAPPED.exec(address);
  if (match === null) {
    return address;
  }
  if (match[1] !== undefined) {
    return match[1];
  }
  const high = Number.parseInt(match[2] ?? '', 16);
  const low = Number.parseInt(match[3] ?? '', 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function plain(endpoint: Endpoint): Endpoint {
  const address = plainAddress(endpoint.address);
  return address === endpoint.address ? endpoint : { address, port: endpoint.port };
}

export function place(tuple: Tuple): Placed {
  const local = plain(tuple.local);
  const peer = plain(tuple.peer);
  const first = local.port === peer.port ? local.address <= peer.address : local.port < peer.port;
  const ends = first ? ([local, peer] as const) : ([peer, local] as const);
  const key = `${tuple.protocol}/${tuple.netns}/${endpointText(ends[0])}|${endpointText(ends[1])}`;
  return { key, ends, local: first ? 0 : 1 };
}

/** The same text whichever end looks. */
export function connectionKey(tuple: Tuple): string {
  return place(tuple).key;
}

export function isSelfConnected({ local, peer }: Pick<Tuple, 'local' | 'peer'>): boolean {
  return local.port === peer.port && plainAddress(local.address) === plainAddress(peer.address);
}

/** Which of two ends (index as in Placed.ends) is the client, and how that is known. */
export function decideClient(
  listens: readonly [boolean, boolean],
  synFrom: 0 | 1 | null,
): { client: 0 | 1; how: How } {
  if (listens[0] !== listens[1]) {
    return { client: listens[0] ? 1 : 0, how: 'listen' };
  }
  if (synFrom !== null) {
    return { client: synFrom, how: 'syn' };
  }
  // The end with the higher port: ephemeral ports are above almost every server's port.
  return { client: 1, how: 'guessed' };
}

/** What a socket's state alone says about who sent the SYN. */
export function synSender(state: SocketState | undefined, end: 0 | 1): 0 | 1 | null {
  if (state === 'SYN-SENT') {
    return end;
  }
  return state === 'SYN-RECV' || state === 'NEW-SYN-RECV' ? (end === 0 ? 1 : 0) : null;
}

/** Answers from a socket table: does anybody there wait for strangers at this endpoint? */
export function listeningIn(sockets: readonly Socket[]): Listening {
  const addresses = new Map<string, Set<string>>();
  for (const socket of sockets) {
    const waits = socket.state === 'LISTEN' || (isDatagram(socket.protocol) && socket.peer.port === 0);
    if (!waits || socket.protocol === 'unix') {
      continue;
    }
    const slot = `${socket.protocol}/${socket.netns}/${socket.local.port}`;
    const known = addresses.get(slot) ?? new Set();
    addresses.set(slot, known);
    known.add(plainAddress(socket.local.address));
    // A v6 listener on any address takes IPv4 as well, unless it said v6 only.
    if (socket.local.address === '::' && socket.v6only !== true) {
      known.add('0.0.0.0');
    }
  }
  return (netns, protocol, { address, port }) => {
    const known = addresses.get(`${protocol}/${netns}/${port}`);
    const any = address.includes(':') ? '::' : '0.0.0.0';
    return known !== undefined && (known.has(address) || known.has(any));
  };
}

function isDatagram(protocol: Protocol): boolean {
  return protocol === 'udp' || protocol === 'udplite';
}

interface Waiting {
  readonly socket: Socket;
  readonly placed: Placed;
}

/**
 * Both ends of every connection within this table, each pair once; `alone` holds the rest in the table's order.
 * UNIX and RAW sockets have no tuple to match and stay alone.
 */
export function joinPairs(sockets: readonly Socket[]): { pairs: Pair[]; alone: Socket[] } {
  const listening = listeningIn(sockets);
  const pairs: Pair[] = [];
  const joined = new Set<Socket>();
  const waiting = new Map<string, Waiting>();
  const join = (one: Waiting, other: Waiting) => {
    const [low, high] = one.placed.local === 0 ? [one, other] : [other, one];
    pairs.push(pairOf(low, high, listening));
    joined.add(low.socket).add(high.socket);
  };
  for (const socket of sockets) {
    const { protocol } = socket;
    if (socket.peer.port === 0 || (protocol !== 'tcp' && !isDatagram(protocol))) {
      continue;
    }
    if (isSelfConnected(socket)) {
      pairs.push({ client: socket, server: socket, how: 'self' });
      joined.add(socket);
      continue;
    }
    const arrived = { socket, placed: place(socket) };
    const { key } = arrived.placed;
    const other = waiting.get(key);
    if (other !== undefined && other.placed.local !== arrived.placed.local) {
      waiting.delete(key);
      join(arrived, other);
    } else if (other === undefined || other.socket.inode === 0) {
      // A dump is not atomic: one end may appear twice, and the row without an inode is the one on its way out or in.
      waiting.set(key, arrived);
    }
  }
  joinAcrossNamespaces(waiting.values(), join);
  return { pairs, alone: sockets.filter((socket) => !joined.has(socket)) };
}

function pairOf(low: Waiting, high: Waiting, listening: Listening): Pair {
  const listens = [low, high].map(({ socket, placed }) =>
    listening(socket.netns, socket.protocol, placed.ends[placed.local]),
  );
  const synFrom = synSender(low.socket.state, 0) ?? synSender(high.socket.state, 1);
  const { client, how } = decideClient([listens[0] === true, listens[1] === true], synFrom);
  return client === 0
    ? { client: low.socket, server: high.socket, how }
    : { client: high.socket, server: low.socket, how };
}

/**
 * The ends of a veth connection live in two namespaces. Private addresses repeat between containers, so only a tuple
 * that exactly two sockets share is joined; a loopback address never leaves its namespace.
 */
function joinAcrossNamespaces(left: Iterable<Waiting>, join: (one: Waiting, other: Waiting) => void): void {
  const ends = [...left].filter(({ socket }) => socket.netns !== 0);
  if (ends.every(({ socket }) => socket.netns === ends[0]?.socket.netns)) {
    return;
  }
  const byTuple = new Map<string, Waiting[]>();
  for (const end of ends) {
    if (end.placed.ends.some(({ address }) => address.startsWith('127.') || address === '::1')) {
      continue;
    }
    const tuple = `${end.socket.protocol}/${end.placed.ends.map(endpointText).join('|')}`;
    const group = byTuple.get(tuple);
    if (group === undefined) {
      byTuple.set(tuple, [end]);
    } else {
      group.push(end);
    }
  }
  for (const [one, other, ...more] of byTuple.values()) {
    if (one !== undefined && other !== undefined && more.length === 0) {
      if (one.placed.local !== other.placed.local) {
        join(one, other);
      }
    }
  }
}
