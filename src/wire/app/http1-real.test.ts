/** What curl and nginx say to each other, and Node where nginx does not do it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer as createHttp, get, type RequestOptions, type Server } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RecordedTurn, recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Said } from './decoder.contract.ts';
import { decoder } from './http1.ts';

function said(turns: RecordedTurn[], runs = 10): Said[] {
  const { said, troubles } = hear(decoder, turns);
  expect(troubles).toEqual([]);
  anySplitGivesTheSame(decoder, turns, {}, runs);
  return said;
}

const text = 'a line of a file that nginx serves\n'.repeat(200);

function origin(): Server {
  return createHttp((request, response) => {
    if (request.url === '/chunks') {
      response.setHeader('Trailer', 'X-Sum');
      response.write('one ');
      response.write('two');
      response.addTrailers({ 'X-Sum': '7' });
      response.end();
    } else if (request.url === '/gzip') {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' });
      response.end(gzipSync('{"ok":true}'));
    } else if (request.url === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('event: tick\ndata: 1\n\n');
      response.end('data: 2\n\n');
    } else {
      let length = 0;
      request.on('data', (piece: Buffer) => {
        length += piece.length;
      });
      request.on('end', () => response.end(`got ${length}`));
    }
  });
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('Node', () => {
  it('chunks, trailers, gzip and events, over one connection', async () => {
    const server = origin();
    const port = await listening(server);
    const [turns] = await recorded(port, async (relay) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of ['/chunks', '/gzip', '/events', '/x']) {
        const options: RequestOptions = { host: '127.0.0.1', port: relay, path, agent };
        const [response] = await once(get(options), 'response');
        await once(response.resume(), 'end');
      }
      agent.destroy();
    });
    await new Promise((resolve) => server.close(resolve));
    const replies = said(turns!).filter((one) => one.kind !== 'request');
    expect(replies.map((one) => [one.name, one.fields.path, one.fields.body ?? one.fields.data])).toEqual([
      ['200', '/chunks', 'one two'],
      ['200', '/gzip', '{"ok":true}'],
      ['200', '/events', undefined],
      ['event', '/events', '1'],
      ['event', '/events', '2'],
      ['200', '/x', 'got 0'],
    ]);
    expect(replies[0]!.fields['trailer.x-sum']).toBe('7');
    expect(replies.every((one) => one.fields.warning === undefined)).toBe(true);
  });
});

describe.skipIf(needs('nginx', 'curl').missing !== null)('curl and nginx', () => {
  let folder = '';
  let nginx: ChildProcess | undefined;
  let socket = '';
  const behind = origin();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-nginx-'));
    socket = join(folder, 'http.sock');
    mkdirSync(join(folder, 'root'));
    writeFileSync(join(folder, 'root', 'file.txt'), text);
    writeFileSync(join(folder, 'root', 'big.bin'), new Uint8Array(300_000));
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join(' ');
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
      events { worker_connections 32; }
      http { access_log off; ${paths} types { text/plain txt; } default_type application/octet-stream;
        gzip on; gzip_min_length 1; gzip_types text/plain; if_modified_since before;
        server { listen unix:${socket}; root ${folder}/root;
          location /api/ { proxy_pass http://127.0.0.1:${await listening(behind)}/; proxy_http_version 1.1; } } }`,
    );
    nginx = spawn(findProgram('nginx')!, ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr'], {
      stdio: 'ignore',
    });
    await vi.waitFor(async () => expect(await answers(socket)).toBe(true), { timeout: 10_000 });
  });

  afterAll(async () => {
    if (nginx !== undefined && nginx.exitCode === null) {
      nginx.kill();
      await once(nginx, 'exit');
    }
    await new Promise((resolve) => behind.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  /** One curl, so one connection: several URLs after another. */
  async function curl(...args: string[]): Promise<RecordedTurn[]> {
    const connections = await recorded(socket, async (port) => {
      const given = args.map((arg) => (arg.startsWith('/') ? `http://127.0.0.1:${port}${arg}` : arg));
      await promisify(execFile)('curl', ['-s', ...given], {
        cwd: folder,
        encoding: 'buffer',
        maxBuffer: 2 ** 22,
      });
    });
    expect(connections).toHaveLength(1);
    return connections[0]!;
  }

  it('a file, compressed and plain', async () => {
    const turns = await curl('--compressed', '/file.txt', '/file.txt?x=1');
    const all = said(turns);
    expect(all.map((one) => [one.kind, one.name, one.asked])).toEqual([
      ['request', 'GET', null],
      ['reply', '200', 'GET'],
      ['request', 'GET', null],
      ['reply', '200', 'GET'],
    ]);
    const reply = all[1]!.fields;
    expect(reply).toMatchObject({
      body: text,
      'body.bytes': text.length,
      encoding: 'gzip',
      path: '/file.txt',
    });
    expect(Number(reply.length)).toBeLessThan(500);
    expect(String(all[0]!.fields['request.header.user-agent'])).toMatch(/^curl/);
    expect(said(await curl('/file.txt'))[1]!.fields).toMatchObject({ body: text, length: text.length });
  });

  it('HEAD, a range and a file that has not changed', async () => {
    expect(said(await curl('-I', '/file.txt', '/big.bin')).map((one) => one.summary)).toEqual([
      'HEAD /file.txt',
      '200 OK text/plain',
      'HEAD /big.bin',
      '200 OK application/octet-stream',
    ]);
    const [, part] = said(await curl('-r', '2-8', '/file.txt'));
    expect(part).toMatchObject({ name: '206', fields: { body: text.slice(2, 9), 'body.bytes': 7 } });
    const [, same] = said(await curl('-z', new Date().toUTCString(), '/file.txt'));
    expect(same).toMatchObject({ name: '304', bytes: expect.any(Number), asked: 'GET' });
  });

  it('a large file, an error and a proxied reply in chunks', async () => {
    const all = said(await curl('/big.bin', '/missing', '/api/chunks'), 3);
    expect(
      all
        .filter((one) => one.kind === 'reply')
        .map((one) => [one.name, one.failed, one.fields['body.bytes']]),
    ).toEqual([
      ['200', false, 300_000],
      ['404', true, expect.any(Number)],
      ['200', false, 7],
    ]);
    expect(all[1]!.fields).not.toHaveProperty('body');
    expect(all[3]!.fields.body).toContain('404 Not Found');
    expect(all[5]!.fields).toMatchObject({ body: 'one two', 'response.header.transfer-encoding': 'chunked' });
  });

  it('an upload in chunks that waits for 100, and a form with a password', async () => {
    const chunked = [
      '-T',
      'root/big.bin',
      '-H',
      'Transfer-Encoding: chunked',
      '-H',
      'Expect: 100-continue',
      '/api/up',
    ];
    const all = said(await curl(...chunked), 3);
    expect(all.map((one) => one.name)).toEqual(['100', 'PUT', '200']);
    expect(all[1]!.fields).toMatchObject({ length: 300_000 });
    expect(all[2]!.fields.body).toBe('got 300000');
    const [form] = said(await curl('-u', 'ann:hunter2', '-d', 'user=ann&password=hunter2', '/api/login'));
    expect(form!.fields.body).toBe('user=ann&password=******');
    expect(form!.fields['request.header.authorization']).toMatch(/^Basic /);
  });
});

async function answers(path: string): Promise<boolean> {
  const socket = createConnection({ path });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
