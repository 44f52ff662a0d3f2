/** The other side of the port bomb: a listener that takes every connection and says nothing. In a thread of its own. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { createEpollReactor } from '../../reactor/epoll.ts';
import type { Address, StreamEvents } from '../../reactor/reactor.ts';

export interface DoorStart {
  readonly listen: Address;
  readonly closeBy: 'client' | 'server';
}

export type FromDoor =
  | { readonly type: 'open'; readonly wakeFd: number }
  | { readonly type: 'failed'; readonly errno: number };

const BACKLOG = 4096;
const scrap = new Uint8Array(new ArrayBuffer(4096));

const UNTIL_CLOSED: StreamEvents = {
  readable(stream) {
    const got = stream.read(scrap, 0, scrap.length);
    if (got === 0 || (got < 0 && got !== -11)) {
      stream.close();
    }
  },
  writable() {},
};

export function runDoor(port: MessagePort, { listen, closeBy }: DoorStart): void {
  const say = (message: FromDoor): void => port.postMessage(message);
  const reactor = createEpollReactor();
  if (typeof reactor === 'number') {
    say({ type: 'failed', errno: reactor });
    return;
  }
  const made = reactor.listen(
    listen,
    { backlog: BACKLOG },
    {
      accepted(stream) {
        if (closeBy === 'server') {
          reactor.soon(() => stream.close());
        }
        return UNTIL_CLOSED;
      },
      paused() {},
      resumed() {},
    },
  );
  if (typeof made === 'number') {
    say({ type: 'failed', errno: made });
    return;
  }
  let ended = false;
  reactor.onWake = () => {
    ended = receiveMessageOnPort(port) !== undefined;
  };
  say({ type: 'open', wakeFd: reactor.wakeFd });
  reactor.run(() => ended);
  reactor.close();
}
