/** The self-test's table: one row for each experiment and each twin, and what was wrong below it. */
import { cut } from '../tap/fit.ts';
import { several } from '../units.ts';
import { checkLines } from './reveal.ts';
import type { Judged } from './shapes.ts';
import { type Look, secondsText } from './text.ts';

export interface Row extends Judged {
  readonly name: string;
  readonly twin: boolean;
}

const CHECKS_CELLS = 8;
const TIME_CELLS = 9;

export function allHeader(nameCells: number, { paint }: Look): string {
  return paint.dim(
    `  ${'EXPERIMENT'.padEnd(nameCells)}${'CHECKS'.padStart(CHECKS_CELLS)}${'TIME'.padStart(TIME_CELLS)}  VERDICT`,
  );
}

export function nameCells(names: readonly string[]): number {
  return Math.max('EXPERIMENT'.length, ...names.map((name) => name.length));
}

export function allRow(row: Row, cells: number, look: Look): string[] {
  const { paint } = look;
  const passed = row.checks.filter(({ ok }) => ok).length;
  const checks = row.checks.length === 0 ? '–' : `${passed}/${row.checks.length}`;
  const name = row.twin ? paint.dim('  twin'.padEnd(cells)) : row.name.padEnd(cells);
  const time = row.how === 'skipped' ? '–' : secondsText(row.tookMs / 1000);
  const before = 2 + cells + CHECKS_CELLS + TIME_CELLS + 2;
  const figures = `${checks.padStart(CHECKS_CELLS)}${time.padStart(TIME_CELLS)}`;
  return [
    `  ${name}${figures}  ${verdictText(row, look, Math.max(20, look.columns - before))}`,
    ...(row.how === 'failed'
      ? checkLines(
          { checks: row.checks.filter(({ ok }) => !ok) },
          { ...look, columns: look.columns - 4 },
        ).map((line) => `    ${line}`)
      : []),
  ];
}

function verdictText({ how, why }: Row, { paint }: Look, room: number): string {
  switch (how) {
    case 'passed':
      return paint.green('✓ passed');
    case 'failed':
      return paint.red('✗ failed');
    case 'skipped':
      return paint.yellow(cut(`– skipped: ${why ?? 'no reason given'}`, room));
    case 'broken':
      return paint.red(cut(`✗ broken: ${why ?? 'no reason given'}`, room));
  }
}

/** `57 experiments and their twins: 110 passed, 2 failed, 2 skipped in 3 m 2 s` */
export function allSummary(rows: readonly Row[], of: number, tookMs: number, { paint }: Look): string {
  const count = (how: Row['how']): number => rows.filter((row) => row.how === how).length;
  const parts = (['passed', 'failed', 'broken', 'skipped'] as const)
    .map((how) => [how, count(how)] as const)
    .filter(([, number]) => number > 0)
    .map(([how, number]) => `${number} ${how}`);
  const done = rows.length < of ? `${rows.length} of ${several(of, 'run')}` : several(of, 'run');
  const text = `${done}: ${parts.length === 0 ? 'nothing yet' : parts.join(', ')} in ${secondsText(tookMs / 1000)}`;
  return count('failed') + count('broken') > 0
    ? paint.red(`✗ ${text}`)
    : rows.length < of
      ? text
      : paint.green(`✓ ${text}`);
}
