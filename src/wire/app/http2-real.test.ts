/** HTTP/2 as programs speak it: curl, nghttp, nghttpd, nginx and Node, with a relay between them that writes it all down. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import {
  connect as connectHttp2,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordedTurn, recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, type Heard, hear } from './decoder.contract.ts';
import type { Decoder } from './decoder.ts';
import { decoder as http1 } from './http1.ts';
import { decoder } from './http2.ts';
import { encoded, framed, header, newEncoder } from './http2-crafted.ts';

let folder = '';
const running: ChildProcess[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockscope-http2-'));
  writeFileSync(join(folder, 'index.html'), '<p>hello</p>');
  writeFileSync(join(folder, 'style.css'), 'p { color: red }');
  writeFileSync(join(folder, 'big.txt'), 'all work and no play\n'.repeat(5000));
});

afterAll(async () => {
  for (const child of running) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill();
      await once(child, 'exit');
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function started(program: string, args: string[], port: number): Promise<void> {
  const child = spawn(findProgram(program)!, args, { stdio: 'ignore' });
  running.push(child);
  for (;;) {
    if (child.exitCode !== null) {
      throw new Error(`${program} ended with ${child.exitCode}`);
    }
    const socket = connect(port, '127.0.0.1');
    const here = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (here) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function run(program: string, args: string[]): Promise<string> {
  const child = spawn(findProgram(program)!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const [code] = await once(child, 'close');
  expect([code, code === 0 ? '' : said]).toEqual([0, '']);
  return said;
}

/** Requests and replies as one line each. */
function exchanges(heard: Heard): string[] {
  expect(heard.troubles).toEqual([]);
  const own = heard.said.filter((one) => one.kind !== 'notice' && one.name !== 'PING');
  return own.map((one) => `${one.fields.stream} ${one.summary}`);
}

describe.skipIf(needs('nghttpd', 'nghttp', 'curl').missing !== null)('nghttpd', () => {
  let port = 0;

  beforeAll(async () => {
    port = await freePort();
    const options = ['--no-tls', '-a', '127.0.0.1', '-d', folder, '-b', '64', '--echo-upload'];
    const more = ['--trailer', 'x-sum: 42', '-p', '/index.html=/style.css', String(port)];
    await started('nghttpd', [...options, ...more], port);
  });

  it('and curl with prior knowledge', async () => {
    // One curl for each: 7.88 breaks off when it uses such a connection a second time.
    const [turns, missing] = await recorded(port, async (relay) => {
      const url = `http://127.0.0.1:${relay}`;
      const get = ['-sS', '--http2-prior-knowledge', '-H', 'Authorization: Bearer t0p'];
      const out = join(folder, 'out');
      await run('curl', [...get, '-o', out, `${url}/big.txt`]);
      await run('curl', [...get, '-o', out, `${url}/none?password=x`]);
    });
    const heard = hear(decoder, turns!);
    expect(exchanges(heard)).toEqual(['1 GET /big.txt', '1 200 text/plain 105.0 kB']);
    expect(exchanges(hear(decoder, missing!))).toEqual([
      '1 GET /none?password=******',
      expect.stringMatching(/^1 404 text\/html.* \d+ B$/),
    ]);
    const fields = heard.said.find((one) => one.name === '200')!.fields;
    expect(fields).toMatchObject({ length: 105_000, 'trailer.x-sum': '42', status: 200, version: '2' });
    expect(String(fields['response.header.server'])).toContain('nghttpd');
    expect(heard.said.find((one) => one.name === 'GET')!.fields).toMatchObject({
      'request.header.authorization': 'Bearer t0p',
      host: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    anySplitGivesTheSame(decoder, turns!, {}, 2);
  });

  it('echoes what curl posts', async () => {
    const body = '{"name":"Ada","password":"hidden"}';
    const [turns] = await recorded(port, async (relay) => {
      const post = ['-sS', '--http2-prior-knowledge', '-H', 'content-type: application/json', '-d', body];
      await run('curl', [...post, `http://127.0.0.1:${relay}/users`]);
    });
    const heard = hear(decoder, turns!);
    expect(exchanges(heard)).toEqual([
      `1 POST /users application/json ${body.length} B`,
      `1 200 ${body.length} B`,
    ]);
    const asked = heard.said.find((one) => one.name === 'POST')!;
    expect(asked.fields).toMatchObject({
      body: '{"name":"Ada","password":"******"}',
      'body.raw': body,
      length: body.length,
    });
  });

  it('and nghttp with streams side by side, and one that is pushed', async () => {
    const [turns] = await recorded(port, async (relay) => {
      const url = `http://127.0.0.1:${relay}`;
      await run('nghttp', [
        '-n',
        '-H',
        'cookie: a=1',
        `${url}/index.html`,
        `${url}/big.txt`,
        `${url}/style.css`,
      ]);
    });
    const heard = hear(decoder, turns!);
    const lines = exchanges(heard);
    // nghttp opens streams 1 to 11 by PRIORITY alone, to hang others on them.
    expect(lines).toContain('13 GET /index.html');
    expect(lines).toContain('2 push GET /style.css');
    expect(lines.filter((line) => line.includes('200 text/html 12 B'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('200 text/plain 105.0 kB'))).toHaveLength(1);
    const replies = heard.said.filter((one) => one.kind === 'reply' && one.name !== 'PING');
    expect(replies.map((one) => one.asked)).toEqual(replies.map(() => 'GET'));
    expect(heard.said.map((one) => one.summary)).toContain('GOAWAY NO_ERROR last stream 2');
    anySplitGivesTheSame(decoder, turns!, {}, 2);
  });
});

/** Upgrades whoever asks, and answers on stream 1: no server installed here does so any more. */
async function upgradingServer(): Promise<Server> {
  const server = createTcpServer((socket) => {
    let heard = '';
    let step = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (step === 0 && heard.includes('\r\n\r\n')) {
        step = 1;
        const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
        const reply = encoded(newEncoder(), [header(':status', '200'), header('content-type', 'text/plain')]);
        const frames = [framed(4, 0, 0, []), framed(1, 4, 1, reply), framed(0, 1, 1, [104, 105])].flat();
        socket.write(Buffer.concat([Buffer.from(head), Buffer.from(frames)]));
      }
      if (step === 1 && heard.includes('SM\r\n\r\n')) {
        step = 2;
        socket.write(Buffer.from(framed(4, 1, 0, [])));
      }
    });
    socket.on('end', () => socket.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe.skipIf(needs('nghttp', 'curl').missing !== null)('an upgrade', () => {
  it.each([
    ['nghttp', ['-nu']],
    ['curl', ['-sS', '--http2', '-o', '/dev/null']],
  ])('that %s asks for is answered on stream 1', async (program, options) => {
    const server = await upgradingServer();
    const [turns] = await recorded((server.address() as AddressInfo).port, async (relay) => {
      await run(program, [...options, `http://127.0.0.1:${relay}/first`]);
    });
    server.close();
    const given = { upgrade: 'h2c', method: 'GET', path: '/first', host: 'here' };
    const upgraded: Decoder = { ...decoder, begin: (hint) => decoder.begin(hint, given) };
    const rest = behindHeads(turns!);
    expect(rest.some((turn) => turn.side === 'client')).toBe(true);
    const heard = hear(upgraded, rest);
    expect(exchanges(heard)).toEqual(['1 200 text/plain 2 B']);
    expect(heard.said.find((one) => one.name === '200')!.fields).toMatchObject({
      method: 'GET',
      path: '/first',
      host: 'here',
      body: 'hi',
    });
    anySplitGivesTheSame(upgraded, rest, {}, 5);
    const handed = hear(http1, turns!, { others: [decoder] });
    expect(handed.troubles).toEqual([]);
    const own = handed.said.filter((one) => one.kind !== 'notice');
    expect(own.map((one) => [one.kind, one.name, one.fields.version, one.fields.path, one.asked])).toEqual([
      ['request', 'GET', '1.1', '/first', null],
      ['reply', '101', '1.1', '/first', 'GET'],
      ['reply', '200', '2', '/first', 'GET'],
    ]);
  });
});

/** Each side without its first HTTP/1 head. */
function behindHeads(turns: RecordedTurn[]): RecordedTurn[] {
  const before = { client: '', server: '' };
  return turns.flatMap(({ side, bytes }) => {
    if (before[side].endsWith('\r\n\r\n')) {
      return [{ side, bytes }];
    }
    for (let at = 0; at < bytes.length; at++) {
      before[side] += String.fromCharCode(bytes[at]!);
      if (before[side].endsWith('\r\n\r\n')) {
        return at + 1 < bytes.length ? [{ side, bytes: bytes.subarray(at + 1) }] : [];
      }
    }
    return [];
  });
}

describe.skipIf(needs('nginx', 'curl').missing !== null)('nginx', () => {
  it('compresses for curl, and its body is read all the same', async () => {
    const port = await freePort();
    const configuration = `
      daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; worker_processes 1;
      events {}
      http {
        access_log off; default_type text/plain; gzip on; gzip_min_length 1; gzip_types text/plain;
        client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
        uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
        server { listen 127.0.0.1:${port} http2; root ${folder}; location /gone { return 410 "no more"; } }
      }
      ${process.getuid?.() === 0 ? 'user root;' : ''}`;
    writeFileSync(join(folder, 'nginx.conf'), configuration);
    await started(
      'nginx',
      ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')],
      port,
    );
    const [turns, gone] = await recorded(port, async (relay) => {
      const url = `http://127.0.0.1:${relay}`;
      const out = join(folder, 'out');
      const get = ['-sS', '--http2-prior-knowledge', '--compressed', '-o', out];
      await run('curl', [...get, `${url}/big.txt`]);
      await run('curl', [...get, `${url}/gone`]);
    });
    const heard = hear(decoder, turns!);
    expect(exchanges(heard)).toEqual(['1 GET /big.txt', expect.stringMatching(/^1 200 text\/plain /)]);
    expect(exchanges(hear(decoder, gone!))).toEqual(['1 GET /gone', '1 410 text/plain 7 B']);
    const { fields } = heard.said.find((one) => one.name === '200')!;
    expect(fields).toMatchObject({ encoding: 'gzip', 'response.header.content-encoding': 'gzip' });
    expect(String(fields.body)).toMatch(/^all work and no play\nall work/);
    expect(fields.length).toBeLessThan(5000);
    anySplitGivesTheSame(decoder, turns!, {}, 2);
  });
});

describe('Node, as gRPC libraries use it', () => {
  it('has calls that succeed, fail, stream and are cancelled', async () => {
    const server = createServer();
    server.on('stream', (stream, headers) => {
      const received: Uint8Array[] = [];
      stream.on('error', () => undefined);
      stream.on('data', (chunk) => received.push(Buffer.from(chunk)));
      stream.on('end', () => answer(stream, headers, Buffer.concat(received)));
    });
    function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, asked: Buffer) {
      const head = { ':status': 200, 'content-type': 'application/grpc' };
      const path = headers[':path'];
      if (path === '/pets.Store/Hang') {
        stream.respond(head);
      } else if (path === '/pets.Store/Denied') {
        stream.respond({ ...head, 'grpc-status': '7', 'grpc-message': 'not%20yours' }, { endStream: true });
      } else {
        stream.respond(head, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        const copies = path === '/pets.Store/List' ? 40 : 1;
        for (let i = 0; i < copies; i++) {
          stream.write(asked);
        }
        stream.end();
      }
    }
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [turns] = await recorded((server.address() as AddressInfo).port, async (relay) => {
      const session = connectHttp2(`http://127.0.0.1:${relay}`);
      const call = async (method: string, size: number, cancel = false) => {
        const message = Buffer.alloc(5 + size);
        message.writeUInt32BE(size, 1);
        const stream = session.request({
          ':method': 'POST',
          ':path': `/pets.Store/${method}`,
          'content-type': 'application/grpc',
          te: 'trailers',
          'x-api-key': 's3cret',
        });
        stream.on('error', () => undefined);
        stream.end(message);
        await once(stream, 'response');
        if (cancel) {
          stream.close(8);
        }
        stream.resume();
        await once(stream, 'close');
      };
      await Promise.all([call('Find', 10), call('List', 3000), call('Denied', 0)]);
      await call('Hang', 1, true);
      await new Promise<void>((resolve, reject) => {
        session.ping(Buffer.from('12345678'), (error) => (error === null ? resolve() : reject(error)));
      });
      session.close();
      await once(session, 'close');
    });
    server.close();
    await once(server, 'close');

    const heard = hear(decoder, turns!);
    const lines = exchanges(heard);
    expect([...lines].sort()).toEqual(
      [
        '1 pets.Store/Find 1 message 10 B',
        '3 pets.Store/List 1 message 3.0 kB',
        '5 pets.Store/Denied 1 message 0 B',
        '7 pets.Store/Hang 1 message 1 B',
        '1 OK 1 message 10 B',
        '3 OK 40 messages 120.0 kB',
        '5 PERMISSION_DENIED not yours',
        '7 RST_STREAM CANCEL pets.Store/Hang',
      ].sort(),
    );
    const replies = heard.said.filter((one) => one.kind === 'reply' && one.protocol === 'grpc');
    expect(replies.every((one) => one.asked?.startsWith('pets.Store/'))).toBe(true);
    const ping = heard.said.find((one) => one.name === 'PING' && one.kind === 'reply');
    expect(ping).toMatchObject({ asked: 'PING', fields: { data: '3132333435363738' } });
    const shown = heard.said.map(({ summary, name }) => summary + name).join();
    expect(shown).not.toContain('s3cret');
    anySplitGivesTheSame(decoder, turns!, {}, 2);
  });
});
