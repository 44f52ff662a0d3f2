/** The door to node:http: a server whose requests are plain values and whose answers are whole. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpRequest {
  readonly method: string;
  /** As the request line has it. */
  readonly target: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  /** The other end's address. */
  readonly remote: string;
  /** The whole body; `too large` as soon as it is known to be longer than `most`, `gone` when the client went away within it. */
  body(most: number): Promise<Buffer | 'too large' | 'gone'>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  /** Milliseconds for a request's head, for the whole of it, and between two requests on one connection. */
  readonly headTimeout: number;
  readonly requestTimeout: number;
  readonly idleTimeout: number;
  answer(request: HttpRequest): Promise<HttpAnswer>;
}

export interface HttpServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Requests being answered are answered; whoever does not take the answer within CLOSE_GRACE is cut off. */
  close(): Promise<void>;
}

/** Node looks for overdue requests this often (milliseconds) at most; its own 30 s would make short limits long. */
const LOOK_FOR_OVERDUE = 1000;
const CLOSE_GRACE = 2000;

/** The server once it listens, or the error's code: `EADDRINUSE`. */
export function serveHttp(options: HttpServerOptions): Promise<HttpServer | string> {
  let answering = 0;
  let closing = false;
  const server = createServer(
    {
      connectionsCheckingInterval: Math.min(LOOK_FOR_OVERDUE, options.headTimeout),
      headersTimeout: options.headTimeout,
      requestTimeout: options.requestTimeout,
      keepAliveTimeout: options.idleTimeout,
    },
    (incoming, response) => {
      answering++;
      response.once('close', () => {
        answering--;
        if (closing && answering === 0) {
          server.closeAllConnections();
        }
      });
      void options.answer(requestOf(incoming)).then(
        (answer) => send(response, answer, closing),
        (bug: unknown) =>
          send(response, { status: 500, headers: {}, body: `internal error: ${String(bug)}\n` }, true),
      );
    },
  );

  const close = () =>
    new Promise<void>((done) => {
      closing = true;
      const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE);
      server.close(() => {
        clearTimeout(cut);
        done();
      });
      // Connections on which nothing was ever asked do not count as idle for Node.
      if (answering === 0) {
        server.closeAllConnections();
      }
    });

  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message);
    server.once('error', failed);
    server.listen(options.port, options.host, () => {
      server.off('error', failed);
      const { address, port } = server.address() as AddressInfo;
      resolve({ address: { host: address, port }, close });
    });
  });
}

function requestOf(incoming: IncomingMessage): HttpRequest {
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    host: incoming.headers.host,
    origin: incoming.headers.origin,
    authorization: incoming.headers.authorization,
    remote: incoming.socket.remoteAddress ?? '',
    body: (most) => readBody(incoming, most),
  };
}

function readBody(incoming: IncomingMessage, most: number): Promise<Buffer | 'too large' | 'gone'> {
  if (Number(incoming.headers['content-length'] ?? 0) > most) {
    return Promise.resolve('too large');
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > most) {
        // Read on and forget: closing with unread bytes would reset the connection before the answer is read.
        chunks.length = 0;
        resolve('too large');
      } else {
        chunks.push(chunk);
      }
    });
    incoming.once('end', () => resolve(Buffer.concat(chunks)));
    incoming.once('close', () => resolve('gone'));
    incoming.once('error', () => resolve('gone'));
  });
}

function send(response: ServerResponse, { status, headers, body }: HttpAnswer, last: boolean): void {
  response.writeHead(status, {
    ...headers,
    ...(status === 204 ? {} : { 'Content-Length': Buffer.byteLength(body) }),
    ...(last ? { Connection: 'close' } : {}),
  });
  response.end(body);
}
