/** What the live screen has been told, within bounds: the newest rows of each kind, and totals of everything. */
import type { Batch, ConnectionRow, MessageRow, PacketRow, Talk } from '../view/wire/screen-rows.ts';
import { Ring } from './ring.ts';

export const PACKETS = 20_000;
/** Of the frames' bytes that are kept with them. */
export const FRAME_BYTES = 16 << 20;
export const MESSAGES = 5_000;
export const CONNECTIONS = 2_000;
/** Of what was said on one connection the newest, and of all connections together. */
export const TALK_BYTES = 64 * 1024;
export const ALL_TALK_BYTES = 16 << 20;
/** Per connection; the same secret counts once. */
export const SECRETS = 256;
/** Seconds of the plot. */
export const HISTORY = 120;
/** Among so many of the oldest connections one that is over goes first. */
const LOOKED_FOR_CLOSED = 64;

export interface Said {
  readonly pieces: readonly Talk[];
  readonly bytes: number;
  /** Said before the first piece, or in between and passed by too fast. */
  readonly earlier: number;
  readonly unheard: number;
}

/** Everything that is shown; while paused, a copy that stands still. */
export interface Source {
  packets: Ring<PacketRow>;
  messages: Ring<MessageRow>;
  connections: Map<number, ConnectionRow>;
  /** The messages that a packet completed, by its number. */
  completed: Map<number, MessageRow[]>;
  said: Map<number, Said>;
  secrets: Map<number, Map<string, Uint8Array>>;
}

export interface Totals {
  packets: number;
  bytes: number;
  lost: number;
  perSecond: number;
  history: readonly number[];
  /** Passed by too fast for a row each. */
  missedRows: number;
  missedMessages: number;
  missedConnections: number;
  forgottenConnections: number;
}

export interface Store {
  readonly source: Source;
  readonly totals: Totals;
  /** connection → bytes of payload per second, over the last tick. */
  readonly rates: ReadonlyMap<number, number>;
  add(batch: Batch): void;
  /** Once a second: `seconds` since the last time. */
  tick(seconds: number): void;
}

export function snapshot(source: Source): Source {
  return {
    packets: source.packets.copy(),
    messages: source.messages.copy(),
    connections: new Map(source.connections),
    completed: new Map(source.completed),
    said: new Map(source.said),
    secrets: source.secrets,
  };
}

export function payloadOf({ ends }: ConnectionRow): number {
  return ends[0].payload + ends[1].payload;
}

export function createStore(): Store {
  const source: Source = {
    packets: new Ring(PACKETS),
    messages: new Ring(MESSAGES),
    connections: new Map(),
    completed: new Map(),
    said: new Map(),
    secrets: new Map(),
  };
  const totals: Totals = {
    packets: 0,
    bytes: 0,
    lost: 0,
    perSecond: 0,
    history: [],
    missedRows: 0,
    missedMessages: 0,
    missedConnections: 0,
    forgottenConnections: 0,
  };
  const rates = new Map<number, number>();
  const before = new Map<number, number>();
  let packetsBefore = 0;
  let frameBytes = 0;
  let talkBytes = 0;

  function addConnection(row: ConnectionRow): void {
    const { connections } = source;
    if (!connections.has(row.id) && connections.size >= CONNECTIONS) {
      forget(leastMissed());
    }
    connections.set(row.id, row);
  }

  function leastMissed(): number {
    let oldest = -1;
    let looked = 0;
    for (const row of source.connections.values()) {
      if (row.how !== null) {
        return row.id;
      }
      oldest = oldest < 0 ? row.id : oldest;
      if (++looked === LOOKED_FOR_CLOSED) {
        break;
      }
    }
    return oldest;
  }

  function forget(id: number): void {
    totals.forgottenConnections++;
    source.connections.delete(id);
    source.secrets.delete(id);
    talkBytes -= source.said.get(id)?.bytes ?? 0;
    source.said.delete(id);
    rates.delete(id);
    before.delete(id);
  }

  function addPacket(row: PacketRow): void {
    frameBytes += row.frame.length;
    frameBytes -= source.packets.push(row)?.frame.length ?? 0;
    while (frameBytes > FRAME_BYTES) {
      frameBytes -= source.packets.shift()?.frame.length ?? frameBytes;
    }
  }

  function addMessage(row: MessageRow): void {
    const over = source.messages.push(row);
    if (over !== undefined) {
      source.completed.delete(over.packet);
    }
    source.completed.set(row.packet, [...(source.completed.get(row.packet) ?? []), row]);
  }

  function addTalk(batch: Batch): void {
    const fresh = new Map<number, Talk[]>();
    for (const piece of batch.talk) {
      const list = fresh.get(piece.connection);
      if (list === undefined) {
        fresh.set(piece.connection, [piece]);
      } else {
        list.push(piece);
      }
    }
    for (const id of batch.unheard.keys()) {
      if (!fresh.has(id)) {
        fresh.set(id, []);
      }
    }
    for (const [id, pieces] of fresh) {
      const old = source.said.get(id);
      const said = shortened({
        pieces: [...(old?.pieces ?? []), ...pieces],
        bytes: (old?.bytes ?? 0) + pieces.reduce((sum, { bytes }) => sum + bytes.length, 0),
        earlier: old?.earlier ?? 0,
        unheard: (old?.unheard ?? 0) + (batch.unheard.get(id) ?? 0),
      });
      talkBytes += said.bytes - (old?.bytes ?? 0);
      // Set anew, so that the order is that of who spoke last.
      source.said.delete(id);
      source.said.set(id, said);
    }
    for (const [id, said] of source.said) {
      if (talkBytes <= ALL_TALK_BYTES) {
        break;
      }
      if (said.bytes > 0) {
        talkBytes -= said.bytes;
        source.said.set(id, { ...said, pieces: [], bytes: 0, earlier: said.earlier + said.bytes });
      }
    }
  }

  function addSecrets({ secrets }: Batch): void {
    for (const { connection, values } of secrets) {
      const known = source.secrets.get(connection) ?? new Map<string, Uint8Array>();
      source.secrets.set(connection, known);
      for (const value of values) {
        known.set(String.fromCharCode(...value.subarray(0, 4096)), value);
        if (known.size > SECRETS) {
          known.delete(known.keys().next().value!);
        }
      }
    }
  }

  return {
    source,
    totals,
    rates,
    add(batch) {
      totals.packets = batch.packets;
      totals.bytes = batch.bytes;
      totals.lost = batch.lost;
      totals.missedRows += batch.missed.rows;
      totals.missedMessages += batch.missed.messages;
      totals.missedConnections += batch.missed.connections;
      batch.connections.forEach(addConnection);
      batch.messages.forEach(addMessage);
      batch.rows.forEach(addPacket);
      addSecrets(batch);
      addTalk(batch);
    },
    tick(seconds) {
      totals.perSecond = (totals.packets - packetsBefore) / seconds;
      totals.history = [...totals.history, totals.perSecond].slice(-HISTORY);
      packetsBefore = totals.packets;
      for (const row of source.connections.values()) {
        const now = payloadOf(row);
        // The first sight of a connection is no second's worth of it.
        rates.set(row.id, Math.max(0, now - (before.get(row.id) ?? 0)) / seconds);
        before.set(row.id, now);
      }
    },
  };
}

/** Within the bound of one connection: the oldest pieces go. */
function shortened(said: Said): Said {
  let { bytes } = said;
  let drop = 0;
  while (bytes > TALK_BYTES && drop < said.pieces.length - 1) {
    bytes -= said.pieces[drop]!.bytes.length;
    drop++;
  }
  return drop === 0
    ? said
    : { ...said, pieces: said.pieces.slice(drop), bytes, earlier: said.earlier + said.bytes - bytes };
}
