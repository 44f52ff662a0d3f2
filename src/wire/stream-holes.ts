/**
 * Hands streams over in order, and decides when a hole will not be filled any more. A hole that the other side has
 * acknowledged is the capture's own: the receiver has the bytes, so they do not come again, and the wait is only for
 * packets the capture itself took down in the wrong order.
 */
import type { Half, Kept } from './flow.ts';
import { takeKept } from './stream-kept.ts';
import type { Limits, StreamSink } from './stream-sink.ts';

/** How long, or for how many bytes behind it, an acknowledged hole stays open. */
const PATIENCE_NS = 100e6;
const PATIENCE_BYTES = 65_536;
/** A hole nobody acknowledges (a capture of one direction) is given up after this. */
const OLDEST_HOLE_NS = 30e9;
/** Holes looked at per review, so that a review has a bounded price. */
const REVIEWED = 256;

export class Holes {
  /** Bytes given up. */
  lost = 0;
  /** What is kept behind all holes. */
  total = 0;
  private readonly sink: StreamSink;
  private readonly limits: Limits;
  private readonly ended: (half: Half, at: number) => void;
  /** Directions with a hole, longest waiting first. */
  private readonly open = new Set<Half>();

  constructor(sink: StreamSink, limits: Limits, ended: (half: Half, at: number) => void) {
    this.sink = sink;
    this.limits = limits;
    this.ended = ended;
  }

  /** The bytes at `half.next`: `length` of them, of which `have` were captured. */
  deliver(half: Half, bytes: Uint8Array, from: number, have: number, length: number, at: number): void {
    half.next = (half.next + length) | 0;
    if (have > 0) {
      this.sink.data(half.flow, half.side, bytes, from, from + have, at);
    }
    if (have < length) {
      this.lost += length - have;
      this.sink.gap(half.flow, half.side, length - have, at);
    }
    if (half.kept !== null || half.finSeen || half.ahead) {
      this.advance(half, at);
    }
  }

  /** Whatever can go on from `half.next`, does. */
  advance(half: Half, at: number): void {
    const from = half.next;
    while (half.kept !== null && half.kept.seq === half.next) {
      this.release(half, at);
    }
    if (half.finSeen && !half.ended) {
      if (half.next === half.finAt) {
        half.next = (half.next + 1) | 0;
        half.ended = true;
        this.drop(half);
        this.sink.ended(half.flow, half.side, at);
        this.ended(half, at);
      } else if (((half.finAt - half.next) | 0) < 0) {
        half.finSeen = false;
      }
    }
    if (half.ahead && ((peer(half).highestAck - half.next) | 0) <= 0) {
      half.ahead = false;
    }
    if (half.kept === null && (half.ended || !half.finSeen)) {
      if (half.holed) {
        half.holed = false;
        this.open.delete(half);
      }
    } else if (!half.holed) {
      half.holed = true;
      half.holedAt = at;
      this.open.add(half);
    } else if (half.next !== from) {
      half.holedAt = at;
    }
  }

  /** `bytes` more are kept for a direction. */
  grew(half: Half, bytes: number, at: number): void {
    const { limits } = this;
    this.total += bytes;
    this.advance(half, at);
    while (
      half.kept !== null &&
      (half.keptCount > limits.keptSegments || half.keptBytes > limits.keptBytes)
    ) {
      this.skip(half, half.kept.seq, at);
    }
    while (this.total > limits.keptInTotal) {
      const longest = this.open.values().next();
      if (longest.done) {
        return;
      }
      this.skip(longest.value, hole(longest.value), at);
    }
    this.consider(half, at);
  }

  /** Gives up what the other side has, when it was waited for long enough. */
  consider(half: Half, at: number): void {
    if (!half.ahead || !half.holed) {
      return;
    }
    if (at - half.aheadAt < PATIENCE_NS && half.keptBytes < PATIENCE_BYTES) {
      return;
    }
    const reached = peer(half).highestAck;
    while (half.holed && ((reached - half.next) | 0) > 0) {
      const end = hole(half);
      this.skip(half, ((end - reached) | 0) > 0 ? reached : end, at);
    }
  }

  review(at: number): void {
    let left = REVIEWED;
    const rotate = this.open.size > REVIEWED;
    for (const half of this.open) {
      if (left-- === 0) {
        return;
      }
      if (at - half.holedAt >= OLDEST_HOLE_NS) {
        this.flush(half, at);
      } else {
        this.consider(half, at);
      }
      if (rotate && half.holed) {
        this.open.delete(half);
        this.open.add(half);
      }
    }
  }

  /** No hole stays: what is kept goes out, after a gap for each hole. */
  flush(half: Half, at: number): void {
    while (half.holed) {
      this.skip(half, hole(half), at);
    }
  }

  /** The stream goes on at `seq`, which is too far away to be kept for. */
  jump(half: Half, seq: number, at: number): void {
    this.flush(half, at);
    this.gap(half, (seq - half.next) >>> 0, at);
    half.next = seq;
    half.ahead = false;
  }

  /** Whether bytes before `ack` that were not acknowledged before are in no packet seen. */
  unseen(half: Half, ack: number): boolean {
    let position = half.next;
    if (half.ahead && ((half.aheadNoted - position) | 0) > 0) {
      position = half.aheadNoted;
    }
    for (let kept = half.kept; kept !== null; kept = kept.later) {
      if (((kept.seq - position) | 0) > 0) {
        break;
      }
      if (((kept.end - position) | 0) > 0) {
        position = kept.end;
      }
    }
    if (half.finSeen && position === half.finAt) {
      position = (position + 1) | 0;
    }
    return ((ack - position) | 0) > 0;
  }

  private skip(half: Half, to: number, at: number): void {
    const count = (to - half.next) | 0;
    half.next = to;
    if (count > 0) {
      this.gap(half, count, at);
    }
    this.advance(half, at);
  }

  private gap(half: Half, count: number, at: number): void {
    this.lost += count;
    this.sink.gap(half.flow, half.side, count, at);
  }

  private release(half: Half, at: number): void {
    const { seq, end, bytes } = this.take(half);
    half.next = end;
    if (bytes.length > 0) {
      this.sink.data(half.flow, half.side, bytes, 0, bytes.length, at);
    }
    const missing = ((end - seq) | 0) - bytes.length;
    if (missing > 0) {
      this.gap(half, missing, at);
    }
  }

  /** What lies beyond a FIN is nobody's. */
  private drop(half: Half): void {
    while (half.kept !== null) {
      this.take(half);
    }
  }

  private take(half: Half): Kept {
    const before = half.keptBytes;
    const first = takeKept(half)!;
    this.total -= before - half.keptBytes;
    return first;
  }
}

function peer(half: Half): Half {
  return half.flow.halves![1 - half.side]!;
}

/** Where the first hole ends: at the first kept segment, or at the FIN. */
function hole(half: Half): number {
  return half.kept === null ? half.finAt : half.kept.seq;
}
