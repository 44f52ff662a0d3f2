/**
 * ssh2 writes every packet to the socket in three pieces (length, content, tag) and leaves Nagle's algorithm on: each piece is a system call,
 * and a small request waits 40 ms for the acknowledgement of the one before. Here what is written in one turn goes out as one, at once.
 */
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';

/** ssh2 keeps its socket to itself, and has no option for this. */
interface WithSocket {
  readonly _sock?: Duplex;
}

export function gatherWrites(client: Client): void {
  client.setNoDelay(true);
  const socket = (client as unknown as WithSocket)._sock;
  if (socket === undefined || Object.hasOwn(socket, 'write')) {
    return;
  }
  const write = socket.write.bind(socket) as (bytes: Uint8Array) => boolean;
  let gathering = false;
  const flush = (): void => {
    gathering = false;
    socket.uncork();
  };
  socket.write = (bytes: Uint8Array): boolean => {
    if (!gathering) {
      gathering = true;
      socket.cork();
      process.nextTick(flush);
    }
    return write(bytes);
  };
}
