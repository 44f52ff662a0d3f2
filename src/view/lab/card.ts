/** What stands above an experiment before it runs: its name, the question, the answers to choose from. */
import { aboutSeconds } from './catalogue.ts';
import type { Told } from './shapes.ts';
import { type Look, paragraphs, textWidth } from './text.ts';

export function questionCard(told: Told, theme: string, look: Look): string[] {
  return [
    ...title(told.name, `${theme.toLowerCase()} · ${aboutSeconds(told.seconds)}`, look),
    ...paragraphs(told.question, look),
    '',
    ...answerLines(told, look),
    '',
  ];
}

export function twinCard(told: Told, look: Look): string[] {
  return [
    ...title(told.name, 'the healthy twin', look),
    ...paragraphs(`The same story, done right: ${told.twin.title}`, look),
    '',
  ];
}

function title(name: string, right: string, { columns, paint }: Look): string[] {
  const width = textWidth(columns);
  const gap = Math.max(2, width - name.length - right.length);
  return [
    `${paint.bold(paint.cyan(name))}${' '.repeat(gap)}${paint.dim(right)}`,
    paint.dim('─'.repeat(width)),
    '',
  ];
}

export function answerLines({ answers }: Told, look: Look): string[] {
  return Object.entries(answers).flatMap(([letter, text]) => {
    const [first = '', ...more] = paragraphs(text, look, `  ${letter}  `);
    return [first.replace(letter, look.paint.bold(letter)), ...more];
  });
}
