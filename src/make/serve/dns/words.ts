/** The words of a zone file: parentheses join lines, quotation marks and backslashes protect, semicolons begin comments (RFC 1035 section 5.1). */

export interface Word {
  /** With its backslashes, without its quotation marks. A character a byte. */
  readonly text: string;
  readonly quoted: boolean;
  readonly line: number;
  readonly column: number;
}

export interface Entry {
  readonly words: readonly Word[];
  /** The line begins with a space: the record belongs to the name before. */
  readonly indented: boolean;
}

export type Complain = (line: number, column: number, sentence: string) => void;

/** The entries of `text`. An entry with a fault is told of and left out. */
export function* entriesOf(text: string, complain: Complain): Generator<Entry> {
  let at = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  let line = 1;
  let lineStart = at;
  let words: Word[] = [];
  let indented = false;
  let broken = false;
  let open: { line: number; column: number } | null = null;
  const column = (): number => at - lineStart + 1;

  while (at < text.length) {
    const character = text[at]!;
    if (character === '\n') {
      at += 1;
      line += 1;
      lineStart = at;
      if (open === null) {
        if (words.length > 0 && !broken) {
          yield { words, indented };
        }
        words = [];
        indented = false;
        broken = false;
      }
    } else if (character === ' ' || character === '\t' || character === '\r') {
      indented ||= at === lineStart && open === null && character !== '\r';
      at += 1;
    } else if (character === ';') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (character === '(') {
      if (open !== null) {
        complain(line, column(), 'a parenthesis opens inside another one');
        broken = true;
      }
      open ??= { line, column: column() };
      at += 1;
    } else if (character === ')') {
      if (open === null) {
        complain(line, column(), 'a parenthesis closes that was never opened');
        broken = true;
      }
      open = null;
      at += 1;
    } else {
      const quoted = character === '"';
      const from = quoted ? at + 1 : at;
      const end = quoted ? closingMark(text, from) : wordEnd(text, from);
      if (end < 0) {
        complain(line, column(), 'a quotation mark opens and does not close on this line');
        broken = true;
        const next = text.indexOf('\n', at);
        at = next < 0 ? text.length : next;
        continue;
      }
      words.push({ text: text.slice(from, end), quoted, line, column: column() });
      at = quoted ? end + 1 : end;
    }
  }
  if (open !== null) {
    complain(open.line, open.column, 'a parenthesis opens and never closes');
  } else if (words.length > 0 && !broken) {
    yield { words, indented };
  }
}

/** Where the quotation mark closes, or -1 when the line ends before. */
function closingMark(text: string, from: number): number {
  for (let at = from; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '"') {
      return at;
    }
    if (text[at] === '\\' && text[at + 1] !== '\n') {
      at += 1;
    }
  }
  return -1;
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !' \t\r\n;()"'.includes(text[at]!)) {
    at += text[at] === '\\' && text[at + 1] !== '\n' ? 2 : 1;
  }
  return Math.min(at, text.length);
}
