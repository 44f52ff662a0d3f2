/** What is still to be sent on one stream, each piece at its time, in its order. */
import { AGAIN, type Reactor, type Stream, type Timer } from '../../reactor/reactor.ts';

export interface Outbox {
  /** At `due`, or when all before it is sent. */
  bytes(bytes: Uint8Array, due: number): void;
  end(how: 'fin' | 'reset', due: number): void;
  /** There is room again, or all that is to be said for now was pushed: `drained` when nothing is left. */
  pump(): void;
  readonly empty: boolean;
  drop(): void;
}

interface Item {
  readonly bytes: Uint8Array | null;
  readonly how: 'fin' | 'reset';
  readonly due: number;
}

export function createOutbox(
  reactor: Reactor,
  stream: Stream,
  heard: {
    sent(bytes: Uint8Array, from: number, to: number): void;
    ended(how: 'fin' | 'reset'): void;
    /** The other end is gone. */
    broken(): void;
    drained(): void;
  },
): Outbox {
  const items: Item[] = [];
  let offset = 0;
  let timer: Timer | null = null;
  let over = false;

  function send(): void {
    timer?.cancel();
    timer = null;
    while (!over && items.length > 0) {
      const item = items[0]!;
      const wait = item.due - reactor.now();
      if (wait > 0 && offset === 0) {
        timer = reactor.after(wait, pump);
        return;
      }
      if (item.bytes === null) {
        items.shift();
        heard.ended(item.how);
        continue;
      }
      const written = item.bytes.length === offset ? 0 : stream.write(item.bytes, offset, item.bytes.length);
      if (written === AGAIN) {
        return;
      }
      if (written < 0) {
        over = true;
        heard.broken();
        return;
      }
      heard.sent(item.bytes, offset, offset + written);
      offset += written;
      if (offset < item.bytes.length) {
        return;
      }
      items.shift();
      offset = 0;
    }
  }

  function pump(): void {
    send();
    if (!over && items.length === 0) {
      heard.drained();
    }
  }

  function push(bytes: Uint8Array | null, how: 'fin' | 'reset', due: number): void {
    items.push({ bytes, how, due });
    if (timer === null && items.length === 1) {
      send();
    }
  }

  return {
    get empty() {
      return items.length === 0;
    },
    bytes: (bytes, due) => push(bytes, 'fin', due),
    end: (how, due) => push(null, how, due),
    pump,
    drop() {
      over = true;
      items.length = 0;
      timer?.cancel();
    },
  };
}
