/** What every reactor promises, as tests. contract.test.ts runs them on each. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as libc from '../kernel/libc.ts';
import {
  type Address,
  AGAIN,
  type DatagramEvents,
  type Datagrams,
  type Listener,
  type ListenerEvents,
  type Reactor,
  type Stream,
  type StreamEvents,
} from './reactor.ts';

export interface Driver {
  readonly reactor: Reactor;
  /** One turn of the loop, a few milliseconds at most. */
  turn(): Promise<void>;
  close(): Promise<void>;
}

const MS = 1_000_000;
const PATIENCE_MS = 15_000;
const LOCAL: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };
const LOCAL_UDP: Address = { kind: 'udp', host: '127.0.0.1', port: 0 };
const ECONNRESET = -104;
const ECONNREFUSED = -111;
/** More than the buffers of both ends can grow to by themselves (tcp_wmem and tcp_rmem), and Node's. */
const BOUND = 32 * 1024 * 1024;

/** One end of a connection, which remembers what it was told. */
class Peer implements StreamEvents {
  stream: Stream | null = null;
  result: number | null = null;
  reading = true;
  /** Stops at a short read, as the contract allows, instead of reading until AGAIN. */
  lazy = false;
  buffer = new Uint8Array(16 * 1024);
  readonly #chunks: Uint8Array[] = [];
  received = 0;
  ended = false;
  error = 0;
  told = 0;
  rooms = 0;
  #outbox: Uint8Array | null = null;
  sent = 0;
  #step = 0;
  #thenShut = false;

  connected(stream: Stream, result: number): void {
    this.stream = stream;
    this.result = result;
  }

  readable(stream: Stream): void {
    this.told++;
    this.stream = stream;
    if (this.reading) {
      this.pull();
    }
  }

  pull(): void {
    const { stream, buffer } = this;
    while (stream !== null && !this.ended && this.error === 0) {
      const { hungUp } = stream;
      const count = stream.read(buffer, 0, buffer.length);
      if (count === AGAIN) {
        return;
      }
      this.ended = count === 0;
      this.error = Math.min(0, count);
      if (count > 0) {
        this.received += count;
        this.#chunks.push(buffer.slice(0, count));
      }
      if (this.lazy && count < buffer.length && !hungUp && !stream.hungUp) {
        return;
      }
    }
  }

  writable(): void {
    this.rooms++;
    this.push();
  }

  /** Sends all of it, `step` bytes at a time, as there is room. */
  send(bytes: Uint8Array, step: number, thenShut: boolean): void {
    this.#outbox = bytes;
    this.sent = 0;
    this.#step = step;
    this.#thenShut = thenShut;
    this.push();
  }

  push(): void {
    const outbox = this.#outbox;
    while (outbox !== null && this.sent < outbox.length) {
      const given = outbox.slice(this.sent, this.sent + this.#step);
      const count = this.stream!.write(given, 0, given.length);
      // The bytes are ours again: whoever still looks at them sees something else.
      given.fill(0xee);
      if (count < 0) {
        this.error = count === AGAIN ? this.error : count;
        return;
      }
      this.sent += count;
      if (count < given.length) {
        return;
      }
    }
    if (outbox !== null && this.#thenShut) {
      this.#thenShut = false;
      this.stream!.shutdown();
    }
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

class Door implements ListenerEvents {
  readonly peers: Peer[] = [];
  #prepare: (peer: Peer) => void;

  constructor(prepare: (peer: Peer) => void = () => {}) {
    this.#prepare = prepare;
  }

  accepted(stream: Stream): StreamEvents | null {
    const peer = new Peer();
    peer.stream = stream;
    this.peers.push(peer);
    this.#prepare(peer);
    return peer;
  }

  paused(): void {}
  resumed(): void {}
}

/** The same bytes for the same seed; no two stretches alike. */
function noise(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function ok<T extends object>(made: T | number): T {
  expect(made).toBeTypeOf('object');
  return made as T;
}

function portOf(address: Address): number {
  return address.kind === 'unix' ? 0 : address.port;
}

export function contract(name: string, create: () => Driver): void {
  describe(`the contract of the reactor, on ${name}`, () => {
    let driver: Driver;
    let reactor: Reactor;
    const folder = mkdtempSync(join(tmpdir(), 'reactor-'));
    const linux = process.platform === 'linux';

    beforeEach(() => {
      driver = create();
      reactor = driver.reactor;
    });
    afterEach(() => driver.close());
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    async function until(condition: () => boolean, what: string): Promise<void> {
      const end = performance.now() + PATIENCE_MS;
      while (!condition()) {
        expect(performance.now(), `waited too long: ${what}`).toBeLessThan(end);
        await driver.turn();
      }
    }

    async function turns(count: number): Promise<void> {
      for (let turn = 0; turn < count; turn++) {
        await driver.turn();
      }
    }

    const listen = (door: ListenerEvents, address = LOCAL): Listener => ok(reactor.listen(address, {}, door));

    function dial(address: Address, peer = new Peer()): Peer {
      peer.stream = ok(reactor.connect(address, {}, peer));
      return peer;
    }

    async function pair(
      address = LOCAL,
      prepare?: (peer: Peer) => void,
    ): Promise<{ client: Peer; server: Peer; listener: Listener }> {
      const door = new Door(prepare);
      const listener = listen(door, address);
      const client = dial(listener.address);
      await until(() => client.result !== null && door.peers.length === 1, 'the connection');
      expect(client.result).toBe(0);
      return { client, server: door.peers[0]!, listener };
    }

    /** A port on which nobody listens. */
    function freePort(): Address {
      const listener = listen(new Door());
      listener.close();
      return listener.address;
    }

    it('carries any bytes, in any pieces, both ways at once', async () => {
      const size = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 400_000 }));
      const step = fc.oneof(fc.integer({ min: 100, max: 3000 }), fc.integer({ min: 3000, max: 300_000 }));
      await fc.assert(
        fc.asyncProperty(
          fc.integer(),
          size,
          size,
          step,
          step,
          fc.boolean(),
          async (seed, there, back, one, two, lazy) => {
            const { client, server, listener } = await pair();
            for (const [peer, room] of [
              [client, two],
              [server, one],
            ] as const) {
              peer.lazy = lazy;
              peer.buffer = new Uint8Array(room);
            }
            const asked = noise(seed, there);
            const answered = noise(seed + 1, back);
            client.send(asked, one, true);
            server.send(answered, two, true);
            await until(() => client.ended && server.ended, 'both directions to end');
            expect(server.bytes.equals(asked)).toBe(true);
            expect(client.bytes.equals(answered)).toBe(true);
            expect([client.error, server.error]).toEqual([0, 0]);
            client.stream!.close();
            server.stream!.close();
            listener.close();
          },
        ),
        { numRuns: 25 },
      );
    });

    it('a FIN one way leaves the other direction open', async () => {
      const { client, server } = await pair();
      client.send(noise(1, 1000), 1000, true);
      await until(() => server.ended, 'the FIN');
      expect(server.stream!.hungUp).toBe(true);
      expect(client.stream!.hungUp).toBe(false);
      await turns(5);
      const answer = noise(2, 500_000);
      server.send(answer, 65536, true);
      await until(() => client.ended, 'the answer');
      expect(client.bytes.equals(answer)).toBe(true);
      expect(client.stream!.write(answer, 0, 10)).toBe(-32);
    });

    it('a FIN that comes while nobody reads is found after the bytes before it', async () => {
      const { client, server } = await pair(LOCAL, (peer) => {
        peer.reading = false;
      });
      client.send(noise(1, 5000), 1000, true);
      await until(() => server.told > 0, 'something to read');
      server.reading = true;
      server.buffer = new Uint8Array(700);
      server.pull();
      await until(() => server.ended, 'the FIN');
      expect(server.received).toBe(5000);
    });

    it('an RST arrives as ECONNRESET, after the bytes before it', async () => {
      const { client, server } = await pair();
      client.reading = false;
      server.send(noise(3, 3000), 3000, false);
      await until(() => client.told > 0, 'the bytes');
      server.stream!.reset();
      await until(() => client.stream!.hungUp, 'the RST');
      client.reading = true;
      client.pull();
      expect(client.bytes.equals(noise(3, 3000))).toBe(true);
      expect(client.error).toBe(ECONNRESET);
      expect(client.ended).toBe(false);
    });

    it('before an RST come bytes as they were sent, however many nobody had read', async () => {
      const { client, server } = await pair();
      client.reading = false;
      const all = noise(3, BOUND);
      server.send(all, 128 * 1024, false);
      await until(() => client.told > 0, 'some bytes');
      await turns(10);
      server.stream!.reset();
      await turns(3);
      client.reading = true;
      client.pull();
      await until(() => client.error !== 0 || client.ended, 'the RST');
      expect(client.error).toBe(ECONNRESET);
      expect(client.received).toBeGreaterThan(0);
      expect(client.bytes.equals(all.subarray(0, client.received))).toBe(true);
    });

    it('a reset stream is told nothing more, and answers with an error', async () => {
      const { client, server } = await pair();
      server.stream!.reset();
      const { told } = server;
      await until(() => client.error !== 0, 'the RST');
      expect(server.told).toBe(told);
      expect(server.stream!.write(noise(1, 5), 0, 5)).toBeLessThan(AGAIN + 10);
      expect(server.stream!.read(new Uint8Array(5), 0, 5)).toBeLessThan(0);
      server.stream!.reset();
      server.stream!.close();
    });

    it('close sends what was written, then FIN', async () => {
      const { client, server } = await pair();
      server.send(noise(4, 60_000), 60_000, false);
      await until(() => server.sent === 60_000, 'the bytes to be taken');
      server.stream!.close();
      await until(() => client.ended || client.error !== 0, 'the end');
      expect(client.bytes.equals(noise(4, 60_000))).toBe(true);
      expect(client.error).toBe(0);
    });

    it('close with bytes unread sends RST', async () => {
      const { client, server } = await pair(LOCAL, (peer) => {
        peer.reading = false;
      });
      client.send(noise(5, 100), 100, false);
      await until(() => server.told > 0, 'the bytes');
      server.stream!.close();
      await until(() => client.ended || client.error !== 0, 'the end');
      expect(client.error).toBe(ECONNRESET);
    });

    it('a connection that nobody wants is reset', async () => {
      const listener = listen({ accepted: () => null, paused() {}, resumed() {} });
      const client = dial(listener.address);
      await until(() => client.result !== null && (client.result !== 0 || client.error !== 0), 'the RST');
      expect(client.result === 0 ? client.error : client.result).toBe(ECONNRESET);
    });

    it('a refused connection answers ECONNREFUSED, later, and once', async () => {
      const results: number[] = [];
      const stream = ok(
        reactor.connect(
          freePort(),
          {},
          {
            connected: (_, result) => void results.push(result),
            readable: () => void results.push(1),
            writable: () => void results.push(2),
          },
        ),
      );
      expect(results).toEqual([]);
      await until(() => results.length > 0, 'the answer');
      await turns(3);
      expect(results).toEqual([ECONNREFUSED]);
      expect(stream.read(new Uint8Array(5), 0, 5)).toBeLessThan(0);
      stream.close();
    });

    it('an address that is no address is refused at once', () => {
      const peer = new Peer();
      expect(reactor.connect({ kind: 'tcp', host: 'localhost', port: 80 }, {}, peer)).toBe(-22);
      expect(reactor.connect({ kind: 'tcp', host: '127.0.0.1', port: 70_000 }, {}, peer)).toBe(-22);
      expect(reactor.listen({ kind: 'tcp', host: 'example', port: 1 }, {}, new Door())).toBe(-22);
      expect(reactor.listen({ kind: 'tcp', host: '192.0.2.1', port: 0 }, {}, new Door())).toBe(-99);
    });

    it('what is written before the connection stands is sent, or waits for room', async () => {
      const door = new Door();
      const listener = listen(door);
      const client = new Peer();
      client.stream = ok(reactor.connect(listener.address, {}, client));
      client.send(noise(1, 10), 10, true);
      await until(() => door.peers[0]?.ended === true, 'the bytes');
      expect(client.result).toBe(0);
      expect(door.peers[0]!.bytes.equals(noise(1, 10))).toBe(true);
    });

    it('a stopped reader stops the writer, which is told when there is room again', async () => {
      const { client, server } = await pair(LOCAL, (peer) => {
        peer.reading = false;
        peer.buffer = new Uint8Array(256 * 1024);
      });
      const all = noise(6, 2 * BOUND);
      client.send(all, 128 * 1024, true);
      for (let before = -1; before !== client.sent; ) {
        before = client.sent;
        await turns(10);
      }
      expect(client.sent).toBeGreaterThan(0);
      expect(client.sent).toBeLessThan(BOUND);
      const { rooms } = client;
      server.reading = true;
      server.pull();
      await until(() => server.ended, 'all of it');
      expect(client.rooms).toBeGreaterThan(rooms);
      expect(server.bytes.equals(all)).toBe(true);
    });

    it('knows both addresses of a connection, and a port of 0 becomes a number', async () => {
      const { client, server, listener } = await pair();
      expect(portOf(listener.address)).toBeGreaterThan(0);
      expect(client.stream!.remote).toEqual(listener.address);
      expect(server.stream!.local).toEqual(listener.address);
      expect(server.stream!.remote).toEqual(client.stream!.local);
      expect(portOf(client.stream!.local)).toBeGreaterThan(0);
    });

    it.runIf(linux)('connects from the address it is told', async () => {
      const door = new Door();
      const listener = listen(door);
      const source: Address = { kind: 'tcp', host: '127.0.0.2', port: 0 };
      ok(reactor.connect(listener.address, { source }, new Peer()));
      await until(() => door.peers.length === 1, 'the connection');
      expect(door.peers[0]!.stream!.remote).toMatchObject({ host: '127.0.0.2' });
    });

    it('an address in use is EADDRINUSE', () => {
      const listener = listen(new Door());
      expect(reactor.listen(listener.address, {}, new Door())).toBe(-98);
    });

    it('a closed listener refuses; its connections live on', async () => {
      const { client, server, listener } = await pair();
      listener.close();
      listener.close();
      const late = dial(listener.address);
      await until(() => late.result !== null, 'the answer');
      expect(late.result).toBe(ECONNREFUSED);
      client.send(noise(7, 100), 100, true);
      await until(() => server.ended, 'the bytes');
      expect(server.received).toBe(100);
    });

    it('UNIX sockets have a path, a mode, and a FIN each way', async () => {
      const path = join(folder, `${name}.sock`);
      const door = new Door();
      const listener = ok(reactor.listen({ kind: 'unix', path }, { mode: 0o600 }, door));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const client = dial(listener.address);
      await until(() => door.peers.length === 1 && client.result !== null, 'the connection');
      const server = door.peers[0]!;
      expect(client.stream!.remote).toEqual({ kind: 'unix', path });
      expect(server.stream!.local).toEqual({ kind: 'unix', path });
      expect(server.stream!.remote).toEqual({ kind: 'unix', path: '' });
      client.send(noise(8, 300_000), 50_000, true);
      await until(() => server.ended, 'the bytes');
      server.send(noise(9, 1000), 1000, true);
      await until(() => client.ended, 'the answer');
      expect(server.bytes.equals(noise(8, 300_000))).toBe(true);
      expect(client.bytes.equals(noise(9, 1000))).toBe(true);
      expect(reactor.listen({ kind: 'unix', path }, {}, new Door())).toBe(-98);
      listener.close();
      const late = dial({ kind: 'unix', path });
      await until(() => late.result !== null, 'the answer');
      expect(late.result).toBe(-2);
    });

    it.runIf(linux)('UNIX sockets may have an abstract name', async () => {
      const path = `@sockscope contract ${name} ${process.pid}`;
      const { client, server } = await pair({ kind: 'unix', path });
      expect(server.stream!.local).toEqual({ kind: 'unix', path });
      client.send(noise(8, 100), 100, true);
      await until(() => server.ended, 'the bytes');
      expect(server.received).toBe(100);
    });

    it.runIf(linux)('takes over a descriptor that is connected already', async () => {
      const door = new Door();
      const listener = listen(door);
      const fd = libc.socket(2, 1 | 0o2000000, 0);
      const port = portOf(listener.address);
      const name4 = Uint8Array.of(2, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
      expect(libc.connect(fd, name4, 16)).toBe(0);
      const client = new Peer();
      client.stream = ok(reactor.adopt(fd, client));
      expect(client.stream.remote).toEqual(listener.address);
      await until(() => door.peers.length === 1, 'the connection');
      client.send(noise(10, 50_000), 9000, true);
      await until(() => door.peers[0]!.ended, 'the bytes');
      expect(door.peers[0]!.received).toBe(50_000);
      expect(reactor.adopt(-1, new Peer())).toBe(-9);
    });

    it('timers run in order, equal ones as they were added, and not when cancelled', async () => {
      const ran: string[] = [];
      const began = reactor.now();
      reactor.after(30 * MS, () => ran.push('third'));
      reactor.after(10 * MS, () => ran.push('first'));
      const cancelled = reactor.after(15 * MS, () => ran.push('cancelled'));
      reactor.after(20 * MS, () => {
        ran.push('second');
        cancelledLate.cancel();
      });
      const cancelledLate = reactor.after(25 * MS, () => ran.push('cancelled late'));
      cancelled.cancel();
      cancelled.cancel();
      await until(() => ran.length === 3, 'the timers');
      expect(reactor.now() - began).toBeGreaterThanOrEqual(30 * MS);
      await turns(5);
      expect(ran).toEqual(['first', 'second', 'third']);
    });

    it('soon is not now, comes in order, and what it asks for comes a turn later', async () => {
      const ran: string[] = [];
      reactor.soon(() => {
        ran.push('one');
        reactor.soon(() => ran.push('three'));
      });
      reactor.soon(() => ran.push('two'));
      expect(ran).toEqual([]);
      await until(() => ran.length === 3, 'soon');
      expect(ran).toEqual(['one', 'two', 'three']);
    });

    it('closing in one’s own callback is harmless, and nothing is told afterwards', async () => {
      const told: string[] = [];
      const ending = (end: (stream: Stream) => void, when: 'connected' | 'readable' | 'writable') => {
        let over = false;
        const hear = (what: string) => (stream: Stream) => {
          if (over) {
            told.push(`${what} after the end in ${when}`);
          }
          if (what === when) {
            over = true;
            end(stream);
          } else if (what === 'connected' && when === 'writable') {
            const much = new Uint8Array(256 * 1024);
            while (stream.write(much, 0, much.length) === much.length) {}
          }
        };
        return { connected: hear('connected'), readable: hear('readable'), writable: hear('writable') };
      };
      const door = new Door((peer) => {
        peer.stream!.write(noise(1, 100), 0, 100);
      });
      const listener = listen(door);
      const ends = [(stream: Stream) => stream.close(), (stream: Stream) => stream.reset()];
      for (const end of ends) {
        for (const when of ['connected', 'readable', 'writable'] as const) {
          ok(reactor.connect(listener.address, {}, ending(end, when)));
        }
      }
      await until(() => door.peers.length === 6, 'the connections');
      await until(() => door.peers.every((peer) => peer.ended || peer.error !== 0), 'their ends');
      await turns(5);
      expect(told).toEqual([]);
    });

    it('a stream closed as it is accepted, and a listener closed as it accepts, do no harm', async () => {
      const door = new Door((peer) => {
        peer.stream!.close();
        listener.close();
      });
      const listener = listen(door);
      const client = dial(listener.address);
      await until(() => client.ended || client.error !== 0, 'the end');
      await turns(3);
      expect(door.peers[0]!.told).toBe(0);
    });

    it('500 connections at once each get their own answer', async () => {
      const door = new Door((peer) => {
        const { readable } = peer;
        peer.readable = (stream) => {
          readable.call(peer, stream);
          if (peer.received === 8) {
            peer.send(peer.bytes, 8, true);
          }
        };
      });
      const listener = listen(door);
      const clients = Array.from({ length: 500 }, (_, index) => {
        const client = dial(listener.address);
        client.connected = (stream, result) => {
          client.stream = stream;
          client.result = result;
          client.send(noise(index, 8), 8, false);
        };
        return client;
      });
      await until(() => clients.every((client) => client.ended || client.error !== 0), 'all answers');
      for (const [index, client] of clients.entries()) {
        expect(client.error).toBe(0);
        expect(client.bytes.equals(noise(index, 8))).toBe(true);
        client.stream!.close();
      }
    });

    it('options have names: one it does not know is ENOPROTOOPT', async () => {
      const { client } = await pair();
      const stream = client.stream!;
      expect(stream.set('nodelay', 1)).toBe(0);
      expect(stream.get('nodelay')).toBe(1);
      expect(stream.set('nodelay', 0)).toBe(0);
      expect(stream.get('nodelay')).toBe(0);
      expect(stream.set('keepalive', 1)).toBe(0);
      expect(stream.get('keepalive')).toBe(1);
      expect(stream.set('no-such-option', 1)).toBe(-92);
      expect(stream.get('no-such-option')).toBe(-92);
    });

    it('wishes come true on both ends', async () => {
      const door = new Door();
      const options = { streamWishes: { nodelay: 1, keepalive: 1 } };
      const listener = ok(reactor.listen(LOCAL, options, door));
      const client = new Peer();
      client.stream = ok(reactor.connect(listener.address, { wishes: { nodelay: 1 } }, client));
      await until(() => door.peers.length === 1 && client.result === 0, 'the connection');
      expect(client.stream.get('nodelay')).toBe(1);
      expect(door.peers[0]!.stream!.get('nodelay')).toBe(1);
      expect(door.peers[0]!.stream!.get('keepalive')).toBe(1);
    });

    describe('datagrams', () => {
      class Post implements DatagramEvents {
        readonly came: { from: Address; text: string }[] = [];
        readonly errors: number[] = [];

        datagram(from: Address, bytes: Uint8Array, length: number): void {
          this.came.push({ from, text: Buffer.from(bytes.subarray(0, length)).toString() });
        }

        error(errno: number): void {
          this.errors.push(errno);
        }
      }

      const say = (datagrams: Datagrams, text: string, to: Address | null): number => {
        const bytes = Buffer.from(`..${text}..`);
        const sent = datagrams.send(bytes, 2, bytes.length - 2, to);
        bytes.fill(0xee);
        return sent;
      };

      it('go both ways, connected and not', async () => {
        const here = new Post();
        const bound = ok(reactor.datagrams(LOCAL_UDP, null, here));
        const there = new Post();
        const connected = ok(reactor.datagrams(null, bound.address, there));
        const third = new Post();
        const loose = ok(reactor.datagrams(LOCAL_UDP, null, third));
        expect(portOf(bound.address)).toBeGreaterThan(0);
        expect(say(connected, 'hello', null)).toBe(5);
        expect(say(loose, 'hi', bound.address)).toBe(2);
        await until(() => here.came.length === 2, 'both');
        for (const { from, text } of here.came) {
          expect(say(bound, `${text} to you`, from)).toBe(text.length + 7);
        }
        await until(() => there.came.length + third.came.length === 2, 'the answers');
        expect(there.came).toEqual([{ from: bound.address, text: 'hello to you' }]);
        expect(third.came).toEqual([{ from: bound.address, text: 'hi to you' }]);
        expect(here.came.map((one) => one.from)).toContainEqual(loose.address);
      });

      it('may be empty, and as large as UDP allows', async () => {
        const here = new Post();
        const bound = ok(reactor.datagrams(LOCAL_UDP, null, here));
        const connected = ok(reactor.datagrams(null, bound.address, new Post()));
        expect(say(connected, '', null)).toBe(0);
        expect(say(connected, 'x'.repeat(65_507), null)).toBe(65_507);
        await until(() => here.came.length === 2, 'both');
        expect(here.came.map((one) => one.text.length)).toEqual([0, 65_507]);
      });

      it('to a port where nobody listens are reported as refused', async () => {
        const gone = ok(reactor.datagrams(LOCAL_UDP, null, new Post()));
        gone.close();
        const post = new Post();
        const connected = ok(reactor.datagrams(null, gone.address, post));
        say(connected, 'hello?', null);
        await until(() => post.errors.length > 0, 'the ICMP answer');
        expect(post.errors[0]).toBe(ECONNREFUSED);
      });

      it('need an address of their own; one in use is EADDRINUSE; a closed one is told nothing', async () => {
        const post = new Post();
        const bound = ok(reactor.datagrams(LOCAL_UDP, null, post));
        expect(reactor.datagrams(bound.address, null, new Post())).toBe(-98);
        expect(reactor.datagrams(null, null, new Post())).toBe(-22);
        const connected = ok(reactor.datagrams(null, bound.address, new Post()));
        say(connected, 'late', null);
        bound.close();
        bound.close();
        await turns(5);
        expect(post.came).toEqual([]);
        expect(bound.send(new Uint8Array(5), 0, 5, connected.address)).toBe(-9);
      });
    });
  });
}
