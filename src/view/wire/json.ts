/** Packets, messages or connections as the events of a session, one JSON object per line. */
import { wireEvents } from '../../session/from-wire.ts';
import { encode } from '../../session/ndjson.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import { jsonLine } from '../records.ts';
import { append, judge, ownerText, spokenFor, type WireContext, type WireView } from './view.ts';

export interface JsonOptions {
  readonly what: 'packets' | 'messages' | 'connections';
  readonly host: string;
  readonly netns: number;
  readonly startedAt: { readonly iso: string; readonly ns: bigint };
  readonly uncertaintyNs: number;
}

export function jsonView(context: WireContext, options: JsonOptions): WireView {
  const { out } = context;
  const { what, host, netns, startedAt, uncertaintyNs } = options;
  const matches = judge(context);
  const said = spokenFor(context);
  const events = wireEvents(host, netns);
  let pending: Heard[] = [];
  let shown = 0;

  append(
    out,
    `${encode({ v: 1, type: 'session', startedAt, host, clock: { source: 'monotonic', uncertaintyNs } })}\n`,
  );

  return {
    get done() {
      return context.limit !== null && shown >= context.limit;
    },
    packet(lane) {
      if (what === 'packets' && !this.done && matches(lane, lane.flow, pending)) {
        shown++;
        append(out, `${encode(events.packet(lane, context.device()))}\n`);
        for (const message of pending) {
          append(out, `${encode(events.message(message, lane.flow!))}\n`);
        }
      }
      pending = [];
    },
    message(spoken, flow) {
      if (what === 'packets') {
        pending.push(heard(spoken, context.reveal));
      } else if (what === 'connections') {
        said.hear(spoken, flow);
      } else if (!this.done) {
        const message = heard(spoken, context.reveal);
        if (matches(null, flow, [message])) {
          shown++;
          append(out, `${encode(events.message(message, flow))}\n`);
        }
      }
    },
    trouble({ at, why, decoder }, flow) {
      if (what !== 'connections' && !this.done) {
        const connection = events.idOf(flow);
        append(out, `${encode({ type: 'lost', at, source: decoder.name, count: null, why, connection })}\n`);
      }
    },
    closed(flow, how) {
      if (what === 'connections' && !this.done && said.matches(flow)) {
        shown++;
        append(out, jsonLine(events.ended(flow, how, (end) => ownerText(context.owner(flow, end)))));
      }
    },
    finish() {},
  };
}
