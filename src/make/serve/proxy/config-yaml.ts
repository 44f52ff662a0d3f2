/** YAML (and JSON, which is a part of it) whose values are asked for by name, and complain with their place. */
import type { Pair, ParsedNode, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { SockscopeError } from '../../../errors.ts';
import { nearMisses } from '../../../session/near.ts';

/** YAML's own reader calls itself for what is nested, and near the end of the stack V8 ends the process. */
const MOST_DEPTH = 32;

type Yaml = typeof import('yaml');

interface Source {
  readonly yaml: Yaml;
  wrong(offset: number, message: string, hint: string): SockscopeError;
}

export async function readYaml(text: string, file: string, known: readonly string[]): Promise<ConfigMap> {
  const yaml = await import('yaml');
  const counter = new yaml.LineCounter();
  const wrong = (offset: number, message: string, hint: string) => {
    const { line, col } = counter.linePos(offset);
    const sentence = `${file}:${Math.max(1, line)}:${Math.max(1, col)}: ${message}.`;
    return new SockscopeError('PROXY_CONFIG', sentence, hint, 2);
  };
  const parser = new yaml.Parser();
  for (const lexeme of new yaml.Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) {
      // Only how deep it goes is of interest.
    }
    if (parser.stack.length > MOST_DEPTH) {
      throw wrong(0, 'this is nested too deeply', 'A location is as deep as it gets.');
    }
  }
  const document = yaml.parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw wrong(
      problem.pos[0],
      `this cannot be read: ${problem.message}`,
      'Is a quote missing, or a space behind a colon?',
    );
  }
  const root = document.contents;
  const source = { yaml, wrong };
  if (!yaml.isMap<ParsedNode, ParsedNode | null>(root)) {
    throw wrong(
      root?.range?.[0] ?? 0,
      'this is no configuration',
      'It begins with upstreams: and a list of them.',
    );
  }
  return new ConfigMap(root, source, known);
}

export class ConfigMap {
  readonly #at: number;
  readonly #source: Source;
  readonly #values = new Map<string, ParsedNode | null>();

  constructor(map: YAMLMap<ParsedNode, ParsedNode | null>, source: Source, known: readonly string[] | null) {
    this.#at = map.range?.[0] ?? 0;
    this.#source = source;
    for (const { key, value } of map.items as Pair<ParsedNode, ParsedNode | null>[]) {
      const name = String((key as Scalar).value ?? '');
      if (known !== null && !known.includes(name)) {
        const near = nearMisses(name.slice(0, 60), known)[0];
        const hint = near === undefined ? `There are ${known.join(', ')}.` : `Did you mean ${near}?`;
        throw source.wrong(key.range[0], `there is no ${name} here`, hint);
      }
      this.#values.set(name, value);
    }
  }

  /** A complaint about the whole of it. */
  wrong(message: string, hint: string): SockscopeError {
    return this.#source.wrong(this.#at, message, hint);
  }

  /** Read by `reader`, whose complaint gets the place. */
  value<T>(name: string, reader: (text: string) => T): T | undefined {
    const node = this.#node(name);
    if (node === undefined) {
      return undefined;
    }
    const text = this.#text(node, name);
    try {
      return reader(text);
    } catch (error) {
      if (error instanceof SockscopeError) {
        throw this.#source.wrong(node.range[0], error.message.replace(/\.$/, ''), error.hint);
      }
      throw error;
    }
  }

  flag(name: string): boolean | undefined {
    const node = this.#node(name);
    const value = node === undefined ? undefined : (node as Scalar).value;
    if (node !== undefined && typeof value !== 'boolean') {
      throw this.#source.wrong(node.range[0], `${name} is true or false`, `Write ${name}: true.`);
    }
    return value as boolean | undefined;
  }

  /** A list, or one that stands alone. */
  texts(name: string): string[] | undefined {
    const node = this.#node(name);
    if (node === undefined) {
      return undefined;
    }
    const items = this.#source.yaml.isSeq(node) ? (node as YAMLSeq<ParsedNode>).items : [node];
    return items.map((item) => this.#text(item, name));
  }

  map(name: string, known: readonly string[] | null): ConfigMap | undefined {
    const node = this.#node(name);
    return node === undefined ? undefined : this.#asMap(node, name, known);
  }

  maps(name: string, known: readonly string[]): ConfigMap[] | undefined {
    const node = this.#node(name);
    if (node === undefined) {
      return undefined;
    }
    if (!this.#source.yaml.isSeq(node)) {
      throw this.#source.wrong(
        node.range[0],
        `${name} is a list`,
        'Write its parts under it, each behind a dash.',
      );
    }
    return (node as YAMLSeq<ParsedNode>).items.map((item) => this.#asMap(item, name, known));
  }

  /** Names with texts, as `name:text`. */
  pairs(name: string): string[] {
    const map = this.map(name, null);
    return map === undefined
      ? []
      : [...map.#values.keys()].map((key) => `${key}:${map.texts(key)?.[0] ?? ''}`);
  }

  /** What is written without a value is as good as not written. */
  #node(name: string): ParsedNode | undefined {
    const node = this.#values.get(name) ?? undefined;
    return node === undefined || (node as Scalar).value === null ? undefined : node;
  }

  #asMap(node: ParsedNode, name: string, known: readonly string[] | null): ConfigMap {
    if (!this.#source.yaml.isMap<ParsedNode, ParsedNode | null>(node)) {
      throw this.#source.wrong(
        node.range[0],
        `${name} is written as names with values`,
        'Write NAME: VALUE.',
      );
    }
    return new ConfigMap(node as YAMLMap<ParsedNode, ParsedNode | null>, this.#source, known);
  }

  #text(node: ParsedNode, name: string): string {
    const { value, source } = node as Scalar;
    if (!this.#source.yaml.isScalar(node) || value === null) {
      throw this.#source.wrong(node.range[0], `${name} is a single value`, 'Write it in quotes.');
    }
    return typeof value === 'string' ? value : (source ?? String(value));
  }
}
