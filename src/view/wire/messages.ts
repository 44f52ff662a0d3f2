/** Only what was said: a line per request, reply and notice, with the time each answer took. */
import type { Side } from '../../wire/app/decoder.ts';
import { reserve } from '../../wire/bytes-out.ts';
import type { Flow } from '../../wire/flows.ts';
import { heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import { flowLabels, put, senderOf } from './flow-labels.ts';
import { messageText } from './message-line.ts';
import { append, judge, ownerText, type WireContext, type WireView } from './view.ts';

/** For the time and what separates. */
const ROOM = 64;

export function messagesView(context: WireContext, verbose: boolean): WireView {
  const { out, paint, clock } = context;
  const matches = judge(context);
  // The client always stands left, and the arrow points where the message went.
  const labels = flowLabels((flow, sender) => {
    const [client, server] = ([flow.clientEnd, (1 - flow.clientEnd) as 0 | 1] as const).map((end) => {
      const owner = ownerText(context.owner(flow, end));
      return owner === '' ? flow.ends[end].text : `${flow.ends[end].text} ${owner}`;
    });
    const arrow = sender === flow.clientEnd ? '→' : '←';
    return `  ${paint.cyan(client!)} ${arrow} ${paint.green(server!)}  `;
  });
  let shown = 0;

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
      append(out, messageText(message, paint));
      append(out, '\n');
      if (verbose) {
        for (const [name, value] of Object.entries(message.fields)) {
          append(out, `${' '.repeat(17)}${paint.dim(name)} ${printable(fieldText(value))}\n`);
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

export function fieldText(value: unknown): string {
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}
