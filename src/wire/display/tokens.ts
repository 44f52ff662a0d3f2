/** The display filter's text as words, strings and signs. */

export type TokenKind = 'word' | 'string' | 'pattern' | 'operator' | 'and' | 'or' | 'not' | '(' | ')' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** What it means: a string without its quotes, an operator in its first spelling. */
  readonly text: string;
  readonly at: number;
  readonly end: number;
}

export interface Fault {
  readonly at: number;
  readonly length: number;
  readonly message: string;
  readonly expected: readonly string[];
}

/** Other spellings of the operators. */
const SPELLINGS: Readonly<Record<string, string>> = {
  eq: '==',
  '=': '==',
  '===': '==',
  ne: '!=',
  '!==': '!=',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
  matches: '~',
  contains: 'contains',
};

const WORDS: Readonly<Record<string, TokenKind>> = { and: 'and', or: 'or', not: 'not' };

export function tokenize(text: string): Token[] | Fault {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const found = next(text, at);
    if ('message' in found) {
      return found;
    }
    if (found.kind !== 'end') {
      tokens.push(found);
    }
    at = found.end;
  }
  tokens.push({ kind: 'end', text: '', at: text.length, end: text.length });
  return tokens;
}

function next(text: string, at: number): Token | Fault {
  const c = text[at]!;
  const two = text.slice(at, at + 2);
  const token = (kind: TokenKind, end: number, meaning = text.slice(at, end)): Token => ({
    kind,
    text: meaning,
    at,
    end,
  });
  if (/\s/.test(c)) {
    return token('end', at + 1);
  }
  if (c === '(' || c === ')') {
    return token(c, at + 1);
  }
  if (two === '&&' || two === '||') {
    return token(two === '&&' ? 'and' : 'or', at + 2);
  }
  const sign = /^(?:===?|!==?|>=|<=|=|>|<|~)/.exec(text.slice(at, at + 3))?.[0];
  if (sign !== undefined) {
    return token('operator', at + sign.length, SPELLINGS[sign] ?? sign);
  }
  if (c === '!') {
    return token('not', at + 1);
  }
  if (c === '"' || c === "'") {
    return quoted(text, at, c);
  }
  if (c === '/') {
    return pattern(text, at);
  }
  if (c === '&' || c === '|') {
    return { at, length: 1, message: `One ${c} alone means nothing here.`, expected: [c + c] };
  }
  return word(text, at);
}

function quoted(text: string, at: number, quote: string): Token | Fault {
  let meaning = '';
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i]!;
    if (c === quote) {
      return { kind: 'string', text: meaning, at, end: i + 1 };
    }
    if (c === '\\' && i + 1 < text.length) {
      i++;
      meaning += { n: '\n', r: '\r', t: '\t' }[text[i]!] ?? text[i]!;
    } else {
      meaning += c;
    }
  }
  return {
    at,
    length: text.length - at,
    message: 'The text that begins here has no end.',
    expected: [quote],
  };
}

function pattern(text: string, at: number): Token | Fault {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') {
      i++;
    } else if (text[i] === '/') {
      return { kind: 'pattern', text: text.slice(at + 1, i), at, end: i + 1 };
    }
  }
  return {
    at,
    length: text.length - at,
    message: 'The pattern that begins here has no end.',
    expected: ['/'],
  };
}

function word(text: string, at: number): Token {
  const end = at + /^[^\s()=!<>~"'&|]+/.exec(text.slice(at))![0].length;
  // The quotes of `name:"two words"` belong to the value, so a word ends at them; `&` and `|` alone are part of nothing.
  const meaning = text.slice(at, end);
  const lower = meaning.toLowerCase();
  if (Object.hasOwn(WORDS, lower)) {
    return { kind: WORDS[lower]!, text: lower, at, end };
  }
  if (Object.hasOwn(SPELLINGS, lower)) {
    return { kind: 'operator', text: SPELLINGS[lower]!, at, end };
  }
  return { kind: 'word', text: meaning, at, end };
}
