/** A screen line is a list of toned pieces. Everything above Ink is built from these, so it can be tested as plain data. */

export type Tone =
  | 'plain'
  | 'bold'
  | 'dim'
  | 'accent'
  | 'good'
  | 'warn'
  | 'bad'
  | 'odd'
  | 'head'
  | 'sorted'
  | 'new'
  | 'changed'
  | 'gone'
  | 'cursor'
  | 'caret';

export interface Span {
  text: string;
  tone: Tone;
}

export type Line = readonly Span[];

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}

/** East Asian wide and emoji blocks: two columns in every terminal that matters. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u;
const PLAIN = /^[ -~]*$/;

function charWidth(char: string): number {
  if (ZERO.test(char)) {
    return 0;
  }
  return WIDE.test(char) ? 2 : 1;
}

export function textWidth(text: string): number {
  if (PLAIN.test(text)) {
    return text.length;
  }
  let width = 0;
  for (const char of text) {
    width += charWidth(char);
  }
  return width;
}

/** A process may name itself anything, escape sequences included: what a terminal would obey is shown as a dot. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '·');
}

/** The longest start of `text` that fits. */
export function take(text: string, width: number): string {
  if (PLAIN.test(text)) {
    return text.slice(0, Math.max(0, width));
  }
  let used = 0;
  let out = '';
  for (const char of text) {
    used += charWidth(char);
    if (used > width) {
      break;
    }
    out += char;
  }
  return out;
}

function takeEnd(text: string, width: number): string {
  const kept: string[] = [];
  let used = 0;
  for (const char of [...text].reverse()) {
    used += charWidth(char);
    if (used > width) {
      break;
    }
    kept.push(char);
  }
  return kept.reverse().join('');
}

export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

/** Exactly `width` columns; what does not fit ends in an ellipsis. */
export function exactly(text: string, width: number): string {
  if (textWidth(text) <= width) {
    return pad(text, width);
  }
  return width <= 0 ? '' : pad(`${take(text, width - 1)}…`, width);
}

/** Exactly `width` columns, keeping the end: a port, or the last part of a path. */
export function exactlyEnd(text: string, width: number): string {
  if (textWidth(text) <= width) {
    return pad(text, width);
  }
  return width <= 0 ? '' : pad(`…${takeEnd(text, width - 1)}`, width);
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, piece) => sum + textWidth(piece.text), 0);
}

/** Cuts a line to `width` columns. */
export function clip(line: Line, width: number): Line {
  if (lineWidth(line) <= width) {
    return line;
  }
  const out: Span[] = [];
  let left = width;
  for (const piece of line) {
    const wide = textWidth(piece.text);
    if (wide >= left) {
      out.push({ text: wide === left ? piece.text : exactly(piece.text, left), tone: piece.tone });
      break;
    }
    out.push(piece);
    left -= wide;
  }
  return out;
}

/** `left` at the left edge, `right` at the right one; the right part goes first when there is no room. */
export function justify(left: Line, right: Line, width: number): Line {
  const gap = width - lineWidth(left) - lineWidth(right);
  return gap >= 2 ? [...left, span(' '.repeat(gap)), ...right] : clip(left, width);
}

/** Breaks prose at spaces so that no line is wider than `width`. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (textWidth(joined) <= width || line === '') {
      line = joined;
    } else {
      lines.push(line);
      line = word;
    }
  }
  lines.push(line);
  return lines.map((part) => (textWidth(part) > width ? exactly(part, width) : part));
}
