/** Only what was said: a line per request, reply and notice, with the time each answer took. */
import { heard } from '../../wire/heard.ts';
import { printable } from '../../wire/printable.ts';
import { endsText, messageText } from './message-line.ts';
import { append, judge, ownerText, type WireContext, type WireView } from './view.ts';

export function messagesView(context: WireContext, verbose: boolean): WireView {
  const { out, paint, clock } = context;
  const matches = judge(context);
  let shown = 0;
  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet() {},
    message(spoken, flow) {
      if (this.done) {
        return;
      }
      const message = heard(spoken, context.reveal);
      if (!matches(null, flow, [message])) {
        return;
      }
      shown++;
      const ends = ([flow.clientEnd, (1 - flow.clientEnd) as 0 | 1] as const).map((end) => {
        const owner = ownerText(context.owner(flow, end));
        return owner === '' ? flow.ends[end].text : `${flow.ends[end].text} ${owner}`;
      });
      append(
        out,
        `${clock.text(spoken.at)}  ${endsText(ends[0]!, ends[1]!, message.side, paint)}  ${messageText(message, paint)}\n`,
      );
      if (verbose) {
        for (const [name, value] of Object.entries(message.fields)) {
          append(out, `${' '.repeat(17)}${paint.dim(name)} ${printable(fieldText(value))}\n`);
        }
      }
    },
    trouble({ at, side, decoder, why }, flow) {
      if (!this.done && context.filter === null) {
        const client = flow.ends[flow.clientEnd].text;
        const server = flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
        append(
          out,
          `${clock.text(at)}  ${endsText(client, server, side, paint)}  ${paint.yellow(`${decoder.name}: ${printable(why)}`)}\n`,
        );
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
