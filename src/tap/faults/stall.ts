import type { Fault } from '../fault.ts';
import { createOnset } from './after.ts';
import { release, releaseDatagrams } from './holding.ts';
import { createQueue, heldDatagrams } from './queue.ts';
import { AFTER_BYTES, AFTER_MS } from './values.ts';

export const stall: Fault = {
  name: 'stall',
  about:
    'From some point on nothing moves in that direction: what comes is held, so its sender is stopped. Taken away, it goes on.',
  attributes: [AFTER_BYTES, AFTER_MS],
  stream(attributes) {
    const onset = createOnset(attributes);
    const queue = createQueue();
    return {
      get held() {
        return queue.bytes;
      },
      data(bytes, readAt, out) {
        const before = onset.begun;
        const passed = onset.before(bytes.length, out.now);
        out.pass(bytes.subarray(0, passed), readAt);
        if (passed < bytes.length) {
          queue.push(bytes.subarray(passed), readAt, 0);
        }
        if (onset.begun && !before) {
          out.say('stalled');
        }
      },
      end(out) {
        onset.look(out.now);
        if (!onset.begun) {
          out.end();
        }
      },
      timer: () => {},
      removed: (out) => release(queue, out),
    };
  },
  datagram(attributes) {
    const onset = createOnset(attributes);
    const queue = createQueue();
    return {
      get held() {
        return heldDatagrams(queue);
      },
      datagram(bytes, at, out) {
        // Datagrams are not cut: the one that crosses the border is the first to stay.
        const whole = onset.before(bytes.length, out.now) === bytes.length;
        if (whole && (bytes.length > 0 || !onset.begun)) {
          out.pass(bytes);
        } else {
          queue.push(bytes, at, 0);
        }
      },
      timer: () => {},
      removed: (out) => releaseDatagrams(queue, out),
    };
  },
};
