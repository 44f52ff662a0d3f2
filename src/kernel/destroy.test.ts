import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { acknowledgement, destroyRequest, destroySocket, type SocketIdentity } from './destroy.ts';
import { openDestroyed, readDestroyed } from './destroyed.ts';
import * as libc from './libc.ts';
import { closeSockDiag } from './sockdiag.ts';
import { INET, u16be, walkMessages } from './sockdiag-format.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_COOKIE = 57;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const FIN_WAIT_2 = 5;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const CLOEXEC = 0o2000000;
const NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const EINVAL = 22;
const ENOENT = 2;
const EPIPE = 32;
const EINPROGRESS = 115;
const EDESTADDRREQ = 89;
const EADDRINUSE = 98;
const ECONNABORTED = 103;
const ECONNRESET = 104;
const MSG_NOSIGNAL = 0x4000;

/** 127.0.0.1, any port. */
const ANYTHING = Uint8Array.of(AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);

const identity: SocketIdentity = {
  family: 4,
  protocol: 'tcp',
  local: { address: '127.0.0.1', port: 80 },
  peer: { address: '127.0.0.2', port: 4660 },
  cookie: '0000000100000002',
};

describe('the request', () => {
  it('holds the whole identity, in the byte order of each field', () => {
    const b = destroyRequest(identity, 7);
    expect(b).not.toBeNull();
    expect(Buffer.from(b!).toString('hex')).toBe(
      [
        '4800000015000500',
        '0000000000000000',
        '02060000ffffffff',
        '00501234',
        '7f000001000000000000000000000000',
        '7f000002000000000000000000000000',
        '07000000',
        '0200000001000000',
      ].join(''),
    );
  });

  it.each([
    { cookie: '' },
    { cookie: 'ffffffffffffffff0' },
    { local: { address: 'localhost', port: 1 } },
    { local: { address: '::1', port: 1 } },
    { peer: { address: '127.0.0.1', port: 65536 } },
    { peer: { address: '127.0.0.1', port: -1 } },
  ])('%j makes no request', (wrong) => {
    expect(destroyRequest({ ...identity, ...wrong }, 0)).toBeNull();
  });

  it('any answer at all is read as a number, and only a real one as success', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (b) => Number.isInteger(acknowledgement(b))));
    expect(acknowledgement(new Uint8Array(0))).toBeLessThan(0);
    expect(acknowledgement(new Uint8Array(40))).toBeLessThan(0);
  });
});

const root = needs('linux', 'root');

describe.skipIf(root.missing)('the kernel', () => {
  const open: number[] = [];

  afterEach(() => {
    open.splice(0).forEach((fd) => {
      libc.close(fd);
    });
  });

  function keep(fd: number): number {
    expect(fd).toBeGreaterThanOrEqual(0);
    open.push(fd);
    return fd;
  }

  function nameOf(fd: number): { port: number; bytes: Uint8Array } {
    const bytes = new Uint8Array(28);
    expect(libc.getsockname(fd, bytes, libc.int32(28))).toBe(0);
    return { port: u16be(bytes, 2), bytes };
  }

  function option(fd: number, name: number, length: number): Uint8Array {
    const value = new Uint8Array(length);
    expect(libc.getsockopt(fd, SOL_SOCKET, name, value, libc.int32(length))).toBe(0);
    return value;
  }

  function cookieOf(fd: number): string {
    const value = option(fd, SO_COOKIE, 8);
    return new DataView(value.buffer).getBigUint64(0, true).toString(16).padStart(16, '0');
  }

  const errorOf = (fd: number): number => option(fd, SO_ERROR, 4)[0]!;
  const read = (fd: number): number => libc.recv(fd, new Uint8Array(16), 16, MSG_DONTWAIT);
  const write = (fd: number): number => libc.send(fd, Buffer.from('x'), 1, MSG_DONTWAIT | MSG_NOSIGNAL);

  function listening(family: 4 | 6): number {
    const fd = keep(libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | CLOEXEC, 0));
    const address = new Uint8Array(family === 4 ? 16 : 28);
    address[0] = family === 4 ? AF_INET : AF_INET6;
    if (family === 4) {
      address.set([127, 0, 0, 1], 4);
    }
    expect(libc.bindTo(fd, address, address.length)).toBe(0);
    expect(libc.listen(fd, 8)).toBe(0);
    return fd;
  }

  /** A port that a program asked for by number is kept where one that the kernel chose is given up. */
  function bindByNumber(type: number): { fd: number; bytes: Uint8Array } {
    const finder = libc.socket(AF_INET, type | CLOEXEC, 0);
    expect(libc.bindTo(finder, ANYTHING, 16)).toBe(0);
    const { bytes } = nameOf(finder);
    libc.close(finder);
    const fd = keep(libc.socket(AF_INET, type | CLOEXEC, 0));
    expect(libc.bindTo(fd, bytes, 16)).toBe(0);
    return { fd, bytes };
  }

  /** Sends FIN and waits for its acknowledgement, which the other side may delay by 40 ms: until then it is FIN-WAIT-1. */
  async function finished(fd: number): Promise<void> {
    libc.shutdown(fd, 1);
    const info = new Uint8Array(8);
    await expect
      .poll(() => {
        libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, libc.int32(8));
        return info[0];
      })
      .toBe(FIN_WAIT_2);
  }

  function letGo(fd: number): void {
    open.splice(open.indexOf(fd), 1);
    libc.close(fd);
  }

  function connectTo(port: number): number {
    const fd = keep(libc.socket(AF_INET, SOCK_STREAM | CLOEXEC, 0));
    expect(
      libc.connect(
        fd,
        Uint8Array.of(AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
        16,
      ),
    ).toBe(0);
    return fd;
  }

  const at = (port: number, address = '127.0.0.1'): { address: string; port: number } => ({ address, port });

  function pair(): { client: number; server: number; identity: SocketIdentity } {
    const listener = listening(4);
    const port = nameOf(listener).port;
    const client = connectTo(port);
    const server = keep(libc.accept4(listener, null, null, CLOEXEC));
    const which = { ...identity, local: at(nameOf(client).port), peer: at(port), cookie: cookieOf(client) };
    return { client, server, identity: which };
  }

  it('a connection: ECONNABORTED here, then end of file and EPIPE; ECONNRESET there; the second time it is gone', () => {
    const { client, server, identity: which } = pair();
    expect(destroySocket(which)).toBe(0);
    expect([read(client), read(client), write(client)]).toEqual([-ECONNABORTED, 0, -EPIPE]);
    expect([read(server), read(server)]).toEqual([-ECONNRESET, 0]);
    expect(destroySocket(which)).toBe(-ENOENT);
  });

  it('data that had arrived is read before the error', () => {
    const { client, server, identity: which } = pair();
    expect(write(server)).toBe(1);
    expect(destroySocket(which)).toBe(0);
    expect([read(client), read(client)]).toEqual([1, -ECONNABORTED]);
  });

  it('in CLOSE-WAIT: end of file goes on, the write fails; the other side, FIN-WAIT-2, gets ECONNRESET', () => {
    const { client, server, identity: which } = pair();
    libc.shutdown(server, 1);
    expect(destroySocket(which)).toBe(0);
    expect([read(client), write(client), write(client)]).toEqual([0, -ECONNABORTED, -EPIPE]);
    expect(read(server)).toBe(-ECONNRESET);
  });

  it('in FIN-WAIT-2: ECONNABORTED here; the other side keeps its end of file and gets EPIPE', async () => {
    const { client, server, identity: which } = pair();
    await finished(client);
    expect(destroySocket(which)).toBe(0);
    expect([read(client), write(client)]).toEqual([-ECONNABORTED, -EPIPE]);
    expect([read(server), write(server)]).toEqual([0, -EPIPE]);
  });

  it('in FIN-WAIT-2 as a mini socket it goes without a packet: what the other side sends next gets RST', async () => {
    const { client, server, identity: which } = pair();
    await finished(client);
    // close() after the FIN was acknowledged is what shrinks it (tcp_close → tcp_time_wait).
    letGo(client);
    expect(destroySocket(which)).toBe(0);
    expect([read(server), write(server), write(server), read(server)]).toEqual([0, 1, -EPIPE, 0]);
  });

  it('in TIME-WAIT it goes, and nobody is told', () => {
    const { client, server, identity: which } = pair();
    letGo(client);
    letGo(server);
    expect(destroySocket(which)).toBe(0);
    expect(destroySocket(which)).toBe(-ENOENT);
  });

  it('in SYN-SENT: connect fails with ECONNABORTED', () => {
    const { fd: listener, bytes } = bindByNumber(SOCK_STREAM);
    expect(libc.listen(listener, 0)).toBe(0);
    const port = u16be(bytes, 2);
    connectTo(port);
    // The accept queue of one is full: the next SYN is dropped.
    const fd = keep(libc.socket(AF_INET, SOCK_STREAM | CLOEXEC | NONBLOCK, 0));
    expect(libc.connect(fd, bytes, 16)).toBe(-EINPROGRESS);
    expect(errorOf(fd)).toBe(0);
    const which = { ...identity, local: at(nameOf(fd).port), peer: at(port), cookie: cookieOf(fd) };
    expect(destroySocket(which)).toBe(0);
    expect(errorOf(fd)).toBe(ECONNABORTED);
  });

  it('another cookie at the same addresses is not hit', () => {
    const { client, server, identity: which } = pair();
    expect(destroySocket({ ...which, cookie: '00000000deadbeef' })).toBeLessThan(0);
    expect([read(client), read(server)]).toEqual([-EAGAIN, -EAGAIN]);
  });

  it('an IPv6 socket that talks IPv4', () => {
    const listener = listening(6);
    const port = nameOf(listener).port;
    const client = connectTo(port);
    const server = keep(libc.accept4(listener, null, null, CLOEXEC));
    const mapped = '::ffff:127.0.0.1';
    const which: SocketIdentity = {
      family: 6,
      protocol: 'tcp',
      local: at(port, mapped),
      peer: at(nameOf(client).port, mapped),
      cookie: cookieOf(server),
    };
    expect(destroySocket(which)).toBe(0);
    expect([read(server), read(client)]).toEqual([-ECONNABORTED, -ECONNRESET]);
  });

  it('a listener: accept says EINVAL, those in its queue get RST, its port stays bound, and it can listen again', () => {
    const { fd: listener } = bindByNumber(SOCK_STREAM);
    expect(libc.listen(listener, 8)).toBe(0);
    const port = nameOf(listener).port;
    const waiting = connectTo(port);
    const which = { ...identity, local: at(port), peer: at(0, '0.0.0.0'), cookie: cookieOf(listener) };
    expect(destroySocket(which)).toBe(0);
    expect(libc.accept4(listener, null, null, CLOEXEC | NONBLOCK)).toBe(-EINVAL);
    expect(errorOf(listener)).toBe(ECONNABORTED);
    expect(read(waiting)).toBe(-ECONNRESET);
    const other = keep(libc.socket(AF_INET, SOCK_STREAM | CLOEXEC, 0));
    expect(libc.bindTo(other, nameOf(listener).bytes, 16)).toBe(-EADDRINUSE);
    expect(libc.listen(listener, 8)).toBe(0);
    connectTo(port);
  });

  it('a listener on a port that the kernel chose: the port is given up', () => {
    const listener = listening(4);
    const { port, bytes } = nameOf(listener);
    const which = { ...identity, local: at(port), peer: at(0, '0.0.0.0'), cookie: cookieOf(listener) };
    expect(destroySocket(which)).toBe(0);
    const other = keep(libc.socket(AF_INET, SOCK_STREAM | CLOEXEC, 0));
    expect(libc.bindTo(other, bytes, 16)).toBe(0);
  });

  it('a bound UDP socket: one call fails, and it stays bound and works on', () => {
    const { fd, bytes } = bindByNumber(SOCK_DGRAM);
    const { port } = nameOf(fd);
    const udp: SocketIdentity = { ...identity, protocol: 'udp', local: at(port), peer: at(0, '0.0.0.0') };
    expect(destroySocket({ ...udp, cookie: cookieOf(fd) })).toBe(0);
    expect([read(fd), read(fd)]).toEqual([-ECONNABORTED, -EAGAIN]);
    const sender = keep(libc.socket(AF_INET, SOCK_DGRAM | CLOEXEC, 0));
    expect(libc.connect(sender, bytes, 16)).toBe(0);
    expect([write(sender), read(fd)]).toEqual([1, 1]);
  });

  it('a connected UDP socket loses its peer and the port that the kernel chose: a read gets ECONNABORTED, writes EDESTADDRREQ', () => {
    const server = keep(libc.socket(AF_INET, SOCK_DGRAM | CLOEXEC, 0));
    expect(libc.bindTo(server, ANYTHING, 16)).toBe(0);
    const fd = keep(libc.socket(AF_INET, SOCK_DGRAM | CLOEXEC, 0));
    expect(libc.connect(fd, nameOf(server).bytes, 16)).toBe(0);
    const which: SocketIdentity = {
      ...identity,
      protocol: 'udp',
      local: at(nameOf(fd).port),
      peer: at(nameOf(server).port),
      cookie: cookieOf(fd),
    };
    expect(destroySocket(which)).toBe(0);
    expect(nameOf(fd).port).toBe(0);
    expect([write(fd), read(fd), read(fd)]).toEqual([-EDESTADDRREQ, -ECONNABORTED, -EAGAIN]);
  });

  it('tells those who listen which sockets it freed', async () => {
    const watching = openDestroyed();
    expect(watching).toBeGreaterThanOrEqual(0);
    const fd = libc.socket(AF_INET, SOCK_STREAM | CLOEXEC, 0);
    expect(libc.bindTo(fd, ANYTHING, 16)).toBe(0);
    expect(libc.listen(fd, 1)).toBe(0);
    const { port } = nameOf(fd);
    libc.close(fd);
    const ports: number[] = [];
    await expect
      .poll(() => {
        const { messages, errno } = readDestroyed(watching);
        expect(errno).toBe(0);
        for (const message of messages) {
          walkMessages(message, 0, message.length, (start) =>
            ports.push(u16be(message, start + INET.sourcePort)),
          );
        }
        return ports;
      })
      .toContain(port);
    closeSockDiag(watching);
  });
});
