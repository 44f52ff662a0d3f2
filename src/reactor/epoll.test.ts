import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  accepting,
  bytes,
  Deaf,
  Ear,
  fdOf,
  LOOPBACK,
  ok,
  openDescriptors,
  pair,
  say,
  until,
} from '../../test/epoll-peers.ts';
import { needs } from '../../test/needs.ts';
import { duplicate } from '../kernel/epoll.ts';
import { send, write } from '../kernel/libc.ts';
import { createEpollReactor, type EpollReactor } from './epoll.ts';
import { type Address, AGAIN, type Stream, type StreamEvents } from './reactor.ts';

const isOurs = needs('linux').missing === null;

let reactor: EpollReactor;
let descriptors: number;

beforeEach(() => {
  descriptors = openDescriptors();
  reactor = ok(createEpollReactor());
});

afterEach(() => {
  reactor.close();
  expect(openDescriptors()).toBe(descriptors);
});

describe.skipIf(!isOurs)('streams', () => {
  it('a connection stands only after connect returned, and both ends know the addresses', () => {
    const ear = new Ear();
    let server: Stream | null = null;
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting((stream) => {
          server = stream;
          return ear;
        }),
      ),
    );
    const clientEar = new Ear();
    const client = ok(reactor.connect(listener.address, {}, clientEar));
    expect(clientEar.result).toBe(null);
    until(reactor, () => clientEar.result === 0 && server !== null);
    expect(client.remote).toEqual(listener.address);
    expect(server!.local).toEqual(listener.address);
    expect(server!.remote).toEqual(client.local);
    expect((client.local as { port: number }).port).toBeGreaterThan(0);
  });

  it('bytes cross both ways over IPv4, IPv6, a path and an abstract name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'epoll-'));
    const addresses: Address[] = [
      LOOPBACK,
      { kind: 'tcp', host: '::1', port: 0 },
      { kind: 'unix', path: join(folder, 's') },
      { kind: 'unix', path: `@sockscope-test-${process.pid}` },
    ];
    for (const address of addresses) {
      const { listener, client, server, clientEar, serverEar } = pair(reactor, address);
      say(client, 'to the server');
      say(server, 'to the client');
      until(reactor, () => serverEar.heard.length > 0 && clientEar.heard.length > 0);
      expect(serverEar.heard).toEqual(['to the server']);
      expect(clientEar.heard).toEqual(['to the client']);
      listener.close();
    }
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('reads and writes at offsets touch nothing else, and wrong ones are EINVAL', () => {
    const { client, server } = pair(reactor, LOOPBACK, {}, new Deaf());
    const out = bytes('..hello..');
    expect(client.write(out, 2, 7)).toBe(5);
    const into = new Uint8Array(16).fill(0x2e);
    until(reactor, () => server.read(into, 3, 8) !== AGAIN);
    expect(new TextDecoder().decode(into)).toBe('...hello........');
    const behind = new Uint8Array(into.buffer, 4, 8);
    expect(client.write(out, 2, 4)).toBe(2);
    until(reactor, () => server.read(behind, 6, 8) !== AGAIN);
    expect(new TextDecoder().decode(into)).toBe('...hello..he....');
    expect(server.read(into, 3, 17)).toBe(-22);
    expect(server.read(into, 3, 3)).toBe(-22);
    expect(client.write(out, 0, 10)).toBe(-22);
    expect(client.write(out, -1, 3)).toBe(-22);
  });

  it('FIN ends one direction; the other stays open as long as it likes', () => {
    const { client, server, clientEar, serverEar } = pair(reactor);
    say(client, 'request');
    expect(client.shutdown()).toBe(0);
    until(reactor, () => serverEar.heard.includes('FIN'));
    expect(serverEar.heard).toEqual(['request', 'FIN']);
    expect(server.hungUp).toBe(true);
    expect(client.hungUp).toBe(false);
    const told = serverEar.told;
    say(server, 'answer');
    until(reactor, () => clientEar.heard.length === 1);
    say(server, 'more');
    until(reactor, () => clientEar.heard.length === 2);
    server.close();
    until(reactor, () => clientEar.heard.includes('FIN'));
    expect(clientEar.heard).toEqual(['answer', 'more', 'FIN']);
    expect(serverEar.told).toBe(told);
  });

  it('FIN at both sides at once is FIN at both sides', () => {
    const { client, server, clientEar, serverEar } = pair(reactor);
    client.shutdown();
    server.shutdown();
    until(reactor, () => clientEar.heard.length > 0 && serverEar.heard.length > 0);
    expect([clientEar.heard, serverEar.heard]).toEqual([['FIN'], ['FIN']]);
  });

  it('what came before RST is read first, then ECONNRESET, and again ECONNRESET', () => {
    const { client, server, serverEar } = pair(reactor);
    say(client, 'last words');
    client.reset();
    until(reactor, () => serverEar.heard.length > 0);
    expect(serverEar.heard).toEqual(['last words', -104]);
    expect(server.read(new Uint8Array(8), 0, 8)).toBe(-104);
    expect(server.write(bytes('x'), 0, 1)).toBe(-32);
  });

  it('a write that hears of RST first does not make the reader believe in FIN', () => {
    const { client, server } = pair(reactor, LOOPBACK, {}, new Deaf());
    client.reset();
    let result = 1;
    until(reactor, () => {
      result = server.write(bytes('x'), 0, 1);
      return result < 0;
    });
    expect(result).toBe(-104);
    expect(server.read(new Uint8Array(8), 0, 8)).toBe(-104);
    expect(server.write(bytes('x'), 0, 1)).toBe(-32);
  });

  it('RST behind FIN is told after FIN', () => {
    const { client, serverEar } = pair(reactor);
    say(client, 'a');
    client.shutdown();
    until(reactor, () => serverEar.heard.includes('FIN'));
    client.reset();
    until(reactor, () => serverEar.heard.length > 2);
    expect(serverEar.heard).toEqual(['a', 'FIN', -104]);
  });

  it('data, FIN and RST that are all there before anybody looks are told in this order', () => {
    const { client, serverEar } = pair(reactor);
    say(client, 'a');
    client.shutdown();
    client.reset();
    until(reactor, () => serverEar.heard.length > 2);
    expect(serverEar.heard).toEqual(['a', 'FIN', -104]);
  });

  it('close with bytes unread is RST for the peer', () => {
    const { client, server, serverEar, clientEar } = pair(reactor, LOOPBACK, {}, new Deaf());
    say(client, 'never read');
    until(reactor, () => serverEar.told > 0);
    server.close();
    until(reactor, () => clientEar.heard.length > 0);
    expect(clientEar.heard).toEqual([-104]);
    expect(client.read(new Uint8Array(8), 0, 8)).toBe(-104);
  });

  it('a full peer takes less than it is given, and writable comes once it reads', () => {
    const { client, clientEar, server } = pair(reactor, LOOPBACK, {}, new Deaf());
    const chunk = new Uint8Array(1 << 20);
    let sent = 0;
    for (let taken = 0; taken !== AGAIN; sent += Math.max(0, taken)) {
      taken = client.write(chunk, 0, chunk.length);
    }
    reactor.turn(0);
    expect(clientEar.room).toBe(0);
    let got = 0;
    until(reactor, () => {
      for (let read = 0; read >= 0; got += Math.max(0, read)) {
        read = server.read(chunk, 0, chunk.length);
      }
      return got === sent;
    });
    until(reactor, () => clientEar.room > 0);
    expect(clientEar.room).toBe(1);
  });

  it('a stream without a pending write is never told that there is room', () => {
    const { client, clientEar, serverEar } = pair(reactor);
    for (let round = 1; round <= 5; round++) {
      say(client, 'x');
      until(reactor, () => serverEar.heard.length === round);
    }
    expect(clientEar.room).toBe(0);
  });

  it('urgent data does not hide what comes behind it from a reader that stops at a short read', () => {
    const ear = new Deaf();
    const { client, server } = pair(reactor, LOOPBACK, { streamWishes: { oobinline: 1 } }, ear);
    say(client, 'before');
    expect(sendUrgent(fdOf(client))).toBe(1);
    say(client, 'after');
    until(reactor, () => ear.told >= 1);
    const into = new Uint8Array(64);
    const got = server.read(into, 0, 64);
    expect(new TextDecoder().decode(into.subarray(0, got))).toBe('before!after');
  });
});

/** MSG_OOB */
function sendUrgent(fd: number): number {
  return send(fd, bytes('!'), 1, 1);
}

describe.skipIf(!isOurs)('closing', () => {
  it('a stream may be closed in each of its own events', () => {
    const seen: string[] = [];
    const close = (stream: Stream, where: string) => {
      seen.push(where);
      stream.close();
    };
    const closing: StreamEvents = {
      connected: (stream) => close(stream, 'connected'),
      readable: (stream) => close(stream, 'readable'),
      writable: (stream) => close(stream, 'writable'),
    };
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting(() => closing),
      ),
    );
    reactor.connect(listener.address, {}, closing);
    until(reactor, () => seen.includes('connected') && seen.includes('readable'));
    const { client } = pair(reactor, LOOPBACK, {}, new Deaf());
    client.close();
    client.close();
    client.reset();
    expect(client.read(new Uint8Array(1), 0, 1)).toBe(-9);
    expect(client.write(new Uint8Array(1), 0, 1)).toBe(-9);
    expect(client.shutdown()).toBe(-9);
    expect(client.set('nodelay', 1)).toBe(-9);
    expect(client.get('nodelay')).toBe(-9);
  });

  it('an event for a descriptor that was closed and opened again in the same turn reaches nobody', () => {
    const first = pair(reactor, LOOPBACK, {}, new Deaf());
    const second = pair(reactor, LOOPBACK, {}, new Deaf());
    const heirEar = new Ear();
    let heir: Stream | null = null;
    // Both servers have an event in one batch. Whoever is first closes both and connects anew: descriptors are the lowest free.
    const takeOver = () => {
      if (heir === null) {
        first.server.close();
        second.server.close();
        heir = ok(reactor.connect(first.listener.address, {}, heirEar));
        reactor.connect(second.listener.address, {}, heirEar);
        heirEar.result = null;
      }
    };
    first.serverEar.readable = takeOver;
    second.serverEar.readable = takeOver;
    const reused = [first.server, second.server].map((stream) => fdOf(stream));
    say(first.client, 'x');
    say(second.client, 'x');
    reactor.turn(100);
    expect(reused).toContain(fdOf(heir!));
    expect(heirEar.result).toBe(null);
    until(reactor, () => heirEar.result !== null);
    expect(heirEar.result).toBe(0);
    expect(heirEar.told).toBe(0);
  });

  it('closing the reactor in the middle of a turn ends it', () => {
    const { client, serverEar } = pair(reactor);
    serverEar.readable = () => reactor.close();
    say(client, 'x');
    let later = 0;
    reactor.soon(() => {
      later++;
    });
    reactor.turn(100);
    reactor.turn(100);
    expect(later).toBeLessThanOrEqual(1);
    expect(reactor.turn(0)).toBe(0);
    expect(openDescriptors()).toBe(descriptors);
  });
});

describe.skipIf(!isOurs)('connecting', () => {
  it('nobody there is ECONNREFUSED, and the stream is closed by then', () => {
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting(() => null),
      ),
    );
    listener.close();
    const ear = new Ear();
    const stream = ok(reactor.connect(listener.address, {}, ear));
    expect(ear.result).toBe(null);
    until(reactor, () => ear.result !== null);
    expect(ear.result).toBe(-111);
    expect(stream.write(bytes('x'), 0, 1)).toBe(-9);
    expect(ear.told).toBe(0);
  });

  it('a path without a file is ENOENT, a stale one ECONNREFUSED, told later as well', () => {
    const folder = mkdtempSync(join(tmpdir(), 'epoll-'));
    const ear = new Ear();
    reactor.connect({ kind: 'unix', path: join(folder, 'nothing') }, {}, ear);
    expect(ear.result).toBe(null);
    until(reactor, () => ear.result !== null);
    expect(ear.result).toBe(-2);
    rmSync(folder, { recursive: true });
  });

  it('what cannot even begin is a number', () => {
    const ear = new Ear();
    expect(reactor.connect({ kind: 'tcp', host: 'localhost', port: 1 }, {}, ear)).toBe(-22);
    expect(reactor.connect({ kind: 'udp', host: '127.0.0.1', port: 1 }, {}, ear)).toBe(-22);
    expect(reactor.connect({ kind: 'unix', path: `/${'x'.repeat(200)}` }, {}, ear)).toBe(-36);
    const port = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
    expect(reactor.connect(port, { wishes: { nonsense: 1 } }, ear)).toBe(-92);
    const source = { kind: 'tcp', host: '203.0.113.1', port: 0 } as const;
    expect(reactor.connect(port, { source }, ear)).toBe(-99);
    expect(reactor.connect(port, { source: { kind: 'tcp', host: '::1', port: 0 } }, ear)).toBe(-97);
  });

  it('connects from the address it was told to', () => {
    let remote: Address | null = null;
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting((stream) => {
          remote = stream.remote;
          return new Ear();
        }),
      ),
    );
    reactor.connect(listener.address, { source: { kind: 'tcp', host: '127.0.0.9', port: 0 } }, new Ear());
    until(reactor, () => remote !== null);
    expect(remote).toMatchObject({ host: '127.0.0.9' });
  });

  it('an accepted connection that nobody wants is reset: it stood, then ECONNRESET', () => {
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting(() => null),
      ),
    );
    const ear = new Ear();
    reactor.connect(listener.address, {}, ear);
    until(reactor, () => ear.heard.length > 0);
    expect(ear.result).toBe(0);
    expect(ear.heard).toEqual([-104]);
  });

  it('a connection reset before the client looked stood all the same', () => {
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting(() => null),
      ),
    );
    const other = ok(createEpollReactor());
    const ear = new Ear();
    const stream = ok(other.connect(listener.address, {}, ear));
    reactor.turn(100);
    other.turn(100);
    expect(ear.result).toBe(0);
    expect(ear.heard).toEqual([-104]);
    expect(stream.hungUp).toBe(true);
    other.close();
  });

  it('a UNIX listener with a full queue keeps the caller waiting, as connect(2) would', () => {
    const address = { kind: 'unix', path: `@sockscope-full-${process.pid}` } as const;
    const other = ok(createEpollReactor());
    ok(
      other.listen(
        address,
        { backlog: 0 },
        accepting(() => new Ear()),
      ),
    );
    const ears = Array.from({ length: 4 }, () => new Ear());
    for (const ear of ears) {
      reactor.connect(address, {}, ear);
    }
    reactor.turn(10);
    expect(ears.filter((ear) => ear.result === null).length).toBeGreaterThan(0);
    until(reactor, () => {
      other.turn(0);
      return ears.every((ear) => ear.result === 0);
    });
    other.close();
  });
});

describe.skipIf(!isOurs)('adopting', () => {
  it('takes over a connected descriptor, knows its addresses, and closes it', () => {
    const { client, clientEar, server } = pair(reactor, LOOPBACK, {}, new Deaf());
    const ear = new Ear();
    const adopted = ok(reactor.adopt(duplicate(fdOf(server)), ear));
    const [local, remote] = [server.local, server.remote];
    server.close();
    say(client, 'hello');
    until(reactor, () => ear.heard.length > 0);
    say(adopted, 'hello yourself');
    until(reactor, () => clientEar.heard.length > 0);
    expect([ear.heard, clientEar.heard]).toEqual([['hello'], ['hello yourself']]);
    expect([adopted.local, adopted.remote]).toEqual([local, remote]);
    adopted.close();
    until(reactor, () => clientEar.heard.includes('FIN'));
  });

  it('what is no connected stream socket stays with its owner', () => {
    const listener = ok(
      reactor.listen(
        LOOPBACK,
        {},
        accepting(() => null),
      ),
    ) as unknown as Stream;
    expect(reactor.adopt(fdOf(listener), new Ear())).toBe(-107);
    expect(reactor.adopt(reactor.wakeFd, new Ear())).toBe(-88);
    expect(reactor.adopt(-1, new Ear())).toBe(-9);
  });
});

describe.skipIf(!isOurs)('timers, turns and waking', () => {
  it('soon runs in the next turn and does not wait; what it puts off waits for the one after', () => {
    const order: number[] = [];
    reactor.soon(() => {
      order.push(1);
      reactor.soon(() => order.push(2));
    });
    reactor.turn(-1);
    expect(order).toEqual([1]);
    reactor.turn(-1);
    expect(order).toEqual([1, 2]);
  });

  it('a timer ends the wait, not before its time', () => {
    const from = reactor.now();
    let at = 0;
    reactor.after(15e6, () => {
      at = reactor.now();
    });
    reactor.after(1e6, () => {}).cancel();
    reactor.run(() => at > 0);
    expect(at - from).toBeGreaterThanOrEqual(15e6);
  });

  it('eight bytes into wakeFd end the wait; several writes before the turn are one waking', () => {
    let woken = 0;
    reactor.onWake = () => {
      woken++;
      reactor.stop();
    };
    const one = new Uint8Array(8);
    one[0] = 1;
    for (let round = 1; round <= 3; round++) {
      expect(write(reactor.wakeFd, one, 8)).toBe(8);
      expect(write(reactor.wakeFd, one, 8)).toBe(8);
      reactor.run();
      expect(woken).toBe(round);
    }
    expect(reactor.turn(0)).toBe(0);
  });

  it('times are those of the clock it was given, and stand still during a turn', () => {
    let time = 1000;
    const clocked = ok(createEpollReactor({ clock: { now: () => time++ } }));
    const seen: number[] = [];
    clocked.soon(() => seen.push(clocked.now(), clocked.now(), clocked.refresh()));
    clocked.turn(0);
    expect(seen[0]).toBeGreaterThanOrEqual(1000);
    expect(seen[1]).toBe(seen[0]);
    expect(seen[2]).toBe(seen[0]! + 1);
    clocked.close();
  });
});
