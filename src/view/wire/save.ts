/** The packets that match, as a new pcapng. */
import type { Out } from '../../wire/bytes-out.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import type { Lane } from '../../wire/lane.ts';
import { judge, type WireContext, type WireView } from './view.ts';

export interface SaveView extends WireView {
  readonly saved: number;
}

/** `save` appends the frame at hand to the file's buffer. */
export function saveView(context: WireContext, save: (lane: Lane, out: Out) => void): SaveView {
  const matches = judge(context);
  const needed = context.filter?.needsMessages === true;
  let pending: Heard[] = [];
  let saved = 0;
  return {
    get saved() {
      return saved;
    },
    get done() {
      return context.limit !== null && saved >= context.limit;
    },
    packet(lane) {
      if (!this.done && matches(lane, lane.flow, pending)) {
        saved++;
        save(lane, context.out);
      }
      if (pending.length > 0) {
        pending = [];
      }
    },
    message(spoken) {
      if (needed) {
        pending.push(heard(spoken, context.reveal));
      }
    },
    trouble() {},
    closed() {},
    finish() {},
  };
}
