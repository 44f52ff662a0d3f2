/** Connections beside each other: a short mark for each, and those that do what others did are only counted. */
import type { Item } from './folds.ts';
import type { Glyphs } from './glyphs.ts';
import { clean, type Piece, piece, type Tone } from './text.ts';
import { range } from './times.ts';

interface Member {
  readonly id: string;
  readonly like: string;
  mark: string;
  introduced: boolean;
  folded: boolean;
}

interface Like {
  shown: number;
  /** The first of its kind has ended before others came: they come one after the other. */
  over: boolean;
}

export interface Company {
  /** Said before the connection's first row; empty when there is but one. */
  introduce(id: string): string[];
  mark(id: string | undefined): readonly Piece[];
  /** True when it does what others did, and is counted. */
  takes(item: Item): boolean;
  drawn(kind: string): void;
  ended(id: string): void;
  readonly any: boolean;
  close(): string | null;
}

/** Shown in full: one after the other are alike sooner than those beside each other, which may be about who comes too late. */
const SHOWN_IN_TURN = 2;
const SHOWN_BESIDE = 4;
const MOST = 65_536;
const MOST_KINDS = 20_000;
const TONES: readonly Tone[] = ['magenta', 'blue', 'yellow', 'cyan', 'green'];
const ID = /^([^/]*)\/[^/]*\/(.*)>(.*)#\d+$/;

export function createCompany(glyphs: Glyphs, ascii: boolean, origin: () => number): Company {
  const members = new Map<string, Member>();
  const likes = new Map<string, Like>();
  const kinds = new Set<string>();
  const counted = new Set<string>();
  const nouns = new Map<string, number>();
  let from = 0;
  let to = 0;
  let marks = 0;

  function member(id: string): Member {
    let known = members.get(id);
    if (known === undefined) {
      const parts = ID.exec(id);
      const like = parts === null ? '' : `${parts[1]}>${parts[3]}`;
      let alike = likes.get(like);
      if (alike === undefined) {
        alike = { shown: 0, over: false };
        likes.set(like, alike);
      }
      const folded = alike.shown >= (alike.over ? SHOWN_IN_TURN : SHOWN_BESIDE);
      if (members.size >= MOST) {
        members.delete(members.keys().next().value!);
      }
      known = { id, like, mark: folded ? '' : letters(marks++), introduced: false, folded };
      alike.shown += folded ? 0 : 1;
      members.set(id, known);
    }
    return known;
  }

  function sentence(one: Member): string {
    one.introduced = true;
    const parts = ID.exec(one.id);
    const ends = parts === null ? one.id : `${parts[2]} ${glyphs.to} ${parts[3]}`;
    return `connection ${one.mark}: ${clean(ends, ascii)}`;
  }

  return {
    introduce(id) {
      const one = member(id);
      if (one.introduced || one.folded) {
        return [];
      }
      if (marks < 2) {
        return [];
      }
      return [...members.values()].filter((m) => !m.introduced && !m.folded).map(sentence);
    },
    mark(id) {
      if (id === undefined || marks < 2) {
        return [];
      }
      const { mark } = member(id);
      return mark === '' ? [] : [piece(`${mark} `, TONES[(mark.charCodeAt(0) - 97) % TONES.length]!)];
    },
    takes(item) {
      if (item.connection === undefined) {
        return false;
      }
      const one = member(item.connection);
      if (!one.folded) {
        return false;
      }
      if (!kinds.has(item.kind)) {
        one.folded = false;
        one.mark = letters(marks++);
        return false;
      }
      if (counted.size === 0) {
        from = item.at;
      }
      to = item.at;
      counted.add(one.id);
      // The calls and states of a connection follow from its packets.
      if (item.kind.startsWith('packet|')) {
        nouns.set(item.noun, (nouns.get(item.noun) ?? 0) + 1);
      }
      item.hide();
      return true;
    },
    drawn(kind) {
      if (kinds.size < MOST_KINDS) {
        kinds.add(kind);
      }
    },
    ended(id) {
      likes.get(member(id).like)!.over = true;
    },
    get any() {
      return counted.size > 0;
    },
    close() {
      const many = counted.size;
      if (many === 0) {
        return null;
      }
      const said = [...nouns]
        .map(([noun, n]) =>
          n === many ? noun : `${noun} ${glyphs.times}${n % many === 0 ? n / many : `${n} in all`}`,
        )
        .join('; ');
      counted.clear();
      nouns.clear();
      const when = range(from - origin(), to - origin(), glyphs.to);
      const noun = many === 1 ? 'connection' : 'connections';
      return `${glyphs.times}${many} ${noun} like these${said === '' ? '' : `: ${said}`} (${when})`;
    },
  };
}

/** a … z, aa, ab … */
function letters(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : letters(Math.floor(index / 26) - 1) + last;
}
