/**
 * The text of a capture filter as tokens. As in tcpdump the longest reading of the next characters wins, so `len-20` is one
 * (unknown) name and `1.2.3` an address.
 */
import { CONSTANTS, KEYWORDS } from './filter-words.ts';
import { parseIpv6 } from './net/address.ts';

export type TokenKind =
  | 'word'
  | 'sign'
  | 'and'
  | 'or'
  | 'number'
  | 'name'
  | 'ip4'
  | 'ip6'
  | 'mac'
  | 'bad'
  | 'end';

export interface Token {
  kind: TokenKind;
  /** A name without its backslash; `!` for `not`, `=` for `==`. For a bad token: what is wrong with it. */
  text: string;
  /** Of a number. */
  value: number;
  from: number;
  to: number;
}

const N = '(?:0[xX][0-9A-Fa-f]+|[0-9]+)';
const B = '[0-9A-Fa-f]{1,2}';
const B2 = '[0-9A-Fa-f]{4}';
const mac = [':', '-', '\\.'].map((sign) => `${B}(?:${sign}${B}){5}`);

const SPACE = /[ \r\n\t]+/y;
const ESCAPED = /\\[^ !()\n\t]+/y;
const SIGN = />=|<=|!=|==|<<|>>|&&|\|\||[-+*/%:[\]!<>()&|^=]/y;
const SEVERAL_COLONS = /:.*:/;

/** In order of preference among readings of the same length. */
const READINGS: readonly (readonly [TokenKind, RegExp])[] = [
  ['mac', new RegExp(`${mac.join('|')}|${B2}\\.${B2}\\.${B2}|(?:${B2}){3}`, 'y')],
  ['number', new RegExp(N, 'y')],
  ['ip4', new RegExp(`${N}(?:\\.${N}){1,3}`, 'y')],
  ['ip6', /[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?:\.[0-9]+){0,3}/y],
  ['name', /[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y],
];

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (true) {
    at += matched(SPACE, text, at).length;
    if (at >= text.length) {
      tokens.push({ kind: 'end', text: '', value: 0, from: text.length, to: text.length });
      return tokens;
    }
    const token = read(text, at);
    tokens.push(token);
    at = token.to;
  }
}

function read(text: string, at: number): Token {
  const [kind, found] = longest(text, at);
  if (kind !== null) {
    return told(kind, found, at);
  }
  const sign = matched(SIGN, text, at);
  if (sign === '&&' || sign === '||') {
    return { kind: sign === '&&' ? 'and' : 'or', text: sign, value: 0, from: at, to: at + 2 };
  }
  if (sign !== '') {
    return { kind: 'sign', text: sign === '==' ? '=' : sign, value: 0, from: at, to: at + sign.length };
  }
  const escaped = matched(ESCAPED, text, at);
  if (escaped !== '') {
    return { kind: 'name', text: escaped.slice(1), value: 0, from: at, to: at + escaped.length };
  }
  const width = text.codePointAt(at)! > 0xffff ? 2 : 1;
  return bad(at, at + width, 'this character has no meaning in a capture filter');
}

function longest(text: string, at: number): [TokenKind | null, string] {
  let best: TokenKind | null = null;
  let found = '';
  for (const [kind, pattern] of READINGS) {
    const candidate = matched(pattern, text, at);
    if (candidate.length > found.length && (kind !== 'ip6' || SEVERAL_COLONS.test(candidate))) {
      best = kind;
      found = candidate;
    }
  }
  return [best, found];
}

function told(kind: TokenKind, found: string, from: number): Token {
  const token: Token = { kind, text: found, value: 0, from, to: from + found.length };
  if (kind === 'number') {
    return number(token);
  }
  if (kind === 'ip6' && parseIpv6(found) === null) {
    return bad(from, token.to, `'${found}' is no address`);
  }
  if (kind !== 'name') {
    return token;
  }
  const value = CONSTANTS.get(found);
  if (value !== undefined) {
    return { ...token, kind: 'number', value };
  }
  if (found === 'not') {
    return { ...token, kind: 'sign', text: '!' };
  }
  if (found === 'and' || found === 'or') {
    return { ...token, kind: found };
  }
  return KEYWORDS.has(found) ? { ...token, kind: 'word' } : token;
}

/** As in C: 0x is hexadecimal, a leading 0 octal. */
function number(token: Token): Token {
  const { text, from, to } = token;
  const octal = /^0[0-9]/.test(text);
  if (octal && /[89]/.test(text)) {
    return bad(from, to, `'${text}' begins with 0, so it is octal, and octal has no 8 and no 9`);
  }
  const value = octal ? Number.parseInt(text, 8) : Number(text);
  return value > 0xffff_ffff
    ? bad(from, to, `'${text.slice(0, 40)}' does not fit into 32 bits`)
    : { ...token, value };
}

function bad(from: number, to: number, text: string): Token {
  return { kind: 'bad', text, value: 0, from, to };
}

function matched(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}
