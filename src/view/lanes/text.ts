/** Toned text in cells: what an event says is made harmless here, before anything is measured. */
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { cellsOf } from '../wire/message-line.ts';

export type Tone = 'plain' | keyof Painter;

export interface Piece {
  readonly text: string;
  readonly tone: Tone;
}

export type Line = readonly Piece[];

/** More of one text is of no use beside an arrow. */
const MOST = 300;
const PLAIN = /^[ -~]*$/;
/** Two cells wide in a terminal although they stand outside the blocks that `cellsOf` knows; what makes a sign an emoji; half characters. */
const MISFITS =
  /\ufe0f|[\u2329\u232a\ua960-\ua97f\p{Cs}\u{16fe0}-\u{1b2ff}\u{1d300}-\u{1d37f}\u{1f000}-\u{1f2ff}]|(?=[\u2000-\u2fff])\p{Emoji_Presentation}/gu;

/** Names, arguments and reasons come from programs and from the network. */
export function clean(text: string, ascii: boolean): string {
  if (text.length <= MOST && PLAIN.test(text)) {
    return text;
  }
  const safe = printable(text.slice(0, MOST)).replace(MISFITS, '\ufffd');
  return ascii ? safe.replace(/[^ -~]/gu, '?') : safe;
}

export function piece(text: string, tone: Tone = 'plain'): Piece {
  return { text, tone };
}

/** Marks that stand beside their letter, as in Devanagari, take a cell; those above and below take none. */
const BESIDE = /\p{Mc}/gu;

export function cellCount(text: string): number {
  return PLAIN.test(text) ? text.length : cellsOf(text) + (text.match(BESIDE)?.length ?? 0);
}

export function width(line: Line): number {
  let cells = 0;
  for (const { text } of line) {
    cells += cellCount(text);
  }
  return cells;
}

/** Breaks at spaces, and within words that are longer than a line. Continuations are indented by one. */
export function wrap(line: Line, room: number): Line[] {
  if (width(line) <= room) {
    return [line];
  }
  const lines: Piece[][] = [[]];
  let used = 0;
  const next = (): void => {
    lines.push([piece(' ')]);
    used = 1;
  };
  for (const { text, tone } of line) {
    for (const word of text.split(/(?<=[^=] )/)) {
      const cells = cellCount(word.trimEnd());
      if (used > 1 && used + cells > room && cells < room) {
        next();
      }
      let part = '';
      for (const character of word) {
        const wide = cellCount(character);
        if (used + wide > room) {
          lines.at(-1)!.push({ text: part, tone });
          part = '';
          if (character === ' ') {
            continue;
          }
          next();
        }
        part += character;
        used += wide;
      }
      if (part !== '') {
        lines.at(-1)!.push({ text: part, tone });
      }
    }
  }
  return lines.filter((one) => width(one) > (one[0]?.text === ' ' ? 1 : 0));
}

export function paintLine(line: Line, paint: Painter): string {
  let last = line.length - 1;
  while (last >= 0 && line[last]!.text.trim() === '') {
    last -= 1;
  }
  let text = '';
  for (let i = 0; i <= last; i++) {
    const { text: said, tone } = line[i]!;
    const shown = i === last ? said.trimEnd() : said;
    text += tone === 'plain' ? shown : paint[tone](shown);
  }
  return text;
}
