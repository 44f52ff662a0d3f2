/** What is still to be drawn, in the order of its moments; what came first stands first among equals. */
export interface Queue<T extends { readonly at: number }> {
  add(item: T): void;
  readonly first: T | undefined;
  /** The one behind the first. */
  readonly second: T | undefined;
  shift(): void;
}

export function createQueue<T extends { readonly at: number }>(): Queue<T> {
  let items: T[] = [];
  let head = 0;
  return {
    add(item) {
      let low = head;
      let high = items.length;
      // Nearly everything comes in order.
      if (high === low || items[high - 1]!.at <= item.at) {
        items.push(item);
        return;
      }
      while (low < high) {
        const middle = (low + high) >> 1;
        if (items[middle]!.at <= item.at) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      items.splice(low, 0, item);
    },
    get first() {
      return items[head];
    },
    get second() {
      return items[head + 1];
    },
    shift() {
      head += 1;
      if (head > 4096 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
    },
  };
}
