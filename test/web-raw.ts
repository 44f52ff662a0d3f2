/** For tests: a client that sends a path exactly as it is written, which clients are careful not to do. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { until } from './web-service.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Raw {
  get(path: string, headers?: Readonly<Record<string, string>>, method?: string): Promise<Reply>;
  close(): void;
}

/** `where` is a port, or the path of a UNIX socket. */
export function createRaw(where: number | string): Raw {
  const to = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { socketPath: where };
  const agent = new Agent({ keepAlive: true });
  return {
    get: (path, headers = {}, method = 'GET') =>
      new Promise((resolve, reject) => {
        const asking = request({ ...to, path, method, agent, headers }, (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(pieces),
            }),
          );
        });
        asking.on('error', reject);
        asking.end();
      }),
    close: () => agent.destroy(),
  };
}

export interface Download {
  readonly socket: Socket;
  /** Bytes of the body so far. */
  count(): number;
  /** The connection has ended, one way or another. */
  over(): boolean;
}

/** A download that has begun and is then left alone: resume the socket to have the rest. */
export async function begin(port: number, path: string): Promise<Download> {
  const socket = connect(port, '127.0.0.1');
  let head: string | null = '';
  let count = 0;
  let over = false;
  socket.on('data', (piece) => {
    count += piece.length;
    if (head !== null) {
      head += piece.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end !== -1) {
        count -= end + 4;
        head = null;
      }
    }
  });
  socket.on('error', () => {});
  for (const end of ['end', 'close']) {
    socket.on(end, () => {
      over = true;
    });
  }
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await until(() => head === null && count > 0);
  socket.pause();
  return { socket, count: () => count, over: () => over };
}
