/** All that the live screen knows at one moment. */
import type { Filter } from '../see/filter/index.ts';
import type { Reading } from '../see/sockets.ts';
import type { Socket } from '../session/socket.ts';
import { type Changes, firstSight, nextSight } from '../view/changes.ts';
import { countsByState } from './cells.ts';
import { type Widths, widthsOf } from './columns.ts';
import type { Ask } from './confirm.ts';
import type { Detail } from './detail.ts';
import type { FilterProblem } from './filter-line.ts';
import { type Sort, sortedPositions } from './order.ts';
import type { Pace } from './pace.ts';
import type { Typed } from './typing.ts';
import { place, type Window } from './window.ts';

export interface Table {
  /** Present rows, then those that vanished a moment ago. */
  list: readonly Socket[];
  order: Uint32Array;
  changes: Changes;
  counts: ReadonlyMap<string, number>;
  total: number;
  widths: Widths;
  notes: readonly string[];
}

export interface FilterState {
  /** The text in force: the last one that made sense. */
  text: string;
  parsed: Filter | null;
  typed: Typed | null;
  problem: FilterProblem | null;
}

export interface Message {
  text: string;
  bad: boolean;
  until: number;
}

export interface Model {
  columns: number;
  rows: number;
  /** Steady milliseconds; highlights and messages end by it. */
  now: number;
  table: Table;
  sort: Sort;
  window: Window;
  filter: FilterState;
  detail: Detail | null;
  help: boolean;
  ask: Ask | null;
  message: Message | null;
  paused: boolean;
  pace: Pace;
}

/** `before` is null after another filter: then nothing counts as new or gone. */
export function tableOf(reading: Reading, before: Changes | null, sort: Sort, now: number): Table {
  const { sockets, notes } = reading;
  const changes = before === null ? firstSight(sockets) : nextSight(before, sockets, now);
  const list = changes.gone.length === 0 ? sockets : [...sockets, ...changes.gone];
  return {
    list,
    order: sortedPositions(list, sort),
    changes,
    counts: countsByState(sockets),
    total: sockets.length,
    widths: widthsOf(list),
    // One sentence per protocol and address family may say the same.
    notes: [...new Set(notes)],
  };
}

export function socketAt(table: Table, position: number): Socket | null {
  const index = table.order[position];
  return index === undefined ? null : (table.list[index] ?? null);
}

/** The cursor stays on its socket, wherever the socket moved; when that is gone, on its place. */
export function follow(window: Window, cookie: string | null, table: Table, height: number): Window {
  const index = cookie === null ? -1 : table.list.findIndex((socket) => socket.cookie === cookie);
  const position = index < 0 ? window.cursor : table.order.indexOf(index);
  const moved = position - window.cursor;
  // The window moves with the cursor, so that the row stays where the eye is.
  return place({ cursor: position, top: Math.max(0, window.top + moved) }, table.order.length, height);
}
