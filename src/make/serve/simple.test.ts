import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { kind as chargen } from './chargen.ts';
import { kind as daytime } from './daytime.ts';
import { kind as discard } from './discard.ts';
import { kind as echo } from './echo.ts';
import { GOOD, type Served, type ServeWishes, serveForTest } from './fixture.ts';
import type { AnyKind } from './kind.ts';
import { kind as time } from './time.ts';

let served: Served | null = null;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) {
    socket.destroy();
  }
  await served?.close();
  served = null;
});

async function serve(kind: AnyKind, wishes: ServeWishes = {}): Promise<Served> {
  served = await serveForTest(kind, wishes);
  return served;
}

interface Got {
  readonly socket: Socket;
  bytes: Buffer;
  /** `FIN`, or the errno's name. */
  over: string;
}

function open(port: number): Got {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  const got: Got = { socket, bytes: Buffer.alloc(0), over: '' };
  socket.on('data', (data) => {
    got.bytes = Buffer.concat([got.bytes, data]);
  });
  socket.on('end', () => {
    got.over ||= 'FIN';
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    got.over ||= error.code ?? '';
  });
  return got;
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function datagram(port: number, text: string): Promise<Buffer> {
  const socket = createSocket('udp4');
  const answer = new Promise<Buffer>((resolve) => socket.once('message', resolve));
  socket.send(text, port, '127.0.0.1');
  const bytes = await answer;
  socket.close();
  return bytes;
}

describe('echo', () => {
  test('sends back all of a megabyte, and FIN after FIN', async () => {
    const { port, lines } = await serve(echo);
    const got = open(port);
    const sent = Buffer.alloc(1_000_000, 'abcdefg');
    got.socket.end(sent);
    await until(() => got.over !== '');
    expect(got.bytes.equals(sent)).toBe(true);
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({
      what: 'connection',
      result: 'closed by the client',
      received: 1_000_000,
      sent: 1_000_000,
      fine: true,
    });
  });

  test('sends a datagram back', async () => {
    const { port } = await serve(echo, { over: 'udp' });
    expect((await datagram(port, 'hello')).toString()).toBe('hello');
  });

  test('drains: FIN goes out, and the client ends in its own time', async () => {
    const { port } = await serve(echo);
    const got = open(port);
    got.socket.write('hello');
    await until(() => got.bytes.toString() === 'hello');
    const over = (served as Served).drain();
    served = null;
    await until(() => got.over === 'FIN');
    got.socket.end();
    expect(await over).toEqual({ drained: 1, dropped: 0 });
  });

  test('a client that never ends is cut off after --drain, and counted', async () => {
    const { port } = await serve(echo, { common: { drainNs: 100e6 } });
    const got = open(port);
    got.socket.write('hello');
    await until(() => got.bytes.toString() === 'hello');
    const { lines } = served as Served;
    const over = (served as Served).drain();
    served = null;
    expect(await over).toEqual({ drained: 0, dropped: 1 });
    expect(lines[0]).toMatchObject({ received: 5, sent: 5, fine: false });
  });

  test('ends connections that are idle for too long', async () => {
    const { port, lines } = await serve(echo, { common: { idleNs: 100e6 } });
    const got = open(port);
    await until(() => got.over !== '' && lines.length > 0);
    expect(got.over).toBe('FIN');
    expect(lines[0]).toMatchObject({ result: 'idle for too long', fine: false });
  });

  test('beyond --max-connections a client waits until another one has gone', async () => {
    const { port } = await serve(echo, { common: { maxConnections: 1 } });
    const first = open(port);
    first.socket.write('1');
    await until(() => first.bytes.length === 1);
    const second = open(port);
    second.socket.write('2');
    await until(() => !second.socket.connecting);
    first.socket.end();
    await until(() => second.bytes.length === 1);
    expect(second.bytes.toString()).toBe('2');
  });
});

describe('the old ones', () => {
  test('discard takes everything and answers nothing', async () => {
    const { port, lines } = await serve(discard);
    const got = open(port);
    got.socket.end(Buffer.alloc(300_000));
    await until(() => got.over !== '' && lines.length > 0);
    expect(got.bytes.length).toBe(0);
    expect(lines[0]).toMatchObject({ received: 300_000, sent: 0 });
  });

  test('chargen goes on as long as somebody reads; each line begins one character further on', async () => {
    const { port } = await serve(chargen);
    const got = open(port);
    await until(() => got.bytes.length > 1_000_000);
    const rows = got.bytes.toString('latin1').split('\r\n');
    expect(
      rows.slice(0, 200).every((row, at) => row.length === 72 && row.charCodeAt(0) === 32 + (at % 95)),
    ).toBe(true);
    expect(rows[94]?.slice(0, 2)).toBe('~ ');
  });

  test('chargen answers a datagram with at most 512 characters', async () => {
    const { port } = await serve(chargen, { over: 'udp' });
    expect((await datagram(port, 'x')).length).toBeLessThanOrEqual(512);
  });

  test('daytime says the time and goes', async () => {
    const { port } = await serve(daytime);
    const got = open(port);
    await until(() => got.over !== '');
    expect(Math.abs(Date.parse(got.bytes.toString().trim()) - Date.now())).toBeLessThan(60_000);
  });

  test('time is the number of seconds since 1900', async () => {
    const { port } = await serve(time);
    const got = open(port);
    await until(() => got.over !== '');
    const since1970 = got.bytes.readUInt32BE() - 2_208_988_800;
    expect(got.bytes.length).toBe(4);
    expect(Math.abs(since1970 - Date.now() / 1000)).toBeLessThan(60);
  });
});

describe('misbehaviour', () => {
  const bad = (how: Partial<typeof GOOD> | object): ServeWishes => ({
    common: { misbehaviour: { ...GOOD, ...how } },
  });

  test('--reset-after 5 sends five bytes and RST', async () => {
    const { port, lines } = await serve(echo, bad({ resetAfter: { bytes: 5 } }));
    const got = open(port);
    got.socket.write('hello world');
    await until(() => got.over !== '' && lines.length > 0);
    // Node takes an RST behind a short read for FIN (net-streams.ts says why); what was done is in the line.
    expect(['ECONNRESET', 'FIN']).toContain(got.over);
    expect('hello'.startsWith(got.bytes.toString())).toBe(true);
    expect(lines[0]).toMatchObject({ result: 'reset on purpose' });
  });

  test('--close-after 5 sends five bytes and FIN', async () => {
    const { port, lines } = await serve(echo, bad({ closeAfter: { bytes: 5 } }));
    const got = open(port);
    got.socket.write('hello world');
    await until(() => got.over !== '' && lines.length > 0);
    expect(got.bytes.toString()).toBe('hello');
    expect(got.over).toBe('FIN');
    expect(lines[0]).toMatchObject({ result: 'closed on purpose' });
  });

  test('--reset-after a time resets whoever is still there', async () => {
    const { port } = await serve(echo, bad({ resetAfter: { ns: 50e6 } }));
    const got = open(port);
    await until(() => got.over !== '');
    expect(got.over).toBe('ECONNRESET');
  });

  test('--half-close sends FIN first and answers nothing, but reads on', async () => {
    const { port, lines } = await serve(echo, bad({ halfClose: true }));
    const got = open(port);
    await until(() => got.over === 'FIN');
    got.socket.end('hello');
    await until(() => lines.length > 0);
    expect(got.bytes.length).toBe(0);
    expect(lines[0]).toMatchObject({ received: 5, result: 'half-closed on purpose' });
  });

  test('--slow lets bytes out at its rate', async () => {
    const { port } = await serve(echo, bad({ slow: 100 }));
    const got = open(port);
    const began = performance.now();
    got.socket.end(Buffer.alloc(50));
    await until(() => got.over === 'FIN');
    expect(got.bytes.length).toBe(50);
    expect(performance.now() - began).toBeGreaterThan(350);
  });

  test('--no-read takes nothing: when it is cut off at last, all of it is still unread', async () => {
    const { port, lines } = await serve(echo, {
      common: { misbehaviour: { ...GOOD, noRead: true }, drainNs: 100e6 },
    });
    const got = open(port);
    got.socket.write(Buffer.alloc(20_000_000));
    await until(() => (served as Served).counts().open === 1);
    const over = (served as Served).drain();
    served = null;
    await until(() => got.over !== '');
    expect(await over).toEqual({ drained: 0, dropped: 1 });
    expect(lines[0]).toMatchObject({ received: 0, sent: 0 });
  });

  test('--leak keeps the descriptor of a client that has gone', async () => {
    const { port, lines } = await serve(echo, bad({ leak: true }));
    const got = open(port);
    got.socket.end('hello');
    await until(() => lines.length > 0);
    expect(got.bytes.toString()).toBe('hello');
    expect(got.over).toBe('');
    expect(lines[0]).toMatchObject({ result: 'leaked on purpose' });
  });
});
