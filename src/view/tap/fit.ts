/** Text in the cells there are: cut with an ellipsis, or folded so that nothing is lost. No colours in it yet. */
import { cellsOf } from '../wire/message-line.ts';

const PLAIN = /^[ -~]*$/;

export function cut(text: string, room: number): string {
  if (PLAIN.test(text) ? text.length <= room : cellsOf(text) <= room) {
    return text;
  }
  return room < 1 ? '' : `${text.slice(0, startThatFits(text, room - 1))}…`;
}

/** At spaces where there are some. */
export function fold(text: string, room: number): string[] {
  const width = Math.max(8, room);
  const lines: string[] = [];
  let rest = text;
  for (;;) {
    const end = startThatFits(rest, width);
    if (end === rest.length) {
      return [...lines, rest];
    }
    const space = rest.lastIndexOf(' ', end);
    const at = space > end / 2 ? space : end;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at).replace(/^ /, '');
  }
}

function startThatFits(text: string, room: number): number {
  let cells = 0;
  let end = 0;
  for (const character of text) {
    cells += cellsOf(character);
    if (cells > room) {
      return end;
    }
    end += character.length;
  }
  return end;
}
