import type { Attributes, Fault } from '../fault.ts';
import type { Stage, StageOut } from '../stage.ts';
import { GO_ON } from './admission.ts';
import { passing } from './holding.ts';
import { AFTER_BYTES, amount, MS, word } from './values.ts';

/** What comes after the last byte that may pass is swallowed; with no bytes that may pass, a FIN starts the clock as well. */
function stream(attributes: Attributes): Stage {
  if (word(attributes, 'at', 'data') !== 'data') {
    return passing;
  }
  const wait = amount(attributes, 'afterMs') * MS;
  const limit = amount(attributes, 'afterBytes');
  let left = limit;
  let due = Number.POSITIVE_INFINITY;
  const reset = (out: StageOut): void => {
    out.say('reset');
    out.reset();
  };
  const start = (out: StageOut): void => {
    due = out.now + wait;
    if (wait === 0) {
      reset(out);
    } else {
      out.wake(due);
    }
  };
  return {
    held: 0,
    data(bytes, readAt, out) {
      if (due !== Number.POSITIVE_INFINITY) {
        return;
      }
      const passed = Math.min(left, bytes.length);
      left -= passed;
      out.pass(bytes.subarray(0, passed), readAt);
      if (left === 0) {
        start(out);
      }
    },
    end(out) {
      if (due !== Number.POSITIVE_INFINITY) {
        return;
      }
      if (limit === 0) {
        start(out);
      } else {
        out.end();
      }
    },
    timer(out) {
      if (due <= out.now) {
        reset(out);
      }
    },
    /** Bytes are gone already, so the stream cannot be mended. */
    removed(out) {
      if (due !== Number.POSITIVE_INFINITY) {
        reset(out);
      }
    },
  };
}

export const reset: Fault = {
  name: 'reset',
  about:
    'RST to both ends: after so many bytes, so long after the first byte that was not passed on, or before there is any.',
  attributes: [
    { name: 'afterMs', kind: 'duration', about: 'how long after the last byte that may pass', otherwise: 0 },
    AFTER_BYTES,
    {
      name: 'at',
      kind: 'word',
      about: 'when data comes, when the client is accepted, or when the target has answered',
      otherwise: 'data',
      words: ['data', 'accept', 'connect'],
    },
  ],
  stream,
  admit(attributes, _link, moment) {
    const at = word(attributes, 'at', 'data');
    const now = (at === 'accept' && moment === 'accepted') || (at === 'connect' && moment === 'dialled');
    return now ? { delay: amount(attributes, 'afterMs') * MS, outcome: 'reset' } : GO_ON;
  },
};
