/**
 * A regular expression as an automaton on bytes, to answer one question exactly: which of the last bytes could still be the
 * beginning of a match, or of a longer one? What it cannot express (look-around, back-references) makes it null.
 */

/** `a{1000}{1000}` is a million states; beyond this the question is not asked. */
const MAX_STATES = 4000;
const ANY = 1000;

export interface Automaton {
  /** Per state: the bytes it takes (256 flags), or null for a state that only leads on. */
  readonly takes: readonly (Uint8Array | null)[];
  /** Per state: where a taken byte, or nothing, leads. */
  readonly leads: readonly (readonly number[])[];
  readonly start: number;
  readonly accept: number;
  /** The bytes a match can begin with, and whether it may have none. */
  readonly first: Uint8Array;
  /** It has `$`, `\b` or `\B`: whether a match is one depends on the byte behind it. */
  readonly asserts: boolean;
}

export interface Understood {
  readonly automaton: Automaton | null;
  /** The pattern in which `$` (without flag m) never holds: for as long as the stream goes on. */
  readonly open: string;
  /** It looks at what comes before. */
  readonly looksBack: boolean;
}

type Node =
  | { readonly kind: 'bytes'; readonly set: Uint8Array }
  | { readonly kind: 'row'; readonly parts: readonly Node[] }
  | { readonly kind: 'either'; readonly ways: readonly Node[] }
  | { readonly kind: 'times'; readonly what: Node; readonly least: number; readonly most: number };

const NOTHING: Node = { kind: 'row', parts: [] };

/** `source` is a valid pattern: RegExp has taken it. */
export function understand(source: string, flags: string): Understood {
  const reader = new Reader(source, flags);
  const node = reader.either();
  const whole = reader.at === source.length && reader.plain;
  return {
    automaton: whole ? build(node, reader.asserts) : null,
    open: reader.open,
    looksBack: /\(\?<[=!]/.test(source),
  };
}

class Reader {
  at = 0;
  asserts = false;
  /** Nothing was met that an automaton cannot do. */
  plain = true;
  open = '';
  private readonly source: string;
  private readonly flags: string;
  private readonly sets = new Map<string, Uint8Array>();

  constructor(source: string, flags: string) {
    this.source = source;
    this.flags = flags.replace(/[gyd]/g, '');
    this.plain = !/[uv]/.test(flags);
  }

  either(): Node {
    const ways: Node[] = [this.row()];
    while (this.source[this.at] === '|') {
      this.take(1);
      ways.push(this.row());
    }
    return ways.length === 1 ? ways[0]! : { kind: 'either', ways };
  }

  private take(length: number): string {
    const text = this.source.slice(this.at, this.at + length);
    this.at += length;
    this.open += text;
    return text;
  }

  private row(): Node {
    const parts: Node[] = [];
    while (this.at < this.source.length && !/[|)]/.test(this.source[this.at]!)) {
      const atom = this.atom();
      parts.push(this.repeated(atom));
    }
    return { kind: 'row', parts };
  }

  private repeated(atom: Node): Node {
    const found = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(this.source.slice(this.at, this.at + 40));
    if (found === null) {
      return atom;
    }
    this.take(found[0].length);
    const sign = found[0][0];
    if (sign !== '{') {
      return { kind: 'times', what: atom, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : ANY };
    }
    const least = Number(found[1]);
    const most = found[2] === undefined ? least : found[3] === '' ? ANY : Number(found[3]);
    return { kind: 'times', what: atom, least, most };
  }

  private atom(): Node {
    const c = this.source[this.at]!;
    switch (c) {
      case '(':
        return this.group();
      case '[':
        return this.set(this.classLength());
      case '^':
        this.take(1);
        return NOTHING;
      case '$':
        this.at++;
        this.asserts = true;
        this.open += this.flags.includes('m') ? '$' : '(?!)';
        return NOTHING;
      case '\\':
        return this.escape();
      default:
        return this.set(1);
    }
  }

  private group(): Node {
    const head = /^\((?:\?(?:[:=!]|<[=!]|<[^>=!][^>]*>|[a-z-]+:))?/.exec(this.source.slice(this.at))![0];
    if (/^\(\?(?:<?[=!]|[a-z-])/.test(head)) {
      this.plain = false;
    }
    this.take(head.length);
    const inner = this.either();
    this.take(1);
    return inner;
  }

  private classLength(): number {
    let end = this.at + 1;
    while (end < this.source.length && this.source[end] !== ']') {
      end += this.source[end] === '\\' ? 2 : 1;
    }
    return end + 1 - this.at;
  }

  private escape(): Node {
    const rest = this.source.slice(this.at, this.at + 10);
    if (/^\\[bB]/.test(rest)) {
      this.asserts = true;
      this.take(2);
      return NOTHING;
    }
    if (/^\\[1-9k]/.test(rest)) {
      // `\12` may be a back-reference or a character, which depends on how many groups there are.
      this.plain = false;
    }
    return this.set(
      /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[A-Za-z]|0[0-7]{0,2}|.)/s.exec(rest)?.[0].length ?? 1,
    );
  }

  /** The bytes that one atom takes: RegExp itself is asked, so flags and odd escapes mean what they mean there. */
  private set(length: number): Node {
    const atom = this.take(length);
    let set = this.sets.get(atom);
    if (set === undefined) {
      set = new Uint8Array(256);
      let pattern: RegExp | null = null;
      try {
        pattern = new RegExp(`^(?:${atom})$`, this.flags.replace('m', ''));
      } catch {
        this.plain = false;
      }
      for (let byte = 0; byte < 256 && pattern !== null; byte++) {
        set[byte] = pattern.test(String.fromCharCode(byte)) ? 1 : 0;
      }
      this.sets.set(atom, set);
    }
    return { kind: 'bytes', set };
  }
}

function build(node: Node, asserts: boolean): Automaton | null {
  const takes: (Uint8Array | null)[] = [];
  const leads: number[][] = [];
  const state = (set: Uint8Array | null, ...to: number[]): number => {
    takes.push(set);
    leads.push(to);
    return takes.length - 1;
  };
  /** The state to begin `what` in, when `next` comes after it; -1 when it is too large. */
  const add = (what: Node, next: number): number => {
    if (takes.length > MAX_STATES || next < 0) {
      return -1;
    }
    switch (what.kind) {
      case 'bytes':
        return state(what.set, next);
      case 'row':
        return what.parts.reduceRight((after, part) => add(part, after), next);
      case 'either':
        return state(null, ...what.ways.map((way) => add(way, next)));
      case 'times':
        return times(what, next);
    }
  };
  const times = ({ what, least, most }: Extract<Node, { kind: 'times' }>, next: number): number => {
    let after = next;
    if (most >= ANY) {
      const loop = state(null, next);
      leads[loop]!.push(add(what, loop));
      after = loop;
    } else {
      for (let i = least; i < most && after >= 0; i++) {
        after = state(null, next, add(what, after));
      }
    }
    for (let i = 0; i < least && after >= 0; i++) {
      after = add(what, after);
    }
    return after;
  };
  const accept = state(null);
  const start = add(node, accept);
  if (start < 0 || takes.length > MAX_STATES || leads.some((to) => to.some((one) => one < 0))) {
    return null;
  }
  const first = new Uint8Array(256);
  const seen = new Set<number>();
  const open = [start];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (seen.has(one)) {
      continue;
    }
    seen.add(one);
    const set = takes[one]!;
    if (set === null) {
      open.push(...leads[one]!);
      if (one === accept) {
        first.fill(1);
      }
    } else {
      for (let byte = 0; byte < 256; byte++) {
        first[byte]! |= set[byte]!;
      }
    }
  }
  return { takes, leads, start, accept, first, asserts };
}
