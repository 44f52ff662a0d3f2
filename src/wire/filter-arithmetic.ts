/**
 * Arithmetic and comparisons: `ip[2:2] - 20 > len & 0xff`. The grammar of tcpdump gives `%` and `^` no precedence, and so
 * everything to their right belongs to them: `8 % 5 + 1` is `8 % (5 + 1)`, and `2 * 8 % 5` is `2 * (8 % 5)`.
 */
import type { Arithmetic, ArithmeticOperator, Expression, Relation } from './filter-ast.ts';
import { type FilterFault, filterFault, isFilterFault } from './filter-fault.ts';
import type { Token } from './filter-lex.ts';
import {
  expectSign,
  isSign,
  isWord,
  MOST_DEPTH,
  peek,
  type Reader,
  take,
  tooDeep,
  unexpected,
  unknownWord,
} from './filter-reader.ts';
import { PROTOCOLS, REFUSED } from './filter-words.ts';

const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['|', 1],
  ['&', 2],
  ['<<', 3],
  ['>>', 3],
  ['+', 4],
  ['-', 4],
  ['*', 5],
  ['/', 5],
]);
const TIGHTEST = 6;
const TAKES_ALL = new Set(['%', '^']);
const RELATIONS = new Set(['=', '!=', '<', '<=', '>', '>=']);

/** True when a number or a ')' in front of this token is part of arithmetic. */
export function goesOnWithArithmetic(token: Token): boolean {
  return (
    token.kind === 'sign' &&
    (PRECEDENCE.has(token.text) || TAKES_ALL.has(token.text) || RELATIONS.has(token.text))
  );
}

export function relation(reader: Reader): Expression | FilterFault {
  const { from } = peek(reader);
  const left = arithmetic(reader, 0);
  if (isFilterFault(left)) {
    return left;
  }
  const sign = peek(reader);
  if (sign.kind !== 'sign' || !RELATIONS.has(sign.text)) {
    return unexpected(sign, 'Compare the value with something: = != < <= > >=.');
  }
  reader.next++;
  const right = arithmetic(reader, 0);
  return isFilterFault(right)
    ? right
    : { kind: 'relation', relation: sign.text as Relation, left, right, from, to: right.to };
}

function arithmetic(reader: Reader, loosest: number): Arithmetic | FilterFault {
  if (reader.depth >= MOST_DEPTH) {
    return tooDeep(peek(reader));
  }
  reader.depth++;
  let left = operand(reader);
  while (!isFilterFault(left)) {
    const sign = peek(reader);
    const precedence = sign.kind === 'sign' ? PRECEDENCE.get(sign.text) : undefined;
    const takesAll = sign.kind === 'sign' && TAKES_ALL.has(sign.text);
    if (!takesAll && (precedence === undefined || precedence < loosest)) {
      break;
    }
    reader.next++;
    const right = arithmetic(reader, takesAll ? 0 : precedence! + 1);
    left = isFilterFault(right) ? right : binary(sign.text as ArithmeticOperator, left, right);
  }
  reader.depth--;
  return left;
}

function binary(operator: ArithmeticOperator, left: Arithmetic, right: Arithmetic): Arithmetic | FilterFault {
  const span = { from: left.from, to: right.to };
  if (right.kind === 'constant') {
    const { value } = right;
    if ((operator === '/' || operator === '%') && value === 0) {
      return filterFault(right, 'division by zero', 'No packet could match: divide by something else.');
    }
    if ((operator === '<<' || operator === '>>') && value > 31) {
      return filterFault(right, `a shift by ${value}`, 'Values have 32 bits: shift by 31 at most.');
    }
    if (left.kind === 'constant') {
      return { kind: 'constant', value: calculated(operator, left.value, value), ...span };
    }
  }
  return { kind: 'binary', operator, left, right, ...span };
}

function calculated(operator: ArithmeticOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return (a + b) >>> 0;
    case '-':
      return (a - b) >>> 0;
    case '*':
      return Math.imul(a, b) >>> 0;
    case '/':
      return Math.floor(a / b);
    case '%':
      return a % b;
    case '&':
      return (a & b) >>> 0;
    case '|':
      return (a | b) >>> 0;
    case '^':
      return (a ^ b) >>> 0;
    case '<<':
      return (a << b) >>> 0;
    case '>>':
      return a >>> b;
  }
}

const OPERAND = 'A number, len, or bytes such as tcp[13] or ip[2:2] are possible here.';

function operand(reader: Reader): Arithmetic | FilterFault {
  const token = take(reader);
  const { from, to } = token;
  if (token.kind === 'number') {
    return { kind: 'constant', value: token.value, from, to };
  }
  if (isWord(token, 'len') || isWord(token, 'length')) {
    return { kind: 'length', from, to };
  }
  if (isSign(token, '-')) {
    const of = arithmetic(reader, TIGHTEST);
    if (isFilterFault(of)) {
      return of;
    }
    return of.kind === 'constant'
      ? { kind: 'constant', value: -of.value >>> 0, from, to: of.to }
      : { kind: 'negative', of, from, to: of.to };
  }
  if (isSign(token, '(')) {
    const inner = arithmetic(reader, 0);
    if (isFilterFault(inner)) {
      return inner;
    }
    return expectSign(reader, ')', `The '(' at column ${from + 1} is never closed.`) ?? inner;
  }
  if (token.kind === 'word' && (PROTOCOLS.has(token.text) || REFUSED.has(token.text))) {
    return load(reader, token);
  }
  return unknownWord(token, token.text.includes('-') ? `Put spaces around the minus. ${OPERAND}` : OPERAND);
}

function load(reader: Reader, word: Token): Arithmetic | FilterFault {
  const protocol = PROTOCOLS.get(word.text);
  if (protocol === undefined) {
    return unexpected(word, OPERAND);
  }
  const opened = expectSign(reader, '[', `Write ${word.text}[OFFSET] or ${word.text}[OFFSET:SIZE].`);
  if (opened !== null) {
    return opened;
  }
  const index = arithmetic(reader, 0);
  if (isFilterFault(index)) {
    return index;
  }
  let size = 1;
  if (isSign(peek(reader), ':')) {
    reader.next++;
    const token = take(reader);
    if (token.kind !== 'number' || ![1, 2, 4].includes(token.value)) {
      const message = token.kind === 'end' ? 'the filter ends too early' : `'${token.text}' is no size`;
      return filterFault(token, message, 'The size is 1, 2 or 4 bytes.');
    }
    size = token.value;
  }
  const end = peek(reader);
  return (
    expectSign(reader, ']', `Close the bytes with ']': ${word.text}[OFFSET:SIZE].`) ?? {
      kind: 'load',
      protocol,
      index,
      size,
      from: word.from,
      to: end.to,
    }
  );
}
