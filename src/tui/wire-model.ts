/** All that the live screen of packets knows at one moment. */
import type { ConnectionRow, MessageRow, PacketRow } from '../view/wire/screen-rows.ts';
import type { DisplayFilter } from '../wire/display/filter.ts';
import type { Message } from './model.ts';
import { Ring } from './ring.ts';
import type { TypedFilter } from './typed-line.ts';
import type { Window } from './window.ts';
import { MESSAGES, PACKETS, payloadOf, type Source, type Totals } from './wire-store.ts';
import { judgeBy } from './wire-subject.ts';

export type View = 'packets' | 'messages';
export type Pane = 'connections' | 'traffic';

export const ORDERS = ['newest', 'busiest', 'largest', 'last heard'] as const;
export type Order = (typeof ORDERS)[number];

/** A window on a ring: its positions count from the ring's very first row. `stick`: it follows what comes. */
export interface Place extends Window {
  stick: boolean;
}

/** Of the source, what the filter and the chosen connection let through. */
export interface Shown {
  packets: Ring<PacketRow>;
  messages: Ring<MessageRow>;
  /** Connections that have at least one row above. */
  ids: Set<number>;
}

export interface OpenPacket {
  kind: 'packet';
  row: PacketRow;
  window: Window;
  folded: ReadonlySet<string>;
}
export interface OpenMessage {
  kind: 'message';
  row: MessageRow;
  scroll: number;
}
export interface OpenFollow {
  kind: 'follow';
  connection: ConnectionRow;
  scroll: number;
  stick: boolean;
  hex: boolean;
}
export type Open = OpenPacket | OpenMessage | OpenFollow;

export interface WireFilter extends TypedFilter {
  parsed: DisplayFilter | null;
}

export interface WireModel {
  columns: number;
  rows: number;
  now: number;
  interfaces: readonly string[];
  /** What the kernel lets through at all. */
  captureWords: string;
  /** The file that is being written, or ''. */
  recording: string;
  source: Source;
  totals: Totals;
  rates: ReadonlyMap<number, number>;
  shown: Shown;
  list: readonly ConnectionRow[];
  order: Order;
  pane: Pane;
  view: View;
  /** Only this connection's packets and messages. */
  only: number | null;
  connections: Window;
  packets: Place;
  messages: Place;
  open: Open | null;
  filter: WireFilter;
  help: boolean;
  helpScroll: number;
  message: Message | null;
  /** What the totals were when the screen was stopped. */
  paused: { packets: number } | null;
}

export function emptyShown(): Shown {
  return { packets: new Ring(PACKETS), messages: new Ring(MESSAGES), ids: new Set() };
}

export function addShown(
  shown: Shown,
  { source, filter, only }: Pick<WireModel, 'source' | 'filter' | 'only'>,
  packets: Iterable<PacketRow>,
  messages: Iterable<MessageRow>,
): void {
  const judge = judgeBy(filter.parsed, source);
  for (const row of packets) {
    if ((only === null || row.connection === only) && judge.packet(row)) {
      shown.packets.push(row);
      shown.ids.add(row.connection);
    }
  }
  for (const row of messages) {
    if ((only === null || row.connection === only) && judge.message(row)) {
      shown.messages.push(row);
      shown.ids.add(row.connection);
    }
  }
  const oldest = source.packets.at(source.packets.first)?.number ?? 0;
  while ((shown.packets.at(shown.packets.first)?.number ?? oldest) < oldest) {
    shown.packets.shift();
  }
}

/** A filter lets a connection through that satisfies it by itself, or of which something is shown. */
export function listOf({ source, filter, only, shown, order, rates }: WireModel): ConnectionRow[] {
  const judge = judgeBy(filter.parsed, source);
  const list = [...source.connections.values()].filter(
    (row) => filter.parsed === null || row.id === only || shown.ids.has(row.id) || judge.connection(row),
  );
  const rate = ({ id }: ConnectionRow): number => rates.get(id) ?? 0;
  switch (order) {
    case 'newest':
      return list.sort((a, b) => b.id - a.id);
    case 'busiest':
      return list.sort((a, b) => rate(b) - rate(a) || b.last - a.last);
    case 'largest':
      return list.sort((a, b) => payloadOf(b) - payloadOf(a) || b.id - a.id);
    case 'last heard':
      return list.sort((a, b) => b.last - a.last || b.id - a.id);
  }
}

export function trafficOf(model: WireModel): Ring<PacketRow> | Ring<MessageRow> {
  return model.view === 'packets' ? model.shown.packets : model.shown.messages;
}

export function placeOf(model: WireModel): Place {
  return model.view === 'packets' ? model.packets : model.messages;
}

export function selectedConnection(model: WireModel): ConnectionRow | null {
  return model.list[model.connections.cursor] ?? null;
}

/** The connection that the cursor is about, in either pane. */
export function connectionAtHand(model: WireModel): ConnectionRow | null {
  if (model.pane === 'connections') {
    return selectedConnection(model);
  }
  const id = trafficOf(model).at(placeOf(model).cursor)?.connection ?? model.only;
  return id === null ? null : (model.source.connections.get(id) ?? null);
}
