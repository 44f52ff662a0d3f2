/** Steps that several faults are made of. */
import type { DatagramOut, DatagramStage, Stage, StageOut } from '../stage.ts';
import { createQueue, heldDatagrams, type Queue } from './queue.ts';

/** Everything goes through. */
export const passing: Stage = {
  held: 0,
  data: (bytes, readAt, out) => out.pass(bytes, readAt),
  end: (out) => out.end(),
  timer: () => {},
};

export const passingDatagrams: DatagramStage = {
  held: 0,
  datagram: (bytes, _at, out) => out.pass(bytes),
  timer: () => {},
};

/** All that is waiting, at once and in order. */
export function release(queue: Queue, out: StageOut): void {
  while (queue.length > 0) {
    const readAt = queue.readAt;
    out.pass(queue.take(Number.POSITIVE_INFINITY), readAt);
  }
}

export function releaseDatagrams(queue: Queue, out: DatagramOut): void {
  while (queue.length > 0) {
    out.pass(queue.take(Number.POSITIVE_INFINITY));
  }
}

/**
 * A datagram stage that holds each datagram until its moment, and until those before it are gone. Infinity: until the stage is
 * taken away.
 */
export function holdingDatagrams(
  dueOf: (at: number, length: number, now: number) => number,
  begin?: (now: number) => void,
): DatagramStage {
  const queue = createQueue();
  const passDue = (out: DatagramOut): void => {
    while (queue.length > 0 && queue.due <= out.now) {
      out.pass(queue.take(Number.POSITIVE_INFINITY));
    }
    if (queue.length > 0) {
      out.wake(queue.due);
    }
  };
  return {
    get held() {
      return heldDatagrams(queue);
    },
    datagram(bytes, at, out) {
      begin?.(out.now);
      queue.push(bytes, at, dueOf(at, bytes.length, out.now));
      passDue(out);
    },
    timer(out) {
      begin?.(out.now);
      passDue(out);
    },
    removed: (out) => releaseDatagrams(queue, out),
  };
}
