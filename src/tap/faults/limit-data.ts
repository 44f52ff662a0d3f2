import type { Fault } from '../fault.ts';
import type { StageOut } from '../stage.ts';
import { amount } from './values.ts';

export const limitData: Fault = {
  name: 'limit-data',
  about: 'Passes so many bytes, then closes the connection.',
  attributes: [{ name: 'bytes', kind: 'size', about: 'how many' }],
  stream(attributes) {
    let left = amount(attributes, 'bytes');
    const close = (out: StageOut): void => {
      out.say('closed: limit reached');
      out.close();
    };
    return {
      held: 0,
      data(bytes, readAt, out) {
        const passed = Math.min(left, bytes.length);
        left -= passed;
        out.pass(bytes.subarray(0, passed), readAt);
        if (left === 0) {
          close(out);
        }
      },
      end: (out) => out.end(),
      timer: () => {},
    };
  },
};
