/** The catalogue: every experiment on one line, under its theme. */
import { cut } from '../tap/fit.ts';
import type { Told } from './shapes.ts';
import { heading, type Look, textWidth } from './text.ts';

export interface Theme {
  readonly title: string;
  readonly about: string;
  readonly experiments: readonly Told[];
}

const SECONDS_CELLS = 6;
const MOST_NAME_CELLS = 24;

export function catalogueLines(themes: readonly Theme[], look: Look): string[] {
  const filled = themes.filter(({ experiments }) => experiments.length > 0);
  const names = filled.flatMap(({ experiments }) => experiments.map(({ name }) => name.length));
  // One long name shall not take the room of all the questions.
  const nameCells = Math.min(MOST_NAME_CELLS, Math.max(0, ...names));
  return filled.flatMap(({ title, about, experiments }) => [
    heading(title, look, cut(about, textWidth(look.columns) - title.length - 2)),
    ...experiments.map(({ name, asks, seconds }) => {
      const room = textWidth(look.columns) - Math.max(nameCells, name.length) - SECONDS_CELLS - 4;
      const takes = look.paint.dim(aboutSeconds(seconds).padStart(SECONDS_CELLS));
      return `  ${look.paint.cyan(name.padEnd(nameCells))}${takes}  ${cut(asks, room)}`;
    }),
    '',
  ]);
}

export function aboutSeconds(seconds: number): string {
  return seconds < 1 ? '< 1 s' : `${Math.round(seconds)} s`;
}

export function catalogueFoot(example: string, { paint }: Look): string[] {
  const rows = [
    [`sockscope lab ${example}`, 'asks you, runs it, shows what happened and why'],
    [`sockscope lab ${example} --twin`, 'the same with the remedy'],
    ['sockscope lab --grep WORD', 'those that speak of it'],
    ['sockscope lab all', 'runs every one as a self-test'],
  ] as const;
  const cells = Math.max(...rows.map(([command]) => command.length));
  return rows.map(([command, what]) => `${command.padEnd(cells)}  ${paint.dim(what)}`);
}
