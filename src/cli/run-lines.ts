/** A traced program's events as lines of text. */
import type { Event, Value } from '../session/events.ts';
import type { Painter } from '../view/colour.ts';
import { duration, several } from '../view/units.ts';
import type { ProgramSummary } from '../watch/syscalls/program-session.ts';
import { printable } from '../wire/printable.ts';

export interface Who {
  readonly pid: number;
  readonly program: string;
}

/** `connect(5, 127.0.0.1:8080)`: numbers and texts as they are, the rest as JSON without its quotes. */
export function argument(value: Value): string {
  if (typeof value === 'string') {
    return printable(value);
  }
  if (typeof value === 'object' && value !== null) {
    const items = Array.isArray(value)
      ? value.map(argument)
      : Object.entries(value).map(([key, inner]) => `${printable(key)}: ${argument(inner)}`);
    return Array.isArray(value) ? `[${items.join(', ')}]` : `{${items.join(', ')}}`;
  }
  return String(value);
}

function moment(at: number): string {
  return `${(at / 1e6).toFixed(1)} ms`.padStart(12);
}

export function eventLine(event: Event, who: Who | null, paint: Painter): string | null {
  const name = who === null ? '' : `${printable(who.program)}[${who.pid}]`;
  switch (event.type) {
    case 'syscall': {
      const call = `${event.name}(${event.args.map(argument).join(', ')})`;
      if (event.took === null) {
        return `${moment(event.at)}  ${name}  ${call} ${paint.dim('…')}`;
      }
      const failed = event.errno === undefined ? '' : ` ${paint.red(event.errno)}`;
      const took = paint.dim(duration(event.took / 1000));
      return `${moment(event.at)}  ${name}  ${call} = ${event.result}${failed}  ${took}`;
    }
    case 'state': {
      const side = event.side ?? 'socket';
      const held = name === '' ? '' : ` ${paint.dim(name)}`;
      return `${moment(event.at)}  ${paint.cyan(`${side}: ${event.from} → ${event.to}`)}${held}`;
    }
    case 'lost':
      return `${moment(event.at)}  ${paint.yellow(`not seen: ${printable(event.why)}`)}`;
    default:
      return null;
  }
}

export function summaryLines(summary: ProgramSummary, ending: string): string[] {
  const lines = [ending];
  for (const { name, calls, tookNs, errors } of summary.calls) {
    const failed = [...errors].map(([errno, times]) => `${times}× ${errno}`).join(', ');
    const total = `${name.padEnd(14)} ${several(calls, 'call').padStart(12)}  ${duration(tookNs / 1000).padStart(9)}`;
    lines.push(`  ${total}${failed === '' ? '' : `  ${failed}`}`);
  }
  for (const { id, client, server } of summary.connections.slice(0, MOST_LISTED)) {
    const ends = [client === null ? '' : `client ${client}`, server === null ? '' : `server ${server}`];
    const known = ends.filter((end) => end !== '').join(', ');
    lines.push(`  ${id.replace(/^(\w+)\/\d+\//, '$1 ')}  ${known === '' ? 'state not seen' : known}`);
  }
  if (summary.connections.length > MOST_LISTED) {
    lines.push(`  and ${several(summary.connections.length - MOST_LISTED, 'connection')} more`);
  }
  return lines;
}

const MOST_LISTED = 50;
