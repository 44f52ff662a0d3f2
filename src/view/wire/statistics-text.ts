/** Statistics of a capture as tables for a terminal, and as one object for JSON. */
import { percentile } from '../../wire/histogram.ts';
import { printable } from '../../wire/printable.ts';
import type { Command, Statistics } from '../../wire/statistics.ts';
import type { Painter } from '../colour.ts';
import { bytes, count, duration } from '../units.ts';

const SHARES = [0.5, 0.9, 0.99] as const;

export function statisticsText(statistics: Statistics, top: number, paint: Painter): string {
  const seconds = (statistics.last - statistics.first) / 1e9;
  const rate = seconds > 0 ? `, ${count(statistics.packets / seconds)} packets/s` : '';
  const parts = [
    `${count(statistics.packets)} packets, ${bytes(statistics.bytes)} in ${duration(seconds * 1e6)}${rate}`,
    [...statistics.transports].map(([name, one]) => `${name} ${count(one.packets)}`).join('  '),
  ];
  const notes = [...statistics.notes].sort((a, b) => b[1] - a[1]);
  if (notes.length > 0) {
    parts.push(paint.yellow(notes.map(([name, times]) => `${name} ${count(times)}`).join('  ')));
  }
  parts.push('', ...conversationTable(statistics, top, paint));
  parts.push('', ...hostTable(statistics, top, paint));
  const commands = commandList(statistics);
  if (commands.length > 0) {
    parts.push('', ...commandTable(commands, top, paint));
  }
  return `${parts.join('\n')}\n`;
}

function conversationTable({ conversations }: Statistics, top: number, paint: Painter): string[] {
  const all = [...conversations.values()].sort((a, b) => b.sent + b.received - (a.sent + a.received));
  const rows = all
    .slice(0, top)
    .map((one) => [
      one.protocol,
      `${one.client} → ${one.server}`,
      count(one.connections),
      count(one.packets),
      bytes(one.sent),
      bytes(one.received),
      one.repeated === 0 ? '' : bytes(one.repeated),
    ]);
  return table(
    ['', `Conversations${more(all.length, top)}`, 'conns', 'packets', 'sent', 'received', 'again'],
    rows,
    [0, 1],
    paint,
  );
}

function hostTable({ hosts }: Statistics, top: number, paint: Painter): string[] {
  const all = [...hosts].sort((a, b) => b[1].bytes - a[1].bytes);
  const rows = all.slice(0, top).map(([name, one]) => [name, count(one.packets), bytes(one.bytes)]);
  return table([`Top talkers${more(all.length, top)}`, 'packets', 'sent'], rows, [0], paint);
}

function commandList({ commands }: Statistics): Command[] {
  return [...commands.values()]
    .flatMap((names) => [...names.values()])
    .sort((a, b) => b.latency.sum - a.latency.sum || b.requests - a.requests);
}

function commandTable(commands: readonly Command[], top: number, paint: Painter): string[] {
  const rows = commands.slice(0, top).map((one) => {
    const { latency } = one;
    const times = [...SHARES.map((share) => percentile(latency, share)), latency.max];
    return [
      one.protocol,
      printable(one.name),
      count(one.requests),
      count(one.replies),
      one.failed === 0 ? '' : count(one.failed),
      ...times.map((time) => (latency.count === 0 ? '' : duration(time / 1000))),
      bytes(one.bytes),
    ];
  });
  const heading = [
    '',
    `Messages${more(commands.length, top)}`,
    'asked',
    'answered',
    'failed',
    'p50',
    'p90',
    'p99',
    'max',
    'size',
  ];
  return table(heading, rows, [0, 1], paint);
}

function more(all: number, top: number): string {
  return all > top ? ` (${count(top)} of ${count(all)})` : '';
}

/** Columns as wide as they must be; those in `left` are texts, the others numbers. */
function table(
  heading: readonly string[],
  rows: readonly string[][],
  left: readonly number[],
  paint: Painter,
): string[] {
  const widths = heading.map((word, column) =>
    Math.max(word.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return [paint.bold(line(heading)), ...rows.map(line)];
}

export function statisticsRecord(statistics: Statistics): object {
  return {
    type: 'statistics',
    packets: statistics.packets,
    bytes: statistics.bytes,
    nanoseconds: statistics.last - statistics.first,
    transports: Object.fromEntries(statistics.transports),
    notes: Object.fromEntries(statistics.notes),
    conversations: [...statistics.conversations.values()],
    hosts: Object.fromEntries(statistics.hosts),
    messages: commandList(statistics).map(({ latency, ...one }) => ({
      ...one,
      latency:
        latency.count === 0
          ? null
          : {
              count: latency.count,
              min: latency.min,
              p50: percentile(latency, 0.5),
              p90: percentile(latency, 0.9),
              p99: percentile(latency, 0.99),
              max: latency.max,
              mean: latency.sum / latency.count,
            },
    })),
  };
}
