import type { Attributes, Fault } from '../fault.ts';
import type { Link, Stage, StageOut } from '../stage.ts';
import { holdingDatagrams, release } from './holding.ts';
import { createQueue } from './queue.ts';
import { amount } from './values.ts';

/** A piece takes this long at most, so that a slow line flows rather than drips. */
const PIECE_SECONDS = 0.02;
const SECOND = 1e9;

/** When the line is free again. */
interface Line {
  freeAt: number;
}

/** The two directions of a shared line do not take room from each other. */
function lineOf(attributes: Attributes, link: Link): Line {
  if (attributes.shared !== true) {
    return { freeAt: 0 };
  }
  const lines = link.shared as Record<string, Line | undefined>;
  const key = `line from ${link.from}`;
  const line = lines[key] ?? { freeAt: 0 };
  lines[key] = line;
  return line;
}

function stream(attributes: Attributes, link: Link): Stage {
  const rate = amount(attributes, 'rateBytes');
  const line = lineOf(attributes, link);
  const most = Math.max(1, Math.floor(rate * PIECE_SECONDS));
  const queue = createQueue();
  /** The piece that is on the line; 0: none. */
  let piece = 0;
  let due = 0;
  let ended = false;

  /** A line that was idle begins now; one that was busy goes on where it was, or late timers would make it slower. */
  const begin = (from: number, out: StageOut): void => {
    piece = Math.min(most, queue.firstLength);
    due = Math.max(line.freeAt, from) + (piece / rate) * SECOND;
    line.freeAt = due;
    out.wake(due);
  };

  const passDue = (out: StageOut): void => {
    while (piece > 0 && due <= out.now) {
      const readAt = queue.readAt;
      const bytes = queue.take(piece);
      piece = 0;
      if (queue.length > 0) {
        begin(due, out);
      }
      out.pass(bytes, readAt);
    }
    if (ended && queue.length === 0) {
      out.end();
    }
  };

  return {
    get held() {
      return queue.bytes;
    },
    data(bytes, readAt, out) {
      queue.push(bytes, readAt, 0);
      if (piece === 0 && rate > 0) {
        begin(out.now, out);
      }
    },
    end(out) {
      ended = true;
      passDue(out);
    },
    timer: passDue,
    removed: (out) => release(queue, out),
  };
}

export const bandwidth: Fault = {
  name: 'bandwidth',
  about: 'Lets so many bytes through in a second, evenly; 0 lets none through.',
  attributes: [
    { name: 'rateBytes', kind: 'rate', about: 'bytes per second' },
    { name: 'shared', kind: 'yes', about: 'all connections together have this rate', otherwise: false },
  ],
  stream,
  datagram(attributes, link) {
    const rate = amount(attributes, 'rateBytes');
    const line = lineOf(attributes, link);
    return holdingDatagrams((_at, length, now) => {
      line.freeAt =
        Math.max(line.freeAt, now) + (rate > 0 ? (length / rate) * SECOND : Number.POSITIVE_INFINITY);
      return line.freeAt;
    });
  },
};
