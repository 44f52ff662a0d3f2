/** Things that are due at some moment, earliest first; those of one moment in the order they were put in. A binary heap. */

export interface Deadlines<T> {
  readonly size: number;
  /** When the first is due; Infinity when nothing is. */
  readonly next: number;
  put(at: number, what: T): void;
  /** The first, when it is due. */
  take(now: number): T | null;
}

interface Entry<T> {
  readonly at: number;
  readonly order: number;
  readonly what: T;
}

export function createDeadlines<T>(): Deadlines<T> {
  const heap: Entry<T>[] = [];
  let order = 0;

  const before = (a: Entry<T>, b: Entry<T>): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

  function sinkFirst(entry: Entry<T>): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) {
        break;
      }
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) {
        child++;
      }
      if (!before(heap[child]!, entry)) {
        break;
      }
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }

  return {
    get size() {
      return heap.length;
    },
    get next() {
      return heap[0]?.at ?? Number.POSITIVE_INFINITY;
    },
    put(when, what) {
      const entry = { at: when, order: order++, what };
      let at = heap.length;
      heap.push(entry);
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (!before(entry, heap[parent]!)) {
          break;
        }
        heap[at] = heap[parent]!;
        at = parent;
      }
      heap[at] = entry;
    },
    take(now) {
      const first = heap[0];
      if (first === undefined || first.at > now) {
        return null;
      }
      const last = heap.pop()!;
      if (heap.length > 0) {
        sinkFirst(last);
      }
      return first.what;
    },
  };
}
