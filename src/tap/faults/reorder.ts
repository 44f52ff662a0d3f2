import type { Fault } from '../fault.ts';
import type { DatagramOut } from '../stage.ts';
import { amount, MS, share } from './values.ts';

export const reorder: Fault = {
  name: 'reorder',
  about: 'Holds a datagram back until others have overtaken it (UDP).',
  attributes: [
    { name: 'share', kind: 'share', about: 'how many are held back', otherwise: 0.1 },
    { name: 'gap', kind: 'count', about: 'how many overtake it', otherwise: 1 },
    { name: 'timeMs', kind: 'duration', about: 'it goes at the latest after', otherwise: 100 },
  ],
  datagram(attributes, link) {
    const often = share(attributes, 'share', 0.1);
    const gap = Math.max(1, amount(attributes, 'gap', 1));
    const time = amount(attributes, 'timeMs', 100) * MS;
    let late: Uint8Array | null = null;
    let overtaken = 0;
    let due = Number.POSITIVE_INFINITY;
    const letGo = (out: DatagramOut): void => {
      if (late !== null) {
        const bytes = late;
        late = null;
        out.wake(Number.POSITIVE_INFINITY);
        out.pass(bytes);
      }
    };
    return {
      get held() {
        return late?.length ?? 0;
      },
      datagram(bytes, _at, out) {
        // Rolled for every datagram, so that what becomes of one does not hang on the time others took.
        const chosen = link.random() < often;
        if (chosen && late === null) {
          late = bytes;
          overtaken = 0;
          due = out.now + time;
          out.say('reordered');
          out.wake(due);
          return;
        }
        out.pass(bytes);
        overtaken++;
        if (overtaken >= gap) {
          letGo(out);
        }
      },
      timer(out) {
        if (due <= out.now) {
          letGo(out);
        }
      },
      removed: letGo,
    };
  },
};
