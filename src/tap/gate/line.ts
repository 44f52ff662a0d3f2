/** Requests that wait for their replies, in order: so that a reply we make comes when it is its turn. */
import type { Made } from '../replies/made.ts';
import type { SetRuleParsed } from '../set/set.ts';
import type { Rule } from './rule.ts';

/** Requests beyond it are not told apart any more: the gate opens for good. */
export const LINE_MAX = 65_536;

export interface Entry {
  readonly pair: number | string;
  /** Rules that looked at the request and found it theirs: the reply is none of theirs. */
  met: Rule[] | null;
  /** What its reply is to be changed by. */
  sets: SetRuleParsed[] | null;
  /** The server does not hear of this request: we answer. Null: it does. */
  made: Made | null;
  /** Everything before it in its direction was passed on. */
  ready: boolean;
}

/** Protocols whose replies name their request, so that they may come in any order. */
const NAMED = new Set(['dns', 'jsonrpc', 'gorpc', 'mqtt', 'http2']);

export class Line {
  private entries: Entry[] = [];
  private first = 0;
  /** Those that we answer. */
  own = 0;

  get length(): number {
    return this.entries.length - this.first;
  }

  ask(pair: number | string): Entry {
    const entry: Entry = { pair, met: null, sets: null, made: null, ready: false };
    this.entries.push(entry);
    return entry;
  }

  answerOurselves(entry: Entry, made: Made): void {
    entry.made = made;
    this.own++;
  }

  /** The server answers it after all. */
  leave(entry: Entry): void {
    if (entry.made !== null) {
      entry.made = null;
      this.own--;
    }
  }

  /** The request that a reply of this pair answers. */
  find(pair: number | string): Entry | null {
    const head = this.entries[this.first];
    if (head === undefined || head.pair === pair) {
      return head ?? null;
    }
    for (let i = this.first; i < this.entries.length; i++) {
      if (this.entries[i]!.pair === pair) {
        return this.entries[i]!;
      }
    }
    return null;
  }

  /**
   * A reply was complete. Where replies have no names a dropped request makes the decoder count as the client does, one behind
   * the server; then it is the oldest that is answered.
   */
  answered(pair: number | string, decoder: string): void {
    const found = this.find(pair);
    if (found !== null && found.made === null) {
      this.remove(found);
    } else if (!NAMED.has(decoder)) {
      const oldest = this.entries[this.first];
      if (oldest !== undefined && oldest.made === null) {
        this.remove(oldest);
      }
    }
  }

  remove(entry: Entry): void {
    if (this.entries[this.first] === entry) {
      this.first++;
      if (this.first > 1024 || this.first === this.entries.length) {
        this.entries.splice(0, this.first);
        this.first = 0;
      }
    } else {
      const at = this.entries.indexOf(entry, this.first);
      if (at < 0) {
        return;
      }
      this.entries.splice(at, 1);
    }
    if (entry.made !== null) {
      this.own--;
    }
  }

  /** The one whose turn it is to be answered by us; `anyway`: the server will answer no other. */
  due(decoder: string, anyway: boolean): Entry | null {
    if (this.own === 0) {
      return null;
    }
    for (let i = this.first; i < this.entries.length; i++) {
      const one = this.entries[i]!;
      if (one.made !== null && one.ready) {
        return one;
      }
      if (!anyway && !NAMED.has(decoder)) {
        return null;
      }
    }
    return null;
  }
}
