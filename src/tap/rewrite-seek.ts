/** Finds a regular expression's matches in a stream that comes in pieces, each as soon as it is certain. */
import { Alive } from './rewrite-alive.ts';
import { understand } from './rewrite-nfa.ts';

/** A match of more bytes than this may be missed, and no more than this is ever kept back. */
export const REWRITE_WINDOW = 8192;
/** What a look-behind may see. */
const LOOK_BACK = 256;

export interface Found {
  /** Bytes of no match, each one character. */
  plain(text: string): void;
  match(found: RegExpExecArray): void;
}

/** `more`: the stream goes on. `pause`: what has come is judged as it stands. `end`: it was all. */
export type Moment = 'more' | 'pause' | 'end';

export class Seeker {
  /** Bytes that wait for more. */
  kept = 0;
  private readonly last: RegExp;
  private readonly open: RegExp;
  private readonly alive: Alive | null;
  private readonly lookBack: number;
  private text = '';
  /** Of `text`, what was dealt with and is kept for `^`, `\b` and look-behind. */
  private before = 0;

  constructor(source: string, flags: string) {
    const global = flags.includes('g') ? flags : `${flags}g`;
    const { automaton, open, looksBack } = understand(source, flags);
    this.last = new RegExp(source, global);
    this.open = open === source ? this.last : new RegExp(open, global);
    this.alive = automaton === null ? null : new Alive(automaton);
    this.lookBack = looksBack ? LOOK_BACK : 1;
  }

  feed(piece: string, moment: Moment, found: Found): void {
    this.text = this.text.length === 0 ? piece : this.text + piece;
    const { text } = this;
    const pattern = moment === 'end' ? this.last : this.open;
    let next = this.before;
    let certain = this.certain(next, moment);
    let search = next;
    while (search < certain || (moment === 'end' && search <= text.length)) {
      pattern.lastIndex = search;
      const hit = pattern.exec(text);
      if (hit === null || (hit.index >= certain && moment !== 'end')) {
        break;
      }
      if (hit.index > next) {
        found.plain(text.slice(next, hit.index));
      }
      found.match(hit);
      next = hit.index + hit[0].length;
      search = hit[0].length === 0 ? next + 1 : next;
      if (search > certain) {
        certain = this.certain(search, moment);
      }
    }
    const upTo = Math.max(next, Math.min(certain, text.length));
    if (upTo > next) {
      found.plain(text.slice(next, upTo));
    }
    this.kept = text.length - upTo;
    const from = Math.max(0, upTo - this.lookBack);
    this.text = text.slice(from);
    this.before = upTo - from;
  }

  /** Matches that begin before this place will not change, whatever comes. */
  private certain(from: number, moment: Moment): number {
    const { length } = this.text;
    if (moment !== 'more') {
      return length;
    }
    const window = Math.max(from, length - REWRITE_WINDOW);
    return this.alive === null ? window : this.alive.from(this.text, Math.min(window, length));
  }
}
