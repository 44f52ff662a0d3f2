/** The filter's text as words and signs. A backslash takes the meaning from the next character, as in ss. */

export type TokenKind = 'word' | 'operator' | 'and' | 'or' | 'not' | '(' | ')' | 'end';

export interface Token {
  kind: TokenKind;
  text: string;
  at: number;
  end: number;
  /** No character was escaped: the word may be a keyword. */
  plain: boolean;
}

const KEYWORDS: Record<string, TokenKind> = { and: 'and', or: 'or', not: 'not' };

/** After these a comparison may be glued on: `sport=:80`, `dev!=eth0`. */
const COMPARABLE = new Set(['src', 'dst', 'sport', 'dport', 'dev', 'fwmark', 'cgroup']);
/** After these a parenthesis may be glued on: `not(`, `and(`. */
const BEFORE_GROUP = new Set(['and', 'or', 'not']);

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const push = (kind: TokenKind, end: number): void => {
    tokens.push({ kind, text: text.slice(at, end), at, end, plain: true });
    at = end;
  };
  while (at < text.length) {
    const c = text[at]!;
    const next = text[at + 1];
    if (/\s/.test(c)) {
      at++;
    } else if (c === '(' || c === ')') {
      push(c, at + 1);
    } else if (c === '&') {
      push('and', next === '&' ? at + 2 : at + 1);
    } else if (c === '|') {
      push('or', next === '|' ? at + 2 : at + 1);
    } else if (c === '!' && next !== '=') {
      push('not', at + 1);
    } else if (c === '!' || c === '=' || c === '<' || c === '>') {
      push('operator', next === '=' ? at + 2 : at + 1);
    } else {
      const token = word(text, at);
      tokens.push(token);
      at = token.end;
    }
  }
  tokens.push({ kind: 'end', text: '', at: text.length, end: text.length, plain: true });
  return tokens;
}

function word(text: string, at: number): Token {
  let end = at;
  let value = '';
  let plain = true;
  let open = 0;
  while (end < text.length) {
    const c = text[end]!;
    if (c === '\\') {
      plain = false;
      value += text[end + 1] ?? '';
      end = Math.min(end + 2, text.length);
      continue;
    }
    if (/[\s&|]/.test(c) || (c === ')' && open === 0)) {
      break;
    }
    if (plain && ((/[=<>!]/.test(c) && COMPARABLE.has(value)) || (c === '(' && BEFORE_GROUP.has(value)))) {
      break;
    }
    open += c === '(' ? 1 : c === ')' ? -1 : 0;
    value += c;
    end++;
  }
  const keyword = plain && Object.hasOwn(KEYWORDS, value) ? KEYWORDS[value] : undefined;
  return { kind: keyword ?? 'word', text: value, at, end, plain };
}
