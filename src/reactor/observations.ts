/**
 * Records from a thread to another, through a ring in shared memory: one writes, one reads, nobody locks. What was put stays
 * there when the writing thread ends, so nothing that was counted is lost with it.
 */

/** Words of the header. Positions count bytes and wrap at 2^32, which the capacity, a power of two, divides. */
const HEAD = 0;
const TAIL = 1;
const LOST = 2;
const COUNTED = 3;
const WAITING = 4;
const HEADER = 64;
/** A record begins with its length; records are padded so that this word never crosses the end of the ring. */
const LENGTH = 4;
/** How long a patient producer waits for room before it counts a record as lost. */
export const PATIENCE_MS = 250;
/** Up to here a loop copies faster than `set` with a view made for it. */
const SMALL = 128;
export const SMALLEST_RING = 64;
const LARGEST_RING = 2 ** 30;

/** Memory for a ring of at least `bytes` bytes. */
export function createRing(bytes: number): SharedArrayBuffer {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(SMALLEST_RING, Math.min(bytes, LARGEST_RING))));
  return new SharedArrayBuffer(HEADER + capacity);
}

/** The largest power of two that the memory holds. */
function capacityOf(shared: SharedArrayBuffer): number {
  const room = Math.min(shared.byteLength - HEADER, LARGEST_RING);
  if (room < SMALLEST_RING) {
    throw new RangeError(`a ring needs ${HEADER + SMALLEST_RING} bytes, not ${shared.byteLength}`);
  }
  return 2 ** Math.floor(Math.log2(room));
}

export interface ProducerOptions {
  /** When the ring is full: wait up to PATIENCE_MS for room. Otherwise the record is lost at once. Either way the loss is counted. */
  readonly patient: boolean;
  /** The ring was empty and is not any more: the consumer should `take`. */
  wake(): void;
}

export interface Producer {
  /** False: the record was lost, and counted as such. */
  put(bytes: Uint8Array, from: number, to: number): boolean;
  readonly counted: number;
  readonly lost: number;
}

export function createProducer(shared: SharedArrayBuffer, options: ProducerOptions): Producer {
  const capacity = capacityOf(shared);
  const mask = capacity - 1;
  const words = new Int32Array(shared, 0, HEADER / 4);
  const lengths = new Int32Array(shared, HEADER, capacity / 4);
  const ring = new Uint8Array(shared, HEADER, capacity);
  const { patient } = options;
  let head = Atomics.load(words, HEAD);
  /** Where the consumer was when we last looked; it can only have freed more since. */
  let tail = Atomics.load(words, TAIL);
  let counted = 0;
  let lost = 0;

  const room = (): number => capacity - ((head - tail) >>> 0);

  function makeRoom(size: number): boolean {
    tail = Atomics.load(words, TAIL);
    return size <= room() || (patient && waitForRoom(size));
  }

  function waitForRoom(size: number): boolean {
    const until = performance.now() + PATIENCE_MS;
    let left = PATIENCE_MS;
    while (left > 0) {
      // First say that we wait, then look: the consumer moves on first and then looks whether somebody waits.
      Atomics.store(words, WAITING, 1);
      tail = Atomics.load(words, TAIL);
      if (size <= room()) {
        break;
      }
      Atomics.wait(words, TAIL, tail, left);
      left = until - performance.now();
    }
    Atomics.store(words, WAITING, 0);
    tail = Atomics.load(words, TAIL);
    return size <= room();
  }

  function copy(bytes: Uint8Array, from: number, to: number, at: number): void {
    if (to - from <= SMALL) {
      for (let index = from; index < to; index++) {
        ring[(at + index - from) & mask] = bytes[index]!;
      }
      return;
    }
    const first = Math.min(to - from, capacity - at);
    ring.set(bytes.subarray(from, from + first), at);
    if (first < to - from) {
      ring.set(bytes.subarray(from + first, to), 0);
    }
  }

  return {
    get counted() {
      return counted;
    },
    get lost() {
      return lost;
    },
    put(bytes, from, to) {
      const length = to - from;
      const size = LENGTH + ((length + 3) & ~3);
      if (length > capacity - LENGTH || (size > room() && !makeRoom(size))) {
        lost++;
        Atomics.add(words, LOST, 1);
        return false;
      }
      const at = head & mask;
      lengths[at >>> 2] = length;
      copy(bytes, from, to, (at + LENGTH) & mask);
      const before = head;
      head = (head + size) | 0;
      // From here on the record exists, whatever becomes of this thread.
      Atomics.store(words, HEAD, head);
      Atomics.store(words, COUNTED, ++counted | 0);
      tail = Atomics.load(words, TAIL);
      if (tail === before) {
        options.wake();
      }
      return true;
    },
  };
}

export interface Consumer {
  /**
   * Hands over at most `most` records, each as borrowed bytes [from, to), and says how many. A number that equals `most` means there
   * may be more, of which nobody will be woken again.
   */
  take(each: (bytes: Uint8Array, from: number, to: number) => void, most?: number): number;
  /** How many were lost since this was last asked. */
  lost(): number;
}

export function createConsumer(shared: SharedArrayBuffer): Consumer {
  const capacity = capacityOf(shared);
  const mask = capacity - 1;
  const words = new Int32Array(shared, 0, HEADER / 4);
  const lengths = new Int32Array(shared, HEADER, capacity / 4);
  const ring = new Uint8Array(shared, HEADER, capacity);
  /** A record that crosses the end of the ring is put together here; made when first needed. */
  let whole: Uint8Array = new Uint8Array(0);
  let tail = Atomics.load(words, TAIL);
  let told = 0;

  function free(): void {
    if (Atomics.load(words, TAIL) !== tail) {
      Atomics.store(words, TAIL, tail);
      if (Atomics.load(words, WAITING) !== 0) {
        Atomics.notify(words, TAIL);
      }
    }
  }

  function assemble(at: number, length: number): void {
    if (whole.length < length) {
      whole = new Uint8Array(capacity);
    }
    const first = capacity - at;
    whole.set(ring.subarray(at), 0);
    whole.set(ring.subarray(0, length - first), first);
  }

  return {
    take(each, most = Number.POSITIVE_INFINITY) {
      let taken = 0;
      let freedAt = tail;
      try {
        let head = Atomics.load(words, HEAD);
        while (taken < most && head !== tail) {
          const length = lengths[(tail & mask) >>> 2]!;
          const at = (tail + LENGTH) & mask;
          taken++;
          // Moved on before the callback: should it throw, the record is not handed over again.
          tail = (tail + LENGTH + ((length + 3) & ~3)) | 0;
          if (at + length <= capacity) {
            each(ring, at, at + length);
          } else {
            assemble(at, length);
            each(whole, 0, length);
          }
          if (head === tail) {
            free();
            freedAt = tail;
            head = Atomics.load(words, HEAD);
          } else if ((tail - freedAt) >>> 0 > capacity >>> 2) {
            free();
            freedAt = tail;
          }
        }
      } finally {
        free();
      }
      return taken;
    },
    lost() {
      const all = Atomics.load(words, LOST);
      const since = (all - told) >>> 0;
      told = all;
      return since;
    },
  };
}

/** How many records the producer ever counted (modulo 2^32), also when its thread is gone. */
export function countedIn(shared: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(shared, 0, HEADER / 4), COUNTED) >>> 0;
}
