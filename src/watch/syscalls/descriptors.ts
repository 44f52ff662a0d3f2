/**
 * Which descriptors of a process are sockets, and what is known of them. A number not seen before is asked about once (its link in /proc);
 * every call that can give a number a new meaning is followed.
 */
import type { TracedEnd, TracedTuple } from './traced-call.ts';

export interface OpenSocket {
  readonly kind: 'socket';
  protocol: 'tcp' | 'udp' | null;
  cookie: string;
  local: TracedEnd | null;
  peer: TracedEnd | null;
  /** Whether the kernel was asked about it. */
  looked: boolean;
}

export interface OpenEpoll {
  readonly kind: 'epoll';
  /** The descriptor behind the 64 bits that come back with its events. */
  readonly byData: Map<string, number>;
  /** Whether any socket was ever put in. */
  sockets: boolean;
}

export type Open = OpenSocket | OpenEpoll | 'other';

export function newSocket(protocol: OpenSocket['protocol']): OpenSocket {
  return { kind: 'socket', protocol, cookie: '', local: null, peer: null, looked: false };
}

export function newEpoll(): OpenEpoll {
  return { kind: 'epoll', byData: new Map(), sockets: false };
}

/** A program cannot have more than this open by default (fs.nr_open); more are forgotten and asked about again. */
const MOST = 1 << 20;

export class Descriptors {
  readonly #known = new Map<number, Open>();

  socket(fd: number, isSocket: (fd: number) => boolean): OpenSocket | null {
    if (fd < 0) {
      return null;
    }
    let open = this.#known.get(fd);
    if (open === undefined) {
      open = isSocket(fd) ? newSocket(null) : 'other';
      this.set(fd, open);
    }
    return open !== 'other' && open.kind === 'socket' ? open : null;
  }

  epoll(fd: number): OpenEpoll | null {
    const open = this.#known.get(fd);
    return open !== undefined && open !== 'other' && open.kind === 'epoll' ? open : null;
  }

  set(fd: number, open: Open): void {
    if (this.#known.size >= MOST) {
      this.#known.clear();
    }
    this.#known.set(fd, open);
  }

  copy(from: number, to: number): void {
    const open = this.#known.get(from);
    if (open === undefined) {
      this.#known.delete(to);
    } else {
      this.set(to, open);
    }
  }

  closed(fd: number): void {
    this.#known.delete(fd);
  }

  closedRange(first: number, last: number): void {
    for (const fd of [...this.#known.keys()]) {
      if (fd >= first && fd <= last) {
        this.#known.delete(fd);
      }
    }
  }

  forget(): void {
    this.#known.clear();
  }
}

const NONE: TracedEnd = { address: '0.0.0.0', port: 0 };
const NONE6: TracedEnd = { address: '::', port: 0 };

export function tupleOf(socket: OpenSocket, peer: TracedEnd | null): TracedTuple | undefined {
  const { protocol, local } = socket;
  const other = peer ?? socket.peer;
  if (protocol === null || ((local?.port ?? 0) === 0 && (other?.port ?? 0) === 0)) {
    return undefined;
  }
  const none = (local ?? other)?.address.includes(':') === true ? NONE6 : NONE;
  return { protocol, local: local ?? none, peer: other ?? none };
}
