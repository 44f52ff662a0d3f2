import type { Attributes, Fault } from '../fault.ts';
import type { Link } from '../stage.ts';
import { share, word } from './values.ts';

/**
 * Changes bytes where they lie and says how many. The distance to the next victim is drawn at once (it is geometric), so chance is
 * asked once per victim, and the victims are the same however the stream is cut.
 */
function createCorruption(attributes: Attributes, link: Link): (bytes: Uint8Array) => number {
  const often = share(attributes, 'share', 0.001);
  const whole = word(attributes, 'unit', 'bits') === 'bytes';
  const drawGap = (): number => {
    if (often >= 1) {
      return 0;
    }
    return often > 0
      ? Math.floor(Math.log(1 - link.random()) / Math.log1p(-often))
      : Number.POSITIVE_INFINITY;
  };
  let gap = drawGap();
  return (bytes) => {
    const units = whole ? bytes.length : bytes.length * 8;
    let changed = 0;
    while (gap < units) {
      if (whole) {
        bytes[gap]! ^= 1 + Math.floor(link.random() * 255);
      } else {
        bytes[gap >> 3]! ^= 1 << (gap & 7);
      }
      changed++;
      gap += 1 + drawGap();
    }
    gap -= units;
    return changed;
  };
}

export const corrupt: Fault = {
  name: 'corrupt',
  about: 'Flips bits, or puts other bytes in the place of bytes.',
  attributes: [
    { name: 'share', kind: 'share', about: 'how many of them', otherwise: 0.001 },
    { name: 'unit', kind: 'word', about: 'of what', otherwise: 'bits', words: ['bits', 'bytes'] },
  ],
  stream(attributes, link) {
    const change = createCorruption(attributes, link);
    const unit = word(attributes, 'unit', 'bits');
    return {
      held: 0,
      data(bytes, readAt, out) {
        const changed = change(bytes);
        if (changed > 0) {
          out.say(`corrupted ${changed} ${unit}`);
        }
        out.pass(bytes, readAt);
      },
      end: (out) => out.end(),
      timer: () => {},
    };
  },
  datagram(attributes, link) {
    const change = createCorruption(attributes, link);
    const unit = word(attributes, 'unit', 'bits');
    return {
      held: 0,
      datagram(bytes, _at, out) {
        const changed = change(bytes);
        if (changed > 0) {
          out.say(`corrupted ${changed} ${unit}`);
        }
        out.pass(bytes);
      },
      timer: () => {},
    };
  },
};
