import type { Fault } from '../fault.ts';
import type { StageOut } from '../stage.ts';
import { createOnset } from './after.ts';
import { AFTER_BYTES, AFTER_MS } from './values.ts';

export const halfClose: Fault = {
  name: 'half-close',
  about: 'FIN to the receiver while the sender goes on; what it still sends is swallowed.',
  attributes: [AFTER_BYTES, AFTER_MS],
  stream(attributes) {
    const onset = createOnset(attributes);
    let done = false;
    const endOnce = (out: StageOut): void => {
      if (!done) {
        done = true;
        out.say('half-closed');
        out.end();
      }
    };
    return {
      held: 0,
      data(bytes, readAt, out) {
        const passed = onset.before(bytes.length, out.now);
        out.pass(bytes.subarray(0, passed), readAt);
        if (onset.begun) {
          endOnce(out);
        } else {
          out.wake(onset.due);
        }
      },
      end(out) {
        done = true;
        out.end();
      },
      timer(out) {
        onset.look(out.now);
        if (onset.begun) {
          endOnce(out);
        }
      },
    };
  },
};
