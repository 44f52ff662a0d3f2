/** The bench's samples as a text table that is committed: the machine, every contender, every ratio, every budget. */
import { cpus, release, totalmem, type } from 'node:os';

export interface Sample {
  figure: number;
  /** Whole processes only. */
  cpuMs?: number;
  bytes?: number;
  lines?: number;
}

export interface Measured {
  name: string;
  role: 'ours' | 'peer' | 'floor';
  samples: Sample[];
  /** Peak resident memory of the warm-up, where it could be had. */
  peakKib: number | null;
}

/** The median over the rounds of ours ÷ against; with `plus`, of ours − against in the unit of the figures. */
export interface Budget {
  ours: string;
  against: string;
  atMost?: number;
  atLeast?: number;
  plus?: number;
}

interface Findings {
  question: string;
  unit: string;
  results: readonly Measured[];
  missing: readonly string[];
  budgets: readonly Budget[];
  memoryKnown: boolean;
}

export function report({ question, unit, results, missing, budgets, memoryKnown }: Findings): {
  text: string;
  met: boolean;
} {
  const verdicts = budgets.map((budget) => judge(budget, results, unit));
  const lines = [
    question,
    machine(),
    '',
    ...table([
      [
        'contender',
        'role',
        `min ${unit}`,
        `median ${unit}`,
        `max ${unit}`,
        'cpu ms',
        'peak MiB',
        'lines out',
      ],
      ...results.map(row),
    ]),
    '',
    ...table([['ratio, pair by pair', 'min', 'median', 'max'], ...ratios(results)]),
    '',
    ...missing.map((what) => `missing: ${what}`),
    ...(memoryKnown ? [] : ['peak memory not known: needs the `time` program']),
    ...verdicts.map((verdict) => verdict.text),
  ];
  return { text: lines.join('\n').trimEnd(), met: verdicts.every((verdict) => verdict.met) };
}

function machine(): string {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all[0]?.model.trim() ?? 'unknown CPU'}, ${all.length} cores, ${memory} GiB, ${type()} ${release()}, Node ${process.versions.node}`;
}

function row({ name, role, samples, peakKib }: Measured): string[] {
  const [min, median, max] = spread(samples.map((sample) => sample.figure));
  const cpu = samples.map((sample) => sample.cpuMs ?? Number.NaN).filter((value) => !Number.isNaN(value));
  return [
    name,
    role,
    figure(min),
    figure(median),
    figure(max),
    cpu.length === 0 ? '-' : figure(spread(cpu)[1]),
    peakKib === null ? '-' : figure(peakKib / 1024),
    outputOf(samples),
  ];
}

/** Different numbers of lines in different rounds mean the work was not the same; the table says so. */
function outputOf(samples: readonly Sample[]): string {
  const counts = samples.map((sample) => sample.lines).filter((lines) => lines !== undefined);
  if (counts.length === 0) {
    return '-';
  }
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  return least === most ? `${least}` : `${least}–${most}`;
}

function ratios(results: readonly Measured[]): string[][] {
  const ours = results.filter((one) => one.role === 'ours');
  const others = results.filter((one) => one.role !== 'ours');
  return ours.flatMap((mine) =>
    others.map((other) => [
      `${mine.name} ÷ ${other.name}`,
      ...spread(pairs(mine, other, (a, b) => a / b)).map((value) => value.toFixed(2)),
    ]),
  );
}

function judge(budget: Budget, results: readonly Measured[], unit: string): { text: string; met: boolean } {
  const mine = results.find((one) => one.name === budget.ours);
  const other = results.find((one) => one.name === budget.against);
  const limit = limitText(budget, unit);
  if (mine === undefined || other === undefined) {
    return { text: `budget ${limit}: not measured, a contender is missing`, met: true };
  }
  const added = budget.plus !== undefined;
  const [, middle] = spread(pairs(mine, other, (a, b) => (added ? a - b : a / b)));
  const met =
    middle <= (budget.plus ?? Number.POSITIVE_INFINITY) &&
    middle <= (budget.atMost ?? Number.POSITIVE_INFINITY) &&
    middle >= (budget.atLeast ?? Number.NEGATIVE_INFINITY);
  const found = added ? `${figure(middle)} ${unit} more` : middle.toFixed(2);
  return { text: `budget ${limit}: ${met ? 'met' : 'MISSED'} (${found})`, met };
}

function limitText({ ours, against, atMost, atLeast, plus }: Budget, unit: string): string {
  if (plus !== undefined) {
    return `${ours} ≤ ${against} + ${plus} ${unit}`;
  }
  return atLeast === undefined ? `${ours} ≤ ${atMost} × ${against}` : `${ours} ≥ ${atLeast} × ${against}`;
}

function pairs(mine: Measured, other: Measured, combine: (a: number, b: number) => number): number[] {
  return mine.samples.map((sample, round) =>
    combine(sample.figure, other.samples[round]?.figure ?? Number.NaN),
  );
}

export function spread(values: readonly number[]): [min: number, median: number, max: number] {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1
      ? sorted[middle]
      : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
  return [sorted[0] ?? Number.NaN, median ?? Number.NaN, sorted.at(-1) ?? Number.NaN];
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

function table(rows: readonly string[][]): string[] {
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  return rows.map((cells) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
