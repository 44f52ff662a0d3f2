/**
 * What a kind of load is: one file per kind, each exporting `kind`, all named in kinds.ts. A kind makes the bytes of a request once
 * and finds the ends of answers in a stream; connections, time and counting are the engine's, the same for all of them.
 */

/** What was wished for, as plain data: it crosses into threads. A kind looks at what concerns it. */
export interface Wishes {
  /** False: a connection for each request. */
  readonly keepAlive: boolean;
  /** `127.0.0.1:8080`, as the Host header has it. */
  readonly authority: string;
  readonly path: string;
  readonly method: string;
  /** `name: value`, as typed. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** Redis: words. JSON-RPC: the method and its parameters as JSON. */
  readonly command: readonly string[];
  /** Bytes of a request of `tcp` and `udp`. */
  readonly size: number;
}

/** Finds the end of each answer of one connection, however its bytes are cut. Nothing is allocated for an answer. */
export interface Recogniser {
  /** Takes of [from, to) until an answer ends or the bytes do: where it stopped. Below 0: this is not the protocol. */
  take(bytes: Uint8Array, from: number, to: number): number;
  /** An answer ended where `take` stopped. */
  readonly done: boolean;
  /** Of that answer: its status, a number of the kind's own. */
  readonly status: number;
  /** The peer closes behind that answer. */
  readonly last: boolean;
  /** The peer sent FIN: true when that ends an answer. */
  ended(): boolean;
  /** For a new connection. */
  reset(): void;
}

/** What the engine does with a connection of this kind. */
export type Manner =
  /** Requests and answers. */
  | 'talk'
  /** Opened and closed. */
  | 'open-close'
  /** Opened and kept. */
  | 'hold'
  /** Requests and answers in datagrams. */
  | 'datagram';

export interface LoadKind {
  readonly name: string;
  /** For help: one line. */
  readonly about: string;
  readonly manner: Manner;
  /** What is counted: `requests`. */
  readonly counts: string;
  /** May a connection for each request be wished for (--no-keepalive, --compare)? */
  readonly canReconnect: boolean;
  /** Throws a SockscopeError for a wish that cannot be. */
  request(wishes: Wishes): Uint8Array;
  recogniser(wishes: Wishes): Recogniser;
  /** Null: a good answer. */
  badStatus(status: number): string | null;
}

export const NOT_THIS_PROTOCOL = -1;
