/** What `replay` shows: who asked what and whose reply it got; each exchange then and now. */
import type { Compared } from '../tap/replay/compare.ts';
import type { Conversation } from '../tap/replay/recording.ts';
import type { ServeEvent } from '../tap/replay/stage.ts';
import { addressText } from '../tap/to-events.ts';
import type { Painter } from '../view/colour.ts';
import { duration } from '../view/units.ts';
import { cellsOf } from '../view/wire/message-line.ts';
import { oneLine } from '../view/wire/messages.ts';
import { printable } from '../wire/printable.ts';

const NS_PER_US = 1000;
const WIDEST_REQUEST = 60;

export function serveText(event: ServeEvent, paint: Painter): string {
  const number = paint.cyan(`#${event.number}`);
  switch (event.type) {
    case 'accepted':
      return `${number} ${paint.dim(`${addressText(event.client)} connected, and is taken for the client of #${event.stream}`)}\n`;
    case 'answered': {
      const how = event.alike ? `, asked alike` : '';
      return `${number} ${plain(event.shown)}  ${paint.dim(`answered from #${event.stream}${how}`)}\n`;
    }
    case 'differs':
      return `${number} ${plain(event.shown)}  ${paint.yellow(`differs from the recording: ${plain(event.recorded)}`)}\n`;
    case 'unmatched': {
      const told = event.told === 'error' ? 'answered with an error' : 'connection closed';
      return `${number} ${plain(event.shown)}  ${paint.red(`not in the recording: ${told}`)}\n`;
    }
    case 'ended':
      return `${number} ${paint.dim('ended')}\n`;
  }
}

function plain(text: string): string {
  return printable(oneLine(text));
}

/** One conversation: a line per exchange, and under those that differ, what does. */
export function comparedText(
  { stream, client, server, exchanges, log }: Conversation,
  compared: readonly Compared[],
  paint: Painter,
): string {
  const protocol = exchanges.find(({ said }) => said !== null)?.said?.heard.protocol ?? 'bytes';
  const rows = compared.map((one) => ({
    request: cut(one.request === '' ? '(greeting)' : plain(one.request)),
    verdict: one.differences.length === 0 ? 'same' : 'differs',
    recorded: time(one.latencyThen),
    now: time(one.latencyNow),
    differences: one.differences,
  }));
  const request = Math.max(7, ...rows.map((row) => cellsOf(row.request)));
  const [then, now] = [
    Math.max(4, ...rows.map((row) => row.recorded.length)),
    Math.max(3, ...rows.map((row) => row.now.length)),
  ];
  const lines = rows.flatMap((row) => {
    const verdict = row.verdict.padEnd(7);
    const painted = row.verdict === 'same' ? paint.green(verdict) : paint.red(verdict);
    const pad = ' '.repeat(request - cellsOf(row.request));
    return [
      `  ${row.request}${pad}  ${painted}  ${row.recorded.padStart(then)}  ${row.now.padStart(now)}`,
      ...row.differences.flatMap(({ field, recorded, now: after }) => [
        `      ${field}`,
        `        ${paint.dim('then')}  ${plain(recorded)}`,
        `        ${paint.dim('now')}   ${plain(after)}`,
      ]),
    ];
  });
  const head = `  ${'REQUEST'.padEnd(request)}  REPLY    ${'THEN'.padStart(then)}  ${'NOW'.padStart(now)}`;
  const what = log.decoded ? protocol : 'bytes';
  return `${paint.bold(`#${stream}`)}  ${client} → ${server}  ${paint.magenta(what)}\n${[paint.dim(head), ...lines].join('\n')}\n`;
}

function time(ns: number | null): string {
  return ns === null ? '–' : duration(ns / NS_PER_US);
}

function cut(text: string): string {
  return text.length > WIDEST_REQUEST ? `${text.slice(0, WIDEST_REQUEST - 1)}…` : text;
}

/** One line each. */
export function replayJson(): {
  listening(address: string, connections: number): string;
  served(event: ServeEvent): string;
  compared(one: Compared): string;
} {
  const line = (type: string, rest: object): string => `${JSON.stringify({ v: 1, type, ...rest })}\n`;
  return {
    listening: (address, connections) => line('replay-listening', { address, connections }),
    served({ type, at, number, ...rest }) {
      const client = 'client' in rest ? { client: addressText(rest.client) } : {};
      return line(`replay-${type}`, { at: Math.round(at), number, ...rest, ...client });
    },
    compared: ({ stream, request, protocol, differences, latencyThen, latencyNow }) =>
      line('replay-exchange', {
        stream,
        protocol,
        request,
        same: differences.length === 0,
        differences,
        latencyThen,
        latencyNow,
      }),
  };
}
