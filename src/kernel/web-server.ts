/**
 * The door to node:http and node:http2 for servers that do not listen themselves: connections are given to them. HTTP/1.1, HTTP/2 over
 * TLS by ALPN, and HTTP/2 in the clear for clients that begin with its preface (RFC 9113, section 3.3).
 */
import { createServer, type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { serverContext } from './tls.ts';

export type { ServerHttp2Session };

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

export interface WebServerOptions {
  /** In PEM; null is without TLS. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  /** Milliseconds for a request's head and for a TLS handshake. */
  readonly headTimeout: number;
  /** Milliseconds between two requests, which is also told to the client; 0 is no limit. */
  readonly keepAlive: number;
}

/** What happens on the connections. `L` is what the caller knows each of them by. */
export interface WebEvents<L> {
  /** With `expects` the client waits for 100 (Continue) before it sends the body. */
  request(line: L, request: Request, response: Response, expects: boolean): void;
  /** Null: `Upgrade:` is ignored (RFC 9110, section 7.8). */
  readonly upgrade: ((line: L, request: IncomingMessage, socket: Duplex, head: Buffer) => void) | null;
  connect(line: L, request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** What came is no HTTP/1.1; the status that says so, and the parser's words. 0: the connection itself failed. */
  malformed(line: L, status: number, why: string): void;
  /** Nothing came for `keepAlive` after an answer. */
  idle(line: L): void;
  /** TLS stands, or there is none: from here on this is the socket that HTTP is spoken on. */
  spoken(line: L, socket: Duplex): void;
  session(line: L, session: ServerHttp2Session): void;
  refusedTls(line: L, why: string): void;
}

export interface WebServer<L> {
  /** A connection that nobody has read from. */
  take(socket: Duplex, line: L): void;
  close(): void;
}

/** Node looks for overdue heads this often at most (milliseconds); its own 30 s would make short limits long. */
const LOOK_FOR_OVERDUE = 1000;
/** As RFC 7301 writes them. */
const PROTOCOLS = Buffer.from('\x02h2\x08http/1.1', 'latin1');
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n', 'latin1');

export function createWebServer<L extends object>(
  { tls, headTimeout, keepAlive }: WebServerOptions,
  events: WebEvents<L>,
): WebServer<L> {
  const lines = new WeakMap<object, L>();
  const lineOf = (socket: object): L => lines.get(socket)!;

  const http1 = createServer(
    {
      ServerResponse: CountedResponse,
      connectionsCheckingInterval: Math.max(10, Math.min(LOOK_FOR_OVERDUE, headTimeout / 4)),
      headersTimeout: headTimeout,
      // An upload may take its time as long as it moves; whoever gives the connections looks after that.
      requestTimeout: 0,
      keepAliveTimeout: keepAlive,
      // Answered by the caller, who tells people about it.
      requireHostHeader: false,
    },
    (request, response) => events.request(lineOf(request.socket), request, response, false),
  );
  // A client that closes its side still wants its answer. Node keeps this switch out of its documentation, and of its types.
  (http1 as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  http1.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
    events.request(lineOf(request.socket), request, response, true),
  );
  http1.on('connect', (request, socket, head) => events.connect(lineOf(socket), request, socket, head));
  const { upgrade } = events;
  if (upgrade !== null) {
    http1.on('upgrade', (request, socket, head) => {
      if (/^h2c\b/i.test(request.headers.upgrade ?? '')) {
        // RFC 9113 took this way to HTTP/2 back (appendix B), and for Node an Upgrade cannot be declined: the request is read again.
        socket.unshift(Buffer.concat([withoutUpgrade(request), head]));
        http1.emit('connection', socket);
        socket.resume();
      } else {
        upgrade(lineOf(socket), request, socket, head);
      }
    });
  }
  http1.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const line = lines.get(socket);
    if (line !== undefined) {
      events.malformed(line, statusFor(error), reasonOf(error));
    }
  });
  // With a listener Node leaves it to us to close; on its own it would reset what is on its way.
  http1.on('timeout', (socket) => events.idle(lineOf(socket)));
  // Node begins to look for overdue heads when it listens, which this server never does.
  http1.emit('listening');

  const http2 = createHttp2Server({ Http2ServerResponse: CountedSecondResponse }, (request, response) =>
    events.request(lineOf(request.stream.session!), request, response, false),
  );
  http2.on('checkContinue', (request: Http2ServerRequest, response: Http2ServerResponse) =>
    events.request(lineOf(request.stream.session!), request, response, true),
  );
  http2.on('connect', (request: Http2ServerRequest, response: Http2ServerResponse) =>
    events.request(lineOf(request.stream.session!), request, response, false),
  );
  // Told to the session's own listeners too; without one here Node would throw.
  http2.on('sessionError', () => {});
  let beginning: L | null = null;
  http2.on('session', (session: ServerHttp2Session) => {
    lines.set(session, beginning!);
    events.session(beginning!, session);
  });

  const speak = (socket: Duplex, line: L, second: boolean) => {
    lines.set(socket, line);
    if (second) {
      // HTTP/2 ends a connection as a whole, and node:http2 waits for ever on a socket that may stay half open.
      socket.allowHalfOpen = false;
      socket.once('end', () => socket.end());
      beginning = line;
      http2.emit('connection', socket);
      beginning = null;
    } else {
      http1.emit('connection', socket);
    }
  };

  const context = tls === null ? null : serverContext(tls.certificate, tls.key);
  const secured = (under: Duplex, secureContext: SecureContext, line: L) => {
    const socket = new TLSSocket(under, { isServer: true, secureContext, ALPNProtocols: PROTOCOLS });
    const late = setTimeout(() => refused(new Error('the handshake took too long')), headTimeout);
    const refused = (error: Error) => {
      events.refusedTls(line, reasonOf(error));
      socket.destroy();
    };
    socket.on('error', refused);
    socket.once('close', () => clearTimeout(late));
    socket.once('secure', () => {
      clearTimeout(late);
      socket.off('error', refused);
      // node:http2 waits for as long as this says that the handshake goes on; only node:tls's own servers take it back.
      (socket as unknown as { secureConnecting: boolean }).secureConnecting = false;
      events.spoken(line, socket);
      speak(socket, line, socket.alpnProtocol === 'h2');
    });
  };

  return {
    take(socket, line) {
      // The other direction is for the answer.
      socket.allowHalfOpen = true;
      if (context === null) {
        events.spoken(line, socket);
        peek(socket, (second) => speak(socket, line, second));
      } else {
        secured(socket, context, line);
      }
    },
    close() {
      // It never listened; what matters is that it stops looking for overdue heads.
      http1.close(() => {});
    },
  };
}

type Anything = readonly unknown[];

/** Knows how long the body is that was written; a method of the class costs nothing for each request. */
class CountedResponse extends ServerResponse {
  bodyBytes = 0;

  override write(...given: Anything): boolean {
    this.bodyBytes += lengthOf(given[0], given[1]);
    return (super.write as (...given: Anything) => boolean).apply(this, given as unknown[]);
  }

  override end(...given: Anything): this {
    this.bodyBytes += lengthOf(given[0], given[1]);
    return (super.end as (...given: Anything) => this).apply(this, given as unknown[]);
  }
}

/** Its `end` calls `write` for what it is given. */
class CountedSecondResponse extends Http2ServerResponse {
  bodyBytes = 0;

  override write(...given: Anything): boolean {
    this.bodyBytes += lengthOf(given[0], given[1]);
    return (super.write as (...given: Anything) => boolean).apply(this, given as unknown[]);
  }
}

function lengthOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') {
    return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  }
  return chunk instanceof Uint8Array ? chunk.length : 0;
}

/** Bytes of the body that were written to an answer of a server made here, whether they were sent (HEAD) or not. */
export function bodyBytes(response: Response): number {
  return (response as CountedResponse | CountedSecondResponse).bodyBytes;
}

/** Tells from the first bytes whether HTTP/2 is spoken, and puts them back. */
function peek(socket: Duplex, decided: (second: boolean) => void): void {
  let seen: Buffer | null = null;
  const look = (chunk: Buffer) => {
    seen = seen === null ? chunk : Buffer.concat([seen, chunk]);
    const common = Math.min(seen.length, PREFACE.length);
    const same = seen[0] === PREFACE[0] && PREFACE.compare(seen, 0, common, 0, common) === 0;
    if (!same || common === PREFACE.length) {
      decide(same);
    }
  };
  const ended = () => decide(false);
  const decide = (second: boolean) => {
    socket.off('data', look);
    socket.off('end', ended);
    socket.pause();
    if (seen !== null && !socket.readableEnded) {
      socket.unshift(seen);
    }
    if (socket.readableEnded) {
      // Closed before it said anything that could be answered.
      socket.end();
      return;
    }
    decided(second);
    if (!second) {
      // HTTP/2 takes what is there by itself.
      socket.resume();
    }
  };
  socket.on('data', look);
  socket.on('end', ended);
}

function statusFor(error: NodeJS.ErrnoException): number {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return constants.HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return constants.HTTP_STATUS_PAYLOAD_TOO_LARGE;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return constants.HTTP_STATUS_REQUEST_TIMEOUT;
    default:
      return error.code?.startsWith('HPE_') === true ? constants.HTTP_STATUS_BAD_REQUEST : 0;
  }
}

/** OpenSSL's errors come with function names and source lines around the one part that says something. */
function reasonOf(error: Error & { readonly reason?: string }): string {
  return error.reason ?? error.message;
}

/** `Not Found` */
export function statusText(status: number): string {
  return STATUS_CODES[status] ?? 'Unknown';
}

/** How many bytes came and went. What waits in libuv has not gone; Node has no public name for that. */
export function bytesMoved(socket: Duplex): number {
  const { bytesRead, bytesWritten, _handle } = socket as Counters;
  return (bytesRead ?? 0) + (bytesWritten ?? 0) - (_handle?.writeQueueSize ?? 0);
}

type Counters = Duplex & {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  readonly _handle?: { readonly writeQueueSize?: number } | null;
};

function withoutUpgrade({ method, url, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (!/^(upgrade|connection|http2-settings)$/i.test(name)) {
      head += `${name}: ${rawHeaders[at + 1]}\r\n`;
    }
  }
  return Buffer.from(`${head}\r\n`, 'latin1');
}
