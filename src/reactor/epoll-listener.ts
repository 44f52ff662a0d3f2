/** Listeners of the epoll reactor. */
import { closeFd } from '../kernel/epoll.ts';
import {
  acceptSocket,
  came,
  decodeAddress,
  dropArrivals,
  dropNewcomers,
  keepArrivals,
  somebodyWaits,
} from '../kernel/stream-sockets.ts';
import type { Loop, Source, Starved } from './epoll-loop.ts';
import type { BoundPath } from './epoll-paths.ts';
import { EpollStream } from './epoll-stream.ts';
import type { Inheritance } from './epoll-wishes.ts';
import { type Listening, openListening } from './listening.ts';
import {
  type Address,
  AGAIN,
  type Listener,
  type ListenerEvents,
  type ListenOptions,
  type Timer,
} from './reactor.ts';

/** Others want their turn as well. */
const ACCEPTS_PER_TURN = 64;
const RETRY_NS = 100e6;
/** A handshake that had begun when the listener retired is over by then, unless the client is very far away. */
const LAST_HANDSHAKES_NS = 200e6;
const EOPNOTSUPP = -95;
/** No descriptor or no memory for one more socket: ENFILE, EMFILE, ENOMEM, ENOBUFS. */
const EXHAUSTED: readonly number[] = [-23, -24, -12, -105];
/** The listener itself is at its end: EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP. Any other error is one of a connection that died waiting. */
const DEAD: readonly number[] = [-9, -22, -88, -95];

class EpollListener implements Listener, Source, Starved {
  fd: number;
  readonly address: Address;
  readonly #loop: Loop;
  readonly #kind: 'tcp' | 'unix';
  readonly #events: ListenerEvents;
  readonly #inheritance: Inheritance;
  readonly #path: BoundPath | null;
  /** What every accepted stream has as its own address; null when the listener has more than one. */
  readonly #localOfAll: Address | null;
  readonly #again = () => this.happened();
  #resting = false;
  #retry: Timer | null = null;
  #silent = false;

  #held = false;

  constructor(loop: Loop, { fd, address, path, inheritance }: Listening, events: ListenerEvents) {
    this.#loop = loop;
    this.fd = fd;
    this.address = address;
    this.#kind = address.kind === 'unix' ? 'unix' : 'tcp';
    this.#localOfAll = isWildcard(address) ? null : address;
    this.#path = path;
    this.#inheritance = inheritance;
    this.#events = events;
  }

  happened(): void {
    if (this.#held) {
      return;
    }
    for (let count = 0; count < ACCEPTS_PER_TURN && this.fd !== -1 && !this.#held; count++) {
      const fd = acceptSocket(this.fd);
      if (fd >= 0) {
        this.#wake();
        this.#take(fd);
      } else if (fd === AGAIN) {
        this.#wake();
        return;
      } else if (EXHAUSTED.includes(fd)) {
        this.#rest(fd);
        return;
      } else if (DEAD.includes(fd)) {
        return;
      }
    }
    if (this.fd !== -1 && !this.#held) {
      this.#loop.soon(this.#again);
    }
  }

  hold(on: boolean): void {
    if (on !== this.#held) {
      this.#held = on;
      if (!on) {
        this.#loop.soon(this.#again);
      }
    }
  }

  retire(done: () => void): void {
    if (this.fd === -1) {
      done();
      return;
    }
    this.#path?.remove();
    const handshakes = this.#kind === 'tcp' && dropNewcomers(this.fd) === 0 ? LAST_HANDSHAKES_NS : 0;
    this.#loop.after(handshakes, () => {
      this.hold(false);
      // More than one turn takes at once may be waiting.
      while (this.fd !== -1 && !this.#resting && somebodyWaits(this.fd)) {
        this.happened();
      }
      this.close();
      done();
    });
  }

  tryAgain(): void {
    this.#retry?.cancel();
    this.#retry = null;
    this.happened();
  }

  silence(on: boolean): number {
    if (this.#kind === 'unix') {
      return EOPNOTSUPP;
    }
    if (on === this.#silent) {
      return 0;
    }
    const result = on ? dropArrivals(this.fd) : keepArrivals(this.fd);
    if (result === 0) {
      this.#silent = on;
    }
    return result;
  }

  close(): void {
    if (this.fd !== -1) {
      const fd = this.fd;
      this.fd = -1;
      this.#retry?.cancel();
      this.#loop.satisfy(this);
      // First the name: somebody who connects in between is refused either way.
      this.#path?.remove();
      this.#loop.release(fd);
    }
  }

  #take(fd: number): void {
    const remote = decodeAddress(came.bytes, came.length, this.#kind);
    this.#inheritance.apply(fd);
    const stream = new EpollStream(this.#loop, fd, this.#kind, this.#localOfAll, remote);
    const events = this.#loop.add(stream) === 0 ? this.#events.accepted(stream) : null;
    if (events === null) {
      stream.reset();
    } else {
      stream.events = events;
    }
  }

  #rest(errno: number): void {
    // accept4 looks for a descriptor before it looks for a connection: without one waiting there is nothing to be told.
    if (!this.#resting && !somebodyWaits(this.fd)) {
      return;
    }
    this.#loop.starve(this);
    this.#retry ??= this.#loop.after(RETRY_NS, () => this.tryAgain());
    if (!this.#resting) {
      this.#resting = true;
      this.#events.paused(errno);
    }
  }

  #wake(): void {
    if (this.#resting) {
      this.#resting = false;
      this.#loop.satisfy(this);
      this.#events.resumed();
    }
  }
}

function isWildcard(address: Address): boolean {
  return address.kind !== 'unix' && (address.host === '0.0.0.0' || address.host === '::');
}

export function listenWith(
  loop: Loop,
  address: Address,
  options: ListenOptions,
  events: ListenerEvents,
): Listener | number {
  const opened = openListening(address, options);
  if (typeof opened === 'number') {
    return opened;
  }
  const listener = new EpollListener(loop, opened, events);
  const result = loop.add(listener);
  if (result < 0) {
    opened.path?.remove();
    closeFd(opened.fd);
    return result;
  }
  return listener;
}
