/** One line per message: what was said, by whom, and how long the answer took. */
import type { Heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import type { Painter } from '../colour.ts';
import { duration } from '../units.ts';

const NS_PER_US = 1000;

/** `redis  SET user:7 "…"`, `redis  OK  183 µs after SET`; the line that stands under a packet or behind the endpoints. */
export function messageText(message: Heard, paint: Painter): string {
  const summary = printable(message.summary);
  const said = message.failed ? paint.red(summary) : summary;
  return `${paint.magenta(message.protocol)}  ${said}${timing(message, paint)}`;
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
