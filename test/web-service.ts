/** For tests of what speaks HTTP: a house without walls, a real listener, and a client that says what it sees on the wire. */
import { connect, createServer, type Socket } from 'node:net';
import type { Access, Common, NodeHouse, NodeService, TlsFiles } from '../src/make/serve/kind.ts';

export interface Served {
  readonly port: number;
  readonly lines: Access[];
  readonly said: string[];
  readonly service: NodeService;
  /** The listener is closed and the service drained. */
  drain(): Promise<number>;
  /** Everything is closed; called by every test that does not drain. */
  close(): Promise<void>;
}

export interface Wish {
  readonly common?: Partial<Common>;
  readonly tls?: TlsFiles | null;
  readonly allows?: (client: string) => boolean;
  /** A UNIX socket instead of a port. */
  readonly path?: string;
}

const COMMON: Common = {
  maxConnections: 0,
  idleNs: 0,
  maxBody: 0,
  rate: 0,
  drainNs: 10e9,
  backlog: 511,
  wishes: {},
  misbehaviour: null,
};

export async function serve(
  make: (house: NodeHouse) => NodeService | Promise<NodeService>,
  { common = {}, tls = null, allows = () => true, path }: Wish = {},
): Promise<Served> {
  const lines: Access[] = [];
  const said: string[] = [];
  const began = process.hrtime.bigint();
  const service = await make({
    common: { ...COMMON, ...common },
    tls,
    now: () => Number(process.hrtime.bigint() - began),
    wantsLines: true,
    access: (line) => lines.push(line),
    counted: () => {},
    say: (text) => said.push(text),
    allows,
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const client = socket.remoteAddress ?? '';
    service.connection(socket, path ?? `${client}:${socket.remotePort}`, client);
  });
  await new Promise<void>((listening) => {
    if (path === undefined) {
      server.listen(0, '127.0.0.1', listening);
    } else {
      server.listen(path, listening);
    }
  });
  const stop = () => new Promise<void>((stopped) => server.close(() => stopped()));
  return {
    port: path === undefined ? (server.address() as { port: number }).port : 0,
    lines,
    said,
    service,
    async drain() {
      const stopped = stop();
      const cut = await service.drain();
      await stopped;
      return cut;
    },
    async close() {
      const stopped = stop();
      service.close();
      await stopped;
    },
  };
}

/** A client that writes what it is told and keeps what it reads. */
export interface Wire {
  readonly socket: Socket;
  text(): string;
  /** How it ended: `open`, `end` after a FIN, or the error's code. */
  how(): string;
  until(found: (text: string) => boolean): Promise<string>;
  /** The other side has ended, one way or another. */
  ended(): Promise<string>;
}

export function wire(port: number, say = ''): Wire {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  let how = 'open';
  socket.setEncoding('latin1');
  socket.on('data', (piece) => {
    text += piece;
  });
  socket.on('end', () => {
    how = how === 'open' ? 'end' : how;
    socket.end();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    how = error.code ?? error.message;
  });
  socket.write(say);
  const wait = (met: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => done(new Error(`still ${how}, read ${JSON.stringify(text)}`)), 10_000);
      const look = () => (met() ? done(null) : undefined);
      const done = (error: Error | null) => {
        clearTimeout(late);
        socket.off('data', look).off('end', look).off('close', look);
        if (error === null) {
          resolve();
        } else {
          reject(error);
        }
      };
      socket.on('data', look).on('end', look).on('close', look);
      look();
    });
  return {
    socket,
    text: () => text,
    how: () => how,
    async until(found) {
      await wait(() => found(text));
      return text;
    },
    async ended() {
      await wait(() => how !== 'open');
      return how;
    },
  };
}

/** Waits for what nobody announces. */
export async function until(met: () => boolean, what = String(met)): Promise<void> {
  const end = performance.now() + 10_000;
  while (!met()) {
    if (performance.now() > end) {
      throw new Error(`never: ${what}`);
    }
    await new Promise((turn) => setTimeout(turn, 5));
  }
}
