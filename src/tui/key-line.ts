/** The bottom line: which keys do what here. */
import { clip, type Line, lineWidth, type Span, span } from './spans.ts';

export type KeyWord = readonly [key: string, does: string];

function keySpans(words: readonly KeyWord[]): Span[] {
  return words.flatMap(([key, does], index) => [
    span(`${index === 0 ? '' : '   '}${key}`, 'bold'),
    span(` ${does}`, 'dim'),
  ]);
}

/** Whole words only; `last`, the way to the help and out, stays when there is no room for the rest. */
export function keyLine(words: readonly KeyWord[], last: readonly KeyWord[], columns: number): Line {
  for (let kept = words.length; kept > 0; kept -= 1) {
    const line = keySpans([...words.slice(0, kept), ...last]);
    if (lineWidth(line) <= columns) {
      return line;
    }
  }
  return clip(keySpans(last), columns);
}
