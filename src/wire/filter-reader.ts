/** Where the parser stands, and what it says when a token cannot stand there. */
import { type FilterFault, filterFault } from './filter-fault.ts';
import type { Token } from './filter-lex.ts';
import { nearestWord, REFUSED } from './filter-words.ts';

export interface Reader {
  tokens: readonly Token[];
  next: number;
  /** For each '(' the index of its ')', or -1. */
  closing: Int32Array;
  depth: number;
  /** How often and follows or, or or follows and: each makes the tree one level deeper. */
  changes: number;
}

export const MOST_DEPTH = 200;

export function reader(tokens: readonly Token[]): Reader {
  const closing = new Int32Array(tokens.length).fill(-1);
  const open: number[] = [];
  for (const [i, token] of tokens.entries()) {
    if (isSign(token, '(')) {
      open.push(i);
    } else if (isSign(token, ')')) {
      const at = open.pop();
      if (at !== undefined) {
        closing[at] = i;
      }
    }
  }
  return { tokens, next: 0, closing, depth: 0, changes: 0 };
}

export function peek(reader: Reader): Token {
  return reader.tokens[reader.next]!;
}

/** The end is never passed. */
export function take(reader: Reader): Token {
  const token = peek(reader);
  reader.next += token.kind === 'end' ? 0 : 1;
  return token;
}

export function isSign(token: Token, text: string): boolean {
  return token.kind === 'sign' && token.text === text;
}

export function isWord(token: Token, text: string): boolean {
  return token.kind === 'word' && token.text === text;
}

/** Null when the sign is there (and is taken). */
export function expectSign(reader: Reader, text: string, hint: string): FilterFault | null {
  const token = peek(reader);
  if (!isSign(token, text)) {
    return unexpected(token, hint);
  }
  reader.next++;
  return null;
}

/** A token that cannot stand where it stands. */
export function unexpected(token: Token, hint: string): FilterFault {
  if (token.kind === 'end') {
    return filterFault(token, 'the filter ends too early', hint);
  }
  if (token.kind === 'bad') {
    return filterFault(token, token.text, hint);
  }
  const refused = token.kind === 'word' ? REFUSED.get(token.text) : undefined;
  if (refused !== undefined) {
    return filterFault(token, `'${token.text}' is not supported`, refused);
  }
  return filterFault(token, `'${token.text.slice(0, 40)}' cannot stand here`, hint);
}

/** A name where a word of the language belongs: most likely it is mistyped. */
export function unknownWord(token: Token, hint: string): FilterFault {
  const near = token.kind === 'name' ? nearestWord(token.text) : null;
  return near === null
    ? unexpected(token, hint)
    : filterFault(token, `'${token.text}' is no word of a capture filter`, `Did you mean ${near}?`);
}

export function tooDeep(token: Token): FilterFault {
  return filterFault(
    token,
    `more than ${MOST_DEPTH} levels of nesting`,
    'Write the filter with fewer levels.',
  );
}
