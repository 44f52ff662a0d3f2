/** What a kind of conversation is: it opens one, says what happens in it, and moves its bytes. A face does the rest. */
import type { SockscopeError } from '../../errors.ts';
import type { SocketWishes } from '../../reactor/reactor.ts';
import type { DialEvent } from '../../session/dial-events.ts';

export interface TlsWish {
  /** Sent as SNI and looked for in the certificate; empty: the host that was typed. */
  readonly serverName: string;
  readonly protocols: readonly string[];
  readonly insecure: boolean;
  /** In PEM. `only` alone may sign; `besides` are trusted next to those of the system. */
  readonly only: string | null;
  readonly besides: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
}

/** What a telnet server may ask about the terminal. */
export interface TerminalFacts {
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
}

export interface DialPlan {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  /** The path of a UNIX socket, or what stands behind the port of a URL. */
  readonly path: string;
  readonly family: 0 | 4 | 6;
  /** An empty host: any. Port 0: any. */
  readonly source: { readonly host: string; readonly port: number } | null;
  readonly wishes: SocketWishes;
  /** Nanoseconds for all addresses, and again for each handshake above them. */
  readonly patience: number;
  readonly lingerZero: boolean;
  readonly verbose: boolean;
  readonly binary: boolean;
  readonly tls: TlsWish;
  /** Null in a pipe. */
  readonly terminal: TerminalFacts | null;
}

export interface DialEar {
  /** Nanoseconds since the conversation began. */
  now(): number;
  tell(event: DialEvent): void;
  /** Bytes that came, the receiver's to keep. */
  arrived(bytes: Uint8Array): void;
  /** After a `send` that said false. */
  room(): void;
  /** Nothing comes any more and nothing can be sent; `failed` when it was not by agreement. */
  over(failed: boolean): void;
}

export interface Conversation {
  /** Can one side end and the other go on? Otherwise `finish` waits for nothing and the face keeps listening a while. */
  readonly halfCloses: boolean;
  /** A stream of bytes has no pieces; datagrams and messages are counted. */
  readonly pieces: { readonly sent: number; readonly received: number } | null;
  /** Everything is taken; false: not more before `room`. */
  send(bytes: Uint8Array): boolean;
  /** No more will be sent: FIN, close_notify, a close frame. */
  finish(): void;
  /** While held, what arrives waits at the peer. */
  hold(on: boolean): void;
  reset(): void;
  /** Resolves when the descriptor is gone. Told to nobody. */
  close(): Promise<void>;
  /** The input has ended, and `finish` comes later: what waits for the rest of its line does not wait any more. */
  flush?(): void;
  resized?(columns: number, rows: number): void;
}

export interface DialKind {
  readonly name: string;
  readonly schemes: readonly string[];
  readonly about: string;
  /** The port that may be left out; 0: none. */
  readonly port: number;
  open(plan: DialPlan, ear: DialEar, cancelled: AbortSignal): Promise<Conversation | SockscopeError>;
}
