/** For tests: a client that sends a path exactly as it is written, which clients are careful not to do. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Raw {
  get(path: string, headers?: Readonly<Record<string, string>>, method?: string): Promise<Reply>;
  close(): void;
}

export function createRaw(port: number): Raw {
  const agent = new Agent({ keepAlive: true });
  return {
    get: (path, headers = {}, method = 'GET') =>
      new Promise((resolve, reject) => {
        const asking = request({ port, host: '127.0.0.1', path, method, agent, headers }, (response) => {
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
