/** What a memcached conversation remembers between calls. */
import type { Prefix } from './lines-prefix.ts';

/** Requests that wait; the conversation itself forgets them sooner. */
const MAX_WAITING = 65536;

/** A request that waits for its answer. */
export interface Ask {
  readonly pair: number;
  readonly command: string;
  /** How many keys a get asks for. */
  readonly keys: number;
  /** Meta commands: no answer comes in the usual case (flag q). */
  readonly quiet: boolean;
  /** Meta commands: the value is asked for, so that a hit is VA and not HD. */
  readonly value: boolean;
  /** An arithmetic one that makes what is not there, and says so even when it is quiet. */
  readonly creates: boolean;
  /** What tells answers apart that may be left out: the opaque token, and the key when it is asked back. */
  readonly opaque: string | null;
  readonly key: string | null;
}

/** One VALUE of an answer. */
export interface Item {
  readonly key: string;
  readonly flags: string;
  readonly cas: string | null;
  readonly data: Prefix;
}

/** An answer of many lines, so far. */
export interface Gathered {
  bytes: number;
  hits: number;
  readonly items: Item[];
  /** Bytes copied, of all items. */
  kept: number;
  readonly stats: [string, string][];
  /** Lines of a dump, which are counted and not kept. */
  lines: number;
}

/** A line that is followed by a body. */
export interface Head {
  readonly words: readonly string[];
  readonly bytes: number;
  readonly data: Prefix;
}

export interface State {
  client: Head | null;
  server: Head | null;
  clientSearched: number;
  serverSearched: number;
  waiting: Ask[];
  head: number;
  /** How many of those that wait must be answered, and how many of these may be so with HD. */
  loud: number;
  loudMeta: number;
  next: number;
  gathered: Gathered | null;
  watching: boolean;
  /** The client has said something; something that is a command of memcached. */
  begun: boolean;
  known: boolean;
  /** The server wants a login (-Y) before anything else. */
  locked: boolean;
}

export function newState(midStream: boolean): State {
  return {
    client: null,
    server: null,
    clientSearched: 0,
    serverSearched: 0,
    waiting: [],
    head: 0,
    loud: 0,
    loudMeta: 0,
    next: 0,
    gathered: null,
    watching: false,
    begun: midStream,
    known: false,
    locked: false,
  };
}

export function newGathered(): Gathered {
  return { bytes: 0, hits: 0, items: [], kept: 0, stats: [], lines: 0 };
}

export function waits(state: State, ask: Ask): void {
  state.waiting.push(ask);
  count(state, ask, 1);
  if (state.waiting.length - state.head > MAX_WAITING) {
    passes(state);
  }
  if (state.head > 1024 && state.head * 2 > state.waiting.length) {
    state.waiting.splice(0, state.head);
    state.head = 0;
  }
}

export function oldest(state: State): Ask | null {
  return state.waiting[state.head] ?? null;
}

/** The oldest waits no longer. */
function passes(state: State): Ask | null {
  const ask = oldest(state);
  if (ask === null) {
    state.waiting.length = 0;
    state.head = 0;
    return null;
  }
  state.head++;
  count(state, ask, -1);
  return ask;
}

function count(state: State, { quiet, command }: Ask, change: number): void {
  if (!quiet) {
    state.loud += change;
    state.loudMeta +=
      command === 'ma' || command === 'md' || command === 'ms' || command === 'mg' ? change : 0;
  }
}

/** The request that this answer belongs to; all before it will have none. */
export function answers(state: State, status: string, flags: readonly string[]): Ask | null {
  const louder = (status.endsWith('ERROR') ? state.loud : state.loudMeta) > 0;
  for (;;) {
    const ask = passes(state);
    if (ask === null || !ask.quiet || belongs(ask, status, flags, louder)) {
      return ask;
    }
  }
}

/** With flag q the usual answer is left out; these are what is left (the ends of process_m*_command in proto_text.c). */
const UNUSUAL: Readonly<Record<string, readonly string[]>> = {
  ms: ['NS', 'EX', 'NF'],
  md: ['EX', 'NF'],
  ma: ['NS', 'EX', 'NF'],
};

function belongs(ask: Ask, status: string, flags: readonly string[], louder: boolean): boolean {
  if (status.endsWith('ERROR')) {
    // Any command may fail; one that must be answered is the likelier one.
    return !louder;
  }
  const found = status === (ask.value ? 'VA' : 'HD');
  if (found ? ask.command !== 'mg' && !ask.creates : UNUSUAL[ask.command]?.includes(status) !== true) {
    return false;
  }
  const opaque = flags.find((flag) => flag.startsWith('O'));
  if (opaque !== undefined || ask.opaque !== null) {
    return opaque?.slice(1) === (ask.opaque ?? undefined);
  }
  const key = flags.find((flag) => flag.startsWith('k'));
  if (ask.key === null || key === undefined) {
    // One that made nothing says nothing, and that is the likelier one.
    return !found || !ask.creates || !louder;
  }
  return key.slice(1) === ask.key;
}
