/** One message with all its fields, as lines. */

import { bytes, duration } from '../view/units.ts';
import type { ConnectionRow, MessageRow } from '../view/wire/screen-rows.ts';
import type { Value, Values } from '../wire/value.ts';
import { type Line, pad, printable, span, textWidth, wrap } from './spans.ts';
import { clientOf, ownerText, serverOf } from './wire-columns.ts';

const NAME_LEAST = 10;
const NAME_MOST = 32;
const VALUE_LEAST = 20;

export function valueText(value: Value): string {
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}

/** Names at the left, values at the right with their own line ends, wrapped. */
export function fieldLines(fields: Values, width: number): Line[] {
  const names = Object.keys(fields);
  const column = Math.min(NAME_MOST, Math.max(NAME_LEAST, ...names.map(textWidth)));
  const room = Math.max(VALUE_LEAST, width - column - 2);
  return Object.entries(fields).flatMap(([name, value]) =>
    valueText(value)
      .split(/\r?\n/)
      .flatMap((part) => wrapped(printable(part.replaceAll('\t', '  ')), room))
      .map(
        (part, index): Line => [
          span(`${pad(index === 0 ? printable(name) : '', column)}  `, 'dim'),
          span(part),
        ],
      ),
  );
}

/** At spaces where there are some; hard where one word is wider than the screen. */
function wrapped(text: string, width: number): string[] {
  const words = text.split(' ').flatMap((word) => (textWidth(word) <= width ? [word] : pieces(word, width)));
  return wrap(words.join(' '), width);
}

export function pieces(text: string, width: number): string[] {
  const all: string[] = [];
  let piece = '';
  let wide = 0;
  for (const char of text) {
    const more = textWidth(char);
    if (wide + more > width) {
      all.push(piece);
      piece = '';
      wide = 0;
    }
    piece += char;
    wide += more;
  }
  return [...all, piece];
}

export function endsLine(row: ConnectionRow, fromClient: boolean | null): Line {
  const named = (text: string): string => (text === '' ? '' : ` ${text}`);
  return [
    span(clientOf(row).text, 'accent'),
    span(named(ownerText(clientOf(row))), 'dim'),
    span(fromClient === false ? '  ←  ' : '  →  '),
    span(serverOf(row).text, 'good'),
    span(named(ownerText(serverOf(row))), 'dim'),
  ];
}

export function messageLines(row: MessageRow, connection: ConnectionRow | undefined, width: number): Line[] {
  const { heard } = row;
  const tone = heard === null ? 'warn' : heard.failed ? 'bad' : 'bold';
  const lines: Line[] = [
    ...wrapped(printable(row.text), width).map((text): Line => [span(text, tone)]),
    ...(connection === undefined ? [] : [endsLine(connection, row.side === 'client')]),
  ];
  if (heard === null) {
    return lines;
  }
  const facts = [`${row.protocol} ${heard.kind}`, row.time, bytes(heard.bytes), `packet ${row.packet}`];
  if (heard.latency >= 0) {
    const asked = heard.asked === null || heard.asked === '' ? '' : ` after ${printable(heard.asked)}`;
    facts.push(`${duration(heard.latency / 1000)}${asked}`);
    if (heard.firstByte > 0) {
      facts.push(`first byte after ${duration(heard.firstByte / 1000)}`);
    }
  }
  lines.push([span(facts.join('   '), 'dim')], [], ...fieldLines(heard.fields, width));
  return lines;
}
