/** Nothing until the end, and then the tables. */
import { heard } from '../../wire/heard.ts';
import { createStatistics } from '../../wire/statistics.ts';
import { jsonLine } from '../records.ts';
import { statisticsRecord, statisticsText } from './statistics-text.ts';
import { append, judge, type WireContext, type WireView } from './view.ts';

/** With a filter only packets that match are counted, and messages and connections likewise by themselves. */
export function statisticsView(context: WireContext, top: number, json: boolean): WireView {
  const statistics = createStatistics();
  const matches = judge(context);
  const all = context.filter === null;
  return {
    done: false,
    packet(lane) {
      if (all || matches(lane, lane.flow, [])) {
        statistics.packet(lane);
      }
    },
    message(spoken, flow) {
      if (all || matches(null, flow, [heard(spoken, context.reveal)])) {
        statistics.message(spoken);
      }
    },
    trouble() {},
    closed(flow) {
      if (all || matches(null, flow, [])) {
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
