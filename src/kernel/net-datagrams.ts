/** UDP with Node's own sockets, with the answers at once. Results below zero are -errno. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { errnoOf, type NetAddress } from './net-streams.ts';

const EAGAIN = -11;
const EBADF = -9;
const EINVAL = -22;
const EAFNOSUPPORT = -97;
const EDESTADDRREQ = -89;
const EISCONN = -106;
/** What may wait in libuv before `send` says AGAIN. */
const QUEUED = 1024 * 1024;

export interface NetDatagramEvents {
  datagram(from: NetAddress, bytes: Uint8Array, length: number): void;
  error?(errno: number): void;
}

export interface NetDatagrams {
  readonly address: NetAddress;
  readonly socket: Socket;
  send(bytes: Uint8Array, from: number, end: number, to: NetAddress | null): number;
  close(): void;
}

type Found = (error: Error | null, address: string, family: number) => void;

/** Addresses are numeric here, and a look-up that answers at once makes `bind` and `connect` do their work at once. */
function atOnce(host: string, options: unknown, found?: Found): void {
  const answer = found ?? (options as Found);
  answer(null, host, isIP(host));
}

function isUdp(address: NetAddress, least: number): address is Extract<NetAddress, { host: string }> {
  return (
    address.kind === 'udp' &&
    isIP(address.host) !== 0 &&
    Number.isInteger(address.port) &&
    address.port >= least &&
    address.port <= 0xffff
  );
}

/** Bound (`peer` null), connected, or both. */
export function datagramsNet(
  local: NetAddress | null,
  peer: NetAddress | null,
  events: NetDatagramEvents,
): NetDatagrams | number {
  const either = local ?? peer;
  if (either?.kind === 'unix') {
    return EAFNOSUPPORT;
  }
  if (either === null || (local !== null && !isUdp(local, 0)) || (peer !== null && !isUdp(peer, 1))) {
    return EINVAL;
  }
  const six = isIP((either as { host: string }).host) === 6;
  const socket = createSocket({ type: six ? 'udp6' : 'udp4', lookup: atOnce });
  let failed = 0;
  let told: ((errno: number) => void) | undefined;
  socket.on('error', (error) => {
    failed = errnoOf(error);
    told?.(failed);
  });
  if (local !== null) {
    const { host, port } = local as { host: string; port: number };
    socket.bind({ address: host, port, exclusive: true });
  }
  if (failed === 0 && peer !== null) {
    const { host, port } = peer as { host: string; port: number };
    socket.connect(port, host);
  }
  if (failed !== 0 || (peer !== null && !isConnected(socket))) {
    socket.close();
    return failed === 0 ? EINVAL : failed;
  }
  told = (errno) => events.error?.(errno);
  socket.on('message', (bytes: Uint8Array, { address, port }: RemoteInfo) => {
    events.datagram({ kind: 'udp', host: address, port }, bytes, bytes.length);
  });
  const { address, port } = socket.address();
  return made(socket, { kind: 'udp', host: address, port }, peer !== null, told);
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}

function made(
  socket: Socket,
  address: NetAddress,
  connected: boolean,
  failed: (errno: number) => void,
): NetDatagrams {
  let closed = false;
  const sent = (error: Error | null): void => {
    if (error !== null && !closed) {
      failed(errnoOf(error));
    }
  };
  return {
    address,
    socket,
    send(bytes, from, end, to) {
      if (closed) {
        return EBADF;
      }
      if (to === null ? !connected : connected) {
        return to === null ? EDESTADDRREQ : EISCONN;
      }
      if (to !== null && !isUdp(to, 1)) {
        return EINVAL;
      }
      if (socket.getSendQueueSize() > QUEUED) {
        return EAGAIN;
      }
      // A copy: libuv may send it later, and the bytes are the caller's again when this returns.
      const copy = bytes.slice(from, end);
      if (to === null) {
        socket.send(copy, sent);
      } else {
        socket.send(copy, to.port, to.host, sent);
      }
      return end - from;
    },
    close() {
      if (!closed) {
        closed = true;
        socket.close();
      }
    },
  };
}
