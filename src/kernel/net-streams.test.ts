import { connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import {
  addressesOf,
  connectNet,
  duplexOf,
  errnoOf,
  hear,
  type NetAddresses,
  type NetStream,
  streamOf,
} from './net-streams.ts';

const NOWHERE: NetAddresses = { local: { kind: 'unix', path: '' }, remote: { kind: 'unix', path: '' } };

/** A duplex whose other end is this test: what is written piles up until it is let through. */
class Slow extends Duplex {
  readonly written: number[] = [];
  #through: (() => void) | null = null;

  override _read(): void {}

  override _write(chunk: Uint8Array, _: string, done: () => void): void {
    this.written.push(...chunk);
    this.#through = done;
  }

  through(): void {
    const done = this.#through;
    this.#through = null;
    done?.();
  }
}

function listened(): { told: string[]; events: Parameters<typeof hear>[1] } {
  const told: string[] = [];
  return {
    told,
    events: { readable: () => void told.push('readable'), writable: () => void told.push('writable') },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function read(stream: NetStream, room: number): number[] | number {
  const into = new Uint8Array(room + 2);
  const count = stream.read(into, 1, room + 1);
  return count > 0 ? [...into.subarray(1, 1 + count)] : count;
}

describe('a stream of any duplex', () => {
  it('gives a chunk in as many pieces as are asked for', async () => {
    const duplex = new Slow();
    const { told, events } = listened();
    const stream = streamOf(duplex, events, NOWHERE);
    expect(read(stream, 4)).toBe(-11);
    duplex.push(Uint8Array.of(1, 2, 3, 4, 5));
    await turn();
    expect(told).toEqual(['readable']);
    expect(read(stream, 2)).toEqual([1, 2]);
    duplex.push(Uint8Array.of(6));
    duplex.push(null);
    expect(read(stream, 9)).toEqual([3, 4, 5]);
    expect(read(stream, 9)).toEqual([6]);
    await turn();
    expect(stream.hungUp).toBe(true);
    expect(read(stream, 9)).toBe(0);
    expect(duplexOf(stream)).toBe(duplex);
    expect(duplexOf({})).toBe(null);
  });

  it('takes what fits and copies it, says AGAIN while it is full, and tells when there is room', async () => {
    const duplex = new Slow({ writableHighWaterMark: 4 });
    const { told, events } = listened();
    const stream = streamOf(duplex, events, NOWHERE);
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
    expect(stream.write(bytes, 0, 6)).toBe(4);
    expect(stream.write(bytes, 4, 6)).toBe(-11);
    bytes.fill(0);
    await turn();
    expect(told).toEqual([]);
    duplex.through();
    await turn();
    expect(told).toEqual(['writable']);
    expect(duplex.written).toEqual([1, 2, 3, 4]);
  });

  it('an error comes after what was there before it', async () => {
    const duplex = new Slow();
    const { told, events } = listened();
    const stream = streamOf(duplex, events, NOWHERE);
    duplex.push(Uint8Array.of(1, 2, 3));
    await turn();
    expect(read(stream, 1)).toEqual([1]);
    duplex.push(Uint8Array.of(4));
    duplex.destroy(Object.assign(new Error('broken'), { code: 'ETIMEDOUT' }));
    await turn();
    expect(stream.hungUp).toBe(true);
    expect(told.length).toBeGreaterThan(1);
    expect(read(stream, 9)).toEqual([2, 3]);
    expect(read(stream, 9)).toEqual([4]);
    expect(read(stream, 9)).toBe(-110);
    expect(stream.write(Uint8Array.of(1), 0, 1)).toBe(-110);
  });

  it('destroyed by somebody else it reads as reset', async () => {
    const duplex = new Slow();
    const { told, events } = listened();
    const stream = streamOf(duplex, events, NOWHERE);
    duplex.destroy();
    await turn();
    expect(told).toEqual(['readable']);
    expect(read(stream, 9)).toBe(-104);
  });

  it('whoever hears of it later is told what came before', async () => {
    const duplex = new Slow();
    const stream = streamOf(duplex, null, NOWHERE);
    duplex.push(Uint8Array.of(7));
    await turn();
    const { told, events } = listened();
    hear(stream, events);
    await turn();
    expect(told).toEqual(['readable']);
    expect(read(stream, 9)).toEqual([7]);
  });

  it('resets and sets options on the socket that carries it', async () => {
    const sockets: Socket[] = [];
    const server: Server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const under = connect((server.address() as { port: number }).port, '127.0.0.1');
    await new Promise((resolve) => under.once('connect', resolve));
    while (sockets.length === 0) {
      await turn();
    }
    const codes: string[] = [];
    sockets[0]!.on('error', (error: NodeJS.ErrnoException) => codes.push(error.code ?? '')).resume();
    const duplex = new Slow();
    const stream = streamOf(duplex, listened().events, addressesOf(under, null), under);
    expect(stream.remote).toMatchObject({ kind: 'tcp', host: '127.0.0.1' });
    expect(stream.set('nodelay', 1)).toBe(0);
    stream.reset();
    while (codes.length === 0) {
      await turn();
    }
    expect(codes).toEqual(['ECONNRESET']);
    expect(duplex.destroyed).toBe(true);
    server.close();
  });
});

describe('connections by node:net', () => {
  it('a source that is no TCP address is refused at once', () => {
    const to = { kind: 'tcp', host: '127.0.0.1', port: 9 } as const;
    const { events } = listened();
    expect(connectNet(to, { source: { kind: 'unix', path: '/x' } }, events)).toBe(-22);
    expect(connectNet({ kind: 'unix', path: '' }, {}, events)).toBe(-22);
    expect(connectNet({ kind: 'udp', host: '127.0.0.1', port: 9 }, {}, events)).toBe(-22);
  });

  it('errors have the numbers of Linux, by their names', () => {
    expect(errnoOf({ code: 'ECONNRESET' })).toBe(-104);
    expect(errnoOf({ code: 'ERR_SSL_WRONG_VERSION_NUMBER' })).toBe(-71);
    expect(errnoOf(null)).toBe(-71);
  });
});
