/** A plain connection of node:net, with both directions ended apart, for those who pass bytes on between Node's own streams. */
import { connect, type Socket } from 'node:net';

/** Port and host of a server that listens on TCP. 'connect', 'error' and 'close' tell how it went. */
export function connectPlain(host: string, port: number): Socket {
  return connect({ host, port, allowHalfOpen: true });
}
