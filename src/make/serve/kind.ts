/**
 * What a kind of server is: one file per kind, each exporting `kind`, all named in kinds.ts. A kind speaks its protocol; where it
 * listens, how it ends, how it misbehaves and what is printed is the house's (house.ts), the same for all of them.
 */
import type { Duplex } from 'node:stream';
import type { Address, Reactor, SocketWishes, Stream, StreamEvents } from '../../reactor/reactor.ts';

export type Over = 'tcp' | 'udp' | 'unix' | 'unix-dgram';

/** An option of one kind, as commander reads it: `--forward <server>`. */
export interface KindOption {
  readonly flags: string;
  readonly about: string;
  /** May be given several times; its value is a list then. */
  readonly many?: boolean;
}

/** What was typed behind the kind's name. Options by their long name in camelCase, as commander gives them. */
export interface Typed {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** Where a server listens, and how one speaks to it. */
export interface Where {
  readonly over: Over;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: boolean;
  /** The file of the local CA, for whoever has to trust it; empty without TLS. */
  readonly authority: string;
}

/** How much a server takes of one connection before it does something to it. */
export type Limit = { readonly bytes: number } | { readonly ns: number };

/** What is done wrong on purpose. */
export interface Misbehaviour {
  /** Connections are never closed by us: the client's FIN leaves CLOSE_WAIT and a descriptor behind. */
  readonly leak: boolean;
  readonly noAccept: boolean;
  /** Nothing is read, so the client's window closes. */
  readonly noRead: boolean;
  /** Answers leave at so many bytes per second; 0 is as fast as it goes. */
  readonly slow: number;
  /** After so many bytes of answers, or so long. */
  readonly closeAfter: Limit | null;
  readonly resetAfter: Limit | null;
  /** FIN goes out as soon as the connection stands; what comes is still read, and nothing is answered. */
  readonly halfClose: boolean;
}

/** What all kinds have in common. 0 is no limit. */
export interface Common {
  readonly maxConnections: number;
  readonly idleNs: number;
  readonly maxBody: number;
  /** Requests (where a kind has none: connections) per second for each client address. */
  readonly rate: number;
  /** How long a drain waits for clients before it gives up on them. */
  readonly drainNs: number;
  readonly backlog: number;
  readonly wishes: SocketWishes;
  /** Null: it behaves. */
  readonly misbehaviour: Misbehaviour | null;
}

/** One line of the access log: a request, or a connection of a kind that has no requests. */
export interface Access {
  /** Nanoseconds since the server began. */
  readonly at: number;
  /** `127.0.0.1:5000`, or a path. */
  readonly from: string;
  /** `GET /x`, `PING`, `A example.org`, `connection`. */
  readonly what: string;
  /** `200`, `NXDOMAIN`, `closed by the client`. */
  readonly result: string;
  /** False: the server could not do what it was asked (5xx, an exception, a reset). Refusals such as 404 are fine. */
  readonly fine: boolean;
  /** Nanoseconds. */
  readonly took: number;
  readonly received: number;
  readonly sent: number;
  /** What else there is to know: `hit`, `cancelled: upstream fetch`, … Empty for nothing. */
  readonly note: string;
}

/** What a kind asks of whoever runs it; the same for both engines. */
export interface House {
  readonly common: Common;
  /** Nanoseconds since the server began. */
  now(): number;
  /** False: nobody reads access lines, so their words need not be made. Count with `counted` then. */
  readonly wantsLines: boolean;
  /** A line, which also counts as a request that was answered. */
  access(line: Access): void;
  /** A request that was answered, when nobody wants its line. */
  counted(took: number, received: number, sent: number, fine: boolean): void;
  /** Something to tell people that is no request: `upstream 127.0.0.1:81 is down: ECONNREFUSED`. */
  say(text: string): void;
  /** False: this client (its address without the port) asked too often just now (--rate). */
  allows(client: string): boolean;
}

/** Certificate and key in PEM. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

// ---- on the reactor ----

/** The house of a kind that stands on the reactor. */
export interface RawHouse extends House {
  readonly reactor: Reactor;
}

/** One connection's part of a kind. The reactor tells it what happens to the stream. */
export interface Talk extends StreamEvents {
  /**
   * The server is to end: finish what was asked already, answer nothing new, then `visit.done`. Called once. The house closes what
   * is not done after --drain.
   */
  drain(): void;
  /** --idle-timeout is over. True: the kind ends the connection by itself, in words of its protocol. */
  idle?(): boolean;
  /** Of a kind without requests: what went through it so far, for its line when the house ends it. */
  moved?(): readonly [received: number, sent: number];
  /** The house ends the connection (idle, drained too long): release what you hold besides the stream. */
  dropped?(): void;
}

/** One connection, as its kind sees it. */
export interface Visit {
  /** `127.0.0.1:5000` */
  readonly peer: string;
  /** `127.0.0.1`, for `house.allows`. */
  readonly client: string;
  /** When it was accepted. */
  readonly since: number;
  /**
   * The kind is done with the stream: it is closed (FIN after what was written). Of a kind without requests this makes the
   * connection's access line; `fine` is false where the client was let down or went away in the middle.
   */
  done(how: string, received: number, sent: number, fine?: boolean): void;
}

export interface RawService {
  /** A connection came. Null: it is reset. */
  visit?(stream: Stream, visit: Visit): Talk | null;
  /**
   * A datagram came; its bytes are borrowed. `answer` takes bytes [from, to) and gives what was sent or -errno; it may be called
   * later, and more than once.
   */
  datagram?(
    from: Address,
    bytes: Uint8Array,
    length: number,
    answer: (bytes: Uint8Array, from: number, to: number) => number,
  ): void;
  /** The server has ended. */
  close?(): void;
}

// ---- on Node's own streams ----

export interface NodeHouse extends House {
  /** Null without --tls. A kind of this engine speaks TLS itself (kernel's doors). */
  readonly tls: TlsFiles | null;
}

export interface NodeService {
  /** A connection came, whose bytes nobody has read. It is a net.Socket unless the server misbehaves. */
  connection(socket: Duplex, peer: string, client: string): void;
  /** Finish what was asked already, take nothing new; resolves when every connection is gone. How many requests were cut off. */
  drain(): Promise<number>;
  /** Everything ends now. */
  close(): void;
}

export type Engine = 'raw' | 'raw in node' | 'node';

export interface ServerKind<P = unknown> {
  readonly name: string;
  /** One line of the catalogue. */
  readonly about: string;
  /** Its own words before the address, as the help shows them: `<directory>`; empty when there are none. */
  readonly words: string;
  readonly options: readonly KindOption[];
  readonly examples: readonly string[];
  /** The first port that is tried when none is given. */
  readonly port: number;
  /** What it can be spoken to over; the first is what is meant when nothing is said. */
  readonly over: readonly Over[];
  /** It listens on the UDP port of the same number too. */
  readonly both?: boolean;
  /** --tls makes sense. */
  readonly tls: boolean;
  /** What an access line is about. */
  readonly lines: 'requests' | 'connections';
  /** What its clients share is kept in one thread, so it has one worker. */
  readonly alone?: boolean;
  /** It gives away so much that an address other than loopback needs --yes. */
  readonly guarded?: boolean;
  /** What was typed becomes a plan, plain data that travels to the threads. Throws a SockscopeError for what cannot be. */
  plan(typed: Typed): P | Promise<P>;
  /** The one line that tries it, to be pasted into a shell. */
  tries(where: Where, plan: P): string;
  /** Exactly one of the two, or one for each plan that `engine` names. */
  raw?(house: RawHouse, plan: P): RawService;
  node?(house: NodeHouse, plan: P): Promise<NodeService>;
  /** `raw in node`: on the reactor, but in Node's own loop, because promises have to be kept. */
  engine?(plan: P, over: Over): Engine;
}

/** A kind as a registry keeps it: its plan is its own business. */
export type AnyKind = ServerKind<unknown>;
