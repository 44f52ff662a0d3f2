/** One direction of a gate: its bytes, and what was decided about them. */
import type { Side } from '../../wire/app/decoder.ts';
import type { StageOut } from '../stage.ts';
import type { Order, Piece } from './piece.ts';
import { Queue } from './queue.ts';

export interface Lane {
  readonly side: Side;
  readonly queue: Queue;
  readonly pieces: Piece[];
  /** Bytes of the queue that pieces cover, and bytes at its end that were not decoded yet. */
  covered: number;
  ahead: number;
  /** As the conversation counts: what was fed (our own replies too), and up to where it was judged. */
  fed: number;
  judgedTo: number;
  /** The messages of the step under way. */
  stepEnd: number;
  sizes: number[];
  orders: (Order | null)[];
  /** Rules look at this side. */
  watched: boolean;
  /** The message under way is passed on as it comes. */
  passing: boolean;
  stalled: boolean;
  ended: boolean;
  endPassed: boolean;
  heardAt: number;
  out: StageOut | null;
}

export function newLane(side: Side): Lane {
  return {
    side,
    queue: new Queue(),
    pieces: [],
    covered: 0,
    ahead: 0,
    fed: 0,
    judgedTo: 0,
    stepEnd: -1,
    sizes: [],
    orders: [],
    watched: false,
    passing: false,
    stalled: false,
    ended: false,
    endPassed: false,
    heardAt: 0,
    out: null,
  };
}
