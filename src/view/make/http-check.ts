/** Many addresses looked at: a line for each as it is answered, and the sum. */
import type { HttpExchangeFacts } from '../../session/http-exchange.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { bytes, count } from '../units.ts';
import { nanoseconds } from './http-phases.ts';

export interface Checked {
  /** As it was given. */
  readonly url: string;
  readonly facts: HttpExchangeFacts;
  readonly ok: boolean;
}

const STATUS = 4;
const TIME = 9;
const SIZE = 8;
const TYPE = 25;

function fieldOf({ fields }: HttpExchangeFacts, name: string): string {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1] ?? '';
}

export function checkLine({ url, facts, ok }: Checked, paint: Painter): string {
  const { status, total, failure, redirect } = facts;
  const length = fieldOf(facts, 'content-length');
  const size = /^\d+$/.test(length) ? bytes(Number(length)) : '';
  const shown = (ok ? (status >= 300 ? paint.yellow : paint.green) : paint.red)(
    (status === 0 ? '–' : String(status)).padEnd(STATUS),
  );
  const time = nanoseconds(total).padStart(TIME);
  const type = (failure !== null && status === 0 ? '' : fieldOf(facts, 'content-type'))
    .slice(0, TYPE)
    .padEnd(TYPE);
  const led = redirect === null ? '' : ` → ${redirect.to}`;
  const why = failure === null ? led : `  ${failure.message}`;
  return `${shown}${time}  ${size.padStart(SIZE)}  ${printable(type)}  ${printable(`${url}${why}`)}`.trimEnd();
}

export function checkSummary(all: readonly Checked[], paint: Painter): string {
  const failed = all.filter(({ ok }) => !ok).length;
  const slowest = all.reduce<Checked | null>(
    (most, one) => (most === null || one.facts.total > most.facts.total ? one : most),
    null,
  );
  const bad = failed === 0 ? '0 failed' : paint.red(`${count(failed)} failed`);
  const last =
    slowest === null ? '' : `, slowest ${printable(slowest.url)} in ${nanoseconds(slowest.facts.total)}`;
  return `${count(all.length - failed)} ok, ${bad}${last}`;
}
