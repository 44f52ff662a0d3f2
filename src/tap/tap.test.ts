import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { client, type Driven, driven, type Target, target, text } from '../../test/fixtures/engine.ts';
import { needs } from '../../test/needs.ts';
import { defaultPlan, USUAL_WISHES } from './config-defaults.ts';
import type { TapPlan } from './plan.ts';

/** Four socket buffers and ours; more would be a writer that nobody stops. */
const MOST_BUFFERED = 256 << 20;

let taps: Driven;
let targets: Target[] = [];

beforeEach(() => {
  taps = driven();
});

afterEach(async () => {
  await taps.close();
  await Promise.all(targets.map((one) => one.close()));
  targets = [];
});

async function behind(onConnection?: Parameters<typeof target>[0]): Promise<Target> {
  const made = await target(onConnection);
  targets.push(made);
  return made;
}

describe('FIN', () => {
  test('a FIN from the client leaves the other direction open', async () => {
    const server = await behind();
    const one = client(taps.open(server.port));
    one.socket.end('question');
    await taps.until(() => server.sockets[0]?.ended === true);
    expect(text(server.sockets[0]!)).toBe('question');
    expect(one.ended).toBe(false);
    server.sockets[0]!.socket.write('first');
    await taps.until(() => text(one) === 'first');
    server.sockets[0]!.socket.end(' and second');
    await taps.until(() => one.closed);
    expect(text(one)).toBe('first and second');
    expect(one.error).toBe(null);
    expect(server.sockets[0]!.error).toBe(null);
  });

  test('a FIN from the server leaves the other direction open', async () => {
    const server = await behind(({ socket }) => socket.end('greeting'));
    const one = client(taps.open(server.port));
    await taps.until(() => one.ended);
    one.socket.write('still here');
    await taps.until(() => text(server.sockets[0]!) === 'still here');
    one.socket.end();
    await taps.until(() => one.closed && server.sockets[0]!.closed);
    expect([one.error, server.sockets[0]!.error]).toEqual([null, null]);
  });
});

describe('RST', () => {
  test('a RST from the server is a RST for the client, after what came before it', async () => {
    const server = await behind(({ socket }) => socket.write('last words'));
    const one = client(taps.open(server.port));
    // Node takes bytes and a RST that come together for an ordinary end (libuv, uv__stream_eof): it shall see the bytes first.
    await taps.until(() => text(one) === 'last words');
    server.sockets[0]!.socket.resetAndDestroy();
    await taps.until(() => one.closed);
    expect(one.error).toBe('ECONNRESET');
    expect(taps.told.at(-1)).toMatchObject({ type: 'ended', how: 'reset', by: 'server', fromServer: 10 });
  });

  test('a RST from the client is a RST for the server', async () => {
    const server = await behind();
    const one = client(taps.open(server.port));
    one.socket.write('x');
    await taps.until(() => server.sockets[0]?.data.length === 1);
    one.socket.resetAndDestroy();
    await taps.until(() => server.sockets[0]!.closed);
    expect(server.sockets[0]!.error).toBe('ECONNRESET');
    expect(taps.told.at(-1)).toMatchObject({ type: 'ended', how: 'reset', by: 'client' });
  });
});

describe('a target that does not take connections', () => {
  test('refused upstream is refused client, and connects again when the target is back', async () => {
    const server = await behind();
    const { port } = server;
    await server.close();
    targets = [];
    const tapPort = taps.open(port);
    await taps.until(() => taps.told.some((one) => one.type === 'standing' && one.state === 'refusing'));
    const refused = client(tapPort);
    await taps.until(() => refused.closed);
    expect(refused.error).toBe('ECONNREFUSED');
    const again = await target(undefined, port);
    targets.push(again);
    await taps.until(() => {
      const last = taps.told.at(-1);
      return last?.type === 'standing' && last.state === 'listening';
    });
    const one = client(tapPort);
    one.socket.write('hello');
    await taps.until(() => again.sockets.length === 1 && text(again.sockets[0]!) === 'hello');
  });

  test('it goes while the tap listens: the next client is refused', async () => {
    const server = await behind();
    const tapPort = taps.open(server.port);
    const one = client(tapPort);
    await taps.until(() => one.connected && server.sockets.length === 1);
    targets = [];
    await server.close();
    await taps.until(() => taps.told.some((seen) => seen.type === 'standing' && seen.state === 'refusing'));
    const refused = client(tapPort);
    await taps.until(() => refused.closed);
    expect(refused.error).toBe('ECONNREFUSED');
  });
});

describe('back-pressure', () => {
  test('a stopped reader stops the writer, and nothing is lost when it reads on', async () => {
    const server = await behind(({ socket }) => socket.pause());
    const tapPort = taps.open(server.port, { decode: 'none' });
    const one = client(tapPort);
    const chunk = randomBytes(1 << 20);
    let written = 0;
    let quiet = 0;
    let before = -1;
    // The kernel's buffers grow by themselves: the writer goes on until it is stopped for good.
    await taps.until(() => {
      if (one.connected && !one.socket.writableNeedDrain) {
        one.socket.write(chunk);
        written += chunk.length;
        quiet = 0;
      }
      const { fromClient } = taps.engine.counts()[0]!;
      quiet = fromClient === before ? quiet + 1 : 0;
      before = fromClient;
      return quiet > 100 || written > MOST_BUFFERED;
    });
    expect(written).toBeLessThan(MOST_BUFFERED);
    expect(before).toBeLessThan(written);
    server.sockets[0]!.socket.resume();
    one.socket.end();
    await taps.until(() => server.sockets[0]!.ended);
    const arrived = Buffer.concat(server.sockets[0]!.data);
    expect(arrived.length).toBe(written);
    for (let at = 0; at < written; at += chunk.length) {
      expect(Buffer.compare(arrived.subarray(at, at + chunk.length), chunk)).toBe(0);
    }
  });
});

test('no byte is changed, added or lost, in both directions at once, with and without a decoder', async () => {
  for (const decode of ['none', 'auto']) {
    const down = randomBytes(3_000_000);
    const up = randomBytes(2_000_000);
    const server = await behind(({ socket }) => socket.end(down));
    const one = client(taps.open(server.port, { decode }));
    one.socket.end(up);
    await taps.until(() => one.closed && server.sockets[0]!.closed, `both with decode ${decode}`);
    expect(sum(Buffer.concat(one.data))).toBe(sum(down));
    expect(sum(Buffer.concat(server.sockets[0]!.data))).toBe(sum(up));
  }
});

test.skipIf(needs('python3').missing !== null)(
  'an urgent byte arrives in its place, and so does all that surrounds it, also where bytes are spliced',
  async () => {
    for (const decode of ['none', 'auto']) {
      const server = await behind();
      const port = taps.open(server.port, { decode, wishes: USUAL_WISHES });
      const program = [
        'import socket',
        `s = socket.create_connection(("127.0.0.1", ${port}))`,
        's.sendall(b"a" * 5_000_000)',
        's.send(b"!", socket.MSG_OOB)',
        's.sendall(b"b" * 700_000)',
        's.shutdown(socket.SHUT_WR)',
        's.recv(1)',
      ];
      const child = spawn('python3', ['-c', program.join('\n')]);
      await taps.until(() => server.sockets[0]?.ended === true, `the end, decode ${decode}`);
      const arrived = text(server.sockets[0]!);
      expect(arrived.length).toBe(5_700_001);
      expect(arrived.indexOf('!')).toBe(5_000_000);
      server.sockets[0]!.socket.end();
      await taps.until(() => child.exitCode !== null);
    }
  },
);

test('a black-holed dial delays nobody else', async () => {
  const server = await behind(({ socket }) => socket.write('hello'));
  // 192.0.2.0/24 is for documentation (RFC 5737): nobody answers there, or the route is missing and the dial fails at once.
  const slow = taps.engine.open(
    {
      ...planOf(server.port),
      name: 'slow',
      dialTimeout: 3e9,
      mirrorsRefusal: false,
    },
    {
      listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      target: [{ kind: 'tcp', host: '192.0.2.1', port: 9 }],
      kit: null,
    },
  );
  const stuck = client(typeof slow === 'number' || slow.kind === 'unix' ? 0 : slow.port);
  await taps.until(() => stuck.connected);
  const one = client(taps.open(server.port));
  await taps.until(() => text(one) === 'hello');
  stuck.socket.destroy();
});

test('messages are decoded, paired and timed', async () => {
  const server = await behind(({ socket }) => {
    socket.on('data', () => socket.write('+OK\r\n'));
  });
  const one = client(taps.open(server.port));
  one.socket.write('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n');
  await taps.until(() => text(one) === '+OK\r\n');
  const messages = taps.told.filter((seen) => seen.type === 'message');
  expect(messages.map(({ heard }) => [heard.side, heard.protocol, heard.summary])).toEqual([
    ['client', 'redis', 'SET a b'],
    ['server', 'redis', 'OK'],
  ]);
  expect(messages[1]!.heard.latency).toBeGreaterThan(0);
  expect(messages[1]!.heard.asked).toBe('SET');
});

function planOf(port: number): TapPlan {
  const place = { kind: 'tcp', host: '127.0.0.1', port, path: '' } as const;
  return defaultPlan('', place, place);
}

function sum(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
