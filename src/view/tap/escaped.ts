/**
 * Bytes as lines that an editor cannot spoil: what it would change on its own (CR, tabs, spaces and newlines at the end,
 * bytes that are no UTF-8) is spelled out. Line breaks of the file are layout and nothing else.
 */

export interface Unreadable {
  readonly why: string;
}

const CR = 13;
const LF = 10;
const BACKSLASH = 92;
const SPACE = 32;
const HASH = 35;
/** What moves a cursor or cannot be seen: spelled out although it is good UTF-8. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One line of text for each line of the message, its end written as `\r\n` or `\n`. */
export function escapedLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let line = '';
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at]!;
    const length = byte < 128 ? 1 : characterAt(bytes, at);
    if (length > 1) {
      line += decoder.decode(bytes.subarray(at, at + length));
      at += length;
      continue;
    }
    const last = at === bytes.length - 1;
    line += (byte === SPACE && last) || (byte === HASH && at === 0) ? hex(byte) : spelled(byte);
    at++;
    if (byte === LF) {
      lines.push(line);
      line = '';
    }
  }
  if (line !== '') {
    lines.push(line);
  }
  return lines;
}

function spelled(byte: number): string {
  switch (byte) {
    case CR:
      return '\\r';
    case LF:
      return '\\n';
    case 9:
      return '\\t';
    case BACKSLASH:
      return '\\\\';
    default:
      return byte >= SPACE && byte < 127 ? String.fromCharCode(byte) : hex(byte);
  }
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** How many bytes a visible character takes that begins here; 1: there is none. */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  if (length === 1 || at + length > bytes.length) {
    return 1;
  }
  try {
    return HIDDEN.test(decoder.decode(bytes.subarray(at, at + length))) ? 1 : length;
  } catch {
    return 1;
  }
}

/** How the lines of a message end, for lines that a person adds without saying how. */
export function endingOf(bytes: Uint8Array): '\r\n' | '\n' {
  const first = bytes.indexOf(LF);
  return first > 0 && bytes[first - 1] === CR ? '\r\n' : first >= 0 ? '\n' : '\r\n';
}

/**
 * `lines` hold bytes as characters. A line without an end gets `ending`, unless it ends in a lone backslash; the last one
 * only where the message that was there before ended with one.
 */
export function readEscaped(
  lines: readonly string[],
  ending: string,
  endsWithOne: boolean,
): string | Unreadable {
  let text = '';
  for (const [index, line] of lines.entries()) {
    const read = unescaped(line);
    if (typeof read !== 'string') {
      return { why: `line ${index + 1}: ${read.why}` };
    }
    text += read;
    const joined = /(^|[^\\])(\\\\)*\\$/.test(line);
    if (!joined && !read.endsWith('\n') && (index < lines.length - 1 || endsWithOne)) {
      text += ending;
    }
  }
  return text;
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\', '"': '"' };

/** A lone backslash at the end means nothing by itself. */
export function unescaped(text: string): string | Unreadable {
  let wrong = '';
  const read = text.replace(/\\(x[0-9a-fA-F]{2}|.|$)/gs, (whole, what: string) => {
    if (what.length === 3) {
      return String.fromCharCode(Number.parseInt(what.slice(1), 16));
    }
    const found = what === '' ? '' : ESCAPES[what];
    if (found === undefined) {
      wrong ||= whole;
      return '';
    }
    return found;
  });
  return wrong === '' ? read : { why: `${wrong} means nothing here; a backslash is written \\\\` };
}
