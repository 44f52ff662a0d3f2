/** The text of a `--fault` as words. A word may be quoted, whole or after its `=`; places are kept for the caret. */

export interface Token {
  /** What it means: without quotes. */
  readonly text: string;
  readonly at: number;
  readonly end: number;
  /** Begins with a quote, so it is no keyword. */
  readonly quoted: boolean;
}

/** What could not be read, and where in the text. */
export interface FaultTextError {
  readonly why: string;
  readonly at: number;
  readonly length: number;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** The words up to the first bare `when`, and where that begins; -1: there is none. */
export interface Words {
  readonly words: readonly Token[];
  readonly whenAt: number;
}

export function readWords(text: string): Words | FaultTextError {
  const words: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const word = readWord(text, at);
    if ('why' in word) {
      return word;
    }
    if (word.text === 'when' && !word.quoted) {
      return { words, whenAt: at };
    }
    words.push(word);
    at = word.end;
  }
  return { words, whenAt: -1 };
}

function readWord(text: string, start: number): Token | FaultTextError {
  let meaning = '';
  let at = start;
  while (at < text.length && !/\s/.test(text[at]!)) {
    const c = text[at]!;
    const mayQuote = at === start || text[at - 1] === '=';
    if (mayQuote && (c === '"' || c === "'")) {
      const end = quoteEnd(text, at);
      if (end < 0) {
        return { why: 'the quoted text that begins here has no end', at, length: text.length - at };
      }
      meaning += unquote(text.slice(at + 1, end));
      at = end + 1;
    } else {
      meaning += c;
      at++;
    }
  }
  return { text: meaning, at: start, end: at, quoted: text[start] === '"' || text[start] === "'" };
}

function quoteEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\') {
      i++;
    } else if (text[i] === text[at]) {
      return i;
    }
  }
  return -1;
}

function unquote(inside: string): string {
  return inside.replace(/\\(.)/gs, (_all, c: string) => ESCAPES[c] ?? c);
}

/** Quoted when it could not be read back otherwise. */
export function quoteIfNeeded(text: string): string {
  if (/^[^\s"'=\\]+$/.test(text) && text !== 'when') {
    return text;
  }
  return quote(text);
}

export function quote(text: string): string {
  const inside = text.replace(/[\\"\n\r\t]/g, (c) => {
    const known = Object.entries(ESCAPES).find(([, meaning]) => meaning === c);
    return `\\${known?.[0] ?? c}`;
  });
  return `"${inside}"`;
}
