import type { Fault } from '../fault.ts';
import { createLosses, lossAttributes } from './losses.ts';

export const drop: Fault = {
  name: 'drop',
  about: 'Loses datagrams (UDP).',
  attributes: lossAttributes,
  datagram(attributes, link) {
    const isLost = createLosses(attributes, link);
    return {
      held: 0,
      datagram(bytes, _at, out) {
        if (isLost()) {
          out.say('dropped');
        } else {
          out.pass(bytes);
        }
      },
      timer: () => {},
    };
  },
};
