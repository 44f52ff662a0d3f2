import type { Attributes, Fault } from '../fault.ts';
import type { Link, Stage, StageOut } from '../stage.ts';
import { release } from './holding.ts';
import { createQueue } from './queue.ts';
import { amount, US } from './values.ts';

function stream(attributes: Attributes, link: Link): Stage {
  const average = Math.max(1, Math.floor(amount(attributes, 'averageSize', 1)));
  const variation = Math.min(average - 1, Math.floor(amount(attributes, 'sizeVariation')));
  const delay = amount(attributes, 'delayUs') * US;
  const queue = createQueue();
  let nextAt = 0;
  let ended = false;

  const slice = (): number =>
    variation === 0 ? average : average - variation + Math.floor(link.random() * (2 * variation + 1));

  const passDue = (out: StageOut): void => {
    while (queue.length > 0 && nextAt <= out.now) {
      const readAt = queue.readAt;
      const bytes = queue.take(slice());
      nextAt = out.now + delay;
      out.pass(bytes, readAt);
    }
    if (queue.length > 0) {
      out.wake(nextAt);
    } else if (ended) {
      out.end();
    }
  };

  return {
    get held() {
      return queue.bytes;
    },
    data(bytes, readAt, out) {
      queue.push(bytes, readAt, 0);
      passDue(out);
    },
    end(out) {
      ended = true;
      passDue(out);
    },
    timer: passDue,
    removed: (out) => release(queue, out),
  };
}

export const slicer: Fault = {
  name: 'slicer',
  about: 'Cuts what comes into small pieces that leave one by one.',
  attributes: [
    { name: 'averageSize', kind: 'size', about: 'size of a piece' },
    { name: 'sizeVariation', kind: 'size', about: 'pieces are so much larger or smaller', otherwise: 0 },
    { name: 'delayUs', kind: 'duration', about: 'wait after each piece', otherwise: 0 },
  ],
  stream,
};
