import type { Attributes, Fault } from '../fault.ts';
import type { Link } from '../stage.ts';
import { holdingDatagrams, release } from './holding.ts';
import { createQueue } from './queue.ts';
import { amount, MS } from './values.ts';

/** One cable for all connections: it comes back at one moment, `lastsMs` after the first of them was touched. */
function cable(attributes: Attributes, link: Link): (now: number) => number {
  const lasts = amount(attributes, 'lastsMs') * MS;
  const { shared } = link;
  return (now) => {
    const began = typeof shared.unpluggedAt === 'number' ? shared.unpluggedAt : now;
    shared.unpluggedAt = began;
    return lasts > 0 ? began + lasts : Number.POSITIVE_INFINITY;
  };
}

export const unplug: Fault = {
  name: 'unplug',
  about: 'Nothing moves, the connection stays; what waited goes on when the cable is back.',
  attributes: [
    {
      name: 'lastsMs',
      kind: 'duration',
      about:
        'how long the cable is out, from the first connection it touches; 0: until the fault is taken away',
      otherwise: 0,
    },
  ],
  stream(attributes, link) {
    const backAt = cable(attributes, link);
    const queue = createQueue();
    let ended = false;
    return {
      get held() {
        return queue.bytes;
      },
      data(bytes, readAt, out) {
        const back = backAt(out.now);
        if (back <= out.now) {
          release(queue, out);
          out.pass(bytes, readAt);
        } else {
          queue.push(bytes, readAt, 0);
          out.wake(back);
        }
      },
      end(out) {
        ended = true;
        if (backAt(out.now) <= out.now) {
          release(queue, out);
          out.end();
        }
      },
      timer(out) {
        const back = backAt(out.now);
        if (back > out.now) {
          out.wake(back);
          return;
        }
        release(queue, out);
        if (ended) {
          out.end();
        }
      },
      removed: (out) => release(queue, out),
    };
  },
  datagram(attributes, link) {
    const backAt = cable(attributes, link);
    return holdingDatagrams((_at, _length, now) => backAt(now), backAt);
  },
};
