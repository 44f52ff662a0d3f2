/** What looks the same again and again is drawn twice, counted, and drawn once more when it is over. */
import type { Glyphs } from './glyphs.ts';
import { range } from './times.ts';

export interface Item {
  readonly at: number;
  /** What it looks like, whichever connection it belongs to: what was never drawn is never folded. */
  readonly kind: string;
  /** Counted together: the kind, with the connection, and with numbers where these make it the same thing again. */
  readonly same: string;
  /** `news` is never counted, only drawn. */
  readonly worth: 'trouble' | 'usual' | 'news';
  /** Of many; '' is not worth a word in the summary. */
  readonly noun: string;
  readonly connection: string | undefined;
  draw(): void;
  /** It is not drawn for now. */
  hide(): void;
}

const SHOWN = { trouble: 2, usual: 6 } as const;
/** So many other things later it is another episode. */
const EPISODE = 14;

interface Count {
  drawn: number;
  seen: number;
}

interface Hidden {
  readonly first: number;
  last: Item;
  before: number;
  count: number;
}

export interface Folds {
  /** True when the item was taken in; false: draw it. */
  takes(item: Item, busy: boolean): boolean;
  drawn(item: Item): void;
  readonly any: boolean;
  /** Ends what is open: the sentence, and what is drawn behind it. */
  close(): { text: string; last: Item[] } | null;
  forget(): void;
}

/** Kinds that are remembered; further ones are drawn as if they were new. */
const MOST = 20_000;

export function createFolds(glyphs: Glyphs, origin: () => number): Folds {
  const counts = new Map<string, Count>();
  const hidden = new Map<string, Hidden>();
  let sequence = 0;

  return {
    get any() {
      return hidden.size > 0;
    },
    takes(item, busy) {
      if (item.worth === 'news') {
        return false;
      }
      const count = counts.get(item.same);
      const needed = busy ? SHOWN.trouble : SHOWN[item.worth];
      if (count === undefined || count.drawn < needed || sequence - count.seen > EPISODE) {
        return false;
      }
      count.seen = sequence;
      const known = hidden.get(item.same);
      if (known === undefined) {
        hidden.set(item.same, { first: item.at, last: item, before: item.at, count: 1 });
      } else {
        known.before = known.last.at;
        known.last = item;
        known.count += 1;
      }
      item.hide();
      return true;
    },
    drawn(item) {
      sequence += 1;
      const count = counts.get(item.same);
      if (count === undefined) {
        if (counts.size >= MOST) {
          counts.clear();
        }
        counts.set(item.same, { drawn: 1, seen: sequence });
        return;
      }
      count.drawn = sequence - count.seen > EPISODE ? 1 : count.drawn + 1;
      count.seen = sequence;
    },
    close() {
      if (hidden.size === 0) {
        return null;
      }
      const all = [...hidden.values()];
      hidden.clear();
      const nouns = new Map<string, number>();
      let from = Number.POSITIVE_INFINITY;
      let to = Number.NEGATIVE_INFINITY;
      for (const { first, last, before, count } of all) {
        if (count > 1 && last.noun !== '') {
          nouns.set(last.noun, (nouns.get(last.noun) ?? 0) + count - 1);
          from = Math.min(from, first);
          to = Math.max(to, before);
        }
      }
      const words = [...nouns].map(([noun, count]) => `${glyphs.times}${count} ${noun}`).join(', ');
      const last = all.map((one) => one.last).sort((a, b) => a.at - b.at);
      return {
        text: words === '' ? '' : `${words}, ${range(from - origin(), to - origin(), glyphs.to)}`,
        last,
      };
    },
    forget() {
      counts.clear();
    },
  };
}
