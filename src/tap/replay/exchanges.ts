/** A conversation as exchanges: what the client said, and all that the server said to it. */
import type { Side } from '../../wire/app/decoder.ts';
import type { Ending, Log, Said } from './log.ts';

/** Nanoseconds: a server that ends the connection so soon after a reply does so because of it; later, because nobody said anything. */
const CLOSES_WITHIN = 1e9;

export interface Part {
  /** In the server's stream. */
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

export interface Exchange {
  /** Null: bytes that nobody understood, or (the first of all, with no bytes) the server's greeting. */
  readonly said: Said | null;
  /** In the client's stream. */
  readonly from: number;
  readonly to: number;
  /** When the client had said it; of a greeting: when the connection began. */
  readonly at: number;
  readonly replies: Said[];
  readonly parts: Part[];
  /** What the server did straight afterwards. */
  closes: Ending['how'] | null;
}

/** The greeting comes first, and is there even when it is empty. */
export function exchangesOf(log: Log): Exchange[] {
  const exchanges = log.decoded ? byMessage(log) : byTurn(log);
  const last = exchanges.at(-1)!;
  const { ended } = log;
  if (ended?.by === 'server' && ended.at - (last.parts.at(-1)?.at ?? last.at) < CLOSES_WITHIN) {
    last.closes = ended.how;
  }
  return exchanges;
}

function exchange(said: Said | null, from: number, to: number, at: number): Exchange {
  return { said, from, to, at, replies: [], parts: [], closes: null };
}

function byTurn({ chunks, began }: Log): Exchange[] {
  const exchanges = [exchange(null, 0, 0, began)];
  let last: Side = 'server';
  for (const { side, from, to, at } of chunks) {
    const current = exchanges.at(-1)!;
    if (side === 'server') {
      current.parts.push({ from, to, at });
    } else if (last === 'server') {
      exchanges.push(exchange(null, from, to, at));
    } else {
      exchanges[exchanges.length - 1] = exchange(null, current.from, to, at);
    }
    last = side;
  }
  return exchanges;
}

/**
 * A reply belongs to the request that its decoder paired it with; but where the client has said something in between that is
 * no request (a password), it belongs to that. What is paired with nothing comes before the next reply while one is awaited,
 * and otherwise after whatever the client said last.
 */
function byMessage(log: Log): Exchange[] {
  const { said, chunks, began, client, server } = log;
  const exchanges = [exchange(null, 0, 0, began)];
  const open = new Map<number | string, { exchange: Exchange; index: number }>();
  let lastNotice = { exchange: exchanges[0]!, index: 0 };
  let waiting: Said[] = [];
  const answer = (owner: Exchange, one: Said): void => {
    owner.replies.push(one);
    owner.parts.push({ from: one.from, to: one.to, at: one.heard.at });
  };
  for (const one of said) {
    const { side, kind, at } = one.heard;
    if (side === 'client') {
      const made = exchange(one, one.from, one.to, at);
      const index = exchanges.push(made) - 1;
      if (kind !== 'request') {
        lastNotice = { exchange: made, index };
      } else if (one.pair !== undefined) {
        open.set(one.pair, { exchange: made, index });
      }
      continue;
    }
    const asked = kind === 'reply' && one.pair !== undefined ? open.get(one.pair) : undefined;
    if (asked === undefined && open.size > 0) {
      waiting.push(one);
      continue;
    }
    if (asked !== undefined && !one.more) {
      open.delete(one.pair!);
    }
    const owner =
      asked === undefined
        ? exchanges.at(-1)!
        : lastNotice.index > asked.index
          ? lastNotice.exchange
          : asked.exchange;
    for (const earlier of waiting) {
      answer(owner, earlier);
    }
    waiting = [];
    answer(owner, one);
  }
  for (const one of waiting) {
    answer(exchanges.at(-1)!, one);
  }
  unfinished(exchanges, client.length, server.length, chunks.at(-1)?.at ?? began);
  return exchanges;
}

/** Bytes after each side's last message: the connection ended inside one. */
function unfinished(exchanges: Exchange[], client: number, server: number, at: number): void {
  const clientEnd = exchanges.reduce((end, { to }) => Math.max(end, to), 0);
  const serverEnd = exchanges.reduce(
    (end, { parts }) => parts.reduce((most, { to }) => Math.max(most, to), end),
    0,
  );
  if (serverEnd < server) {
    exchanges.at(-1)!.parts.push({ from: serverEnd, to: server, at });
  }
  if (clientEnd < client) {
    exchanges.push(exchange(null, clientEnd, client, at));
  }
}

/** All that the server said in an exchange, in one piece. */
export function replyBytes({ parts }: Exchange, server: Uint8Array): Uint8Array {
  return parts.length === 1
    ? server.subarray(parts[0]!.from, parts[0]!.to)
    : Buffer.concat(parts.map(({ from, to }) => server.subarray(from, to)));
}

/** Nanoseconds from the client's last byte to the server's last; null when nothing was answered. */
export function latencyOf({ parts, at }: Exchange): number | null {
  return parts.length === 0 ? null : Math.max(0, parts.at(-1)!.at - at);
}
