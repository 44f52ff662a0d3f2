/**
 * Words → Filter. The grammar is that of ss, where `and`, `or` and juxtaposition bind equally and group from the left
 * (iproute2, misc/ssfilter.y: one left-recursive list); short words and lsof specs may stand wherever a predicate may.
 */
import { allOf, EVERYTHING, type Filter, not } from './ast.ts';
import { type Context, context, type ParseOptions } from './context.ts';
import { type Fault, fault, isFault, nearestFirst, type Parsed, type Refusal } from './fault.ts';
import { isLsofWord, lsof } from './lsof.ts';
import { OPERATORS, PREDICATES } from './predicates.ts';
import { SHORT_WORDS, short } from './short.ts';
import { ALL_STATES, GROUP_NAMES, STATE_NAMES, stateMask, stateOrGroupMask } from './states.ts';
import { type Token, tokenize } from './tokens.ts';

export type ParseResult = { ok: true; filter: Filter | null } | Refusal;

/** Far above anything typed, far below what the stack holds. */
const MOST_DEPTH = 200;
/** Each change from `and` to `or` or back nests what stands before it. */
const MOST_CHANGES = 1000;
const MOST_TERMS = 5000;

const STATE_WORDS = ['state', 'exclude', 'excl'];
const EXPRESSION = ['(', 'not', 'state', 'exclude', ...PREDICATES.keys(), 'autobound', ...SHORT_WORDS];

interface Reader {
  tokens: Token[];
  next: number;
  terms: number;
  changes: number;
  context: Context;
}

export function parseFilter(words: readonly string[] | string, options: ParseOptions = {}): ParseResult {
  const text = typeof words === 'string' ? words : words.join(' ');
  const reader = start(text, options);
  if (reader.tokens.length === 1) {
    return { ok: true, filter: null };
  }
  const filter = statement(reader);
  if (isFault(filter)) {
    return refusal(text, filter);
  }
  const rest = reader.tokens[reader.next]!;
  if (rest.kind !== 'end') {
    return refusal(text, surprise(rest, ['and', 'or', ...EXPRESSION]));
  }
  const { family, ours } = reader.context;
  return { ok: true, filter: family === null || ours ? filter : allOf([{ kind: 'family', family }, filter]) };
}

/** Only -i and -s words. */
export function parseLsof(words: readonly string[], options: ParseOptions = {}): ParseResult {
  const text = words.join(' ');
  const reader = start(text, options);
  const read = lsof(reader.tokens, 0, reader.context);
  if (isFault(read)) {
    return refusal(text, read);
  }
  const rest = reader.tokens[read.next]!;
  if (rest.kind !== 'end') {
    return refusal(text, surprise(rest, ['-i…', '-s…']));
  }
  return { ok: true, filter: read.next === 0 ? null : read.filter };
}

function start(text: string, options: ParseOptions): Reader {
  return { tokens: tokenize(text), next: 0, terms: 0, changes: 0, context: context(options) };
}

function refusal(text: string, { fault: { at, length, message, expected } }: { fault: Fault }): Refusal {
  return { ok: false, at: Math.min(at, text.length), length, text, message, expected: [...expected] };
}

function surprise(token: Token, expected: readonly string[]) {
  return token.kind === 'end'
    ? fault(token.at, 1, 'the filter ends too early', expected)
    : fault(token.at, token.end - token.at, `'${token.text}' cannot stand here`, expected);
}

/** State clauses in front hold for the whole expression behind them, also across its `or`s: in ss they are no part of it. */
function statement(reader: Reader): Parsed<Filter> {
  if (!STATE_WORDS.includes(reader.tokens[0]!.text) || !isStateWord(reader.tokens[0]!)) {
    return expression(reader, 0);
  }
  const lead = states(reader, false);
  if (isFault(lead)) {
    return lead;
  }
  const after = reader.tokens[reader.next]!.kind;
  if (after === 'end') {
    return lead;
  }
  if (after === 'or' || after === 'and') {
    reader.next = 0;
    return expression(reader, 0);
  }
  const filter = expression(reader, 0);
  return isFault(filter) ? filter : allOf([lead, filter]);
}

function expression(reader: Reader, depth: number): Parsed<Filter> {
  let left = operand(reader, depth);
  let joined = null as { kind: 'and' | 'or'; of: Filter[] } | null;
  while (!isFault(left)) {
    const token = reader.tokens[reader.next]!;
    if (token.kind === 'end' || token.kind === ')') {
      return left;
    }
    const kind = token.kind === 'or' ? 'or' : 'and';
    reader.next += token.kind === 'or' || token.kind === 'and' ? 1 : 0;
    const right = operand(reader, depth);
    if (isFault(right)) {
      return right;
    }
    if (joined?.kind !== kind) {
      if (++reader.changes > MOST_CHANGES) {
        const message = `more than ${MOST_CHANGES} changes between and and or`;
        return fault(token.at, token.end - token.at, message, ['the end of the filter']);
      }
      joined = { kind, of: [left] };
      left = joined;
    }
    joined.of.push(right);
  }
  return left;
}

function operand(reader: Reader, depth: number): Parsed<Filter> {
  let odd = false;
  let negated = false;
  while (reader.tokens[reader.next]!.kind === 'not') {
    reader.next++;
    negated = true;
    odd = !odd;
  }
  const filter = group(reader, depth, negated);
  return isFault(filter) || !odd ? filter : not(filter);
}

function group(reader: Reader, depth: number, negated: boolean): Parsed<Filter> {
  const open = reader.tokens[reader.next]!;
  if (open.kind !== '(') {
    return ++reader.terms > MOST_TERMS
      ? fault(open.at, Math.max(1, open.end - open.at), `more than ${MOST_TERMS} conditions`, [
          'the end of the filter',
        ])
      : term(reader, open, negated);
  }
  if (depth >= MOST_DEPTH) {
    return tooDeep(open);
  }
  reader.next++;
  const filter = expression(reader, depth + 1);
  if (isFault(filter)) {
    return filter;
  }
  const close = reader.tokens[reader.next]!;
  if (close.kind !== ')') {
    return fault(close.at, 1, `the '(' at column ${open.at + 1} is never closed`, [')', 'and', 'or']);
  }
  reader.next++;
  return filter;
}

function tooDeep(token: Token) {
  return fault(token.at, Math.max(1, token.end - token.at), `more than ${MOST_DEPTH} levels of nesting`, [
    'fewer levels',
  ]);
}

function term(reader: Reader, token: Token, negated: boolean): Parsed<Filter> {
  if (token.kind !== 'word') {
    return surprise(token, EXPRESSION);
  }
  if (isLsofWord(token)) {
    const read = lsof(reader.tokens, reader.next, reader.context);
    if (isFault(read)) {
      return read;
    }
    reader.next = read.next;
    return read.filter;
  }
  if (isStateWord(token)) {
    return states(reader, negated);
  }
  reader.next++;
  if (token.plain && token.text === 'autobound') {
    return { kind: 'autobound', ...reader.context.ephemeral() };
  }
  const known = token.plain ? PREDICATES.get(token.text) : undefined;
  if (known === undefined) {
    return short(token, reader.context);
  }
  const sign = reader.tokens[reader.next]!;
  const operator = sign.plain && Object.hasOwn(OPERATORS, sign.text) ? OPERATORS[sign.text] : undefined;
  if (operator !== undefined) {
    reader.next++;
    if (!known.operators.includes(operator)) {
      return fault(
        sign.at,
        sign.end - sign.at,
        `'${token.text}' cannot be compared by '${sign.text}'`,
        known.operators,
      );
    }
  }
  const value = reader.tokens[reader.next]!;
  if (value.kind !== 'word') {
    return surprise(value, operator === undefined ? [...known.operators, ...known.values] : known.values);
  }
  reader.next++;
  return known.read(value, operator ?? '=', reader.context);
}

function isStateWord({ kind, text, plain }: Token): boolean {
  return kind === 'word' && plain && (STATE_WORDS.includes(text) || stateMask(text) !== undefined);
}

/** A run of state and exclude clauses is one set, built from left to right as in ss; a bare state name counts as `state NAME`. */
function states(reader: Reader, one: boolean): Parsed<Filter> {
  let mask: number | null = null;
  while (isStateWord(reader.tokens[reader.next]!) && (mask === null || !one)) {
    const word = reader.tokens[reader.next++]!;
    const clause = STATE_WORDS.includes(word.text);
    const name = clause ? reader.tokens[reader.next++]! : word;
    const bits = name.kind === 'word' ? stateOrGroupMask(name.text) : undefined;
    if (bits === undefined) {
      const expected = nearestFirst(name.text, [...STATE_NAMES, ...GROUP_NAMES]);
      return name.kind === 'word'
        ? fault(name.at, name.end - name.at, `'${name.text}' is no state`, expected)
        : surprise(name, expected);
    }
    mask = clause && word.text !== 'state' ? (mask ?? ALL_STATES) & ~bits : (mask ?? 0) | bits;
  }
  return mask === null ? EVERYTHING : { kind: 'state', mask };
}
