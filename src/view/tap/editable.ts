/** A held message as a text that people edit, and back. */
import type { Heard } from '../../wire/heard.ts';
import { endingOf, escapedLines, readEscaped, type Unreadable } from './escaped.ts';
import { hexEditLines, readHexEdit } from './hex-edit.ts';
import { httpSent, httpShown } from './http-edit.ts';
import { readWords, respOf, respText, textOf, typedWord, withLengths, wordsOf } from './redis-edit.ts';

export type { Unreadable } from './escaped.ts';

export interface Edited {
  readonly bytes: Uint8Array;
  /** What was done to it besides; '' mostly. */
  readonly note: string;
}

export interface Editable {
  /** Without the comments above it. */
  readonly lines: readonly string[];
  /** How it is written, for the comments. */
  readonly help: string;
  /** `text` holds bytes as characters, as a file is read as latin1. Null: nothing is left of it. */
  read(text: string): Edited | Unreadable | null;
}

const ESCAPES = 'Lines as they are sent: \\r\\n ends one; \\t, \\xHH, \\\\; a \\ at the end joins two.';
const HEX = 'Two hex digits are a byte; the text beside them is not read.';
const WORDS = 'The words of one command, quoted as in redis-cli: "two words\\r\\n\\x00"';
const TEXT = 'A "text" in quotes, or as it is sent: +OK, -ERR no, :1, $-1 for nothing, *2 …';
/** More of it than this share is no text. */
const MOST_STRANGE = 1 / 5;

export function editable({ decoder, kind }: Pick<Heard, 'decoder' | 'kind'>, bytes: Uint8Array): Editable {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (decoder === 'redis') {
    const words = kind === 'request' ? wordsOf(text) : null;
    if (words !== null) {
      return form([words.map(typedWord).join(' ')], WORDS, readCommand);
    }
    if (kind === 'reply') {
      const said = textOf(text);
      return form(said === null ? escapedLines(bytes) : [typedText(said)], TEXT, (lines) => readReply(lines));
    }
  }
  if (strange(bytes) > bytes.length * MOST_STRANGE) {
    return form(hexEditLines(bytes), HEX, (lines) => simply(readHexEdit(lines)));
  }
  const http = decoder === 'http1' && kind !== 'notice' ? httpShown(text) : null;
  const shown = http === null ? bytes : bytesFrom(http.text);
  const ending = endingOf(shown);
  return form(escapedLines(shown), ESCAPES, (lines) => {
    const read = readEscaped(lines, ending, http?.newline ?? shown.at(-1) === 10);
    if (typeof read !== 'string' || http === null) {
      return simply(read);
    }
    if (read === http.text) {
      return { text, note: '' };
    }
    return httpSent(http.text, read, http.chunked, kind === 'request');
  });
}

type Read = { readonly text: string; readonly note: string } | Unreadable;

function form(lines: readonly string[], help: string, read: (lines: readonly string[]) => Read): Editable {
  return {
    lines,
    help,
    read(text) {
      const said = withoutComments(text);
      if (said.length === 0) {
        return null;
      }
      const found = read(said);
      return 'why' in found ? found : { bytes: bytesFrom(found.text), note: found.note };
    },
  };
}

/** Editors add a newline at the end, some a mark at the beginning, some write CR LF. */
function withoutComments(text: string): string[] {
  const lines = text
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  while (lines.at(-1) === '') {
    lines.pop();
  }
  const first = lines.findIndex((line) => !line.startsWith('#'));
  return first < 0 ? [] : lines.slice(first);
}

function simply(read: string | Unreadable): Read {
  return typeof read === 'string' ? { text: read, note: '' } : read;
}

function readCommand(lines: readonly string[]): Read {
  if (/^\*\d+(\\r\\n)?$/.test(lines[0]!)) {
    return rawResp(lines);
  }
  const commands = lines.filter((line) => line.trim() !== '');
  if (commands.length !== 1) {
    return { why: `${commands.length} lines: one command is held, and its client waits for one reply` };
  }
  const words = readWords(commands[0]!);
  if ('why' in words) {
    return words;
  }
  return words.length === 0 ? { why: 'no command' } : { text: respOf(words), note: '' };
}

/** Always in quotes: what begins with + or $ is a text here as well. */
function typedText(text: string): string {
  const typed = typedWord(text);
  return typed.startsWith('"') ? typed : `"${typed}"`;
}

const QUOTED = /^\s*"/;

function readReply(lines: readonly string[]): Read {
  const first = lines[0]!;
  if (!QUOTED.test(first)) {
    return /^[-+:$*_#,(!=%~>|]/.test(first) ? rawResp(lines) : simply(respText(lines.join('\n')));
  }
  const words = readWords(lines.join('\n'));
  if ('why' in words) {
    return words;
  }
  return words.length === 1 ? simply(respText(words[0]!)) : { why: 'more than one text' };
}

function rawResp(lines: readonly string[]): Read {
  const read = readEscaped(lines, '\r\n', true);
  return typeof read === 'string' ? simply(withLengths(read)) : read;
}

function bytesFrom(latin1: string): Uint8Array {
  return new Uint8Array(Buffer.from(latin1, 'latin1'));
}

/** Bytes that are neither text nor the end of a line. */
function strange(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes);
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0xfffd || (code < 32 && code !== 9 && code !== 10 && code !== 13) || code === 127) {
      count++;
    }
  }
  return count;
}
