/** Nothing until the end, and then the tables. */
import { type Heard, heard } from '../../wire/heard.ts';
import { createStatistics } from '../../wire/statistics.ts';
import { jsonLine } from '../records.ts';
import { statisticsRecord, statisticsText } from './statistics-text.ts';
import { append, judge, spokenFor, type WireContext, type WireView } from './view.ts';

/** With a filter only packets that match are counted, messages that match, and connections in which one of them was said. */
export function statisticsView(context: WireContext, top: number, json: boolean): WireView {
  const statistics = createStatistics();
  const matches = judge(context);
  const said = spokenFor(context);
  const all = context.filter === null;
  let pending: Heard[] = [];
  return {
    done: false,
    packet(lane) {
      if (all || matches(lane, lane.flow, pending)) {
        statistics.packet(lane);
      }
      if (pending.length > 0) {
        pending = [];
      }
    },
    message(spoken, flow) {
      if (all) {
        statistics.message(spoken);
        return;
      }
      const message = heard(spoken, context.reveal);
      pending.push(message);
      said.hear(spoken, flow);
      if (matches(null, flow, [message])) {
        statistics.message(spoken);
      }
    },
    trouble() {},
    closed(flow) {
      if (all || said.matches(flow)) {
        statistics.closed(flow);
      }
    },
    finish() {
      append(
        context.out,
        json ? jsonLine(statisticsRecord(statistics)) : statisticsText(statistics, top, context.paint),
      );
    },
  };
}
