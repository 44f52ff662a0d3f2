/** What a key does on the screen of packets: (model, key) → changes, and what must happen outside the model. */
import type { Vocabulary } from '../wire/display/parse.ts';
import { MOVES } from './keys.ts';
import type { Ring } from './ring.ts';
import { edit, type Typed } from './typing.ts';
import { type Move, move } from './window.ts';
import { frameOf, helpLines, packetLayout, scrolledLines, scrollHeight, tooSmall } from './wire-lines.ts';
import {
  connectionAtHand,
  type OpenFollow,
  type OpenMessage,
  type OpenPacket,
  ORDERS,
  type Pane,
  type Place,
  placeOf,
  selectedConnection,
  trafficOf,
  type View,
  type WireFilter,
  type WireModel,
} from './wire-model.ts';
import { nodesOf } from './wire-packet.ts';
import { readDisplay } from './wire-subject.ts';

export type WireEffect = 'quit' | 'pause' | 'go on' | 'look again' | 'sort';

export interface WirePressed {
  changes?: Partial<WireModel>;
  effect?: WireEffect;
}

const NOTHING: WirePressed = {};
const BACK = ['escape', 'left', 'backspace'];

export function pressWire(model: WireModel, key: string, vocabulary: Vocabulary): WirePressed {
  if (key === 'ctrl-c') {
    return { effect: 'quit' };
  }
  if (tooSmall(model)) {
    return key === 'q' ? { effect: 'quit' } : NOTHING;
  }
  if (model.help) {
    return pressHelp(model, key);
  }
  if (model.filter.typed !== null) {
    return pressTyping(model, key, model.filter.typed, vocabulary);
  }
  switch (key) {
    case 'q':
      return { effect: 'quit' };
    case '?':
      return { changes: { help: true, helpScroll: 0 } };
    case ' ':
      return { effect: model.paused === null ? 'pause' : 'go on' };
  }
  switch (model.open?.kind) {
    case 'packet':
      return pressPacket(model, model.open, key);
    case 'message':
    case 'follow':
      return pressScrolled(model, model.open, key);
    case undefined:
      return pressLists(model, key);
  }
}

function pressHelp(model: WireModel, key: string): WirePressed {
  const way = MOVES[key];
  const all = helpLines(model.columns).length;
  const height = frameOf(model).body;
  if (way === undefined || all <= height) {
    return { changes: { help: false } };
  }
  return { changes: { helpScroll: scrolled(model.helpScroll, way, all, height) } };
}

/** The first line shown, after a move; all of it stays within what there is. */
function scrolled(top: number, way: Move, total: number, height: number): number {
  const page = Math.max(1, height - 1);
  const steps: Record<Move, number> = {
    up: -1,
    down: 1,
    'page-up': -page,
    'page-down': page,
    home: -total,
    end: total,
  };
  return Math.max(0, Math.min(top + steps[way], total - height));
}

function pressLists(model: WireModel, key: string): WirePressed {
  const way = MOVES[key];
  if (way !== undefined) {
    return moved(model, way);
  }
  switch (key) {
    case 'tab':
      return { changes: { pane: model.pane === 'connections' ? 'traffic' : 'connections' } };
    case 'p':
    case 'm': {
      const view: View = key === 'p' ? 'packets' : 'messages';
      return { changes: { view, pane: 'traffic' } };
    }
    case '/':
      return {
        changes: {
          filter: { ...model.filter, typed: { text: model.filter.text, at: model.filter.text.length } },
        },
      };
    case 's':
    case 'S': {
      const step = key === 's' ? 1 : ORDERS.length - 1;
      const order = ORDERS[(ORDERS.indexOf(model.order) + step) % ORDERS.length] ?? model.order;
      return { changes: { order }, effect: 'sort' };
    }
    case 'a':
      return onlyShow(null, model.pane);
    case 'f':
      return follow(model);
    case 'escape':
    case 'left':
      return leave(model);
    case 'enter':
    case 'right':
      return model.pane === 'connections' ? choose(model) : openRow(model, placeOf(model).cursor);
    default:
      return NOTHING;
  }
}

function leave(model: WireModel): WirePressed {
  if (model.only !== null) {
    return onlyShow(null, model.pane);
  }
  return model.filter.text === ''
    ? NOTHING
    : applied(model, { text: '', parsed: null, typed: null, problem: null });
}

function choose(model: WireModel): WirePressed {
  const row = selectedConnection(model);
  return row === null ? NOTHING : onlyShow(row.id, 'traffic');
}

function onlyShow(only: number | null, pane: Pane): WirePressed {
  return { changes: { only, pane }, effect: 'look again' };
}

function moved(model: WireModel, way: Move): WirePressed {
  const { connections, traffic } = frameOf(model);
  if (model.pane === 'connections') {
    return { changes: { connections: move(model.connections, way, model.list.length, connections) } };
  }
  const place = movedPlace(placeOf(model), way, trafficOf(model), traffic);
  return { changes: model.view === 'packets' ? { packets: place } : { messages: place } };
}

export function movedPlace(place: Place, way: Move, rows: Ring<unknown>, height: number): Place {
  const { first, length } = rows;
  const window = move({ cursor: place.cursor - first, top: place.top - first }, way, length, height);
  return { cursor: window.cursor + first, top: window.top + first, stick: window.cursor >= length - 1 };
}

function openRow(model: WireModel, position: number): WirePressed {
  const place: Place = { ...placeOf(model), cursor: position, stick: false };
  if (model.view === 'messages') {
    const row = model.shown.messages.at(position);
    return row === undefined
      ? NOTHING
      : { changes: { messages: place, open: { kind: 'message', row, scroll: 0 } } };
  }
  const row = model.shown.packets.at(position);
  if (row === undefined) {
    return NOTHING;
  }
  const folded = model.open?.kind === 'packet' ? model.open.folded : new Set<string>();
  return {
    changes: { packets: place, open: { kind: 'packet', row, window: { cursor: 0, top: 0 }, folded } },
  };
}

function follow(model: WireModel): WirePressed {
  const { open, source } = model;
  const id = open?.kind === 'packet' || open?.kind === 'message' ? open.row.connection : -1;
  const connection = open === null ? connectionAtHand(model) : (source.connections.get(id) ?? null);
  return connection === null
    ? NOTHING
    : { changes: { open: { kind: 'follow', connection, scroll: 0, stick: true, hex: false } } };
}

function neighbour(model: WireModel, key: string): WirePressed {
  return openRow(model, placeOf(model).cursor + (key === 'n' ? 1 : -1));
}

function pressPacket(model: WireModel, open: OpenPacket, key: string): WirePressed {
  const nodes = nodesOf(open.row, model.source.completed.get(open.row.number) ?? [], open.folded);
  const way = MOVES[key];
  if (way !== undefined) {
    const window = move(open.window, way, nodes.length, packetLayout(model, open).tree);
    return { changes: { open: { ...open, window } } };
  }
  if (BACK.includes(key)) {
    return { changes: { open: null } };
  }
  switch (key) {
    case 'n':
    case 'N':
      return neighbour(model, key);
    case 'f':
      return follow(model);
    case 'enter':
    case 'right': {
      const layer = nodes[open.window.cursor]?.layer ?? '';
      const folded = new Set(open.folded);
      if (!folded.delete(layer)) {
        folded.add(layer);
      }
      const cursor = nodes.findIndex((node) => node.layer === layer);
      const window = move(
        { ...open.window, cursor: cursor + 1 },
        'up',
        cursor + 2,
        packetLayout(model, open).tree,
      );
      return { changes: { open: { ...open, folded, window } } };
    }
    default:
      return NOTHING;
  }
}

function pressScrolled(model: WireModel, open: OpenMessage | OpenFollow, key: string): WirePressed {
  const way = MOVES[key];
  if (way !== undefined) {
    const total = scrolledLines(model, open).length;
    const height = scrollHeight(model, open);
    const top = open.kind === 'follow' && open.stick ? Math.max(0, total - height) : open.scroll;
    const scroll = scrolled(top, way, total, height);
    return open.kind === 'follow'
      ? { changes: { open: { ...open, scroll, stick: scroll >= total - height } } }
      : { changes: { open: { ...open, scroll } } };
  }
  if (BACK.includes(key) || (key === 'enter' && open.kind === 'message')) {
    return { changes: { open: null } };
  }
  if (open.kind === 'follow') {
    return key === 'x' ? { changes: { open: { ...open, hex: !open.hex, stick: true } } } : NOTHING;
  }
  return key === 'n' || key === 'N' ? neighbour(model, key) : key === 'f' ? follow(model) : NOTHING;
}

function applied(model: WireModel, filter: WireFilter): WirePressed {
  const same = filter.text === model.filter.text;
  return same ? { changes: { filter } } : { changes: { filter }, effect: 'look again' };
}

function pressTyping(model: WireModel, key: string, typed: Typed, vocabulary: Vocabulary): WirePressed {
  if (key === 'escape') {
    return applied(model, { text: '', parsed: null, typed: null, problem: null });
  }
  if (key === 'enter') {
    return typedFilter(model, typed, null, vocabulary);
  }
  if (key === 'up' || key === 'down' || key === 'page-up' || key === 'page-down') {
    return moved(model, key);
  }
  const next = edit(typed, key);
  return next === null ? NOTHING : typedFilter(model, next, next, vocabulary);
}

/** What does not parse leaves the last good filter, and its rows, in force. `typed` is null when the line closes. */
function typedFilter(
  model: WireModel,
  { text }: Typed,
  typed: Typed | null,
  vocabulary: Vocabulary,
): WirePressed {
  const read = readDisplay(text, vocabulary);
  if ('problem' in read) {
    return { changes: { filter: { ...model.filter, typed, problem: typed === null ? null : read.problem } } };
  }
  return applied(model, { text: text.trim(), parsed: read.filter, typed, problem: null });
}
