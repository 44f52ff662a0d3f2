/** The filter's line, while it is typed and after; below it, the place where it makes no sense. */
import type { FilterProblem } from './filter-line.ts';
import { clip, type Line, span } from './spans.ts';
import type { Typed } from './typing.ts';

export interface TypedFilter {
  /** The text in force. */
  text: string;
  typed: Typed | null;
  problem: FilterProblem | null;
}

export function typedLines({ typed, problem, text }: TypedFilter, columns: number, examples: string): Line[] {
  if (typed === null) {
    return text === ''
      ? []
      : [clip([span('filter ', 'dim'), span(text, 'accent'), span('  Esc shows all', 'dim')], columns)];
  }
  const prompt = 'filter ';
  // A line longer than the screen slides left, so that the cursor stays in sight.
  const slide = Math.max(0, prompt.length + typed.at + 2 - columns);
  const shown = typed.text.slice(slide);
  const at = typed.at - slide;
  const lines: Line[] = [
    clip(
      [
        span(prompt, 'dim'),
        span(shown.slice(0, at)),
        span(shown.slice(at, at + 1) || ' ', 'caret'),
        span(shown.slice(at + 1)),
        ...(typed.text === '' ? [span(`  ${examples}`, 'dim')] : []),
      ],
      columns,
    ),
  ];
  if (problem !== null) {
    const caret = Math.max(0, prompt.length + problem.at - slide);
    lines.push(clip([span(' '.repeat(caret)), span('^', 'bad'), span(` ${problem.text}`, 'bad')], columns));
  }
  return lines;
}
