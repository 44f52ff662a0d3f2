import type { Fault } from '../fault.ts';
import { amount, MS } from './values.ts';

export const slowClose: Fault = {
  name: 'slow-close',
  about: 'Holds back the FIN.',
  attributes: [{ name: 'delayMs', kind: 'duration', about: 'for how long' }],
  stream(attributes) {
    const delay = amount(attributes, 'delayMs') * MS;
    let due = Number.POSITIVE_INFINITY;
    return {
      held: 0,
      data: (bytes, readAt, out) => out.pass(bytes, readAt),
      end(out) {
        due = out.now + delay;
        if (delay === 0) {
          out.end();
        } else {
          out.wake(due);
        }
      },
      timer(out) {
        if (due <= out.now) {
          out.end();
        }
      },
    };
  },
};
