/** One line of a server's access log, and what a server did in one line. */
import type { Painter } from '../colour.ts';
import { bytes, count, duration, several } from '../units.ts';

export interface AccessRow {
  readonly at: number;
  readonly from: string;
  readonly what: string;
  readonly result: string;
  readonly fine: boolean;
  readonly took: number;
  readonly received: number;
  readonly sent: number;
  readonly note: string;
}

/** `started`: the wall clock in milliseconds at `at` 0. */
export function accessLine(row: AccessRow, started: number, paint: Painter): string {
  const when = clockText(started + row.at / 1e6);
  const result = row.fine ? row.result : paint.red(row.result);
  const volume = [
    row.received > 0 ? `${bytes(row.received)} in` : '',
    row.sent > 0 ? `${bytes(row.sent)} out` : '',
  ];
  const rest = [duration(row.took / 1000), ...volume].filter((one) => one !== '').join(', ');
  const note = row.note === '' ? '' : `  ${paint.cyan(printable(row.note))}`;
  return `${paint.dim(when)} ${row.from}  ${printable(row.what)}  ${result}  ${paint.dim(rest)}${note}`;
}

/** A client may ask for anything, and a terminal obeys what it is shown. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·');
}

function clockText(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export interface ServerFigures {
  readonly open: number;
  readonly connections: number;
  readonly requests: number;
  readonly failed: number;
  readonly received: number;
  readonly sent: number;
  readonly refused: number;
  readonly lost: number;
  /** Nanoseconds. */
  readonly half: number;
  readonly most: number;
}

export function figuresLine(figures: ServerFigures, seconds: number, noun: string): string {
  const { requests, open, connections, failed, refused, lost, half, most, received, sent } = figures;
  return [
    several(requests, noun),
    seconds > 0 ? `${pace(requests / seconds)}/s` : '',
    requests > 0 ? `p50 ${duration(half / 1000)}, p99 ${duration(most / 1000)}` : '',
    `${count(open)} of ${several(connections, 'connection')} open`,
    `${bytes(received)} in, ${bytes(sent)} out`,
    failed > 0 ? `${count(failed)} failed` : '',
    refused > 0 ? `${count(refused)} refused` : '',
    lost > 0 ? `${several(lost, 'line')} not shown` : '',
  ]
    .filter((one) => one !== '')
    .join(' · ');
}

function pace(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : count(perSecond);
}
