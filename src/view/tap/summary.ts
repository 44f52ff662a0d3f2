/** How it went, when a tap ends: connections, bytes, and for each command how often, how many failed, how long. */
import { percentile } from '../../wire/histogram.ts';
import { printable } from '../../wire/printable.ts';
import type { Command } from '../../wire/statistics.ts';
import type { Painter } from '../colour.ts';
import { bytes, count, duration, several } from '../units.ts';

export interface TapTotals {
  readonly connections: number;
  readonly opened: number;
  readonly fromClient: number;
  readonly fromServer: number;
}

/** Of all taps together. */
export function totalsOf(taps: readonly TapTotals[]): TapTotals {
  return taps.reduce(
    (sum, one) => ({
      connections: sum.connections + one.connections,
      opened: sum.opened + one.opened,
      fromClient: sum.fromClient + one.fromClient,
      fromServer: sum.fromServer + one.fromServer,
    }),
    { connections: 0, opened: 0, fromClient: 0, fromServer: 0 },
  );
}

const MOST_COMMANDS = 20;
const SHARES = [0.5, 0.9, 0.99] as const;

export function tapSummary(
  totals: TapTotals,
  commands: readonly Command[],
  seconds: number,
  paint: Painter,
): string {
  const first = `${several(totals.opened, 'connection')}, ${bytes(totals.fromClient)} → ← ${bytes(totals.fromServer)} in ${duration(seconds * 1e6)}`;
  const sorted = [...commands].sort(
    (a, b) => b.latency.sum - a.latency.sum || b.requests + b.replies - a.requests - a.replies,
  );
  if (sorted.length === 0) {
    return `${first}\n`;
  }
  const rows = sorted.slice(0, MOST_COMMANDS).map(cells);
  const heading = ['', 'messages', 'asked', 'answered', 'failed', 'p50', 'p90', 'p99', 'max'];
  const widths = heading.map((word, column) =>
    Math.max(word.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  const more =
    sorted.length > MOST_COMMANDS ? [paint.dim(`… and ${count(sorted.length - MOST_COMMANDS)} more`)] : [];
  return `${[first, paint.bold(line(heading)), ...rows.map(line), ...more].join('\n')}\n`;
}

function cells({ protocol, name, requests, replies, failed, latency }: Command): string[] {
  const times = [...SHARES.map((share) => percentile(latency, share)), latency.max];
  return [
    protocol,
    printable(name),
    count(requests),
    count(replies),
    failed === 0 ? '' : count(failed),
    ...times.map((time) => (latency.count === 0 ? '' : duration(time / 1000))),
  ];
}

/** The live line of --quiet: what happens now, and the slowest kinds of question so far. */
export function liveLine(
  totals: TapTotals,
  commands: readonly Command[],
  rates: { readonly messages: number; readonly bytes: number },
  width: number,
): string {
  const asked = [...commands].filter(({ latency }) => latency.count > 0);
  asked.sort((a, b) => b.latency.count - a.latency.count);
  const parts = [
    several(totals.connections, 'connection'),
    `${count(rates.messages)} msgs/s`,
    `${bytes(rates.bytes)}/s`,
    ...asked.map(
      ({ name, latency }) =>
        `${printable(name)} p50 ${duration(percentile(latency, 0.5) / 1000)} p99 ${duration(percentile(latency, 0.99) / 1000)}`,
    ),
  ];
  let line = parts[0]!;
  for (const part of parts.slice(1)) {
    if (line.length + 3 + part.length > width - 1) {
      break;
    }
    line += ` · ${part}`;
  }
  return line;
}
