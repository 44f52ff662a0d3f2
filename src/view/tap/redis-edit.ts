/** Redis as people type it: a command as words, a text as a quoted word. Bytes are characters here. */
import { escapedLines, type Unreadable, unescaped } from './escaped.ts';

const WORDS_MOST = 100_000;
/** Words that need no quotes. */
const BARE = /^[!$-&(-~][!$-&(-~]*$/;

/** Null: it is no array of texts and nothing else. */
export function wordsOf(resp: string): string[] | null {
  const head = /^\*(\d{1,6})\r\n/.exec(resp);
  if (head === null || Number(head[1]) === 0 || Number(head[1]) > WORDS_MOST) {
    return null;
  }
  const words: string[] = [];
  let at = head[0].length;
  for (let i = 0; i < Number(head[1]); i++) {
    const word = textAt(resp, at);
    if (word === null) {
      return null;
    }
    words.push(word.text);
    at = word.end;
  }
  return at === resp.length ? words : null;
}

/** A reply that is one text. */
export function textOf(resp: string): string | null {
  const word = textAt(resp, 0);
  return word !== null && word.end === resp.length ? word.text : null;
}

function textAt(resp: string, at: number): { text: string; end: number } | null {
  const line = /^\$(\d{1,10})\r\n/.exec(resp.slice(at, at + 16));
  if (line === null) {
    return null;
  }
  const from = at + line[0].length;
  const to = from + Number(line[1]);
  return resp.slice(to, to + 2) === '\r\n' ? { text: resp.slice(from, to), end: to + 2 } : null;
}

export function typedWord(word: string): string {
  if (BARE.test(word) && !word.includes('\\')) {
    return word;
  }
  const escaped = escapedLines(Buffer.from(word, 'latin1')).join('').replaceAll('"', '\\"');
  return `"${escaped}"`;
}

/** The words of a line: bare, in double quotes with escapes, in single quotes as they are. */
export function readWords(line: string): string[] | Unreadable {
  const words: string[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))(?=\s|$)/gsy;
  let end = 0;
  for (let found = pattern.exec(line); found !== null; found = pattern.exec(line)) {
    end = pattern.lastIndex;
    const word = found[1] === undefined ? (found[2] ?? found[3] ?? '') : unescaped(found[1]);
    if (typeof word !== 'string') {
      return word;
    }
    words.push(word);
  }
  return line.slice(end).trim() === ''
    ? words
    : { why: `a quote is not closed, or more follows it: ${line.slice(end).trim().slice(0, 20)}` };
}

export function respOf(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map(respText).join('')}`;
}

export function respText(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** Where announced lengths no longer fit, each is taken to be about the one line below it. */
export function withLengths(resp: string): string {
  return fits(resp)
    ? resp
    : resp.replace(/\$\d{1,10}\r\n([^\r\n]*)\r\n/g, (_, line: string) => respText(line));
}

/** Every announced length leads to a line end. */
function fits(resp: string): boolean {
  let at = 0;
  while (at < resp.length) {
    const text = textAt(resp, at);
    const next = text?.end ?? resp.indexOf('\r\n', at) + 2;
    if (next <= at || (text === null && resp[at] === '$' && !resp.startsWith('$-1\r\n', at))) {
      return false;
    }
    at = next;
  }
  return true;
}
