/** Node's loop accepts on a socket that listens already (src/reactor/listening.ts), whose options are therefore its own affair. */
import { createServer, type Socket } from 'node:net';
import { retireServer } from './retire-server.ts';

export interface NetAcceptor {
  /** Takes nobody new, accepts whoever waits, closes the listener. */
  retire(done: () => void): void;
  close(): void;
}

/** The descriptor belongs to the acceptor from now on. */
export function acceptOn(
  fd: number,
  accepted: (socket: Socket, fd: number) => void,
  failed: (why: NodeJS.ErrnoException) => void,
): NetAcceptor {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted(socket, (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1);
  });
  server.on('error', failed);
  server.listen({ fd });
  return {
    retire: (done) => retireServer(server, done),
    close: () => void server.close(),
  };
}
