/** Listening with Node's own server, with the answer at once: the address, or -errno. */
import { chmodSync } from 'node:fs';
import net, { isIP, type Server, type Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import {
  addressesOf,
  BUFFERED,
  checkWishes,
  errnoOf,
  grantWishes,
  hear,
  NET_OPTIONS,
  type NetAddress,
  type NetStream,
  type NetStreamEvents,
  nodePath,
  streamOf,
} from './net-streams.ts';

const EINVAL = -22;
const ENOSYS = -38;
const ENOPROTOOPT = -92;
const EADDRINUSE = -98;
/** uv.h: UV_TCP_IPV6ONLY */
const ONLY_IPV6 = 1;
const BACKLOG = 511;

export interface NetListenOptions {
  readonly backlog?: number;
  readonly reusePort?: boolean;
  readonly wishes?: Readonly<Record<string, number>>;
  readonly streamWishes?: Readonly<Record<string, number>>;
  readonly mode?: number;
}

export interface NetListener {
  readonly address: NetAddress;
  readonly server: Server;
  close(): void;
}

interface Handle {
  getsockname(into: { address?: string; port?: number }): number;
  close(): void;
}

/**
 * `server.listen` with a host answers a turn later, because it might have to resolve it. What it calls then is exported by node:net
 * without being documented (it is what node:cluster shares); there is no other way to bind a TCP socket at once.
 */
type CreateHandle = (
  address: string,
  port: number,
  family: 4 | 6 | -1,
  fd: -1,
  flags: number,
) => Handle | number;
const createHandle = (net as unknown as { _createServerHandle?: CreateHandle })._createServerHandle;

function bound(address: NetAddress, wishes: Readonly<Record<string, number>>): Handle | number {
  if (createHandle === undefined) {
    return ENOSYS;
  }
  if (address.kind === 'unix') {
    return address.path === '' ? EINVAL : createHandle(nodePath(address.path), -1, -1, -1, 0);
  }
  const family = isIP(address.host);
  const { port } = address;
  if (address.kind !== 'tcp' || family === 0 || !Number.isInteger(port) || port < 0 || port > 0xffff) {
    return EINVAL;
  }
  const flags = family === 6 && wishes.v6only ? ONLY_IPV6 : 0;
  return createHandle(address.host, port, family === 6 ? 6 : 4, -1, flags);
}

/** libuv keeps the error of a bind for whoever asks next: here that is us, asking for the name. */
function realAddress(handle: Handle, address: NetAddress): NetAddress | number {
  if (address.kind === 'unix') {
    return address;
  }
  const name: { address?: string; port?: number } = {};
  const result = handle.getsockname(name);
  return result < 0 ? linuxErrno(result) : { ...address, port: name.port ?? 0 };
}

function linuxErrno(result: number): number {
  return errnoOf({ code: getSystemErrorName(result) });
}

export function listenNet(
  address: NetAddress,
  options: NetListenOptions,
  accepted: (stream: NetStream, socket: Socket) => NetStreamEvents | null,
): NetListener | number {
  const wishes = options.wishes ?? {};
  const tcp = address.kind === 'tcp';
  // libuv sets SO_REUSEADDR on every listener.
  const known = checkWishes(wishes, tcp ? ['reuseaddr', 'v6only'] : []);
  if (known < 0 || options.reusePort || checkWishes(options.streamWishes, tcp ? NET_OPTIONS : []) < 0) {
    return ENOPROTOOPT;
  }
  const handle = bound(address, wishes);
  if (typeof handle === 'number') {
    return handle > -4000 && handle !== ENOSYS && handle !== EINVAL ? linuxErrno(handle) : handle;
  }
  const real = realAddress(handle, address);
  if (typeof real === 'number') {
    handle.close();
    return real;
  }
  const path = real.kind === 'unix' ? real.path : null;
  const server = net.createServer({ allowHalfOpen: true, highWaterMark: BUFFERED }, (socket) => {
    const stream = streamOf(socket, null, addressesOf(socket, path), socket);
    grantWishes(stream, options.streamWishes);
    const events = accepted(stream, socket);
    if (events === null) {
      stream.reset();
    } else {
      hear(stream, events);
    }
  });
  // What is wrong was said by the handle already; nobody needs to hear it twice.
  server.on('error', () => {});
  server.listen(handle, options.backlog ?? BACKLOG);
  if (!server.listening) {
    return EADDRINUSE;
  }
  if (path !== null && !path.startsWith('@') && options.mode !== undefined) {
    chmodSync(path, options.mode);
  }
  return { address: real, server, close: () => void server.close() };
}
