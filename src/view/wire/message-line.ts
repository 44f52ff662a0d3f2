/** One line per message: what was said, by whom, and how long the answer took. */
import type { Heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { duration } from '../units.ts';

const NS_PER_US = 1000;

/** Less is no summary: a terminal too narrow for that gets lines that wrap. */
const LEAST_SUMMARY = 12;

/**
 * `redis  SET user:7 "…"`, `redis  OK  183 µs after SET`; the line that stands under a packet or behind the endpoints.
 * In `room` cells the summary is cut, and what the reply is to; how long it took always stays.
 */
export function messageText(message: Heard, paint: Painter, room = Number.POSITIVE_INFINITY): string {
  const full = timing(message, paint);
  if (room === Number.POSITIVE_INFINITY) {
    const summary = printable(message.summary);
    return `${paint.magenta(message.protocol)}  ${message.failed ? paint.red(summary) : summary}${full}`;
  }
  const left = room - message.protocol.length - 2;
  const time = left - cellsOf(full) < LEAST_SUMMARY ? briefTiming(message, paint) : full;
  const summary = cut(printable(message.summary), Math.max(LEAST_SUMMARY, left - cellsOf(time)));
  const said = message.failed ? paint.red(summary) : summary;
  return `${paint.magenta(message.protocol)}  ${said}${time}`;
}

function briefTiming({ latency }: Heard, paint: Painter): string {
  return latency < 0 ? '' : paint.dim(`  ${duration(latency / NS_PER_US)}`);
}

/** Every character of East Asian scripts and every emoji takes two cells; what is combined takes none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const COMBINED = /\p{M}/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
const COLOURS = /\x1b\[\d+m/g;

export function cellsOf(text: string): number {
  let cells = 0;
  for (const character of text.replace(COLOURS, '')) {
    cells += cellsOfOne(character);
  }
  return cells;
}

function cellsOfOne(character: string): number {
  return character < '\u0300' ? 1 : WIDE.test(character) ? 2 : COMBINED.test(character) ? 0 : 1;
}

function cut(text: string, room: number): string {
  if (text.length * 2 <= room || cellsOf(text) <= room) {
    return text;
  }
  let cells = 0;
  let kept = '';
  for (const character of text) {
    cells += cellsOfOne(character);
    if (cells > room - 1) {
      break;
    }
    kept += character;
  }
  return `${kept}…`;
}

function timing(message: Heard, paint: Painter): string {
  if (message.latency < 0) {
    return '';
  }
  const took = duration(message.latency / NS_PER_US);
  const slowStart = message.firstByte > 0 && message.latency > 2 * message.firstByte;
  const first = slowStart ? `, first byte after ${duration(message.firstByte / NS_PER_US)}` : '';
  const name = message.asked === null || message.asked === '' ? '' : ` after ${printable(message.asked)}`;
  return paint.dim(`  ${took}${name}${first}`);
}
