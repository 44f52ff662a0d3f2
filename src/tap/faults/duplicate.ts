import type { Fault } from '../fault.ts';
import { share } from './values.ts';

export const duplicate: Fault = {
  name: 'duplicate',
  about: 'Sends datagrams twice (UDP).',
  attributes: [{ name: 'share', kind: 'share', about: 'how many', otherwise: 0.1 }],
  datagram(attributes, link) {
    const often = share(attributes, 'share', 0.1);
    return {
      held: 0,
      datagram(bytes, _at, out) {
        if (link.random() >= often) {
          out.pass(bytes);
          return;
        }
        out.say('duplicated');
        // A later stage may change what it is given, so the two are not the same memory.
        const again = bytes.slice();
        out.pass(bytes);
        out.pass(again);
      },
      timer: () => {},
    };
  },
};
