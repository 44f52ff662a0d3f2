/** The same work over kept connections and with one for each request, side by side. */
import type { LoadResult } from '../../session/load.ts';
import type { Painter } from '../colour.ts';
import { count } from '../units.ts';
import { nanoseconds, perSecond } from './load-summary.ts';
import { loadWhyText } from './load-why.ts';

const LABEL = 20;
const COLUMN = 18;

export function loadComparison(pooled: LoadResult, unpooled: LoadResult, paint: Painter): string[] {
  const row = (label: string, of: (one: LoadResult) => string): string =>
    `${paint.dim(label.padEnd(LABEL))}${of(pooled).padStart(COLUMN)}${of(unpooled).padStart(COLUMN)}`;
  const at =
    (pick: (latency: NonNullable<LoadResult['latency']>) => number) =>
    ({ latency }: LoadResult): string =>
      latency === null ? '-' : nanoseconds(pick(latency));
  const inState =
    (state: string) =>
    ({ sockets }: LoadResult): string =>
      count(sockets.states?.find(({ what }) => what === state)?.count ?? 0);
  const states = [pooled, unpooled].flatMap(({ sockets }) => sockets.states ?? []).map(({ what }) => what);
  return [
    paint.bold(`${pooled.kind} ${pooled.target}, the same work twice`),
    `${''.padEnd(LABEL)}${'kept connections'.padStart(COLUMN)}${'one per request'.padStart(COLUMN)}`,
    row('requests', ({ requests }) => count(requests)),
    row('requests per second', ({ rate }) => perSecond(rate.mean)),
    row(
      'latency p50',
      at(({ p50 }) => p50),
    ),
    row(
      'latency p99',
      at(({ p99 }) => p99),
    ),
    row(
      'latency max',
      at(({ max }) => max),
    ),
    row('errors', ({ errors }) => count(errors.reduce((sum, one) => sum + one.count, 0))),
    row('sockets opened', ({ sockets }) => count(sockets.opened)),
    ...[...new Set(states)].sort().map((state) => row(`  at the end ${state}`, inState(state))),
    row('per CPU second', ({ requestsPerCpuSecond }) => count(requestsPerCpuSecond ?? Number.NaN)),
    `kept: ${loadWhyText(pooled)}; one per request: ${loadWhyText(unpooled)}`,
    verdict(pooled, unpooled),
  ];
}

function verdict(pooled: LoadResult, unpooled: LoadResult): string {
  const faster = pooled.rate.mean / unpooled.rate.mean;
  const more = unpooled.sockets.opened / Math.max(1, pooled.sockets.opened);
  return Number.isFinite(faster) && pooled.requests > 0
    ? `Kept connections made ${faster.toFixed(1)} times as many requests per second; one for each request opened ${count(more)} times as many sockets.`
    : 'One of them made no request, so there is nothing to compare.';
}
