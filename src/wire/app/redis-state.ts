/** What a Redis conversation remembers between calls: where each side is, and what waits for an answer. */
import type { Ask } from './redis-commands.ts';
import { newScan, type Scan } from './redis-scan.ts';

/** Requests of which the name is remembered; those beyond are counted, so that pairing stays right. */
const MAX_NAMED = 65536;
/** Commands within one MULTI that are named in the reply to EXEC. */
export const MAX_QUEUED = 128;

/** A replica's link: first an RDB file, then the commands that change the data (replication.c). */
export type Replication = 'none' | 'awaited' | 'sized' | 'marked' | 'stream';

export interface State {
  readonly client: Scan;
  readonly server: Scan;
  /** Inline commands: no line end before this position. */
  searched: number;
  asks: Ask[];
  /** asks[head] is the oldest that waits. */
  head: number;
  /** Requests beyond MAX_NAMED, younger than all in `asks`. */
  unnamed: number;
  /** Numbers of the next request and of the next reply. */
  asked: number;
  answered: number;
  /** Replies of the oldest request that came already. */
  replies: number;
  /** CLIENT REPLY OFF, and SKIP: the next command gets no reply. */
  mute: boolean;
  muteNext: boolean;
  /** By which word the subscriptions are counted. */
  channels: number;
  patterns: number;
  shards: number;
  monitoring: boolean;
  queued: string[] | null;
  replication: Replication;
  /** Of the RDB file: bytes so far, bytes to come, and the mark that ends one of unknown length. */
  rdbBytes: number;
  rdbLeft: number;
  rdbMark: Uint8Array | null;
}

export function newState(): State {
  return {
    client: newScan(true),
    server: newScan(false),
    searched: 0,
    asks: [],
    head: 0,
    unnamed: 0,
    asked: 0,
    answered: 0,
    replies: 0,
    mute: false,
    muteNext: false,
    channels: 0,
    patterns: 0,
    shards: 0,
    monitoring: false,
    queued: null,
    replication: 'none',
    rdbBytes: 0,
    rdbLeft: 0,
    rdbMark: null,
  };
}

/** The request waits for its answer; its number. */
export function asks(state: State, ask: Ask): number {
  if (state.unnamed > 0 || state.asks.length - state.head >= MAX_NAMED) {
    state.unnamed++;
  } else {
    if (state.head > 1024 && state.head * 2 > state.asks.length) {
      state.asks.splice(0, state.head);
      state.head = 0;
    }
    state.asks.push(ask);
  }
  return state.asked++;
}

/** The oldest request that waits, or null: none, or one whose name was not kept. */
export function oldest(state: State): Ask | null {
  return state.head < state.asks.length ? state.asks[state.head]! : null;
}

/** The oldest request is answered. */
export function answers(state: State): void {
  state.replies = 0;
  if (state.head < state.asks.length) {
    state.head++;
    if (state.head === state.asks.length) {
      state.asks.length = 0;
      state.head = 0;
    }
  } else if (state.unnamed > 0) {
    state.unnamed--;
  }
  state.answered++;
}
