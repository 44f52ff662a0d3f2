/** What a key does: (model, key) → changes, and what must happen outside the model. */
import type { Socket } from '../session/socket.ts';
import { lookClosely } from './closeup.ts';
import { type Ask, askDestroy, askKill } from './confirm.ts';
import type { Detail } from './detail.ts';
import { isUnfinished, readFilter } from './filter-line.ts';
import { MOVES } from './keys.ts';
import { bodyHeight, scrollEnd } from './lines.ts';
import { type FilterState, follow, type Model, socketAt } from './model.ts';
import type { WatchOptions } from './options.ts';
import { SORT_KEYS, type Sort, sortedPositions } from './order.ts';
import { edit, type Typed } from './typing.ts';
import { type Move, move } from './window.ts';

export type Effect =
  | { do: 'quit' }
  | { do: 'say'; text: string }
  | { do: 'perform'; ask: Ask }
  /** `afresh`: under another filter, so that nothing counts as new or gone. */
  | { do: 'read'; afresh: boolean };

export interface Pressed {
  changes?: Partial<Model>;
  effects?: readonly Effect[];
}

const NOTHING: Pressed = {};

export function press(model: Model, key: string, options: WatchOptions): Pressed {
  if (key === 'ctrl-c') {
    return { effects: [{ do: 'quit' }] };
  }
  if (model.ask !== null) {
    const yes = key === 'y' || key === 'Y';
    return { changes: { ask: null }, effects: yes ? [{ do: 'perform', ask: model.ask }] : [] };
  }
  if (model.help) {
    return { changes: { help: false } };
  }
  if (model.filter.typed !== null) {
    return pressTyping(model, key, model.filter.typed);
  }
  const way = MOVES[key];
  if (way !== undefined) {
    return model.detail === null ? moveCursor(model, way) : scroll(model, model.detail, way);
  }
  switch (key) {
    case 'q':
      return { effects: [{ do: 'quit' }] };
    case '?':
      return { changes: { help: true } };
    case 'p':
      return { changes: { paused: !model.paused }, effects: [{ do: 'read', afresh: false }] };
    case 'K':
    case 'x':
      return question(model, key, options);
    default:
      return model.detail === null ? pressTable(model, key, options) : pressDetail(key);
  }
}

function moveCursor(model: Model, way: Move): Pressed {
  return { changes: { window: move(model.window, way, model.table.order.length, bodyHeight(model)) } };
}

function scroll(model: Model, detail: Detail, way: Move): Pressed {
  const end = scrollEnd(model);
  const { top } = move({ cursor: detail.scroll, top: detail.scroll }, way, end + 1, 1);
  const page = Math.max(1, bodyHeight(model) - 1);
  const target = way === 'page-up' ? detail.scroll - page : way === 'page-down' ? detail.scroll + page : top;
  return { changes: { detail: { ...detail, scroll: Math.max(0, Math.min(end, target)) } } };
}

function pressDetail(key: string): Pressed {
  return ['escape', 'left', 'enter', 'backspace'].includes(key) ? { changes: { detail: null } } : NOTHING;
}

function pressTable(model: Model, key: string, options: WatchOptions): Pressed {
  const column = SORT_KEYS[Number(key) - 1];
  if (column !== undefined) {
    return sortBy(model, { key: column, reverse: column === model.sort.key && !model.sort.reverse });
  }
  const { filter, sort } = model;
  switch (key) {
    case 's':
      return sortBy(model, neighbour(sort, 1));
    case 'S':
      return sortBy(model, neighbour(sort, -1));
    case 'r':
      return sortBy(model, { ...sort, reverse: !sort.reverse });
    case '/':
      return { changes: { filter: { ...filter, typed: { text: filter.text, at: filter.text.length } } } };
    case 'escape':
      return filter.text === ''
        ? NOTHING
        : applied(model, { text: '', parsed: null, typed: null, problem: null });
    case 'enter':
    case 'right': {
      const socket = selected(model);
      return socket === null
        ? NOTHING
        : { changes: { detail: lookClosely(options, model.table, socket, model.now) } };
    }
    default:
      return NOTHING;
  }
}

function neighbour({ key }: Sort, step: number): Sort {
  const at = SORT_KEYS.indexOf(key) + step + SORT_KEYS.length;
  return { key: SORT_KEYS[at % SORT_KEYS.length] ?? key, reverse: false };
}

function sortBy(model: Model, sort: Sort): Pressed {
  const table = { ...model.table, order: sortedPositions(model.table.list, sort) };
  if (model.window.cursor === 0) {
    return { changes: { sort, table } };
  }
  const cookie = socketAt(model.table, model.window.cursor)?.cookie ?? null;
  return { changes: { sort, table, window: follow(model.window, cookie, table, bodyHeight(model)) } };
}

function applied(model: Model, filter: FilterState): Pressed {
  const same = filter.text === model.filter.text;
  return { changes: { filter }, effects: same ? [] : [{ do: 'read', afresh: true }] };
}

function pressTyping(model: Model, key: string, typed: Typed): Pressed {
  const { filter } = model;
  if (key === 'escape') {
    return applied(model, { text: '', parsed: null, typed: null, problem: null });
  }
  if (key === 'enter') {
    return typedFilter(model, typed, null);
  }
  if (key === 'up' || key === 'down' || key === 'page-up' || key === 'page-down') {
    return moveCursor(model, key);
  }
  const next = edit(typed, key);
  if (next === null) {
    return NOTHING;
  }
  return isUnfinished(next.text)
    ? { changes: { filter: { ...filter, typed: next, problem: null } } }
    : typedFilter(model, next, next);
}

/** What does not parse leaves the last good filter, and its table, in force. `typed` is null when the line closes. */
function typedFilter(model: Model, { text }: Typed, typed: Typed | null): Pressed {
  const read = readFilter(text);
  if ('problem' in read) {
    const problem = typed === null ? null : read.problem;
    return { changes: { filter: { ...model.filter, typed, problem } } };
  }
  return applied(model, { text: text.trim(), parsed: read.filter, typed, problem: null });
}

function selected(model: Model): Socket | null {
  return model.detail?.socket ?? socketAt(model.table, model.window.cursor);
}

function question(model: Model, key: 'K' | 'x', { killProcess, destroy }: WatchOptions): Pressed {
  const socket = selected(model);
  if (socket === null) {
    return NOTHING;
  }
  if ((key === 'K' ? killProcess : destroy) === undefined) {
    const what = key === 'K' ? 'end processes' : 'destroy connections';
    return { effects: [{ do: 'say', text: `This screen was started without the means to ${what}.` }] };
  }
  const answer = key === 'K' ? askKill(socket, model.table.list) : askDestroy(socket);
  return 'refused' in answer
    ? { effects: [{ do: 'say', text: answer.refused }] }
    : { changes: { ask: answer.ask, message: null } };
}
