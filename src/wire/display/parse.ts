/** A display filter's text → a test. Fields of protocols are checked against what their decoders can say. */
import { PACKET_NOTES } from '../notes.ts';
import { type Check, compare, type Operator } from './compare.ts';
import { type Kind, packetFields, protocolTests } from './packet-fields.ts';
import type { Found, Subject } from './subject.ts';
import { type Fault, type Token, tokenize } from './tokens.ts';

export type Test = (subject: Subject) => boolean;

/** protocol → the names of its fields, without the protocol; `header.*` stands for any name that begins so. */
export type Vocabulary = ReadonlyMap<string, readonly string[]>;

export interface Parsed {
  readonly test: Test;
  readonly needsMessages: boolean;
  readonly needsOwners: boolean;
}

const MAX_DEPTH = 64;

interface Field {
  readonly kind: Kind | 'any';
  readonly get: (subject: Subject) => Found;
}

class Refused extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

export function parse(text: string, vocabulary: Vocabulary): Parsed | Fault {
  const tokens = tokenize(text);
  if (!Array.isArray(tokens)) {
    return tokens as Fault;
  }
  try {
    return new Parser(tokens, vocabulary).whole();
  } catch (error) {
    if (error instanceof Refused) {
      return error.fault;
    }
    throw error;
  }
}

class Parser {
  private position = 0;
  private depth = 0;
  private needsMessages = false;
  private needsOwners = false;
  /** The protocol that was named last: `redis.command == "SET" and key ~ "user:*"`. */
  private spoken = '';
  private readonly tokens: readonly Token[];
  private readonly vocabulary: Vocabulary;

  constructor(tokens: readonly Token[], vocabulary: Vocabulary) {
    this.tokens = tokens;
    this.vocabulary = vocabulary;
  }

  whole(): Parsed {
    const test = this.peek().kind === 'end' ? () => true : this.or();
    const rest = this.peek();
    if (rest.kind !== 'end') {
      this.refuse(rest, `'${rest.text}' does not belong here.`, ['and', 'or', 'the end']);
    }
    return { test, needsMessages: this.needsMessages, needsOwners: this.needsOwners };
  }

  private peek(): Token {
    return this.tokens[this.position]!;
  }

  private take(): Token {
    return this.tokens[this.position++]!;
  }

  private refuse(token: Token, message: string, expected: readonly string[]): never {
    throw new Refused({ at: token.at, length: Math.max(1, token.end - token.at), message, expected });
  }

  private or(): Test {
    let left = this.and();
    while (this.peek().kind === 'or') {
      this.take();
      const before = left;
      const right = this.and();
      left = (subject) => before(subject) || right(subject);
    }
    return left;
  }

  private and(): Test {
    let left = this.not();
    for (;;) {
      const { kind } = this.peek();
      if (kind === 'and') {
        this.take();
      } else if (kind === 'end' || kind === ')' || kind === 'or') {
        return left;
      }
      const before = left;
      const right = this.not();
      left = (subject) => before(subject) && right(subject);
    }
  }

  private not(): Test {
    if (this.peek().kind !== 'not') {
      return this.primary();
    }
    const token = this.take();
    this.deeper(token);
    const inner = this.not();
    this.depth--;
    return (subject) => !inner(subject);
  }

  private deeper(token: Token): void {
    if (++this.depth > MAX_DEPTH) {
      this.refuse(token, `Nested deeper than ${MAX_DEPTH} levels.`, ['a shorter filter']);
    }
  }

  private primary(): Test {
    const token = this.take();
    if (token.kind === '(') {
      this.deeper(token);
      const inner = this.or();
      const closing = this.take();
      if (closing.kind !== ')') {
        this.refuse(closing, 'A parenthesis is not closed.', [')']);
      }
      this.depth--;
      return inner;
    }
    if (token.kind === 'operator' && token.text === 'contains') {
      return this.containing();
    }
    if (token.kind === 'string') {
      return this.anywhere(token.text);
    }
    if (token.kind !== 'word') {
      this.refuse(
        token,
        token.kind === 'end' ? 'Something is missing at the end.' : `'${token.text}' cannot stand here.`,
        [
          'a field such as tcp.port',
          'a protocol such as redis',
          'contains "text"',
          'note:retransmission',
          '(',
        ],
      );
    }
    const colon = token.text.indexOf(':');
    const short = colon > 0 ? token.text.slice(0, colon).toLowerCase() : '';
    if (short !== '' && (short === 'note' || this.isField(short))) {
      return this.shortForm(token, short, token.text.slice(colon + 1));
    }
    if (/^:\d+$/.test(token.text)) {
      return this.compared({ ...token, text: 'port' }, '==', token.text.slice(1), false, token);
    }
    return this.comparison(token);
  }

  private isField(name: string): boolean {
    return packetFields.has(name) || this.messageField(name) !== null;
  }

  /** `note:retransmission`, `pid:123`, `port:443`: short for ==. */
  private shortForm(token: Token, name: string, given: string): Test {
    const value =
      given === '' && this.peek().kind === 'string' && this.peek().at === token.end
        ? this.take().text
        : given;
    const valueToken = { ...token, at: token.at + name.length + 1, end: Math.max(token.end, token.at + 1) };
    if (name === 'note') {
      const known = packetFields.get(`note.${value.toLowerCase().replaceAll('_', '-')}`);
      if (known === undefined) {
        this.refuse(valueToken, `'${value}' is no note.`, nearest(value, PACKET_NOTES));
      }
      return (subject) => known.get(subject) === true;
    }
    return this.compared({ ...token, text: name }, '==', value, false, valueToken);
  }

  private comparison(token: Token): Test {
    const operator = this.peek();
    if (operator.kind !== 'operator') {
      return this.bare(token);
    }
    this.take();
    const value = this.take();
    if (value.kind !== 'word' && value.kind !== 'string' && value.kind !== 'pattern') {
      this.refuse(value, `A value is missing after ${operator.text}.`, ['a number', 'a "text"', 'a word']);
    }
    const sign = value.kind === 'pattern' ? '~' : (operator.text as Operator);
    return this.compared(token, sign, value.text, value.kind === 'string', value);
  }

  private compared(token: Token, sign: Operator, value: string, quoted: boolean, valueToken: Token): Test {
    const field = this.field(token);
    const check = compare(field.kind, sign, value, quoted);
    if (typeof check !== 'function') {
      this.refuse(valueToken, `${token.text} ${sign} ${value}: not a value for ${token.text}.`, [
        check.wanted,
      ]);
    }
    const { get } = field;
    return (subject) => (check as Check)(get(subject));
  }

  /** A name alone: a protocol, or a field that is there (and, for yes-or-no fields, true). */
  private bare(token: Token): Test {
    const name = token.text.toLowerCase();
    const below = protocolTests.get(name);
    if (below !== undefined) {
      return below;
    }
    if (this.vocabulary.has(name)) {
      this.needsMessages = true;
      return ({ message }) => message !== null && (message.protocol === name || message.decoder === name);
    }
    const { get, kind } = this.field(token);
    return (subject) => {
      const found = get(subject);
      return kind === 'yes' ? found === true : found !== undefined;
    };
  }

  private field(token: Token): Field {
    const name = token.text.toLowerCase();
    const known = packetFields.get(name);
    if (known !== undefined) {
      this.needsOwners ||= known.needsOwners === true;
      this.needsMessages ||= /^(latency|firstbyte|message\.|failed|request|reply)/.test(name);
      return known;
    }
    const field = this.messageField(token.text);
    if (field === null) {
      this.refuse(token, `There is no field '${token.text}'.`, this.alike(token.text));
    }
    this.needsMessages = true;
    return field;
  }

  /** `redis.command`: the protocol, and one of the fields its decoder speaks of. Later `key` alone is one of the same protocol. */
  private messageField(typed: string): Field | null {
    const dot = typed.indexOf('.');
    const named = dot < 0 ? '' : typed.slice(0, dot).toLowerCase();
    const short = !this.vocabulary.has(named) && this.spoken !== '';
    const protocol = short ? this.spoken : named;
    const name = short ? typed : typed.slice(dot + 1);
    const names = this.vocabulary.get(protocol);
    const known = names?.some((one) =>
      one.endsWith('*') ? name.toLowerCase().startsWith(one.slice(0, -1)) : one === name,
    );
    if (known !== true) {
      return null;
    }
    this.spoken = protocol;
    return {
      kind: 'any',
      get: ({ message }) =>
        message !== null && message.protocol === protocol && Object.hasOwn(message.fields, name)
          ? message.fields[name]
          : undefined,
    };
  }

  private containing(): Test {
    const value = this.take();
    if (value.kind !== 'string' && value.kind !== 'word') {
      this.refuse(value, 'A text is missing after contains.', ['"text"']);
    }
    return this.anywhere(value.text);
  }

  /** The payload's bytes, or any field of a message. */
  private anywhere(wanted: string): Test {
    this.needsMessages = true;
    const bytes = new TextEncoder().encode(wanted);
    const inFields = compare('any', 'contains', wanted, true) as Check;
    return ({ lane, message }) =>
      (message !== null && (message.summary.includes(wanted) || inFields(message.fields))) ||
      (lane !== null && lane.headers.payloadAt >= 0 && holdsBytes(lane.headers, bytes));
  }

  private alike(typed: string): string[] {
    const all = [...packetFields.keys()].filter((name) => !name.startsWith('note.'));
    for (const [protocol, names] of this.vocabulary) {
      all.push(protocol, ...names.map((name) => `${protocol}.${name}`));
    }
    return nearest(typed, all);
  }
}

function holdsBytes(
  { bytes, payloadAt, payloadEnd }: { bytes: Uint8Array; payloadAt: number; payloadEnd: number },
  wanted: Uint8Array,
): boolean {
  const last = payloadEnd - wanted.length;
  for (let at = payloadAt; at <= last; at++) {
    let same = 0;
    while (same < wanted.length && bytes[at + same] === wanted[same]) {
      same++;
    }
    if (same === wanted.length) {
      return true;
    }
  }
  return false;
}

const SHOWN = 6;

/** The names nearest to what was typed: by their common letters from the front, then from the last dot. */
function nearest(typed: string, names: readonly string[]): string[] {
  const lower = typed.toLowerCase();
  const common = (a: string, b: string): number => {
    let i = 0;
    while (i < a.length && a[i] === b[i]) {
      i++;
    }
    return i;
  };
  const last = lower.slice(lower.lastIndexOf('.') + 1);
  const score = (name: string): number =>
    common(lower, name) * 2 + common(last, name.slice(name.lastIndexOf('.') + 1));
  return [...names].sort((a, b) => score(b) - score(a)).slice(0, SHOWN);
}
