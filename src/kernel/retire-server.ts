/** The end of a listener of Node's without a reset for anybody who was told that they are connected. */
import type { Server } from 'node:net';
import { dropNewcomers, somebodyWaits } from './stream-sockets.ts';

/** Handshakes that had begun are over by then. */
const LAST_HANDSHAKES_MS = 200;

/** Takes nobody new, lets everybody in whose handshake had begun, then closes. Where the kernel cannot filter, only the wait is left. */
export function retireServer(server: Server, done: () => void): void {
  const fd = (server as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  if (fd >= 0) {
    dropNewcomers(fd);
  }
  // libuv accepts a few connections in each turn of the loop, and a busy loop has not come to the last of them by then.
  const close = (): void => {
    if (fd >= 0 && server.listening && somebodyWaits(fd)) {
      setImmediate(close);
      return;
    }
    server.close();
    done();
  };
  setTimeout(close, LAST_HANDSHAKES_MS);
}
