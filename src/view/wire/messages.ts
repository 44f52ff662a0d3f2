/** Only what was said: a line per request, reply and notice, with the time each answer took. */
import type { Side } from '../../wire/app/decoder.ts';
import { reserve } from '../../wire/bytes-out.ts';
import type { Flow } from '../../wire/flows.ts';
import { heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import { flowLabels, put, senderOf } from './flow-labels.ts';
import { cellsOf, messageText } from './message-line.ts';
import { append, judge, ownerText, type WireContext, type WireView } from './view.ts';

/** For the time and what separates. */
const ROOM = 64;
const TIME_CELLS = 15;
const ROOM_TO_SPEAK = 40;

export function messagesView(context: WireContext, verbose: boolean): WireView {
  const { out, paint, clock } = context;
  const matches = judge(context);
  // The client always stands left, and the arrow points where the message went.
  const labels = flowLabels((flow, sender) => {
    const client = flow.ends[flow.clientEnd].text;
    const server = flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
    const [first, second] = ([flow.clientEnd, (1 - flow.clientEnd) as 0 | 1] as const).map((end) => {
      const owner = ownerText(context.owner(flow, end));
      return owner === '' ? '' : ` ${owner}`;
    });
    const arrow = sender === flow.clientEnd ? '→' : '←';
    const full = `  ${paint.cyan(client + first)} ${arrow} ${paint.green(server + second)}  `;
    // On a narrow terminal what was said is worth more than who holds the ends.
    return (context.width ?? Number.POSITIVE_INFINITY) - TIME_CELLS - cellsOf(full) < ROOM_TO_SPEAK
      ? `  ${paint.cyan(client)} ${arrow} ${paint.green(server)}  `
      : full;
  });
  let shown = 0;

  const cells = new WeakMap<Flow, number>();
  function roomBehind(flow: Flow): number {
    const width = context.width ?? null;
    if (width === null || verbose) {
      return Number.POSITIVE_INFINITY;
    }
    let taken = cells.get(flow);
    if (taken === undefined) {
      taken = TIME_CELLS + cellsOf(new TextDecoder().decode(labels.of(flow, 0)));
      cells.set(flow, taken);
    }
    return width - taken;
  }

  function begin(flow: Flow, side: Side, at: number): void {
    const label = labels.of(flow, senderOf(flow, side));
    reserve(out, label.length + ROOM);
    out.length = clock.write(out.bytes, out.length, at);
    put(out, label);
  }

  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet() {},
    message(spoken, flow) {
      if (this.done) {
        return;
      }
      const message = heard(spoken, context.reveal, context.filter === null && !verbose);
      if (!matches(null, flow, [message])) {
        return;
      }
      shown++;
      begin(flow, message.side, spoken.at);
      append(out, messageText(message, paint, roomBehind(flow)));
      append(out, '\n');
      if (verbose) {
        for (const [name, value] of Object.entries(message.fields)) {
          append(out, `${' '.repeat(17)}${paint.dim(name)} ${printable(oneLine(fieldText(value)))}\n`);
        }
      }
    },
    trouble({ at, side, decoder, why }, flow) {
      if (!this.done && context.filter === null) {
        begin(flow, side, at);
        append(out, `${paint.yellow(`${decoder.name}: ${printable(why)}`)}\n`);
      }
    },
    closed() {},
    finish() {},
  };
}

/** What would begin another line or column, spelled out. */
export function oneLine(text: string): string {
  return text.replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r');
}

export function fieldText(value: unknown): string {
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}
