/** A line per connection, when it ends. */
import type { Flow } from '../../wire/flows.ts';
import { connectionText } from './connection-line.ts';
import { append, ownerText, spokenFor, type WireContext, type WireView } from './view.ts';

export function connectionsView(context: WireContext): WireView {
  const { out, paint, clock } = context;
  const said = spokenFor(context);
  const protocols = new WeakMap<Flow, string>();
  let shown = 0;
  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet() {},
    message(spoken, flow) {
      protocols.set(flow, spoken.message.protocol);
      said.hear(spoken, flow);
    },
    trouble() {},
    closed(flow, how) {
      if (this.done || !said.matches(flow)) {
        return;
      }
      shown++;
      const client = flow.clientEnd;
      const server = (1 - client) as 0 | 1;
      const text = connectionText(
        flow,
        {
          how,
          protocol: protocols.get(flow) ?? '',
          owners: [ownerText(context.owner(flow, client)), ownerText(context.owner(flow, server))],
        },
        paint,
      );
      const began = Math.min(flow.ends[0].first, flow.ends[1].first);
      // TCP and UDP are counted apart, as Wireshark does: --follow 3, and --follow 3 --udp.
      const number = `${flow.protocol === 6 ? '' : 'udp '}#${flow.stream}`;
      append(out, `${clock.text(began)}  ${number}  ${text}\n`);
    },
    finish() {},
  };
}
