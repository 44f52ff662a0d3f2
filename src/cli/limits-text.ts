/** Limits as text and as NDJSON. Pure. */
import type { Limit, LimitsReport } from '../see/limit.ts';
import type { Painter } from '../view/colour.ts';
import { count, duration, several } from '../view/units.ts';

export interface Shape {
  all: boolean;
  width: number;
  paint: Painter;
}

/** Below this share a limit is far away: only the nearest of its kind is shown. */
const NEAR = 0.05;
const MOST_OF_A_KIND = 10;
/** From here on the row says how to raise the limit. */
const TIGHT = 0.8;
const WARM = 0.6;
const BAR = 10;
const NUMBER = 9;
const INDENT = ' '.repeat(NUMBER * 2 + 2);

/** What a person wants to see unasked: everything near, and the nearest of every kind. */
export function selected(limits: readonly Limit[], all: boolean): Limit[] {
  if (all) {
    return limits.filter((limit) => limit.notVisible === undefined);
  }
  const shown = new Map<string, number>();
  return limits.filter((limit) => {
    const before = shown.get(limit.kind) ?? 0;
    const near = (limit.fraction ?? 0) >= NEAR || limit.happened !== undefined;
    const wanted = limit.notVisible === undefined && (before === 0 || (near && before < MOST_OF_A_KIND));
    shown.set(limit.kind, before + (wanted ? 1 : 0));
    return wanted;
  });
}

export function reportText(report: LimitsReport, shape: Shape): string {
  const rows = selected(report.limits, shape.all);
  const lines = [
    shape.paint.bold(
      `${'USED'.padStart(NUMBER)} ${'LIMIT'.padStart(NUMBER)}    %  ${'FULL'.padEnd(BAR)}  WHAT`,
    ),
  ];
  const explained = new Set<string>();
  for (const limit of rows) {
    lines.push(figures(limit, shape), ...remarks(limit, shape, explained));
  }
  const visible = report.limits.filter(({ notVisible }) => notVisible === undefined).length;
  if (visible > rows.length) {
    lines.push(shape.paint.dim(`… and ${visible - rows.length} more that are further from their end: --all`));
  }
  for (const { closeWait, name, pid, oldestMs, advice } of report.leaks) {
    const age = oldestMs === null ? '' : `, the quietest for ${duration(oldestMs * 1000)}`;
    const who = pid === null ? name : `${name} pid ${pid}`;
    lines.push(
      ...wrapped(
        `leak: ${who} keeps ${several(closeWait, 'connection')} in CLOSE-WAIT${age}: ${advice}`,
        '',
        shape.width,
      ).map(shape.paint.red),
    );
  }
  for (const text of hidden(report)) {
    lines.push(...wrapped(text, '', shape.width).map(shape.paint.dim));
  }
  return `${lines.join('\n')}\n`;
}

/** One line for each reason, with all that it hides. */
function hidden({ limits, notes }: LimitsReport): string[] {
  const reasons = new Map<string, string[]>();
  for (const { kind, subject, pid, notVisible } of limits) {
    if (notVisible !== undefined) {
      const what = pid === undefined ? kind : `${kind} of ${subject}`;
      reasons.set(notVisible, [...(reasons.get(notVisible) ?? []), what]);
    }
  }
  return [...[...reasons].map(([why, what]) => `not visible: ${what.join(', ')}: ${why}`), ...notes];
}

export function figures(limit: Limit, { paint, width }: Shape): string {
  const percent = limit.fraction === null ? '-' : percentText(limit.fraction);
  const start = `${number(limit.used)} ${limit.limit === null ? 'unlimited' : number(limit.limit)} ${percent.padStart(4)}  `;
  const what = `${limit.kind}: ${limit.subject}`;
  const [first = '', ...rest] = wrapped(what, INDENT, Math.max(width, 60), start.length + BAR + 2);
  return [`${start}${bar(limit.fraction, paint)}  ${first.trimStart()}`, ...rest].join('\n');
}

export function number(value: number | null): string {
  return (value === null ? '-' : count(value)).padStart(NUMBER);
}

/** A limit that is not reached never reads 100 %. */
export function percentText(fraction: number): string {
  const percent = fraction >= 1 ? 100 : Math.min(99, Math.round(fraction * 100));
  return percent === 0 && fraction > 0 ? '<1' : String(percent);
}

export function heat(fraction: number | null, paint: Painter): (text: string) => string {
  const value = fraction ?? 0;
  return value >= TIGHT ? paint.red : value >= WARM ? paint.yellow : paint.green;
}

function bar(fraction: number | null, paint: Painter): string {
  const filled = fraction === null ? 0 : fraction > 0 ? Math.max(1, Math.floor(fraction * BAR)) : 0;
  return heat(fraction, paint)('█'.repeat(filled)) + paint.dim('·'.repeat(BAR - filled));
}

function remarks(limit: Limit, { paint, width }: Shape, explained: Set<string>): string[] {
  const lines: string[] = [];
  if (limit.note !== undefined) {
    lines.push(...wrapped(limit.note, INDENT, width).map(paint.dim));
  }
  if (limit.happened !== undefined) {
    lines.push(...wrapped(`it has been full: ${limit.happened}`, INDENT, width).map(paint.yellow));
  }
  if (!explained.has(limit.kind)) {
    explained.add(limit.kind);
    lines.push(...wrapped(`when full: ${limit.whenFull}`, INDENT, width).map(paint.dim));
  }
  if ((limit.fraction ?? 0) >= TIGHT) {
    lines.push(...wrapped(`raise: ${limit.raise}`, INDENT, width));
  }
  return lines;
}

/** Words on lines of at most `width` columns; `used` columns of the first line are taken. A longer word stays whole. */
export function wrapped(text: string, indent: string, width: number, used = indent.length): string[] {
  const lines: string[] = [];
  let line = indent;
  let room = width - used;
  for (const word of text.split(' ')) {
    const started = line.length > indent.length;
    if (started && word.length + 1 > room) {
      lines.push(line);
      line = indent;
      room = width - indent.length;
    }
    const space = line.length > indent.length ? ' ' : '';
    line += space + word;
    room -= space.length + word.length;
  }
  lines.push(line);
  return lines;
}

export function jsonLines({ limits, leaks, notes }: LimitsReport): string {
  const rows = [
    ...limits.map((limit) => ({ v: 1, type: 'limit', ...limit })),
    ...leaks.map((leak) => ({ v: 1, type: 'leak', ...leak })),
    ...notes.map((text) => ({ v: 1, type: 'note', text })),
  ];
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
