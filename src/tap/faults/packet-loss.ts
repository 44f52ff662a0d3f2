import type { Fault } from '../fault.ts';
import { createLosses, lossAttributes } from './losses.ts';

export const packetLoss: Fault = {
  name: 'packet-loss',
  about:
    'Takes chunks out of a TCP stream, as Toxiproxy’s toxic of this name does: the stream is corrupt afterwards. Real loss only delays TCP; latency and stall show that.',
  attributes: lossAttributes,
  stream(attributes, link) {
    const isLost = createLosses(attributes, link);
    return {
      held: 0,
      data(bytes, readAt, out) {
        if (isLost()) {
          out.say(`lost ${bytes.length} bytes`);
        } else {
          out.pass(bytes, readAt);
        }
      },
      end: (out) => out.end(),
      timer: () => {},
    };
  },
};
