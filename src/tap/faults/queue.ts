/** Chunks in the order in which they came, each with the moment it was read and the moment it is due. */

export interface Queue {
  readonly bytes: number;
  readonly length: number;
  push(bytes: Uint8Array, readAt: number, due: number): void;
  /** Of the first chunk; Infinity when there is none. */
  readonly due: number;
  readonly readAt: number;
  readonly firstLength: number;
  /** At most `most` bytes of the first chunk; what is left of it stays first. Never of an empty queue. */
  take(most: number): Uint8Array;
}

const NOTHING = new Uint8Array(0);
/** Taken places at the front are given back when there are so many of them, and at least as many as are in use. */
const MANY_TAKEN = 64;

export function createQueue(): Queue {
  const chunks: Uint8Array[] = [];
  const reads: number[] = [];
  const dues: number[] = [];
  let head = 0;
  let held = 0;

  const forget = (): void => {
    chunks[head] = NOTHING;
    head++;
    if (head === chunks.length || (head >= MANY_TAKEN && head * 2 >= chunks.length)) {
      chunks.splice(0, head);
      reads.splice(0, head);
      dues.splice(0, head);
      head = 0;
    }
  };

  return {
    get bytes() {
      return held;
    },
    get length() {
      return chunks.length - head;
    },
    get due() {
      return dues[head] ?? Number.POSITIVE_INFINITY;
    },
    get readAt() {
      return reads[head] ?? Number.POSITIVE_INFINITY;
    },
    get firstLength() {
      return chunks[head]?.length ?? 0;
    },
    push(bytes, readAt, due) {
      chunks.push(bytes);
      reads.push(readAt);
      dues.push(due);
      held += bytes.length;
    },
    take(most) {
      const first = chunks[head] ?? NOTHING;
      if (most < first.length) {
        chunks[head] = first.subarray(most);
        held -= most;
        return first.subarray(0, most);
      }
      held -= first.length;
      forget();
      return first;
    },
  };
}

/** What one waiting datagram costs beside its bytes, so that a flood of empty ones is bounded as well. */
const COST_OF_ONE = 256;

export function heldDatagrams(queue: Queue): number {
  return queue.bytes + queue.length * COST_OF_ONE;
}
