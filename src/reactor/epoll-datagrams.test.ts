import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytes, ok, openDescriptors, until } from '../../test/epoll-peers.ts';
import { needs } from '../../test/needs.ts';
import { createEpollReactor, type EpollReactor } from './epoll.ts';
import type { Address, DatagramEvents, Datagrams } from './reactor.ts';

const isOurs = needs('linux').missing === null;
const LOOPBACK: Address = { kind: 'udp', host: '127.0.0.1', port: 0 };

let reactor: EpollReactor;
let descriptors: number;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'epoll-'));
  descriptors = openDescriptors();
  reactor = ok(createEpollReactor());
});

afterEach(() => {
  reactor.close();
  expect(openDescriptors()).toBe(descriptors);
  rmSync(folder, { recursive: true });
});

class Ear implements DatagramEvents {
  heard: string[] = [];
  from: Address[] = [];
  errors: number[] = [];

  datagram(from: Address, data: Uint8Array, length: number): void {
    this.heard.push(new TextDecoder().decode(data.subarray(0, length)));
    this.from.push(from);
  }

  error(errno: number): void {
    this.errors.push(errno);
  }
}

function say(socket: Datagrams, text: string, to: Address | null): void {
  expect(socket.send(bytes(text), 0, text.length, to)).toBe(text.length);
}

describe.skipIf(!isOurs)('datagrams', () => {
  it('go there and come back over IPv4, IPv6 and UNIX names, the empty one as well', () => {
    const pairs: [Address, Address][] = [
      [LOOPBACK, LOOPBACK],
      [
        { kind: 'udp', host: '::1', port: 0 },
        { kind: 'udp', host: '::1', port: 0 },
      ],
      [
        { kind: 'unix', path: join(folder, 'a') },
        { kind: 'unix', path: `@sockscope-udp-${process.pid}` },
      ],
    ];
    for (const [serverAddress, clientAddress] of pairs) {
      const serverEar = new Ear();
      const clientEar = new Ear();
      const server = ok(reactor.datagrams(serverAddress, null, serverEar));
      const client = ok(reactor.datagrams(clientAddress, server.address, clientEar));
      say(client, 'ping', null);
      say(client, '', null);
      until(reactor, () => serverEar.heard.length === 2);
      expect(serverEar.heard).toEqual(['ping', '']);
      expect(serverEar.from[0]).toEqual(client.address);
      say(server, 'pong', serverEar.from[0]!);
      until(reactor, () => clientEar.heard.length === 1);
      expect(clientEar.from[0]).toEqual(server.address);
      server.close();
      client.close();
    }
    expect(existsSync(join(folder, 'a'))).toBe(false);
  });

  it('a sender is the same object every time, also between datagrams of others', () => {
    const ear = new Ear();
    const server = ok(reactor.datagrams(LOOPBACK, null, ear));
    const clients = [1, 2, 3].map(() => ok(reactor.datagrams(LOOPBACK, server.address, new Ear())));
    for (let round = 0; round < 2; round++) {
      for (const client of clients) {
        say(client, 'x', null);
      }
    }
    until(reactor, () => ear.heard.length === 6);
    expect(ear.from[3]).toBe(ear.from[0]);
    expect(ear.from[5]).toBe(ear.from[2]);
    expect(ear.from.slice(0, 3)).toEqual(clients.map((client) => client.address));
  });

  it('more than one turn takes all arrive', () => {
    const ear = new Ear();
    const server = ok(reactor.datagrams(LOOPBACK, null, ear));
    const client = ok(reactor.datagrams(null, server.address, new Ear()));
    for (let count = 0; count < 150; count++) {
      say(client, String(count), null);
    }
    until(reactor, () => ear.heard.length === 150);
    expect(ear.heard[149]).toBe('149');
  });

  it('nobody there is told as ECONNREFUSED, and the datagram after it is still sent', () => {
    const gone = ok(reactor.datagrams(LOOPBACK, null, new Ear()));
    gone.close();
    const ear = new Ear();
    const client = ok(reactor.datagrams(null, gone.address, ear));
    say(client, 'first', null);
    until(reactor, () => ear.errors.length === 1);
    expect(ear.errors).toEqual([-111]);
    say(client, 'second', null);
    const lateEar = new Ear();
    ok(reactor.datagrams(gone.address, null, lateEar));
    say(client, 'third', null);
    until(reactor, () => lateEar.heard.length === 1);
    expect(ear.errors).toEqual([-111, -111]);
    expect(lateEar.heard).toEqual(['third']);
  });

  it('the largest UDP datagram passes, one byte more is EMSGSIZE', () => {
    const ear = new Ear();
    const server = ok(reactor.datagrams(LOOPBACK, null, ear));
    const client = ok(reactor.datagrams(null, server.address, new Ear()));
    const large = new Uint8Array(65508).fill(0x61);
    expect(client.send(large, 0, 65507, null)).toBe(65507);
    expect(client.send(large, 0, 65508, null)).toBe(-90);
    until(reactor, () => ear.heard.length === 1);
    expect(ear.heard[0]!.length).toBe(65507);
  });

  it('a socket may be closed in its own event, and sends nothing afterwards', () => {
    const ear = new Ear();
    const server = ok(reactor.datagrams(LOOPBACK, null, ear));
    const client = ok(reactor.datagrams(null, server.address, new Ear()));
    const record = ear.datagram.bind(ear);
    ear.datagram = (from, data, length) => {
      record(from, data, length);
      server.close();
    };
    say(client, '1', null);
    say(client, '2', null);
    until(reactor, () => ear.heard.length > 0);
    expect(ear.heard).toEqual(['1']);
    expect(server.send(bytes('x'), 0, 1, client.address)).toBe(-9);
  });

  it('what cannot be is a number', () => {
    const ear = new Ear();
    expect(reactor.datagrams(null, null, ear)).toBe(-22);
    expect(reactor.datagrams({ kind: 'tcp', host: '127.0.0.1', port: 0 }, null, ear)).toBe(-22);
    expect(reactor.datagrams(LOOPBACK, { kind: 'udp', host: '::1', port: 1 }, ear)).toBe(-97);
    expect(reactor.datagrams({ kind: 'udp', host: '203.0.113.1', port: 0 }, null, ear)).toBe(-99);
    const server = ok(reactor.datagrams(LOOPBACK, null, ear));
    expect(server.send(bytes('x'), 0, 1, null)).toBe(-89);
    expect(server.send(bytes('x'), 0, 1, { kind: 'unix', path: '@x' })).toBe(-97);
    expect(server.send(bytes('x'), 0, 2, server.address)).toBe(-22);
    expect(reactor.datagrams(server.address, null, ear)).toBe(-98);
  });
});
