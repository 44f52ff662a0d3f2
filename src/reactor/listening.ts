/** A socket that listens, with the options that were wished for; who accepts from it is another matter. */
import { closeFd } from '../kernel/epoll.ts';
import {
  bindSocket,
  encodeAddress,
  listenOn,
  localAddress,
  openSocket,
  reuseAddress,
  reusePort,
  SOCK_STREAM,
} from '../kernel/stream-sockets.ts';
import { type BoundPath, bindPath } from './epoll-paths.ts';
import { applyWishes, bequeath, type Inheritance } from './epoll-wishes.ts';
import type { Address, ListenOptions } from './reactor.ts';

/** The kernel cuts it to net.core.somaxconn. */
const BACKLOG = 4096;
const EINVAL = -22;

export interface Listening {
  readonly fd: number;
  /** The real one: port 0 has become a number. */
  readonly address: Address;
  /** The name of a UNIX socket, to be removed with it. */
  readonly path: BoundPath | null;
  readonly inheritance: Inheritance;
}

/** -errno when it cannot. */
export function openListening(address: Address, options: ListenOptions): Listening | number {
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
  return typeof real === 'number' ? fail(real) : { fd, address: real, path, inheritance };
}
