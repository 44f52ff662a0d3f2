/** Listeners of the epoll reactor. */
import { closeFd } from '../kernel/epoll.ts';
import * as libc from '../kernel/libc.ts';
import {
  acceptSocket,
  bindSocket,
  came,
  decodeAddress,
  dropArrivals,
  encodeAddress,
  keepArrivals,
  listenOn,
  localAddress,
  openSocket,
  reuseAddress,
  reusePort,
  SOCK_STREAM,
} from '../kernel/stream-sockets.ts';
import type { Loop, Source, Starved } from './epoll-loop.ts';
import { type BoundPath, bindPath } from './epoll-paths.ts';
import { EpollStream } from './epoll-stream.ts';
import { applyWishes, bequeath, type Inheritance } from './epoll-wishes.ts';
import {
  type Address,
  AGAIN,
  type Listener,
  type ListenerEvents,
  type ListenOptions,
  type Timer,
} from './reactor.ts';

/** The kernel cuts it to net.core.somaxconn. */
const BACKLOG = 4096;
/** Others want their turn as well. */
const ACCEPTS_PER_TURN = 64;
const RETRY_NS = 100e6;
const EINVAL = -22;
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

  constructor(
    loop: Loop,
    fd: number,
    address: Address,
    path: BoundPath | null,
    inheritance: Inheritance,
    events: ListenerEvents,
  ) {
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
    for (let count = 0; count < ACCEPTS_PER_TURN && this.fd !== -1; count++) {
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
    if (this.fd !== -1) {
      this.#loop.soon(this.#again);
    }
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

const POLLIN = 1;
const pollfd = new Uint8Array(8);
const pollView = new DataView(pollfd.buffer);

function somebodyWaits(fd: number): boolean {
  pollView.setInt32(0, fd, true);
  pollView.setInt16(4, POLLIN, true);
  return libc.poll(pollfd, 1, 0) !== 0;
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
  const raw = address.kind === 'udp' ? EINVAL : encodeAddress(address);
  if (typeof raw === 'number') {
    return raw;
  }
  const kind = address.kind === 'unix' ? 'unix' : 'tcp';
  const fd = openSocket(raw.family, SOCK_STREAM);
  if (fd < 0) {
    return fd;
  }
  let path: BoundPath | null = null;
  const fail = (errno: number) => {
    path?.remove();
    closeFd(fd);
    return errno;
  };
  // What accepted streams get comes first: where both name the same option, the listener's own wish is the one it keeps.
  const inheritance = bequeath(fd, kind, options.streamWishes);
  let result = inheritance.result;
  if (result === 0 && kind === 'tcp') {
    result = reuseAddress(fd);
  }
  if (result === 0 && options.reusePort === true) {
    result = reusePort(fd);
  }
  if (result === 0) {
    result = applyWishes(fd, kind, options.wishes);
  }
  if (result < 0) {
    return fail(result);
  }
  const bound = address.kind === 'unix' ? bindPath(fd, address.path, raw, options.mode) : bindSocket(fd, raw);
  if (typeof bound !== 'number') {
    path = bound;
  } else if (bound < 0) {
    return fail(bound);
  }
  result = listenOn(fd, options.backlog ?? BACKLOG);
  const real = result === 0 ? localAddress(fd, kind) : result;
  if (typeof real === 'number') {
    return fail(real);
  }
  const listener = new EpollListener(loop, fd, real, path, inheritance, events);
  result = loop.add(listener);
  return result === 0 ? listener : fail(result);
}
