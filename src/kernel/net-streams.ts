/**
 * Node's own streams with the manners of the reactor's contract (src/reactor/reactor.ts): bytes are pulled, errors are numbers.
 * `streamOf` makes one of any duplex, so that a TLS socket becomes one too. Errnos are those of Linux wherever this runs.
 */
import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errnoNumber } from './errno.ts';
import * as libc from './libc.ts';

export type NetAddress =
  | { readonly kind: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface NetStreamEvents {
  connected?(stream: NetStream, result: number): void;
  readable(stream: NetStream): void;
  writable(stream: NetStream): void;
}

export interface NetStream {
  owner: unknown;
  readonly local: NetAddress;
  readonly remote: NetAddress;
  readonly hungUp: boolean;
  read(into: Uint8Array, from: number, to: number): number;
  write(bytes: Uint8Array, from: number, to: number): number;
  shutdown(): number;
  reset(): void;
  close(): void;
  set(option: string, value: number): number;
  get(option: string): number;
}

export interface NetAddresses {
  readonly local: NetAddress;
  readonly remote: NetAddress;
}

type Wishes = Readonly<Record<string, number>>;

const EAGAIN = -11;
const EBADF = -9;
const EINVAL = -22;
const EPIPE = -32;
const EPROTO = -71;
const ENOPROTOOPT = -92;
const ECONNRESET = -104;
const SOL_SOCKET = 1;
const SO_ERROR = 4;

/** What Node keeps of one direction before it stops reading from the socket, and what `write` takes before it says AGAIN. */
export const BUFFERED = 64 * 1024;

export const NET_OPTIONS: readonly string[] = ['nodelay', 'keepalive'];

/** Half-open allowed and buffers of a known size, on every socket that this module makes. */
export const SOCKET_MANNERS = {
  allowHalfOpen: true,
  readableHighWaterMark: BUFFERED,
  writableHighWaterMark: BUFFERED,
};

/** By name, because the numbers differ between systems. What is no system error (TLS has its own) counts as EPROTO. */
export function errnoOf(error: unknown): number {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return -((typeof code === 'string' ? errnoNumber(code) : undefined) ?? -EPROTO);
}

/** Node and libuv want the NUL that stands for `@` in what people type. */
export function nodePath(path: string): string {
  return path.startsWith('@') ? `\0${path.slice(1)}` : path;
}

/**
 * libuv takes a hang-up behind a short read for FIN (uv__stream_io in unix/stream.c) and never sees that RST left an error at the
 * socket. Where we can ask the kernel, we do; elsewhere such an RST reads as FIN.
 */
function waitingError(socket: Socket | null): number {
  const fd = (socket as { _handle?: { fd?: number } | null } | null)?._handle?.fd ?? -1;
  const error = new Uint8Array(4);
  if (fd < 0 || libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, error, libc.int32(4)) < 0) {
    return 0;
  }
  return -new DataView(error.buffer).getInt32(0, true);
}

const NOTHING = new Uint8Array(0);
const NOWHERE: NetAddresses = { local: { kind: 'unix', path: '' }, remote: { kind: 'unix', path: '' } };

class DuplexStream implements NetStream {
  owner: unknown = null;
  local: NetAddress;
  remote: NetAddress;
  readonly duplex: Duplex;
  readonly #under: Socket | null;
  #events: NetStreamEvents | null = null;
  /** What `read` took out of Node's buffer and nobody fetched yet. */
  #rest: Uint8Array = NOTHING;
  #restAt = 0;
  #connecting: boolean;
  #ended = false;
  #failed = 0;
  #shut = false;
  #closed = false;
  #wantsRoom = false;
  readonly #options: Record<string, number> = { nodelay: 0, keepalive: 0 };

  constructor(duplex: Duplex, addresses: NetAddresses, under: Socket | null, connecting: boolean) {
    this.duplex = duplex;
    this.local = addresses.local;
    this.remote = addresses.remote;
    this.#under = under;
    this.#connecting = connecting;
    duplex.on('error', (error) => this.#fail(errnoOf(error)));
    duplex.on('close', () => this.#gone());
    duplex.on('end', () => this.#fin());
    duplex.on('drain', () => this.#room());
  }

  hear(events: NetStreamEvents): void {
    const first = this.#events === null;
    this.#events = events;
    if (first && !this.#closed) {
      // A listener for this event is also what makes Node read, and keeps it from pushing.
      this.duplex.on('readable', () => this.#tellReadable());
    }
  }

  stands(local: NetAddress): void {
    this.local = local;
    this.#connecting = false;
    if (this.#closed) {
      return;
    }
    const waited = this.#wantsRoom;
    this.#wantsRoom = false;
    this.#events?.connected?.(this, 0);
    if (waited) {
      this.#wantsRoom = true;
      this.#room();
    }
  }

  #tellReadable(): void {
    if (!this.#closed) {
      this.#events?.readable(this);
    }
  }

  #fin(): void {
    if (waitingError(this.#under) === ECONNRESET) {
      this.#fail(ECONNRESET);
      return;
    }
    this.#ended = true;
    this.#tellReadable();
  }

  #fail(errno: number): void {
    if (this.#failed !== 0) {
      return;
    }
    this.#failed = errno;
    if (!this.#connecting) {
      this.#tellReadable();
    } else if (!this.#closed) {
      this.#closed = true;
      this.#events?.connected?.(this, errno);
    }
  }

  /** Destroyed by somebody else, without an error and without a FIN. */
  #gone(): void {
    if (!this.#ended && !this.#closed) {
      this.#fail(ECONNRESET);
    }
  }

  #room(): void {
    if (this.#wantsRoom && !this.#closed) {
      this.#wantsRoom = false;
      this.#events?.writable(this);
    }
  }

  get hungUp(): boolean {
    return this.#ended || this.#failed !== 0;
  }

  read(into: Uint8Array, from: number, to: number): number {
    if (this.#closed) {
      return EBADF;
    }
    if (from < 0 || from >= to || to > into.length) {
      return EINVAL;
    }
    if (this.#restAt === this.#rest.length) {
      // All that Node has buffered, in one piece; also after an error, which comes later in the stream than these bytes.
      const chunk: Uint8Array | null = this.duplex.read();
      if (chunk === null) {
        return this.#ended ? 0 : this.#failed !== 0 ? this.#failed : EAGAIN;
      }
      this.#rest = chunk;
      this.#restAt = 0;
    }
    const count = Math.min(this.#rest.length - this.#restAt, to - from);
    into.set(this.#rest.subarray(this.#restAt, this.#restAt + count), from);
    this.#restAt += count;
    if (this.#restAt === this.#rest.length) {
      this.#rest = NOTHING;
      this.#restAt = 0;
    }
    return count;
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    if (this.#closed) {
      return EBADF;
    }
    if (this.#failed !== 0) {
      return this.#failed;
    }
    if (this.#shut) {
      return EPIPE;
    }
    if (from < 0 || from > to || to > bytes.length) {
      return EINVAL;
    }
    const { duplex } = this;
    let at = from;
    // What the kernel takes at once leaves Node's buffer empty and promises no 'drain', so there is only one reason to stop.
    while (at < to && !this.#connecting && !duplex.writableNeedDrain) {
      const room = Math.max(1, duplex.writableHighWaterMark - duplex.writableLength);
      const end = Math.min(to, at + room);
      duplex.write(Uint8Array.prototype.slice.call(bytes, at, end));
      at = end;
      if (duplex.destroyed) {
        break;
      }
    }
    this.#wantsRoom = at < to;
    return at === from && from < to ? EAGAIN : at - from;
  }

  shutdown(): number {
    if (this.#closed) {
      return EBADF;
    }
    this.#shut = true;
    this.duplex.end();
    return 0;
  }

  reset(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    const socket = this.#under;
    // Before the connection stands Node would wait for it, and only TCP has an RST.
    if (socket === null || this.#connecting || this.remote.kind !== 'tcp' || socket.destroyed) {
      this.duplex.destroy();
      return;
    }
    socket.resetAndDestroy();
    this.duplex.destroy();
  }

  close(): void {
    if (this.#closed) {
      return;
    }
    if (this.#restAt < this.#rest.length || this.duplex.readableLength > 0) {
      this.reset();
      return;
    }
    this.#closed = true;
    const { duplex } = this;
    if (this.#connecting || duplex.writableFinished || duplex.destroyed) {
      duplex.destroy();
      return;
    }
    duplex.once('finish', () => duplex.destroy());
    duplex.end();
  }

  set(option: string, value: number): number {
    const socket = this.#under;
    if (socket === null || this.remote.kind !== 'tcp' || !NET_OPTIONS.includes(option)) {
      return ENOPROTOOPT;
    }
    if (option === 'nodelay') {
      socket.setNoDelay(value !== 0);
    } else {
      socket.setKeepAlive(value !== 0);
    }
    this.#options[option] = value === 0 ? 0 : 1;
    return 0;
  }

  /** Node tells nobody: what was set here, or off. */
  get(option: string): number {
    return this.remote.kind === 'tcp' && NET_OPTIONS.includes(option) ? this.#options[option]! : ENOPROTOOPT;
  }
}

/**
 * A stream of a duplex that is connected already. `events` may be null when its user must see the stream first; give them to `hear`
 * then. `under` is the socket that carries it, for RST and options: needed where the duplex is no plain socket (TLS).
 */
export function streamOf(
  duplex: Duplex,
  events: NetStreamEvents | null,
  addresses: NetAddresses,
  under: Socket | null = duplex instanceof Socket ? duplex : null,
): NetStream {
  const stream = new DuplexStream(duplex, addresses, under, false);
  if (events !== null) {
    stream.hear(events);
  }
  return stream;
}

/** Who hears of a stream from now on. */
export function hear(stream: NetStream, events: NetStreamEvents): void {
  (stream as DuplexStream).hear(events);
}

/** What a stream of this module is made of; null for a stream of another reactor. */
export function duplexOf(stream: object): Duplex | null {
  return stream instanceof DuplexStream ? stream.duplex : null;
}

/** The addresses of a socket while it is connected; Node forgets them afterwards. `path` is that of a UNIX socket. */
export function addressesOf(socket: Socket, path: string | null): NetAddresses {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (path !== null || localAddress === undefined || remoteAddress === undefined) {
    return path === null ? NOWHERE : { ...NOWHERE, local: { kind: 'unix', path } };
  }
  return {
    local: { kind: 'tcp', host: localAddress, port: localPort ?? 0 },
    remote: { kind: 'tcp', host: remoteAddress, port: remotePort ?? 0 },
  };
}

/** The first wish that Node cannot grant makes -92. */
export function checkWishes(wishes: Wishes | undefined, known: readonly string[]): number {
  return Object.keys(wishes ?? {}).every((name) => known.includes(name)) ? 0 : ENOPROTOOPT;
}

export function grantWishes(stream: NetStream, wishes: Wishes | undefined): void {
  if (wishes !== undefined) {
    for (const [name, value] of Object.entries(wishes)) {
      stream.set(name, value);
    }
  }
}

export interface NetConnectOptions {
  readonly wishes?: Wishes;
  readonly source?: NetAddress;
}

function isPort(port: number, least: number): boolean {
  return Number.isInteger(port) && port >= least && port <= 0xffff;
}

/** Nothing is resolved: a host is numeric. A number: it could not even begin. */
export function connectNet(
  address: NetAddress,
  options: NetConnectOptions,
  events: NetStreamEvents,
): NetStream | number {
  const { source, wishes } = options;
  if (checkWishes(wishes, address.kind === 'tcp' ? NET_OPTIONS : []) < 0) {
    return ENOPROTOOPT;
  }
  if (address.kind === 'unix') {
    return source === undefined && address.path !== ''
      ? begin(address, { path: nodePath(address.path) }, wishes, events)
      : EINVAL;
  }
  if (address.kind !== 'tcp' || isIP(address.host) === 0 || !isPort(address.port, 1)) {
    return EINVAL;
  }
  const { host, port } = address;
  if (source === undefined) {
    return begin(address, { host, port }, wishes, events);
  }
  if (source.kind !== 'tcp' || isIP(source.host) === 0 || !isPort(source.port, 0)) {
    return EINVAL;
  }
  return begin(address, { host, port, localAddress: source.host, localPort: source.port }, wishes, events);
}

type Where = { path: string } | { host: string; port: number; localAddress?: string; localPort?: number };

function begin(
  remote: NetAddress,
  where: Where,
  wishes: Wishes | undefined,
  events: NetStreamEvents,
): NetStream {
  const socket = new Socket(SOCKET_MANNERS);
  const stream = new DuplexStream(socket, { local: NOWHERE.local, remote }, socket, true);
  stream.hear(events);
  socket.once('connect', () => {
    const { local } = addressesOf(socket, remote.kind === 'unix' ? '' : null);
    grantWishes(stream, wishes);
    stream.stands(local);
  });
  socket.connect(where);
  return stream;
}

/** Takes over a descriptor that is connected already. */
export function adoptNet(fd: number, events: NetStreamEvents): NetStream | number {
  try {
    const socket = new Socket({ ...SOCKET_MANNERS, fd, readable: true, writable: true });
    return streamOf(socket, events, addressesOf(socket, null), socket);
  } catch (error) {
    const errno = errnoOf(error);
    return errno === EPROTO ? EBADF : errno;
  }
}
