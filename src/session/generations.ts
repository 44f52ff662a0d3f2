/** Which connection a sight belongs to. Tuples get reused, so a tuple has generations; they are told apart here. */
import {
  type Connection,
  decideClient,
  endpointText,
  isSelfConnected,
  type Listening,
  place,
  type Side,
  synSender,
  type Tuple,
} from './connection.ts';
import type { SocketState } from './socket.ts';

/** One look at a connection, by a packet or a socket row. Sights of one tuple come in the order of `at`. */
export interface Sight {
  readonly at: number;
  readonly tuple: Tuple;
  /** A segment with SYN, sent by the tuple's local end. */
  readonly syn?: { readonly isn: number; readonly ack: boolean };
  /** The local socket's, which stays the same from SYN-RECV to TIME-WAIT. */
  readonly cookie?: string;
  readonly state?: SocketState;
}

export interface Sighted {
  readonly connection: Connection;
  /** Which side the sight's local end is. A self-connected socket counts as the client. */
  readonly side: Side;
}

export interface Generations {
  sight(sight: Sight): Sighted;
  /** Tuples dropped because the bound was reached. */
  forgotten(): number;
}

/** Tuples remembered at once; the one whose last generation began longest ago is forgotten first. */
export const MAX_TUPLES = 262_144;

interface Life {
  readonly connection: Connection;
  readonly client: 0 | 1;
  readonly isn: [number | null, number | null];
  readonly cookie: [string | null, string | null];
  /** When it was first seen past its handshake. */
  openSince: number | null;
}

interface Lives {
  readonly current: Life;
  /** Kept because its TIME-WAIT socket may outlive the birth of the next generation. */
  readonly previous: Life | null;
}

const HANDSHAKE: ReadonlySet<SocketState> = new Set(['SYN-SENT', 'SYN-RECV', 'NEW-SYN-RECV', 'CLOSED']);

export function trackGenerations(listening: Listening, limit = MAX_TUPLES): Generations {
  const tuples = new Map<string, Lives>();
  let forgotten = 0;
  // A forgotten tuple that comes back must not get an id it had before.
  let highestForgotten = 0;

  const begin = (sight: Sight, placed: ReturnType<typeof place>, previous: Life | null): Life => {
    const generation = (previous?.connection.generation ?? highestForgotten) + 1;
    const life = born(sight, placed, generation, listening);
    tuples.delete(placed.key);
    tuples.set(placed.key, { current: life, previous });
    for (const [key, lives] of tuples) {
      if (tuples.size <= limit) {
        break;
      }
      tuples.delete(key);
      forgotten += 1;
      highestForgotten = Math.max(highestForgotten, lives.current.connection.generation);
    }
    return life;
  };

  return {
    sight(sight) {
      const placed = place(sight.tuple);
      const lives = tuples.get(placed.key);
      const life =
        (lives && lifeOf(lives, sight, placed.local)) ?? begin(sight, placed, lives?.current ?? null);
      learn(life, sight, placed.local);
      return { connection: life.connection, side: placed.local === life.client ? 'client' : 'server' };
    },
    forgotten: () => forgotten,
  };
}

/** The life this sight belongs to, or null when it is the first of a new one. */
function lifeOf({ current, previous }: Lives, { at, syn, cookie }: Sight, end: 0 | 1): Life | null {
  if (cookie !== undefined && current.cookie[end] !== cookie) {
    if (previous?.cookie[end] === cookie) {
      return previous;
    }
    if (current.cookie[end] !== null) {
      return null;
    }
  }
  // A SYN-ACK names no life: a server that lost its half-open request answers the same SYN with another ISN.
  if (syn !== undefined && !syn.ack && current.isn[end] !== syn.isn) {
    if (previous?.isn[end] === syn.isn) {
      return previous;
    }
    if (current.isn[end] !== null || (current.openSince !== null && at > current.openSince)) {
      return null;
    }
  }
  return current;
}

function learn(life: Life, { at, syn, cookie, state }: Sight, end: 0 | 1): void {
  if (syn !== undefined && !syn.ack) {
    life.isn[end] ??= syn.isn;
  }
  // A TIME-WAIT row may be the last trace of the generation before, so it teaches nothing about this one.
  if (cookie !== undefined && state !== 'TIME-WAIT') {
    life.cookie[end] ??= cookie;
  }
  if (syn === undefined && (state === undefined || !HANDSHAKE.has(state))) {
    life.openSince ??= at;
  }
}

function born(
  { tuple, syn, state }: Sight,
  { key, ends, local }: ReturnType<typeof place>,
  generation: number,
  listening: Listening,
): Life {
  const other = local === 0 ? 1 : 0;
  const synFrom = syn === undefined ? synSender(state, local) : syn.ack ? other : local;
  const decided = decideClient(
    [listening(tuple.netns, tuple.protocol, ends[0]), listening(tuple.netns, tuple.protocol, ends[1])],
    synFrom,
  );
  const self = isSelfConnected(tuple);
  const side = self ? local : decided.client;
  const client = ends[side];
  const server = ends[side === 0 ? 1 : 0];
  const name = `${tuple.protocol}/${tuple.netns}/${endpointText(client)}>${endpointText(server)}`;
  const how = self ? 'self' : decided.how;
  return {
    connection: { id: `${name}#${generation}`, key, generation, client, server, how },
    client: side,
    isn: [null, null],
    cookie: [null, null],
    openSince: null,
  };
}
