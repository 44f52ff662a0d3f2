import type { Attributes, Fault } from '../fault.ts';
import type { Link, Stage, StageOut } from '../stage.ts';
import { createDelay, delayAttributes } from './delays.ts';
import { holdingDatagrams, release } from './holding.ts';
import { createQueue } from './queue.ts';

/**
 * The delay counts from when a chunk was read, so chunks that come together leave together. Order is kept: a chunk with a short
 * delay waits for one with a long delay before it. The FIN is delayed like a byte.
 */
function stream(attributes: Attributes, link: Link): Stage {
  const delayOf = createDelay(attributes, link);
  const queue = createQueue();
  let endDue = Number.POSITIVE_INFINITY;
  const passDue = (out: StageOut): void => {
    while (queue.length > 0 && queue.due <= out.now) {
      const readAt = queue.readAt;
      out.pass(queue.take(Number.POSITIVE_INFINITY), readAt);
    }
    if (queue.length > 0) {
      out.wake(queue.due);
    } else if (endDue <= out.now) {
      out.end();
    } else {
      out.wake(endDue);
    }
  };
  return {
    get held() {
      return queue.bytes;
    },
    data(bytes, readAt, out) {
      queue.push(bytes, readAt, readAt + delayOf(readAt));
      passDue(out);
    },
    end(out) {
      endDue = out.now + delayOf(out.now);
      passDue(out);
    },
    timer: passDue,
    removed: (out) => release(queue, out),
  };
}

export const latency: Fault = {
  name: 'latency',
  about: 'Delays bytes, by a constant, by chance, or in waves; their order stays.',
  attributes: delayAttributes,
  stream,
  datagram(attributes, link) {
    const delayOf = createDelay(attributes, link);
    return holdingDatagrams((at) => at + delayOf(at));
  },
};
