/** Time, readings and keys, folded into the model. No terminal and no React in here: tests drive it with a clock of their own. */
import { SockscopeError } from '../errors.ts';
import { find, lookAgain } from './closeup.ts';
import type { Ask } from './confirm.ts';
import { readFilter } from './filter-line.ts';
import { bodyHeight } from './lines.ts';
import { follow, type Model, socketAt, tableOf } from './model.ts';
import type { Outcome, WatchOptions } from './options.ts';
import { startingSort } from './order.ts';
import { pauseAfter } from './pace.ts';
import { type Effect, press } from './press.ts';
import { place } from './window.ts';

export interface Timing {
  now(): number;
  /** Returns what cancels it. */
  later(milliseconds: number, run: () => void): () => void;
}

export interface Controller {
  model(): Model;
  subscribe(listener: () => void): () => void;
  press(key: string): void;
  resize(columns: number, rows: number): void;
  refresh(): void;
  stop(): void;
  /** Resolves when the person wants to leave. */
  quit: Promise<void>;
}

const USUAL_INTERVAL_MS = 1000;
const MESSAGE_MS = 6000;
/** A reading cheaper than this may follow every key typed into the filter; dearer ones wait for the fingers to rest. */
const CHEAP_MS = 40;
const REST_MS = 150;

function sentence(error: unknown): string {
  if (error instanceof SockscopeError) {
    return `${error.message} ${error.hint}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function startingModel(options: WatchOptions, size: { columns: number; rows: number }, now: number): Model {
  const text = options.filterText?.trim() ?? '';
  const start = readFilter(text);
  if ('problem' in start) {
    throw new SockscopeError('FILTER', `${start.problem.text}.`, `The filter was \`${text}\`.`, 2);
  }
  const sort = startingSort(options.sort);
  return {
    ...size,
    now,
    table: tableOf({ sockets: [], notes: [] }, null, sort, now),
    sort,
    window: { cursor: 0, top: 0 },
    filter: { text, parsed: start.filter, typed: null, problem: null },
    detail: null,
    help: false,
    ask: null,
    message: null,
    paused: false,
    pace: { wantedMs: options.intervalMs ?? USUAL_INTERVAL_MS, tookMs: 0 },
  };
}

export function createController(
  options: WatchOptions,
  timing: Timing,
  size: { columns: number; rows: number },
): Controller {
  const listeners = new Set<() => void>();
  let model = startingModel(options, size, timing.now());
  /** False until a reading under the present filter came: rows of two filters cannot be compared. */
  let comparable = false;
  let stopped = false;
  let cancel: () => void = () => {};
  let finish: () => void = () => {};
  const quit = new Promise<void>((resolve) => {
    finish = resolve;
  });

  const set = (changes: Partial<Model>): void => {
    model = { ...model, ...changes, now: timing.now() };
    for (const listener of listeners) {
      listener();
    }
  };
  const say = (text: string, bad = false): void => {
    set({ message: { text, bad, until: timing.now() + MESSAGE_MS } });
  };
  const schedule = (after: number): void => {
    cancel();
    if (!stopped) {
      cancel = timing.later(after, refresh);
    }
  };

  const take = (): void => {
    const started = timing.now();
    const cookie = socketAt(model.table, model.window.cursor)?.cookie ?? null;
    const reading = options.read(model.filter.parsed, false);
    const table = tableOf(reading, comparable ? model.table.changes : null, model.sort, started);
    // The top row is a place, not a socket: who has not moved wants to see what comes first.
    const kept = comparable && model.window.cursor > 0 ? cookie : null;
    comparable = true;
    model = { ...model, table };
    const window = follow(model.window, kept, table, bodyHeight(model));
    const detail = model.detail === null ? null : lookAgain(options, table, model.detail, started);
    set({ window, detail, pace: { ...model.pace, tookMs: timing.now() - started } });
  };
  const attempt = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      // What a person can read is shown and the last table stays; anything else is a bug and ends the screen.
      if (!(error instanceof SockscopeError)) {
        throw error;
      }
      say(sentence(error), true);
    }
  };
  const refresh = (): void => {
    if (model.paused) {
      set({});
    } else {
      attempt(take);
    }
    schedule(pauseAfter(model.pace));
  };

  const report = async (outcomes: readonly (() => Outcome)[]): Promise<void> => {
    for (const run of outcomes) {
      try {
        say(await run());
      } catch (error) {
        say(sentence(error), true);
      }
    }
    schedule(0);
  };
  /** The question may be minutes old: what it named must still be there and still be the same. */
  const perform = (ask: Ask): void => {
    const now = find(options, model.table, ask.socket);
    const held = new Set(now?.owners.map(({ pid }) => pid));
    const { killProcess, destroy } = options;
    if (now === null || !ask.pids.every((pid) => held.has(pid))) {
      say('Nothing was done: the socket is gone, or another process holds it now.', true);
    } else if (ask.what === 'kill' && killProcess !== undefined) {
      void report(ask.pids.map((pid) => () => killProcess(pid)));
    } else if (ask.what === 'destroy' && destroy !== undefined) {
      void report([() => destroy(now)]);
    }
  };

  const run = (effect: Effect): void => {
    switch (effect.do) {
      case 'quit':
        finish();
        break;
      case 'say':
        say(effect.text, true);
        break;
      case 'perform':
        attempt(() => perform(effect.ask));
        break;
      case 'read':
        comparable &&= !effect.afresh;
        schedule(effect.afresh && model.pace.tookMs > CHEAP_MS ? REST_MS : 0);
        break;
    }
  };

  return {
    quit,
    model: () => model,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    press(key) {
      attempt(() => {
        const { changes, effects = [] } = press({ ...model, now: timing.now() }, key, options);
        set(changes ?? {});
        for (const effect of effects) {
          run(effect);
        }
      });
    },
    resize(columns, rows) {
      model = { ...model, columns, rows };
      set({ window: place(model.window, model.table.order.length, bodyHeight(model)) });
    },
    refresh,
    stop() {
      stopped = true;
      cancel();
    },
  };
}
