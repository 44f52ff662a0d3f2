/** What answers HTTP here, whatever version it came by. server.ts turns one into a NodeService; api, files, proxy, forward and rpc are such handlers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';

export type WebRequest = IncomingMessage | Http2ServerRequest;
export type WebResponse = ServerResponse | Http2ServerResponse;

/** One request and its answer, as the house sees them. */
export interface Exchange {
  /** `127.0.0.1:5000` and `127.0.0.1`. */
  readonly peer: string;
  readonly client: string;
  /** Nanoseconds since the server began, when the request's head was complete. */
  readonly began: number;
  readonly secure: boolean;
  /** Aborts when the client goes away before the answer is complete, or the server ends at once. Its reason is an Error that says which. */
  readonly signal: AbortSignal;
  /** What `signal` tells, without making one: a signal and its listener cost several microseconds for each request. */
  readonly aborted: boolean;
  /** Calls `act` once `aborted` is true, which may be at once. What it returns takes that back. */
  whenGone(act: () => void): () => void;
  /** Added to the access line, behind what was said before: `hit`, `cancelled: upstream fetch`. */
  note(text: string): void;
}

export interface WebHandler {
  /** Answers. What it throws or rejects with becomes a 500 (or cuts the answer when that has begun) and is said to people. */
  handle(request: WebRequest, response: WebResponse, exchange: Exchange): void | Promise<void>;
  /** `Upgrade:` on HTTP/1.1. Without it the header is ignored and the request is answered as any other (RFC 9110, section 7.8). */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, exchange: Exchange): void;
  /** CONNECT. Without it: 405. */
  connect?(request: IncomingMessage, socket: Duplex, head: Buffer, exchange: Exchange): void;
  /** The server drains: upgraded connections should end when they can. */
  drain?(): void;
  /** The server has ended: timers, pools and files go. */
  close?(): void | Promise<void>;
}
