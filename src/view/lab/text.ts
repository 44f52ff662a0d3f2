/** Paragraphs, headings and marks of the lab's screens: never wider than the terminal, and no wider than one can read. */
import type { Painter } from '../colour.ts';
import { fold } from '../tap/fit.ts';

/** Longer lines are hard to read, however wide the terminal is. */
const WIDEST_TEXT = 100;
const NS_PER_SECOND = 1e9;

export interface Look {
  readonly columns: number;
  readonly paint: Painter;
}

export function textWidth(columns: number): number {
  return Math.min(columns, WIDEST_TEXT);
}

/** Folded at spaces; an empty line between the text's own paragraphs. The lines after the first begin under `hang`. */
export function paragraphs(
  text: string,
  { columns }: Look,
  first = '',
  hang = ' '.repeat(first.length),
): string[] {
  const room = textWidth(columns) - hang.length;
  const lines = text
    .trim()
    .split(/\n\s*\n/)
    .flatMap((one, index) => [...(index > 0 ? [''] : []), ...fold(one.replace(/\s+/g, ' ').trim(), room)]);
  return lines.map((line, index) => (line === '' ? '' : `${index === 0 ? first : hang}${line}`));
}

export function heading(text: string, { paint }: Look, rest = ''): string {
  return `${paint.bold(text)}${rest === '' ? '' : paint.dim(`  ${rest}`)}`;
}

/** `0.214 s` since the session began. */
export function momentText(at: number): string {
  return `${(at / NS_PER_SECOND).toFixed(3)} s`;
}

export function secondsText(seconds: number): string {
  return seconds < 59.95
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} m ${Math.round(seconds % 60)} s`;
}
