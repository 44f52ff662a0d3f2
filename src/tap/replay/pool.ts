/** All recorded exchanges, found by what the client said: the next one not used yet, then the last one again and again. */
import { createHash } from 'node:crypto';
import { likeness } from './alike.ts';
import type { Exchange } from './exchanges.ts';
import type { Said } from './log.ts';
import type { Conversation } from './recording.ts';

export interface Found {
  readonly conversation: Conversation;
  readonly exchange: Exchange;
  /** Not by its bytes, only by what it means. */
  readonly alike: boolean;
}

interface Entry {
  readonly conversation: Conversation;
  readonly exchange: Exchange;
  used: boolean;
}

/** Exchanges of the same request. All before `start` are used. */
interface Bucket {
  readonly entries: Entry[];
  start: number;
}

export interface Pool {
  /** `own`: the conversation that this client is taken for; its exchanges go before those of others. */
  find(said: Said, bytes: Uint8Array, own: Conversation): Found | null;
  /**
   * Bytes that nobody understands: an exchange that they begin with; `more`: they may yet become one; null: they never will.
   */
  findBytes(bytes: Uint8Array, own: Conversation): Found | 'more' | null;
  /** A client comes that is taken for one who was here before. */
  again(own: Conversation): void;
}

export function createPool(conversations: readonly Conversation[]): Pool {
  const exact = new Map<string, Bucket>();
  const alike = new Map<string, Bucket>();
  const turns: Entry[] = [];
  const all = new Map<Conversation, Entry[]>();
  for (const conversation of conversations) {
    const { log, exchanges } = conversation;
    const entries = exchanges.slice(1).map((exchange) => ({ conversation, exchange, used: false }));
    all.set(conversation, entries);
    for (const entry of entries) {
      const { exchange } = entry;
      if (exchange.said === null) {
        turns.push(entry);
      } else {
        append(exact, keyOf(exchange.said, log.client.subarray(exchange.from, exchange.to)), entry);
        append(alike, likeness(exchange.said), entry);
      }
    }
  }

  function take(entry: Entry, byMeaning: boolean): Found {
    entry.used = true;
    return { conversation: entry.conversation, exchange: entry.exchange, alike: byMeaning };
  }

  return {
    find(said, bytes, own) {
      const same = exact.get(keyOf(said, bytes));
      const chosen = choose(same, own);
      if (chosen !== null) {
        return take(chosen, false);
      }
      const like = choose(alike.get(likeness(said)), own);
      return like === null ? null : take(like, true);
    },
    findBytes(bytes, own) {
      const begun = turns.filter(({ conversation, exchange }) => {
        const recorded = conversation.log.client;
        const length = exchange.to - exchange.from;
        return length <= bytes.length && same(recorded, exchange.from, bytes, length);
      });
      const chosen = choose({ entries: begun, start: 0 }, own);
      if (chosen !== null) {
        return take(chosen, false);
      }
      const possible = turns.some(
        ({ conversation, exchange }) =>
          exchange.to - exchange.from > bytes.length &&
          same(conversation.log.client, exchange.from, bytes, bytes.length),
      );
      return possible ? 'more' : null;
    },
    again(own) {
      for (const entry of all.get(own) ?? []) {
        entry.used = false;
      }
      for (const bucket of [...exact.values(), ...alike.values()]) {
        bucket.start = 0;
      }
    },
  };
}

function append(map: Map<string, Bucket>, key: string, entry: Entry): void {
  const before = map.get(key);
  if (before === undefined) {
    map.set(key, { entries: [entry], start: 0 });
  } else {
    before.entries.push(entry);
  }
}

function choose(bucket: Bucket | undefined, own: Conversation): Entry | null {
  if (bucket === undefined || bucket.entries.length === 0) {
    return null;
  }
  const { entries } = bucket;
  while (entries[bucket.start]?.used === true) {
    bucket.start++;
  }
  let free: Entry | null = null;
  for (let i = bucket.start; i < entries.length; i++) {
    const entry = entries[i]!;
    if (!entry.used) {
      if (entry.conversation === own) {
        return entry;
      }
      free ??= entry;
    }
  }
  return free ?? entries.findLast(({ conversation }) => conversation === own) ?? entries.at(-1)!;
}

function keyOf({ heard }: Said, bytes: Uint8Array): string {
  return `${heard.protocol} ${bytes.length} ${createHash('sha256').update(bytes).digest('base64')}`;
}

function same(recorded: Uint8Array, from: number, bytes: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (recorded[from + i] !== bytes[i]) {
      return false;
    }
  }
  return true;
}
