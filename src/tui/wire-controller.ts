/** Batches, time and keys, folded into the model of the screen of packets. No terminal and no React in here. */
import { SockscopeError } from '../errors.ts';
import type { Batch } from '../view/wire/screen-rows.ts';
import type { Vocabulary } from '../wire/display/parse.ts';
import type { Timing } from './controller.ts';
import type { Ring } from './ring.ts';
import { place } from './window.ts';
import { frameOf } from './wire-lines.ts';
import {
  addShown,
  emptyShown,
  listOf,
  type Place,
  selectedConnection,
  type View,
  type WireModel,
} from './wire-model.ts';
import { pressWire, type WireEffect } from './wire-press.ts';
import { createStore, snapshot } from './wire-store.ts';
import { readDisplay } from './wire-subject.ts';

export interface WireStart {
  readonly interfaces: readonly string[];
  readonly captureWords: string;
  readonly displayWords: string;
  readonly recording: string;
  readonly view: View;
  readonly vocabulary: Vocabulary;
}

export interface WireController {
  model(): WireModel;
  subscribe(listener: () => void): () => void;
  press(key: string): void;
  resize(columns: number, rows: number): void;
  add(batch: Batch): void;
  say(text: string, bad: boolean): void;
  stop(): void;
  /** Resolves when the person wants to leave. */
  quit: Promise<void>;
}

const TICK_MS = 1000;
const MESSAGE_MS = 6000;

export function createWireController(
  start: WireStart,
  timing: Timing,
  size: { columns: number; rows: number },
): WireController {
  const store = createStore();
  const listeners = new Set<() => void>();
  const text = start.displayWords.trim();
  const read = readDisplay(text, start.vocabulary);
  if ('problem' in read) {
    throw new SockscopeError('DISPLAY_FILTER', read.problem.text, `The filter was \`${text}\`.`, 2);
  }
  let model: WireModel = {
    ...size,
    now: timing.now(),
    interfaces: start.interfaces,
    captureWords: start.captureWords,
    recording: start.recording,
    source: store.source,
    totals: store.totals,
    rates: store.rates,
    shown: emptyShown(),
    list: [],
    order: 'newest',
    pane: 'traffic',
    view: start.view,
    only: null,
    connections: { cursor: 0, top: 0 },
    packets: { cursor: 0, top: 0, stick: true },
    messages: { cursor: 0, top: 0, stick: true },
    open: null,
    filter: { text, parsed: read.filter, typed: null, problem: null },
    help: false,
    helpScroll: 0,
    message: null,
    paused: null,
  };
  let ticked = timing.now();
  let cancel: () => void = () => {};
  let finish: () => void = () => {};
  const quit = new Promise<void>((resolve) => {
    finish = resolve;
  });

  /** Everything that follows from the rest: the list of connections, and where the windows are. */
  const settle = (kept: number | null): void => {
    const { connections, traffic } = frameOf(model);
    const list = listOf(model);
    // The top row is a place, not a connection: who has not moved wants to see what comes first.
    const found =
      kept === null || model.connections.cursor === 0 ? -1 : list.findIndex(({ id }) => id === kept);
    const by = found < 0 ? 0 : found - model.connections.cursor;
    const window = { cursor: model.connections.cursor + by, top: Math.max(0, model.connections.top + by) };
    model = {
      ...model,
      list,
      connections: place(window, list.length, connections),
      packets: placed(model.packets, model.shown.packets, traffic),
      messages: placed(model.messages, model.shown.messages, traffic),
    };
  };
  const set = (changes: Partial<WireModel>): void => {
    const kept = selectedConnection(model)?.id ?? null;
    const moved = changes.connections !== undefined;
    model = { ...model, ...changes, now: timing.now() };
    settle(moved ? null : kept);
    for (const listener of listeners) {
      listener();
    }
  };
  const say = (words: string, bad: boolean): void => {
    set({ message: { text: words, bad, until: timing.now() + MESSAGE_MS } });
  };
  const lookAgain = (): void => {
    const shown = emptyShown();
    addShown(shown, model, model.source.packets, model.source.messages);
    const start = { cursor: 0, top: 0, stick: true };
    set({ shown, packets: start, messages: start });
  };
  const tick = (): void => {
    const now = timing.now();
    store.tick(Math.max(1, now - ticked) / 1000);
    ticked = now;
    set({});
    cancel = timing.later(TICK_MS, tick);
  };
  const run = (effect: WireEffect): void => {
    switch (effect) {
      case 'quit':
        finish();
        break;
      case 'pause':
        set({ source: snapshot(store.source), paused: { packets: store.totals.packets } });
        break;
      case 'go on':
        model = { ...model, source: store.source, paused: null };
        lookAgain();
        break;
      case 'look again':
        lookAgain();
        break;
      case 'sort':
        set({ connections: { cursor: 0, top: 0 } });
        break;
    }
  };
  cancel = timing.later(TICK_MS, tick);
  settle(null);

  return {
    quit,
    model: () => model,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    press(key) {
      const { changes, effect } = pressWire(model, key, start.vocabulary);
      if (changes !== undefined) {
        set(changes);
      }
      if (effect !== undefined) {
        run(effect);
      }
    },
    resize(columns, rows) {
      set({ columns, rows });
    },
    add(batch) {
      store.add(batch);
      if (model.paused === null) {
        addShown(model.shown, model, batch.rows, batch.messages);
      }
      set({});
    },
    say,
    stop: () => cancel(),
  };
}

/** Who is at the end stays there; who looks further up keeps the row, as long as it is kept. */
function placed(at: Place, rows: Ring<unknown>, height: number): Place {
  const { first, length } = rows;
  const cursor = at.stick ? length - 1 : at.cursor - first;
  const window = place({ cursor, top: at.stick ? length : at.top - first }, length, height);
  return { cursor: window.cursor + first, top: window.top + first, stick: at.stick };
}
