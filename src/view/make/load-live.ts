/** A run while it goes: two plots on a terminal, a line per second elsewhere. */
import type { LoadSecond } from '../../session/load.ts';
import type { Painter } from '../colour.ts';
import { sparkline } from '../sparkline.ts';
import { several } from '../units.ts';
import { nanoseconds, perSecond } from './load-summary.ts';

const LABEL = 10;
const FIGURE = 16;
const NARROWEST = 10;
const WIDEST = 60;

const rateOf = ({ requests, lasted }: LoadSecond): number => requests / Math.max(lasted, 1e-9);

export function loadLive(seconds: readonly LoadSecond[], width: number, paint: Painter): string[] {
  const last = seconds.at(-1);
  if (last === undefined) {
    return [];
  }
  const columns = Math.max(NARROWEST, Math.min(WIDEST, width - LABEL - FIGURE - 2));
  const errors = seconds.reduce((sum, one) => sum + one.errors, 0);
  const p99 = last.latency === null ? '-' : nanoseconds(last.latency.p99);
  return [
    `${paint.dim('rate'.padEnd(LABEL))}${paint.green(sparkline(seconds.map(rateOf), columns))}  ${perSecond(rateOf(last))}`,
    `${paint.dim('p99'.padEnd(LABEL))}${paint.yellow(
      sparkline(
        seconds.map(({ latency }) => latency?.p99 ?? null),
        columns,
      ),
    )}  ${p99}`,
    `${paint.dim(`${last.second + 1} s`.padEnd(LABEL))}${several(last.open, 'connection')} open${errors === 0 ? '' : `, ${paint.red(several(errors, 'error'))}`}`,
  ];
}

export function loadLine(second: LoadSecond): string {
  const { latency } = second;
  const times =
    latency === null
      ? ''
      : `, p50 ${nanoseconds(latency.p50)}, p99 ${nanoseconds(latency.p99)}, max ${nanoseconds(latency.max)}`;
  const errors = second.errors === 0 ? '' : `, ${several(second.errors, 'error')}`;
  return `${`${second.second + 1}`.padStart(4)} s  ${perSecond(rateOf(second)).padStart(12)}${times}, ${second.open} open${errors}`;
}
