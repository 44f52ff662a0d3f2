/**
 * Moves one direction's bytes from sender to receiver: by splice where nobody looks at them, by read and write where a decoder
 * does, through a chain of stages where something is changed or broken. Says how it ended, and decides nothing.
 */
import { AGAIN, type Bulk, type Reactor, type Stream, type Timer } from '../reactor/reactor.ts';
import type { Side } from '../wire/app/decoder.ts';
import type { Chain } from './chain.ts';

/** What one read takes at most, and what a decoder sees at once. */
export const READ_BYTES = 65_536;
/** Moved in one go before others have their turn. */
const TURN_BYTES = 1 << 20;
/** A splice costs two calls: it pays when at least so much goes by unseen. */
const BULK_LEAST = 32_768;
/** While the stages of a direction and what waits for its receiver hold more, its sender is not read. */
export const HELD_MAX = 1 << 20;

export type Outcome = 'idle' | 'blocked' | 'goes on' | 'ended' | 'sender reset' | 'receiver reset';

/** Who hears what goes by. */
export interface Ears {
  hear(side: Side, bytes: Uint8Array, from: number, to: number): void;
  /** How many of the next bytes nobody will look at. */
  indifferent(side: Side): number;
  passedBy(side: Side, count: number): void;
}

export interface Mover {
  readonly side: Side;
  source: Stream | null;
  sink: Stream | null;
  ears: Ears;
  chain: Chain | null;
  /** Delivered, or at least given to the kernel. */
  moved: number;
  /** Bytes for the receiver, which does not take them now. The first of them from `offset` on. */
  readonly queue: Uint8Array[];
  offset: number;
  queued: number;
  bulk: Bulk | null;
  /** The last transfer through a pipe was a large one: the next begins there, without a read. */
  bulky: boolean;
  /** The sender said FIN (or RST), and it was given to the chain. */
  heardEnd: 'no' | 'fin' | 'reset';
  /** FIN came out of the chain. */
  endDue: boolean;
  /** The chain held too much when last looked at. */
  full: boolean;
  /** When the chain wants to be called again. */
  timer: Timer | null;
}

export function createMover(side: Side, ears: Ears): Mover {
  return {
    side,
    source: null,
    sink: null,
    ears,
    chain: null,
    moved: 0,
    queue: [],
    offset: 0,
    queued: 0,
    bulk: null,
    bulky: false,
    heardEnd: 'no',
    endDue: false,
    full: false,
    timer: null,
  };
}

/** One thread, one buffer: what is read is written and heard before anything else is read. */
const scratch = new Uint8Array(READ_BYTES);

/** Bytes for this mover's receiver, now owned by the mover; `flush` writes them. */
export function enqueue(mover: Mover, bytes: Uint8Array): void {
  if (bytes.length > 0) {
    mover.queue.push(bytes);
    mover.queued += bytes.length;
  }
}

export function move(mover: Mover, reactor: Reactor): Outcome {
  const before = flush(mover);
  if (before !== 'idle') {
    return before;
  }
  return mover.chain === null ? moveStraight(mover, reactor) : moveThrough(mover, mover.chain, reactor.now());
}

/** Writes what waits for the receiver. `idle`: nothing waits any more. */
export function flush(mover: Mover): Outcome {
  const { sink, bulk } = mover;
  if (sink === null) {
    return mover.queued === 0 ? 'idle' : 'blocked';
  }
  if (bulk !== null && bulk.held > 0) {
    const drained = drain(mover, bulk);
    if (drained !== 'idle') {
      return drained;
    }
  }
  while (mover.queued > 0) {
    const bytes = mover.queue[0]!;
    const written = sink.write(bytes, mover.offset, bytes.length);
    if (written < 0) {
      return written === AGAIN ? 'blocked' : receiverReset(mover);
    }
    mover.moved += written;
    mover.queued -= written;
    mover.offset += written;
    if (mover.offset < bytes.length) {
      return 'blocked';
    }
    mover.queue.shift();
    mover.offset = 0;
  }
  if (mover.endDue) {
    mover.endDue = false;
    return mover.heardEnd === 'reset' ? 'sender reset' : 'ended';
  }
  return 'idle';
}

function moveStraight(mover: Mover, reactor: Reactor): Outcome {
  const { ears, side } = mover;
  const source = mover.source!;
  const sink = mover.sink!;
  if (mover.bulky && ears.indifferent(side) >= BULK_LEAST) {
    const outcome = moveInBulk(mover, reactor, source, sink);
    if (outcome !== null) {
      return outcome;
    }
  }
  for (let moved = 0; moved < TURN_BYTES; ) {
    const count = source.read(scratch, 0, READ_BYTES);
    if (count <= 0) {
      return count === AGAIN ? 'idle' : count === 0 ? 'ended' : 'sender reset';
    }
    moved += count;
    const written = sink.write(scratch, 0, count);
    if (written < 0 && written !== AGAIN) {
      ears.hear(side, scratch, 0, count);
      return receiverReset(mover);
    }
    const taken = Math.max(0, written);
    mover.moved += taken;
    if (taken < count) {
      enqueue(mover, scratch.slice(taken, count));
    }
    // Heard after it was sent: who listens delays nobody.
    ears.hear(side, scratch, 0, count);
    if (taken < count) {
      return 'blocked';
    }
    if (count === READ_BYTES) {
      if (ears.indifferent(side) >= BULK_LEAST) {
        const outcome = moveInBulk(mover, reactor, source, sink);
        if (outcome !== null) {
          return outcome;
        }
      }
    } else if (!source.hungUp) {
      return 'idle';
    }
  }
  return 'goes on';
}

/** Null: there is no bulk here, somebody looks at what comes next, or nothing comes: go on reading. */
function moveInBulk(mover: Mover, reactor: Reactor, source: Stream, sink: Stream): Outcome | null {
  const { ears, side } = mover;
  mover.bulk ??= reactor.bulk(source, sink);
  const { bulk } = mover;
  if (bulk === null) {
    return null;
  }
  for (let moved = 0; moved < TURN_BYTES; ) {
    const most = Math.min(ears.indifferent(side), TURN_BYTES);
    if (most < BULK_LEAST) {
      release(mover);
      return null;
    }
    const count = bulk.fill(most);
    if (count <= 0) {
      release(mover);
      // Nothing there, or an urgent mark that only a read gets past: the read says which.
      return count === AGAIN ? null : count === 0 ? 'ended' : 'sender reset';
    }
    ears.passedBy(side, count);
    mover.bulky = count >= BULK_LEAST;
    moved += count;
    const drained = drain(mover, bulk);
    if (drained !== 'idle') {
      return drained;
    }
  }
  return 'goes on';
}

function drain(mover: Mover, bulk: Bulk): Outcome {
  while (bulk.held > 0) {
    const count = bulk.drain();
    if (count < 0) {
      return count === AGAIN ? 'blocked' : receiverReset(mover);
    }
    mover.moved += count;
  }
  return 'idle';
}

/** The pipe goes back to the pool: an idle connection has none. */
export function release(mover: Mover): void {
  mover.bulk?.close();
  mover.bulk = null;
}

function receiverReset(mover: Mover): Outcome {
  release(mover);
  mover.queue.length = 0;
  mover.offset = 0;
  mover.queued = 0;
  return 'receiver reset';
}

function moveThrough(mover: Mover, chain: Chain, now: number): Outcome {
  const source = mover.source!;
  release(mover);
  for (let moved = 0; moved < TURN_BYTES; ) {
    if (mover.heardEnd !== 'no') {
      return 'idle';
    }
    if (tooMuch(mover)) {
      mover.full = true;
      return 'blocked';
    }
    const count = source.read(scratch, 0, READ_BYTES);
    if (count === AGAIN) {
      return 'idle';
    }
    if (count > 0) {
      moved += count;
      chain.data(scratch.slice(0, count), now);
    } else {
      mover.heardEnd = count === 0 ? 'fin' : 'reset';
      chain.end();
    }
    const flushed = flush(mover);
    if (flushed !== 'idle') {
      return flushed;
    }
    if (count > 0 && count < READ_BYTES && !source.hungUp) {
      return 'idle';
    }
  }
  return 'goes on';
}

export function tooMuch(mover: Mover): boolean {
  return mover.queued + (mover.chain?.held ?? 0) >= HELD_MAX;
}
