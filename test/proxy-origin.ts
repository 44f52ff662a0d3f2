/** For tests: origins that count and remember, and a client that tells everything it got. */
import {
  type Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  body: string;
}

export interface Origin {
  readonly port: number;
  readonly server: Server;
  /** Requests, in the order of their ends. */
  readonly seen: Seen[];
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

type Answers = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void;

export async function origin(answers: Answers, port = 0): Promise<Origin> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    const one: Seen = { method: incoming.method!, url: incoming.url!, headers: incoming.headers, body: '' };
    incoming.setEncoding('latin1');
    incoming.on('data', (piece: string) => {
      one.body += piece;
    });
    incoming.on('end', () => {
      seen.push(one);
      answers(incoming, response, one);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    seen,
    sockets,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
        for (const socket of sockets) {
          socket.destroy();
        }
      }),
  };
}

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly bytes: Buffer;
  readonly text: string;
  readonly trailers: NodeJS.Dict<string>;
}

export interface Wants {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
  readonly socketPath?: string;
}

/** Rejects when the answer breaks off. */
export function get(port: number, path: string, wants: Wants = {}): Promise<Got> {
  const { method = 'GET', headers = {}, body, agent, socketPath } = wants;
  return new Promise((resolve, reject) => {
    const where = socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath };
    const asking = request({ ...where, path, method, headers, agent: agent ?? false }, (message) => {
      const pieces: Buffer[] = [];
      message.on('data', (piece: Buffer) => pieces.push(piece));
      message.once('error', reject);
      message.once('end', () => {
        const bytes = Buffer.concat(pieces);
        resolve({
          status: message.statusCode!,
          headers: message.headers,
          raw: message.rawHeaders,
          bytes,
          text: bytes.toString(),
          trailers: message.trailers,
        });
      });
    });
    asking.once('error', reject);
    asking.end(body);
  });
}
