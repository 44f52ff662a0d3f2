/** A message that waits for a person: whole above, and in one line at the bottom with what can be done. */
import type { Heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { count, several } from '../units.ts';
import { cellsOf } from '../wire/message-line.ts';
import { cut } from './fit.ts';

export interface Waiting {
  readonly id: number;
  readonly connection: number;
  readonly heard: Heard;
}

export interface Status {
  readonly paused: boolean;
  /** Lines that wait because of it. */
  readonly kept: number;
  /** The one that keys are about; null: nothing is held. */
  readonly chosen: Waiting | null;
  readonly waiting: number;
}

/** '' when there is nothing to say. Never wider than `width` - 1: a full last column makes terminals wrap. */
export function statusLine(status: Status, paint: Painter, width: number): string {
  const { paused, kept, chosen } = status;
  const room = width - 1;
  const held = chosen === null ? '' : heldText(chosen, status.waiting);
  if (!paused && chosen === null) {
    return '';
  }
  const pause = paused ? `paused${kept > 0 ? ` … ${count(kept)} more` : ''}` : '';
  if (chosen === null) {
    return `${paint.yellow(pause)}${paint.dim(cut('   space goes on', room - cellsOf(pause)))}`;
  }
  const { full, brief } = keysFor(status);
  const keys = cellsOf(pause) + cellsOf(full) + 3 + LEAST_HELD > room ? brief : full;
  const before = pause === '' ? '' : `${pause} · `;
  const left = cut(held, Math.max(8, room - cellsOf(before) - cellsOf(keys) - 3));
  const gap = ' '.repeat(Math.max(1, room - cellsOf(before) - cellsOf(left) - cellsOf(keys)));
  const spread = Math.min(gap.length, 3);
  return `${paint.yellow(before + left)}${' '.repeat(spread)}${paint.dim(cut(keys, room - cellsOf(before + left) - spread))}`;
}

const LEAST_HELD = 24;

function heldText({ id, connection, heard }: Waiting, waiting: number): string {
  const arrow = heard.side === 'client' ? '→' : '←';
  const more = waiting > 1 ? ` +${count(waiting - 1)}` : '';
  return `held ${id}${more}: #${connection} ${arrow} ${heard.protocol} ${printable(heard.summary)}`;
}

function keysFor({ waiting }: Status): { full: string; brief: string } {
  return waiting > 1
    ? { full: 'g go · e edit · d drop · n next · G all', brief: 'g e d n G' }
    : { full: 'g go · e edit · d drop', brief: 'g e d' };
}

/** A message that is edited where the status line is; longer than the terminal, it slides so that the cursor is seen. */
export function editLineText(
  id: number,
  { text, at }: { readonly text: string; readonly at: number },
  paint: Painter,
  width: number,
): string {
  const prompt = `edit ${id}: `;
  const room = width - 1 - prompt.length;
  const before = [...text.slice(0, at)];
  let cells = cellsOf(text.slice(0, at)) + 1;
  while (cells > room && before.length > 0) {
    cells -= cellsOf(before.shift()!);
  }
  const [under = ' ', ...after] = [...text.slice(at)];
  const caret = `\x1b[7m${under}\x1b[27m`;
  const left = Math.max(0, room - cells);
  return `${paint.yellow(prompt)}${before.join('')}${caret}${cut(after.join(''), left)}`;
}

/** What keys do, in lines that fit 80 columns. `quiet`: there are no lines to change. */
export function keyHelp(layer: 'messages' | 'bytes', holds: boolean, quiet: boolean): string[] {
  const other = layer === 'messages' ? 'bytes' : 'messages';
  const all = quiet
    ? 's summary · c clear · q end'
    : `l ${other} · x hex · v fields · space pause · s summary · c clear · q end`;
  return holds
    ? [`keys: ${all}`, 'held: g go · e edit · d drop · n p the others · enter shows · G all, for good']
    : [`keys: ${all}`];
}

export function lostWhilePaused(lost: number): string {
  return `… ${several(lost, 'line')} before this were not kept`;
}
