/** A configuration file as a tree of values that know where they stand. YAML, and JSON as a part of it: one reader, one kind of error. */
import type { CST, Document, ParsedNode } from 'yaml';

export interface ValueNode {
  readonly kind: 'value';
  readonly offset: number;
  readonly value: string | number | boolean | null;
  /** As written, without quotes: a port and a name that are all digits are texts as well. */
  readonly text: string;
  /** Where the text's first character stands; the text is copied from there letter by letter when `plain`. */
  readonly textAt: number;
  readonly plain: boolean;
}

export interface ListNode {
  readonly kind: 'list';
  readonly offset: number;
  readonly items: readonly ConfigNode[];
}

export interface Entry {
  readonly key: string;
  readonly offset: number;
  readonly value: ConfigNode;
}

export interface MapNode {
  readonly kind: 'map';
  readonly offset: number;
  readonly entries: readonly Entry[];
}

export type ConfigNode = ValueNode | ListNode | MapNode;

export interface ConfigProblem {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
}

export const MOST_CONFIG_BYTES = 256 * 1024;
const MOST_DEPTH = 64;
/** Counted each time an alias repeats them. */
const MOST_NODES = 50_000;
const MOST_PROBLEMS = 100;

const QUOTE = 'Put quotes around a text that begins with [ { * & ! | > % @ or has ": " or " #" in it.';

export class Problems {
  readonly list: ConfigProblem[] = [];
  readonly #position: (offset: number) => { line: number; col: number };

  constructor(position: (offset: number) => { line: number; col: number }) {
    this.#position = position;
  }

  add(offset: number, message: string, hint: string): void {
    const { line, col } = this.#position(offset);
    const last = this.list.length;
    // An alias would otherwise report what is wrong in its anchor once more.
    if (
      last < MOST_PROBLEMS &&
      !this.list.some((one) => one.line === line && one.column === col && one.message === message)
    ) {
      this.list.push({ line: Math.max(1, line), column: Math.max(1, col), message, hint });
    }
  }
}

/** The tree, or null; what is wrong is among the problems. */
export async function readSource(text: string): Promise<{ root: ConfigNode | null; problems: Problems }> {
  const yaml = await import('yaml');
  const { Composer, Lexer, LineCounter, Parser } = yaml;
  const counter = new LineCounter();
  const problems = new Problems((offset) => counter.linePos(offset));
  counter.addNewLine(0);
  const parser = new Parser(counter.addNewLine);
  const tokens: CST.Token[] = [];
  // The composer calls itself for what is nested, and near the end of the stack V8 aborts the whole process: count before.
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
    }
    if (parser.stack.length > MOST_DEPTH) {
      problems.add(parser.offset, 'this is nested too deeply', `At most ${MOST_DEPTH} levels are read.`);
      return { root: null, problems };
    }
  }
  tokens.push(...parser.end());
  const composer = new Composer({
    prettyErrors: false,
    uniqueKeys: false,
    schema: 'core',
    logLevel: 'silent',
  });
  const documents = composer.compose(tokens, true, text.length);
  const first = documents.next().value as Document.Parsed;
  for (const { message, pos } of [...first.errors, ...first.warnings]) {
    problems.add(pos[0], `this cannot be read: ${message}`, QUOTE);
  }
  const second = problems.list.length > 0 ? undefined : documents.next().value;
  if (second !== undefined) {
    problems.add(
      (second as Document.Parsed).range[0],
      'a second document begins here',
      'Put all taps into one.',
    );
  }
  return { root: problems.list.length > 0 ? null : treeOf(first, text, problems, yaml), problems };
}

function treeOf(
  document: Document.Parsed,
  source: string,
  problems: Problems,
  { isAlias, isSeq, isMap }: typeof import('yaml'),
): ConfigNode | null {
  const anchors = new Map<string, ParsedNode>();
  let nodes = 0;
  let tooMuch = false;

  function convert(given: ParsedNode | null, offset: number, depth: number): ConfigNode {
    const nothing: ValueNode = { kind: 'value', offset, value: null, text: '', textAt: offset, plain: false };
    nodes++;
    if (nodes > MOST_NODES || depth > MOST_DEPTH) {
      if (!tooMuch) {
        problems.add(
          offset,
          'with its aliases resolved this is too large',
          `At most ${MOST_NODES} values are read.`,
        );
      }
      tooMuch = true;
      return nothing;
    }
    const node = given === null || !isAlias(given) ? given : (anchors.get(given.source) ?? null);
    if (node === null || isAlias(node)) {
      if (given !== null) {
        problems.add(given.range[0], 'this alias has no anchor before it', QUOTE);
      }
      return nothing;
    }
    if (node.anchor !== undefined) {
      anchors.set(node.anchor, node);
    }
    const at = node.range[0];
    if (isSeq<ParsedNode>(node)) {
      return { kind: 'list', offset: at, items: node.items.map((item) => convert(item, at, depth + 1)) };
    }
    if (isMap<ParsedNode, ParsedNode | null>(node)) {
      return { kind: 'map', offset: at, entries: entriesOf(node.items, at, depth) };
    }
    return scalarOf(node as Scalar, source);
  }

  function entriesOf(items: readonly MapItem[], at: number, depth: number): Entry[] {
    const entries: Entry[] = [];
    const seen = new Set<string>();
    for (const { key, value } of items) {
      const offset = key?.range?.[0] ?? at;
      const read = convert(key, offset, depth + 1);
      if (read.kind !== 'value' || read.value === null) {
        problems.add(offset, 'a name is expected here', 'Write NAME: VALUE.');
        continue;
      }
      if (seen.has(read.text)) {
        problems.add(offset, `${read.text} is here twice`, 'Leave one of them out.');
        continue;
      }
      seen.add(read.text);
      entries.push({ key: read.text, offset, value: convert(value, offset, depth + 1) });
    }
    return entries;
  }

  const root = convert(document.contents as ParsedNode | null, 0, 0);
  return tooMuch || problems.list.length > 0 ? null : root;
}

interface MapItem {
  readonly key: ParsedNode | null;
  readonly value: ParsedNode | null;
}

interface Scalar {
  readonly range: readonly number[];
  readonly value: unknown;
  readonly source?: string;
  readonly type?: string;
}

function scalarOf(node: Scalar, source: string): ValueNode {
  const offset = node.range[0]!;
  const { value } = node;
  const quoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  const text = typeof value === 'string' ? value : (node.source ?? String(value));
  const textAt = offset + (quoted ? 1 : 0);
  const known =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
  return { kind: 'value', offset, value: known, text, textAt, plain: source.startsWith(text, textAt) };
}

/** Where character `at` of a value's text stands, or where the value begins when escapes are in between. */
export function offsetIn(node: ConfigNode, at: number): number {
  return node.kind === 'value' && node.plain ? node.textAt + at : node.offset;
}

/** Plain data, for readers that know nothing of files. */
export function plainOf(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'value':
      return node.value;
    case 'list':
      return node.items.map(plainOf);
    case 'map':
      return Object.fromEntries(node.entries.map(({ key, value }) => [key, plainOf(value)]));
  }
}
