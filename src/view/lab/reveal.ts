/** What stands below an experiment when it has run: the verdict, what was seen, the moment that decides, and what to learn. */
import { printable } from '../../wire/printable.ts';
import { cellsOf } from '../wire/message-line.ts';
import { eventWords } from './event-words.ts';
import type { Judged, Told } from './shapes.ts';
import { heading, type Look, momentText, paragraphs, secondsText, textWidth } from './text.ts';

const INDENT = '  ';

/** Null: nobody was asked. */
export type Prediction = string | null;

export function revealLines(told: Told, judged: Judged, prediction: Prediction, look: Look): string[] {
  return [
    ...verdict(told, prediction, look),
    '',
    ...seenLines(judged, look),
    ...lessonLines(told, look),
    ...section('SEE IT DONE RIGHT', [`sockscope lab ${told.name} --twin`], look, told.twin.title),
    ...endLines(told, judged, look),
  ];
}

export function twinRevealLines(told: Told, judged: Judged, look: Look): string[] {
  return [
    ...seenLines(judged, look),
    ...section('THE REMEDY', paragraphs(told.remedy, inner(look)), look),
    ...section('SEE IT GO WRONG', [`sockscope lab ${told.name}`], look),
    ...endLines(told, judged, look),
  ];
}

/** The whole lesson without a run. */
export function explainLines(told: Told, look: Look): string[] {
  const knobs = Object.entries(told.knobs).map(([name, value]) => `${name}=${value}`);
  return [
    ...verdict(told, null, look),
    '',
    ...lessonLines(told, look),
    ...section('SEE IT DONE RIGHT', [`sockscope lab ${told.name} --twin`], look, told.twin.title),
    ...(knobs.length === 0
      ? []
      : section('TURN IT', paragraphs(knobs.join('  '), inner(look)), look, '--set NAME=VALUE; as told:')),
    ...shortened(told, look),
  ];
}

function verdict({ answers, answer }: Told, prediction: Prediction, look: Look): string[] {
  const { paint } = look;
  const right = answers[answer] ?? '';
  const it = paragraphs(right, look, `  ${answer}  `);
  if (prediction === null) {
    return [heading('THE ANSWER', look), ...it];
  }
  if (prediction === answer) {
    return [paint.green(paint.bold('✓ You were right.')), ...it];
  }
  return [
    paint.yellow(paint.bold('✗ Not so.')),
    ...paragraphs(answers[prediction] ?? '', look, `  you said  ${prediction}  `).map((line) =>
      paint.dim(line),
    ),
    ...paragraphs(right, look, `  it is     ${answer}  `),
  ];
}

function seenLines(judged: Judged, look: Look): string[] {
  const failed = judged.checks.filter(({ ok }) => !ok).length;
  const told =
    failed === 0
      ? ''
      : `${failed} of ${judged.checks.length} not as this experiment says; your kernel or this program differs`;
  const { moment } = judged;
  return [
    ...(judged.checks.length === 0 ? [] : section('WHAT WAS SEEN', checkLines(judged, look), look, told)),
    ...(moment === undefined
      ? []
      : section(
          'THE MOMENT THAT DECIDES',
          [
            ...paragraphs(eventWords(moment), inner(look)).map((line) => look.paint.bold(line)),
            ...becauseLines(judged, look),
          ],
          look,
          `at ${momentText(moment.at)}`,
        )),
  ];
}

/** What led to it. That a packet arrived goes without saying when the packet itself comes next. */
function becauseLines({ because = [] }: Judged, look: Look): string[] {
  return because
    .filter(({ event }) => event.type !== 'fate')
    .flatMap(({ event }) => {
      const lead = `  ← ${momentText(event.at)}  `;
      return paragraphs(eventWords(event), inner(look), lead).map((line) => look.paint.dim(line));
    });
}

/** The claim, and what was really seen at the right; under it where both do not fit. */
export function checkLines({ checks }: Pick<Judged, 'checks'>, look: Look): string[] {
  const { paint } = look;
  const width = textWidth(look.columns) - INDENT.length;
  return checks.flatMap(({ claim, ok, ...check }) => {
    const seen = printable(check.seen);
    const mark = ok ? paint.green('✓') : paint.red('✗');
    const shown = ok ? paint.dim(seen) : paint.red(`seen: ${seen}`);
    const room = width - cellsOf(claim) - 2;
    if (cellsOf(shown) + 2 <= room) {
      return [`${mark} ${claim}${' '.repeat(room - cellsOf(shown))}${shown}`];
    }
    const text = ok ? seen : `seen: ${seen}`;
    const below = paragraphs(text, { ...look, columns: width }, '    ');
    return [
      ...paragraphs(claim, { ...look, columns: width }, '  ').map((line, index) =>
        index === 0 ? `${mark} ${line.slice(2)}` : line,
      ),
      ...below.map((line) => (ok ? paint.dim(line) : paint.red(line))),
    ];
  });
}

function lessonLines(told: Told, look: Look): string[] {
  return [
    ...section('WHY', paragraphs(told.explanation, inner(look)), look),
    ...section('WHAT TO DO', paragraphs(told.remedy, inner(look)), look),
    ...section(
      'READ ON',
      told.references.flatMap((one) => paragraphs(one, inner(look), '', '  ')),
      look,
    ),
  ];
}

function endLines(told: Told, { checks, how, tookMs, missing, tracing }: Judged, look: Look): string[] {
  const { paint } = look;
  const passed = checks.filter(({ ok }) => ok).length;
  const count = `${passed} of ${checks.length} checks passed in ${secondsText(tookMs / 1000)}`;
  return [
    ...shortened(told, look),
    ...(missing.length === 0
      ? []
      : paragraphs(`This kernel has no setting ${missing.join(', ')}.`, look, '! ')),
    ...(tracing.on
      ? []
      : paragraphs(`States were sampled, not traced: ${tracing.why}`, look).map((line) => paint.dim(line))),
    how === 'passed' ? paint.green(`✓ ${count}`) : paint.red(`✗ ${count}`),
  ];
}

function shortened(told: Told, look: Look): string[] {
  return told.shortened === undefined
    ? []
    : paragraphs(`Shortened: ${told.shortened}`, look).map((line) => look.paint.dim(line));
}

function section(title: string, lines: readonly string[], look: Look, rest = ''): string[] {
  if (lines.length === 0) {
    return [];
  }
  const fits = title.length + 2 + cellsOf(rest) <= textWidth(look.columns);
  return [
    heading(title, look, fits ? rest : ''),
    ...(fits
      ? []
      : paragraphs(rest, inner(look)).map((line) => (line === '' ? '' : look.paint.dim(INDENT + line)))),
    ...lines.map((line) => (line === '' ? '' : INDENT + line)),
    '',
  ];
}

function inner(look: Look): Look {
  return { ...look, columns: textWidth(look.columns) - INDENT.length };
}
