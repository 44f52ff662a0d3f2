/**
 * The grammar of pcap-filter(7). `and` and `or` bind equally and from left to right; `not` binds to one thing. An id without
 * words in front of it has the words of the last thing to its left: `tcp port 80 or 443`, `host a and (b or c)`.
 */
import { goesOnWithArithmetic, relation } from './filter-arithmetic.ts';
import type { Direction, Expression, IdType, Qualifiers } from './filter-ast.ts';
import { type FilterFault, filterFault, isFilterFault } from './filter-fault.ts';
import { type Token, tokenize } from './filter-lex.ts';
import { idHint, idOf, startsId, wordForId } from './filter-parse-id.ts';
import {
  expectSign,
  isSign,
  isWord,
  MOST_DEPTH,
  peek,
  type Reader,
  reader as readerOf,
  take,
  tooDeep,
  unexpected,
  unknownWord,
} from './filter-reader.ts';
import { PROTOCOLS, TYPES } from './filter-words.ts';

export const MOST_TEXT = 64 * 1024;
const MOST_PARTS = 4096;
const MOST_CHANGES = 1000;

/** What a part of an and/or list left behind: `bare` when it was only ids, which cannot stand in front. */
interface Part {
  expression: Expression;
  bare: boolean;
  qualifiers: Qualifiers | null;
}

const PORT: Qualifiers = { protocol: null, direction: null, type: 'port' };
const START = 'Begin with a protocol (tcp, udp, icmp, arp …), host, net, port or :PORT.';
const JOIN = 'Join two conditions with and or or.';

/** Null: an empty filter, which takes every packet. */
export function parseFilter(text: string): Expression | FilterFault | null {
  if (text.length > MOST_TEXT) {
    const span = { from: MOST_TEXT, to: text.length };
    return filterFault(span, `the filter has more than ${MOST_TEXT} characters`, 'Write a shorter filter.');
  }
  const reader = readerOf(tokenize(text));
  if (peek(reader).kind === 'end') {
    return null;
  }
  const part = list(reader, null);
  if (isFilterFault(part)) {
    return part;
  }
  const rest = peek(reader);
  if (rest.kind !== 'end') {
    return isSign(rest, ')')
      ? filterFault(rest, "this ')' closes nothing", "Leave it out, or open it with '('.")
      : afterPart(reader, rest);
  }
  return part.expression;
}

function afterPart(reader: Reader, token: Token): FilterFault {
  const before = reader.tokens[reader.next - 1]!;
  if (isSign(token, ':') && (before.kind === 'name' || before.kind === 'ip4')) {
    return unexpected(token, `Write host ${before.text.slice(0, 60)} and port NUMBER.`);
  }
  if (before.kind === 'word' && PROTOCOLS.has(before.text)) {
    if (token.kind === 'number') {
      return unexpected(token, `Write ${before.text} port ${token.text}, or join two conditions with and.`);
    }
    if (token.kind !== 'name') {
      return unexpected(token, JOIN);
    }
  }
  return unknownWord(token, JOIN);
}

function list(reader: Reader, inherited: Qualifiers | null): Part | FilterFault {
  let left = part(reader, inherited);
  let joined = null as { kind: 'and' | 'or'; of: Expression[] } | null;
  while (!isFilterFault(left)) {
    const token = peek(reader);
    if (token.kind !== 'and' && token.kind !== 'or') {
      return left;
    }
    if (joined !== null && joined.of.length >= MOST_PARTS) {
      return filterFault(token, `more than ${MOST_PARTS} conditions`, 'Write a shorter filter.');
    }
    reader.next++;
    const start = peek(reader);
    const right = part(reader, left.qualifiers);
    if (isFilterFault(right)) {
      return right;
    }
    if (left.bare && !right.bare) {
      return unexpected(
        start,
        'A list in parentheses is either all ids, or begins with a word such as host or port.',
      );
    }
    if (joined?.kind !== token.kind) {
      if (++reader.changes > MOST_CHANGES) {
        return filterFault(
          token,
          `more than ${MOST_CHANGES} changes between and and or`,
          'Write a shorter filter.',
        );
      }
      joined = { kind: token.kind, of: [left.expression] };
    }
    joined.of.push(right.expression);
    left = { expression: joined, bare: left.bare, qualifiers: right.qualifiers };
  }
  return left;
}

function part(reader: Reader, inherited: Qualifiers | null): Part | FilterFault {
  const token = peek(reader);
  if (reader.depth >= MOST_DEPTH) {
    return tooDeep(token);
  }
  reader.depth++;
  const read = isSign(token, '!')
    ? negated(reader, inherited)
    : isSign(token, '(')
      ? group(reader, inherited)
      : single(reader, token, inherited);
  reader.depth--;
  return read;
}

function negated(reader: Reader, inherited: Qualifiers | null): Part | FilterFault {
  reader.next++;
  const inner = part(reader, inherited);
  return isFilterFault(inner) ? inner : { ...inner, expression: { kind: 'not', of: inner.expression } };
}

function group(reader: Reader, inherited: Qualifiers | null): Part | FilterFault {
  const open = peek(reader);
  const close = reader.closing[reader.next]!;
  if (close >= 0 && goesOnWithArithmetic(reader.tokens[close + 1]!)) {
    return term(relation(reader), null);
  }
  reader.next++;
  const inner = list(reader, inherited);
  if (isFilterFault(inner)) {
    return inner;
  }
  const end = peek(reader);
  if (!isSign(end, ')')) {
    return end.kind === 'end'
      ? filterFault(open, `this '(' is never closed`, "Close it with ')'.")
      : afterPart(reader, end);
  }
  reader.next++;
  return inner.bare ? inner : { ...inner, qualifiers: inherited };
}

function single(reader: Reader, token: Token, inherited: Qualifiers | null): Part | FilterFault {
  switch (token.kind) {
    case 'number':
      if (inherited?.type === 'net' && isSign(reader.tokens[reader.next + 1]!, '/')) {
        return unexpected(
          reader.tokens[reader.next + 1]!,
          `Write at least two numbers: ${token.text}.0/LENGTH.`,
        );
      }
      return goesOnWithArithmetic(reader.tokens[reader.next + 1]!)
        ? term(relation(reader), null)
        : numberAlone(reader, token, inherited);
    case 'name':
    case 'ip4':
    case 'ip6':
    case 'mac':
      return inherited === null ? idAlone(token) : id(reader, inherited);
    case 'word':
      return primitive(reader, token);
    default:
      if (isSign(token, ':') && reader.tokens[reader.next + 1]!.kind === 'number') {
        reader.next++;
        return port(take(reader));
      }
      return isSign(token, '-') ? term(relation(reader), null) : unexpected(token, START);
  }
}

/** A bare number means a port; after words that are inherited it has those. */
function numberAlone(reader: Reader, token: Token, inherited: Qualifiers | null): Part | FilterFault {
  if (inherited !== null) {
    return id(reader, inherited);
  }
  reader.next++;
  return port(token);
}

function port(token: Token): Part {
  const { from, to, value } = token;
  const expression: Expression = { kind: 'id', qualifiers: PORT, id: { kind: 'number', value }, from, to };
  return { expression, bare: false, qualifiers: PORT };
}

function idAlone(token: Token): FilterFault {
  const near = unknownWord(token, '');
  if (near.hint !== '') {
    return near;
  }
  if (/^(len|length|\d+)-/.test(token.text)) {
    return filterFault(
      token,
      `'${token.text.slice(0, 60)}' is read as one name`,
      'Put spaces around the minus.',
    );
  }
  const word = token.kind === 'mac' ? 'ether host' : 'host';
  return filterFault(
    token,
    `'${token.text.slice(0, 60)}' needs a word in front`,
    `Write ${word} ${token.text.slice(0, 60)}.`,
  );
}

function term(expression: Expression | FilterFault, qualifiers: Qualifiers | null): Part | FilterFault {
  return isFilterFault(expression) ? expression : { expression, bare: false, qualifiers };
}

function primitive(reader: Reader, token: Token): Part | FilterFault {
  const protocol = PROTOCOLS.get(token.text);
  if (protocol !== undefined) {
    return withProtocol(reader, token, protocol);
  }
  const special = standing(reader, token);
  if (special !== null) {
    return term(special, null);
  }
  if (token.text === 'len' || token.text === 'length') {
    return term(relation(reader), null);
  }
  return afterQualifiers(reader, null, token);
}

function withProtocol(reader: Reader, token: Token, protocol: string): Part | FilterFault {
  const next = reader.tokens[reader.next + 1]!;
  if (isSign(next, '[')) {
    return term(relation(reader), null);
  }
  reader.next++;
  if (next.kind === 'word') {
    if (next.text === 'broadcast' || next.text === 'multicast') {
      reader.next++;
      return term({ kind: 'cast', far: next.text, protocol, from: token.from, to: next.to }, null);
    }
    return afterQualifiers(reader, protocol, token);
  }
  return term({ kind: 'protocol', name: protocol, from: token.from, to: token.to }, null);
}

/** Words that are a condition by themselves; null when the word is none of them. */
function standing(reader: Reader, token: Token): Expression | FilterFault | null {
  const { from, to, text } = token;
  switch (text) {
    case 'broadcast':
    case 'multicast':
      reader.next++;
      return { kind: 'cast', far: text, protocol: null, from, to };
    case 'less':
    case 'greater':
    case 'ifindex': {
      reader.next++;
      const number = take(reader);
      if (number.kind !== 'number') {
        return unexpected(number, `Write a number after ${text}.`);
      }
      const span = { from, to: number.to };
      return text === 'ifindex'
        ? { kind: 'ifindex', value: number.value, ...span }
        : { kind: text === 'less' ? 'shorter' : 'longer', than: number.value, ...span };
    }
    case 'inbound':
    case 'outbound':
      reader.next++;
      return { kind: 'bound', outward: text === 'outbound', from, to };
    case 'vlan':
    case 'mpls': {
      reader.next++;
      const value = optionalNumber(reader);
      const end = reader.tokens[reader.next - 1]!.to;
      return isFilterFault(value) ? value : { kind: text, value: value.number, from, to: end };
    }
    case 'pppoed':
      reader.next++;
      return { kind: 'pppoed', from, to };
    default:
      return null;
  }
}

/** `vlan 5`, `vlan (5)`, `vlan`. */
function optionalNumber(reader: Reader): { number: number | null } | FilterFault {
  let open = 0;
  while (isSign(peek(reader), '(')) {
    reader.next++;
    open++;
  }
  const token = peek(reader);
  if (token.kind !== 'number') {
    return open > 0 ? unexpected(token, `A number is expected after '('. ${JOIN}`) : { number: null };
  }
  reader.next++;
  for (; open > 0; open--) {
    const missing = expectSign(reader, ')', "Close it with ')'.");
    if (missing !== null) {
      return missing;
    }
  }
  return { number: token.value };
}

function afterQualifiers(reader: Reader, protocol: string | null, first: Token): Part | FilterFault {
  const direction = directions(reader);
  if (isFilterFault(direction)) {
    return direction;
  }
  const token = peek(reader);
  let type: IdType | null = null;
  if (
    token.kind === 'word' &&
    (TYPES.has(token.text) || (token.text === 'proto' && direction.way === null))
  ) {
    type = token.text as IdType;
    reader.next++;
  } else if (direction.way === null) {
    return protocol === null ? unexpected(token, START) : wrongAfterProtocol(first, token);
  }
  const start = peek(reader);
  if (start.kind === 'word') {
    return wordForId(start, type);
  }
  const ids = startsId(start) ? part(reader, { protocol, direction: direction.way, type }) : null;
  if (ids === null || isFilterFault(ids)) {
    return ids ?? unexpected(start, idHint(type));
  }
  return ids.bare ? { ...ids, bare: false } : unexpected(start, idHint(type));
}

function wrongAfterProtocol(protocol: Token, token: Token): FilterFault {
  return PROTOCOLS.has(token.text)
    ? unexpected(
        token,
        `Write ${protocol.text} and ${token.text}, or ${protocol.text} proto \\${token.text}.`,
      )
    : unexpected(token, JOIN);
}

/** `src`, `src or dst`, `dst and src` …; `way` is null when there is none. */
function directions(reader: Reader): { way: Direction | null } | FilterFault {
  const first = peek(reader);
  if (!isWord(first, 'src') && !isWord(first, 'dst')) {
    return { way: null };
  }
  reader.next++;
  const joint = peek(reader);
  if (joint.kind !== 'and' && joint.kind !== 'or') {
    return { way: first.text as Direction };
  }
  reader.next++;
  const second = take(reader);
  const other = first.text === 'src' ? 'dst' : 'src';
  return isWord(second, other)
    ? { way: joint.kind }
    : unexpected(second, `After ${first.text} ${joint.kind} only ${other} is possible.`);
}

function id(reader: Reader, qualifiers: Qualifiers): Part | FilterFault {
  const token = take(reader);
  const span = { from: token.from, to: token.to };
  const read = idOf(reader, token, span);
  return isFilterFault(read)
    ? read
    : { expression: { kind: 'id', qualifiers, id: read, ...span }, bare: true, qualifiers };
}
