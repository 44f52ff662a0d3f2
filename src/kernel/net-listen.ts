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
import { retireServer } from './retire-server.ts';

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
  hold(on: boolean): void;
  retire(done: () => void): void;
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

interface Bound {
  readonly handle: Handle;
  readonly address: NetAddress;
}

function bindTcp(address: NetAddress, onlyIpv6: boolean): Bound | number {
  if (address.kind !== 'tcp') {
    return EINVAL;
  }
  const { host, port } = address;
  const family = isIP(host);
  if (family === 0 || !Number.isInteger(port) || port < 0 || port > 0xffff) {
    return EINVAL;
  }
  if (createHandle === undefined) {
    return ENOSYS;
  }
  const flags = family === 6 && onlyIpv6 ? ONLY_IPV6 : 0;
  const handle = createHandle(host, port, family === 6 ? 6 : 4, -1, flags);
  if (typeof handle === 'number') {
    return linuxErrno(handle);
  }
  // libuv keeps some errors of a bind for whoever asks next: here that is us, asking for the name.
  const name: { address?: string; port?: number } = {};
  const result = handle.getsockname(name);
  if (result < 0) {
    handle.close();
    return linuxErrno(result);
  }
  return { handle, address: { ...address, port: name.port ?? port } };
}

function linuxErrno(result: number): number {
  return errnoOf({ code: getSystemErrorName(result) });
}

/** A path is bound at once; only why it could not be is told later, so that is asked by trying the same again. */
function listenOnPath(server: Server, path: string, backlog: number, mode: number | undefined): number {
  const name = nodePath(path);
  server.listen({ path: name, backlog, exclusive: true });
  if (!server.listening) {
    const again = createHandle?.(name, -1, -1, -1, 0) ?? ENOSYS;
    if (typeof again === 'number') {
      return linuxErrno(again);
    }
    again.close();
    return EADDRINUSE;
  }
  if (mode === undefined || path.startsWith('@')) {
    return 0;
  }
  try {
    chmodSync(path, mode);
    return 0;
  } catch (error) {
    server.close();
    return errnoOf(error);
  }
}

function listenOnHandle(server: Server, handle: Handle, backlog: number): number {
  server.listen(handle, backlog);
  // Two sockets may bind the same address with SO_REUSEADDR; listening is for the first one.
  return server.listening ? 0 : EADDRINUSE;
}

export function listenNet(
  address: NetAddress,
  options: NetListenOptions,
  accepted: (stream: NetStream, socket: Socket) => NetStreamEvents | null,
): NetListener | number {
  const { wishes, streamWishes, backlog = BACKLOG } = options;
  const tcp = address.kind === 'tcp';
  // libuv sets SO_REUSEADDR on every TCP listener.
  const known = checkWishes(wishes, tcp ? ['reuseaddr', 'v6only'] : []);
  if (known < 0 || options.reusePort || checkWishes(streamWishes, tcp ? NET_OPTIONS : []) < 0) {
    return ENOPROTOOPT;
  }
  const path = address.kind === 'unix' ? address.path : null;
  if (path === '') {
    return EINVAL;
  }
  const take = (socket: Socket): void => {
    const stream = streamOf(socket, null, addressesOf(socket, path), socket);
    grantWishes(stream, streamWishes);
    const events = accepted(stream, socket);
    if (events === null) {
      stream.reset();
    } else {
      hear(stream, events);
    }
  };
  // Node cannot leave a client in the kernel's queue: while held, sockets wait here instead.
  let waiting: Socket[] | null = null;
  const server = net.createServer({ allowHalfOpen: true, highWaterMark: BUFFERED }, (socket) => {
    if (waiting === null) {
      take(socket);
    } else {
      waiting.push(socket);
    }
  });
  const doors = {
    server,
    hold(on: boolean): void {
      const held = waiting ?? [];
      waiting = on ? held : null;
      if (!on) {
        held.forEach(take);
      }
    },
    retire(done: () => void): void {
      doors.hold(false);
      retireServer(server, done);
    },
    close: () => void server.close(),
  };
  // What is wrong is said by the result; nobody needs to hear it twice.
  server.on('error', () => {});
  if (path !== null) {
    const result = listenOnPath(server, path, backlog, options.mode);
    return result < 0 ? result : { address, ...doors };
  }
  const bound = bindTcp(address, wishes?.v6only === 1);
  if (typeof bound === 'number') {
    return bound;
  }
  const result = listenOnHandle(server, bound.handle, backlog);
  return result < 0 ? result : { address: bound.address, ...doors };
}
