import type { Fault } from '../fault.ts';
import type { StageOut } from '../stage.ts';
import { amount, MS } from './values.ts';

export const timeout: Fault = {
  name: 'timeout',
  about:
    'Swallows all data and closes the connection after a time without any, at a FIN, or when it is taken away.',
  attributes: [
    {
      name: 'timeoutMs',
      kind: 'duration',
      about: 'how long until it closes; 0: not by itself',
      otherwise: 0,
    },
  ],
  stream(attributes) {
    const wait = amount(attributes, 'timeoutMs') * MS;
    let due = Number.POSITIVE_INFINITY;
    /** Each chunk starts the clock again, as Toxiproxy's toxic of this name does. */
    const start = (out: StageOut): void => {
      if (wait > 0) {
        due = out.now + wait;
        out.wake(due);
      }
    };
    const close = (out: StageOut): void => {
      out.say('closed: timeout');
      out.close();
    };
    return {
      held: 0,
      data: (_bytes, _readAt, out) => start(out),
      end: close,
      timer(out) {
        if (due === Number.POSITIVE_INFINITY) {
          start(out);
        } else if (due <= out.now) {
          close(out);
        } else {
          out.wake(due);
        }
      },
      removed: close,
    };
  },
};
