/**
 * What an event loop on sockets gives to those who stand on it. Two implementations pass the same contract: one on epoll
 * (Linux, in a thread of its own), one on node:net (anywhere, in Node's own loop). Nothing throws: a result below zero is -errno.
 */

/** `host` is numeric. A UNIX name that begins with `@` is abstract. */
export type Address =
  | { readonly kind: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Socket options by the names of socket-options.ts: `nodelay`, `keepidle`, `rcvbuf`, … */
export type SocketWishes = Readonly<Record<string, number>>;

/** Nothing to read now, or no room to write now. */
export const AGAIN = -11;

export interface StreamEvents {
  /** The answer to `connect`: 0 when the connection stands, otherwise -errno and the stream is closed already. */
  connected?(stream: Stream, result: number): void;
  /** Once per arrival: whoever does not read until AGAIN, or a short read while `hungUp` is false, is not told again. */
  readable(stream: Stream): void;
  /** There is room again after a `write` or a `drain` that took less than it was given. */
  writable(stream: Stream): void;
}

export interface Stream {
  /** For whoever uses the stream; the reactor never looks at it. */
  owner: unknown;
  readonly local: Address;
  readonly remote: Address;
  /** The peer sent FIN or RST, or an error waits: read until 0 or an error even after a short read. */
  readonly hungUp: boolean;
  /** Bytes read, 0 at the peer's FIN, AGAIN, or -errno (-104 after its RST, once what came before it was read). */
  read(into: Uint8Array, from: number, to: number): number;
  /** Bytes taken, which may be fewer than given, AGAIN, or -errno. The bytes may be used again afterwards. */
  write(bytes: Uint8Array, from: number, to: number): number;
  /** No more will be written: FIN after what was. */
  shutdown(): number;
  /** RST, now; what was not sent is gone. */
  reset(): void;
  /** Both directions, as close(2) does: FIN after what was written; RST when bytes are left unread. */
  close(): void;
  /** 0, or -errno; -92 (ENOPROTOOPT) where this reactor cannot. */
  set(option: string, value: number): number;
  get(option: string): number;
}

/** Bytes on their way from one stream to another that never enter this process. */
export interface Bulk {
  /** In the pipe now. */
  readonly held: number;
  /**
   * Moves at most `max` from the source into the pipe: bytes, 0 at FIN, -errno, or AGAIN: while something is held the pipe may be
   * full; while nothing is held there is nothing to read, or an urgent mark is in the way, and `read` knows which.
   */
  fill(max: number): number;
  /** Moves what is held into the sink: bytes, AGAIN, -errno. */
  drain(): number;
  /** Gives the pipe back. What it holds is lost, so `held` should be 0. */
  close(): void;
}

export interface ListenerEvents {
  /** A connection came; the answer is who hears of it, or null to have it reset at once. */
  accepted(stream: Stream): StreamEvents | null;
  /** No descriptor is left (-errno): the listener rests and tries again by itself, without spinning. */
  paused(errno: number): void;
  resumed(): void;
}

export interface ListenOptions {
  readonly backlog?: number;
  /** Others may listen on the same address and share what comes. */
  readonly reusePort?: boolean;
  readonly wishes?: SocketWishes;
  /** What accepted streams get. */
  readonly streamWishes?: SocketWishes;
  /** Mode of a UNIX socket's file. */
  readonly mode?: number;
}

export interface Listener {
  /** The real one: port 0 has become a number. */
  readonly address: Address;
  /** While silent, a SYN is not answered at all: the client's connect times out as at a host that is gone. -95 where that cannot be. */
  silence(on: boolean): number;
  /** While held, nobody is accepted: clients wait in the kernel's queue. */
  hold(on: boolean): void;
  /**
   * Takes nobody new, accepts everybody whose handshake had begun, then closes: no client that was told it is connected is reset
   * (close(2) resets whoever waits in the queue). `done` may be called before it returns.
   */
  retire(done: () => void): void;
  close(): void;
}

export interface DatagramEvents {
  /** Borrowed bytes [0, length). */
  datagram(from: Address, bytes: Uint8Array, length: number): void;
  /** An ICMP answer to what was sent (ECONNREFUSED, EHOSTUNREACH), as -errno. */
  error?(errno: number): void;
}

export interface Datagrams {
  readonly address: Address;
  /** To `to`, or to the connected peer when null. Bytes sent, AGAIN or -errno. */
  send(bytes: Uint8Array, from: number, end: number, to: Address | null): number;
  close(): void;
}

export interface Timer {
  cancel(): void;
}

export interface ConnectOptions {
  readonly wishes?: SocketWishes;
  /** The local address to connect from. */
  readonly source?: Address;
}

export interface Reactor {
  readonly kind: 'epoll' | 'node';
  /** Monotonic nanoseconds, the clock of every `at`; read once per turn of the loop. */
  now(): number;
  listen(address: Address, options: ListenOptions, events: ListenerEvents): Listener | number;
  /** Never answers before it returns: `events.connected` says how it went. A number: it could not even begin. */
  connect(address: Address, options: ConnectOptions, events: StreamEvents): Stream | number;
  /** Takes over a descriptor that is connected already. */
  adopt(fd: number, events: StreamEvents): Stream | number;
  /** A bound socket (`peer` null) or a connected one. */
  datagrams(local: Address | null, peer: Address | null, events: DatagramEvents): Datagrams | number;
  /** Null: this reactor has no bulk transfer, or no pipe is left; read and write then. */
  bulk(source: Stream, sink: Stream): Bulk | null;
  after(ns: number, run: () => void): Timer;
  /** In the next turn, after whoever else has something to do. */
  soon(run: () => void): void;
}
