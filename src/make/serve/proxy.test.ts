import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { get, type Origin, origin } from '../../../test/proxy-origin.ts';
import { type Served, serve, until, type Wish, wire } from '../../../test/web-service.ts';
import { kind } from './proxy.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

async function behind(...given: Parameters<typeof origin>): Promise<Origin> {
  const one = await origin(...given);
  closing.push(() => one.close());
  return one;
}

async function proxy(words: readonly (string | number)[], options = {}, wish: Wish = {}): Promise<Served> {
  const plan = await kind.plan({ words: words.map(String), options });
  const served = await serve((house) => kind.node!(house, structuredClone(plan)), wish);
  closing.push(() => served.close());
  return served;
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sockscope-proxy-'));
  closing.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A port that nothing listens on. */
async function nobody(): Promise<number> {
  const server = createTcp();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

const hello: Parameters<typeof origin>[0] = (_request, response) => response.end('hello');

describe('what goes through', () => {
  test('method, path, fields and body arrive as they were sent; hop-by-hop fields do not', async () => {
    const there = await behind(hello);
    const { port } = await proxy([there.port]);
    const got = await get(port, '/a//b/../%2F?q=1&q=2', {
      method: 'POST',
      headers: {
        'X-A': ['1', '2'],
        Connection: 'close, X-Secret',
        'X-Secret': 's',
        TE: 'trailers',
        Cookie: 'a=b',
      },
      body: 'some words',
    });
    expect(got.text).toBe('hello');
    const [seen] = there.seen;
    expect(seen).toMatchObject({ method: 'POST', url: '/a//b/../%2F?q=1&q=2', body: 'some words' });
    expect(seen!.headers).toMatchObject({ 'x-a': '1, 2', cookie: 'a=b', host: `127.0.0.1:${there.port}` });
    expect(seen!.headers).not.toHaveProperty('x-secret');
    expect(seen!.headers).not.toHaveProperty('te');
  });

  test('who asked is told to the upstream, behind what was told before', async () => {
    const there = await behind(hello);
    const { port } = await proxy([there.port]);
    await get(port, '/', {
      headers: { Host: 'shop.test', 'X-Forwarded-For': '10.1.1.1', Forwarded: 'for=10.1.1.1' },
    });
    expect(there.seen[0]!.headers).toMatchObject({
      'x-forwarded-for': '10.1.1.1, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.test',
      forwarded: 'for=10.1.1.1, for=127.0.0.1;host="shop.test";proto=http',
    });
    expect(there.seen[0]!.headers.via).toMatch(/^1\.1 sockscope-[0-9a-f]{8}$/);
  });

  test('status, reason, repeated fields and trailers come back as they are', async () => {
    const there = await behind((_request, response) => {
      response.writeHead(299, 'Odd', [
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'X-CaSe',
        'x',
        'Trailer',
        'X-Sum',
      ]);
      response.write('body');
      response.addTrailers({ 'X-Sum': '7' });
      response.end();
    });
    const { port } = await proxy([there.port], { cache: '0' });
    const got = await get(port, '/');
    expect(got).toMatchObject({ status: 299, text: 'body', trailers: { 'x-sum': '7' } });
    expect(got.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(got.raw).toContain('X-CaSe');
    expect(got.headers).not.toHaveProperty('cache-status');
  });

  test('a target with a path takes the place of the prefix, and its Location comes back as ours', async () => {
    const there = await behind((request, response) => {
      response.writeHead(302, { Location: `http://${request.headers.host}/base/new?x` });
      response.end();
    });
    const { port } = await proxy([`http://127.0.0.1:${there.port}/base`]);
    const got = await get(port, '/old?y=1');
    expect(there.seen[0]!.url).toBe('/base/old?y=1');
    expect(got.headers.location).toBe('/new?x');
  });

  test('bodies stream both ways: the first piece arrives before the last one is sent', async () => {
    const there = await behind(() => {});
    there.server.removeAllListeners('request');
    there.server.on('request', (request, response) => request.pipe(response));
    const { port } = await proxy([there.port]);
    const one = wire(port, 'POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    closing.push(() => one.socket.destroy());
    await one.until((text) => text.includes('one'));
    one.socket.write('3\r\ntwo\r\n0\r\n\r\n');
    expect(await one.until((text) => text.endsWith('0\r\n\r\n'))).toContain('two');
  });

  test('a slow reader slows the upstream down: what is between them is bounded', async () => {
    let written = 0;
    const there = await behind((_request, response) => {
      const piece = Buffer.alloc(64 * 1024);
      const more = () => {
        while (!response.destroyed && response.write(piece)) {
          written += piece.length;
        }
        written += piece.length;
      };
      response.on('drain', more);
      more();
    });
    const { port } = await proxy([there.port]);
    const one = wire(port, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    closing.push(() => one.socket.destroy());
    one.socket.pause();
    let before = -1;
    await until(() => {
      const still = written === before && written > 0;
      before = written;
      return still;
    });
    expect(written).toBeLessThan(32_000_000);
  });

  test('HEAD has the length of GET and no body; 204 and 304 pass', async () => {
    const there = await behind((request, response) => {
      response.writeHead(Number(request.url!.slice(1)) || 200, {
        'Content-Length': request.url === '/200' ? 5 : 0,
      });
      response.end(request.url === '/200' ? 'hello' : '');
    });
    const { port } = await proxy([there.port]);
    expect(await get(port, '/200', { method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '5' },
    });
    expect((await get(port, '/204')).status).toBe(204);
    expect((await get(port, '/304', { headers: { 'If-None-Match': '"x"' } })).status).toBe(304);
  });

  test('OPTIONS * is asked of the upstream as it is', async () => {
    const there = await behind(hello);
    const { port } = await proxy([there.port]);
    await get(port, '*', { method: 'OPTIONS' });
    expect(there.seen[0]).toMatchObject({ method: 'OPTIONS', url: '*' });
  });

  test('upstreams on UNIX sockets', async () => {
    const path = join(folder(), 'up.sock');
    const there = await behind(hello);
    await new Promise<void>((done) => there.server.close(() => done()));
    await new Promise<void>((done) => there.server.listen(path, done));
    const { port } = await proxy([`unix:${path}`]);
    expect((await get(port, '/')).text).toBe('hello');
  });
});

describe('the cache', () => {
  const fresh: Parameters<typeof origin>[0] = (request, response) => {
    response.writeHead(200, { 'Cache-Control': 'max-age=60', ETag: '"1"' });
    response.end(`for ${request.url}`);
  };

  test('miss, hit, revalidated: told in Cache-Status and in the log', async () => {
    const there = await behind((request, response) => {
      if (request.headers['if-none-match'] === '"1"') {
        response.writeHead(304, { ETag: '"1"', 'Cache-Control': 'max-age=60' }).end();
      } else {
        fresh(request, response, there.seen[0]!);
      }
    });
    const { port, lines } = await proxy([there.port]);
    const told: unknown[] = [];
    for (const headers of [{}, {}, { 'Cache-Control': 'no-cache' }]) {
      const got = await get(port, '/a', { headers });
      told.push([got.text, got.headers['cache-status']]);
    }
    expect(told).toEqual([
      ['for /a', 'sockscope; fwd=uri-miss; stored'],
      ['for /a', expect.stringMatching(/^sockscope; hit; ttl=(5\d|60)$/)],
      ['for /a', expect.stringMatching(/^sockscope; fwd=request; fwd-status=304; ttl=(5\d|60)$/)],
    ]);
    expect(there.seen).toHaveLength(2);
    await until(() => lines.length === 3);
    expect(lines.map(({ note }) => note.split(', ').at(-1))).toEqual(['miss', 'hit', 'revalidated']);
    expect(lines[0]!.note).toMatch(/^upstream 127\.0\.0\.1:\d+ [\d.]+ ms, miss$/);
  });

  test('twenty who want the same at once ask the upstream once', async () => {
    let answer = () => {};
    const there = await behind((request, response, seen) => {
      answer = () => fresh(request, response, seen);
    });
    const { port } = await proxy([there.port]);
    const all = Array.from({ length: 20 }, () => get(port, '/same'));
    await until(() => there.seen.length === 1);
    answer();
    const got = await Promise.all(all);
    expect(new Set(got.map(({ text }) => text))).toEqual(new Set(['for /same']));
    expect(there.seen).toHaveLength(1);
    const told = got.map(({ headers }) => String(headers['cache-status']));
    // Who came after the answer is a hit.
    expect(told.filter((one) => one.includes('collapsed')).length).toBeGreaterThan(0);
    expect(told.filter((one) => one.includes('stored'))).toHaveLength(1);
  });

  test('what may not be stored is asked for by each of them', async () => {
    const there = await behind((_request, response) => {
      setTimeout(() => response.writeHead(200, { 'Cache-Control': 'private' }).end('yours'), 20);
    });
    const { port } = await proxy([there.port]);
    const all = Array.from({ length: 5 }, () => get(port, '/same'));
    expect((await Promise.all(all)).map(({ text }) => text)).toEqual(Array(5).fill('yours'));
    expect(there.seen).toHaveLength(5);
  });

  test('an upstream that goes down: stale-if-error answers, and the log says so', async () => {
    const there = await behind((_request, response) => {
      response
        .writeHead(200, { 'Cache-Control': 'max-age=0, stale-if-error=60', ETag: '"1"' })
        .end('old but good');
    });
    const { port, lines, said } = await proxy([there.port]);
    await get(port, '/');
    await there.close();
    const got = [await get(port, '/'), await get(port, '/'), await get(port, '/')];
    expect(got.map(({ status, text }) => [status, text])).toEqual(Array(3).fill([200, 'old but good']));
    expect(got[0]!.headers['cache-status']).toMatch(
      /^sockscope; fwd=stale; ttl=(0|-\d); detail=stale-if-error$/,
    );
    expect(lines.at(-1)!.note).toMatch(/refused the connection.*stale, stale-if-error$/);
    expect(said).toEqual([`upstream 127.0.0.1:${there.port} is down: ECONNREFUSED`]);
  });

  test('--stale answers although nothing was allowed; without it 502 and why', async () => {
    for (const stale of [true, false]) {
      const there = await behind((_request, response) => response.end('plain'));
      const { port } = await proxy([there.port], stale ? { stale } : {});
      await get(port, '/');
      await there.close();
      const { status, text } = await get(port, '/');
      expect([status, text]).toEqual(
        stale
          ? [200, 'plain']
          : [502, `the upstream 127.0.0.1:${there.port} refused the connection: nothing listens there\n`],
      );
    }
  });

  test('stale-while-revalidate answers at once and asks behind the client', async () => {
    let version = 0;
    const there = await behind((_request, response) => {
      version++;
      response.writeHead(200, {
        'Cache-Control': `max-age=${version === 1 ? 0 : 60}, stale-while-revalidate=60`,
      });
      response.end(`version ${version}`);
    });
    const { port } = await proxy([there.port]);
    await get(port, '/');
    expect((await get(port, '/')).text).toBe('version 1');
    await until(() => there.seen.length === 2);
    await until(() => version === 2);
    let last = '';
    for (let i = 0; i < 20 && last !== 'version 2'; i++) {
      last = (await get(port, '/')).text;
    }
    expect(last).toBe('version 2');
    expect(there.seen).toHaveLength(2);
  });

  test('a body that broke off is not stored', async () => {
    let first = true;
    const there = await behind((request, response, seen) => {
      if (first) {
        first = false;
        response.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Length': '100' });
        response.write('half');
        setImmediate(() => response.destroy());
      } else {
        fresh(request, response, seen);
      }
    });
    const { port } = await proxy([there.port]);
    await expect(get(port, '/')).rejects.toThrow();
    expect((await get(port, '/')).headers['cache-status']).toBe('sockscope; fwd=uri-miss; stored');
  });

  test('other hosts have other answers', async () => {
    const there = await behind((request, response) => {
      response
        .writeHead(200, { 'Cache-Control': 'max-age=60' })
        .end(String(request.headers['x-forwarded-host']));
    });
    const { port } = await proxy([there.port]);
    for (const host of ['a.test', 'b.test', 'A.test']) {
      expect((await get(port, '/', { headers: { Host: host } })).text).toBe(host.toLowerCase());
    }
    expect(there.seen).toHaveLength(2);
    expect((await get(port, '/', { headers: { Host: 'a/b' } })).status).toBe(400);
  });
});

describe('several upstreams', () => {
  test('take turns', async () => {
    const all = await Promise.all([behind(hello), behind(hello), behind(hello)]);
    const { port } = await proxy(all.map((one) => one.port));
    for (let i = 0; i < 6; i++) {
      await get(port, `/${i}`);
    }
    expect(all.map(({ seen }) => seen.length)).toEqual([2, 2, 2]);
  });

  test('least: a busy one is left alone', async () => {
    const busy: (() => void)[] = [];
    const slow = await behind((_request, response) => busy.push(() => response.end()));
    const quick = await behind(hello);
    const { port } = await proxy([slow.port, quick.port], { balance: 'least' });
    const first = [get(port, '/1'), get(port, '/2')];
    await until(() => slow.seen.length === 1);
    for (let i = 0; i < 4; i++) {
      await get(port, `/more${i}`);
    }
    expect([slow.seen.length, quick.seen.length]).toEqual([1, 5]);
    busy[0]!();
    await Promise.all(first);
  });

  test('one that refuses is left out: nobody notices, and the log says it', async () => {
    const there = await behind(hello);
    const gone = await nobody();
    const { port, said } = await proxy([gone, there.port]);
    for (let i = 0; i < 10; i++) {
      expect(
        (await get(port, `/${i}`, { method: i % 2 === 0 ? 'GET' : 'POST', body: i % 2 === 0 ? '' : 'x' }))
          .status,
      ).toBe(200);
    }
    expect(said).toEqual([`upstream 127.0.0.1:${gone} is down: ECONNREFUSED`]);
    expect(there.seen).toHaveLength(10);
  });

  test('a reset before the answer: GET is tried elsewhere, POST never twice', async () => {
    let asked = 0;
    const resets = createTcp((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        asked++;
        socket.resetAndDestroy();
      });
    });
    await new Promise<void>((done) => resets.listen(0, '127.0.0.1', done));
    closing.push(() => resets.close());
    const there = await behind(hello);
    const { port } = await proxy([there.port, (resets.address() as AddressInfo).port], { cache: '0' });
    const statuses = [(await get(port, '/a')).status, (await get(port, '/b')).status];
    expect(statuses).toEqual([200, 200]);
    const posts = [];
    for (let i = 0; i < 2; i++) {
      posts.push((await get(port, '/c', { method: 'POST', body: 'x' })).status);
    }
    expect(posts.sort()).toEqual([200, 502]);
    expect(asked).toBe(2);
    expect(there.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('a body whose first upstream refuses arrives whole at the second', async () => {
    const there = await behind(hello);
    const { port } = await proxy([await nobody(), there.port], { cache: '0' });
    const body = 'x'.repeat(300_000);
    for (const method of ['PUT', 'POST']) {
      expect((await get(port, '/', { method, body })).status).toBe(200);
    }
    expect(there.seen.map((one) => one.body.length)).toEqual([300_000, 300_000]);
  });

  test('a kept connection that the upstream closed meanwhile costs a GET nothing', async () => {
    const there = await behind(hello);
    const { port, said } = await proxy([there.port], { cache: '0' });
    await get(port, '/');
    there.server.closeIdleConnections();
    expect((await get(port, '/')).status).toBe(200);
    expect(said).toEqual([]);
  });

  test('health checks find who is unwell and who is well again', async () => {
    let well = true;
    const answers: Parameters<typeof origin>[0] = (request, response) => {
      response.statusCode = request.url === '/health' && !well ? 503 : 200;
      response.end();
    };
    const [one, other] = [await behind(hello), await behind(answers)];
    const file = join(folder(), 'proxy.yaml');
    writeFileSync(file, `upstreams: [${one.port}, ${other.port}]\nhealth: { path: /health, every: 20ms }\n`);
    const { port, said } = await proxy([file]);
    well = false;
    await until(() => said.length === 1);
    for (let i = 0; i < 4; i++) {
      await get(port, '/page');
    }
    expect(other.seen.filter(({ url }) => url === '/page')).toHaveLength(0);
    well = true;
    await until(() => said.length === 2);
    expect(said).toEqual([
      `upstream 127.0.0.1:${other.port} is down: 503 for /health`,
      `upstream 127.0.0.1:${other.port} is up again`,
    ]);
  });

  test('connections are kept and used again, and --status counts them', async () => {
    const there = await behind(hello);
    const { port } = await proxy([there.port], { status: true, cache: '0' });
    for (let i = 0; i < 5; i++) {
      await get(port, '/');
    }
    expect(there.sockets.size).toBe(1);
    const { locations } = JSON.parse((await get(port, '/.sockscope/status')).text);
    expect(locations[0].upstreams[0]).toMatchObject({
      requests: 5,
      connections: { open: 1, opened: 1, reused: 4 },
    });
  });
});

describe('who may, and how often', () => {
  test('a password or a token, else 401 with both challenges; the upstream never sees either', async () => {
    const there = await behind(hello);
    const hash = createHash('sha256').update('t0ken').digest('hex');
    const { port } = await proxy([there.port], {
      auth: ['ann:secret', 'bob:a:b'],
      bearer: [`sha256:${hash}`],
    });
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    const status = async (authorization?: string) =>
      (await get(port, '/', { headers: authorization === undefined ? {} : { Authorization: authorization } }))
        .status;
    expect([
      await status(basic('ann:secret')),
      await status(basic('bob:a:b')),
      await status('bearer t0ken'),
      await status(),
      await status(basic('ann:wrong')),
      await status(basic('nobody:')),
      await status(basic('__proto__:x')),
      await status('Bearer secret'),
      await status('Basic !!!'),
    ]).toEqual([200, 200, 200, 401, 401, 401, 401, 401, 401]);
    expect((await get(port, '/')).headers['www-authenticate']).toBe(
      'Basic realm="sockscope", charset="UTF-8", Bearer realm="sockscope"',
    );
    expect(there.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test('a location has its own rate: 429 with Retry-After, other paths go on', async () => {
    const there = await behind(hello);
    const file = join(folder(), 'proxy.yaml');
    writeFileSync(file, `upstreams: ${there.port}\nlocations:\n  - { path: /api/, rate: 2/m }\n`);
    const { port } = await proxy([file]);
    const statuses = [];
    for (const path of ['/api/a', '/api/b', '/apis', '/%61pi/c', '//api/d', '/x/../api/e', '/ok']) {
      statuses.push((await get(port, path)).status);
    }
    expect(statuses).toEqual([200, 429, 200, 429, 429, 429, 200]);
    expect((await get(port, '/api/')).headers['retry-after']).toBe('1');
  });
});

describe('files before the upstream', () => {
  test('a file is served with type, ETag and ranges; what is no file goes on; nothing outside', async () => {
    const there = await behind(hello);
    const root = folder();
    mkdirSync(join(root, 'sub'));
    writeFileSync(join(root, 'a.txt'), '0123456789');
    writeFileSync(join(root, 'empty'), '');
    symlinkSync('/etc/hostname', join(root, 'link'));
    const { port } = await proxy([there.port], { tryFiles: root });
    const file = await get(port, '/sub/../a.txt');
    expect(file).toMatchObject({
      status: 200,
      text: '0123456789',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    });
    expect(await get(port, '/a.txt', { headers: { Range: 'bytes=2-3' } })).toMatchObject({
      status: 206,
      text: '23',
    });
    expect((await get(port, '/a.txt', { headers: { 'If-None-Match': file.headers.etag! } })).status).toBe(
      304,
    );
    expect(await get(port, '/empty')).toMatchObject({ status: 200, text: '' });
    for (const path of ['/sub', '/none', '/link', '/a.txt/', '/']) {
      expect((await get(port, path)).text).toBe('hello');
    }
    expect((await get(port, '/..%2f..%2fetc/passwd')).status).toBe(400);
    expect((await get(port, '/a.txt', { method: 'POST' })).text).toBe('hello');
  });
});

describe('compression', () => {
  const words = 'again and again '.repeat(500);

  test('as the client likes, told in Vary, weak ETag; not twice, not what is packed already', async () => {
    const there = await behind((request, response) => {
      const type = request.url === '/png' ? 'image/png' : 'text/html';
      const coded = request.url === '/coded' ? { 'Content-Encoding': 'gzip' } : {};
      response
        .writeHead(200, { 'Content-Type': type, ETag: '"1"', 'Cache-Control': 'max-age=9', ...coded })
        .end(words);
    });
    const { port } = await proxy([there.port], { compress: true });
    const ask = (path: string, accept: string) => get(port, path, { headers: { 'Accept-Encoding': accept } });
    const [gzip, br, none] = [await ask('/', 'gzip'), await ask('/', 'gzip, br'), await ask('/', 'gzip;q=0')];
    expect(gunzipSync(gzip.bytes).toString()).toBe(words);
    expect(brotliDecompressSync(br.bytes).toString()).toBe(words);
    expect(none.text).toBe(words);
    expect(gzip.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
      etag: 'W/"1"',
    });
    expect(none.headers).toMatchObject({ vary: 'Accept-Encoding', etag: '"1"' });
    expect((await ask('/png', 'gzip')).headers).not.toHaveProperty('content-encoding');
    expect((await ask('/coded', 'gzip')).bytes.toString()).toBe(words);
    expect(there.seen).toHaveLength(3);
  });
});

describe('what goes wrong', () => {
  test('an upstream that says nothing: 504 after --timeout', async () => {
    const there = await behind(() => {});
    const { port } = await proxy([there.port], { timeout: '50ms' });
    expect(await get(port, '/')).toMatchObject({
      status: 504,
      text: `the upstream 127.0.0.1:${there.port} did not answer within 50ms\n`,
    });
  });

  test('a client that goes away takes its request from the upstream', async () => {
    const there = await behind(() => {});
    const { port, lines } = await proxy([there.port]);
    const one = wire(port, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await until(() => there.seen.length === 1);
    one.socket.destroy();
    await until(() => there.sockets.size === 0 && lines.length === 1);
    expect(lines[0]!.result).toBe('gone');
  });

  test('a body over --max-body without a length: 413, and the upstream never gets it whole', async () => {
    const there = await behind(hello);
    const { port } = await proxy([there.port], {}, { common: { maxBody: 1000 } });
    const body = Buffer.alloc(5000);
    const got = await get(port, '/', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body });
    expect(got.status).toBe(413);
    expect(there.seen).toHaveLength(0);
  });

  test('an upstream that speaks no HTTP: 502 and why', async () => {
    const odd = createTcp((socket) => socket.on('error', () => {}).end('SSH-2.0-x\r\n'));
    await new Promise<void>((done) => odd.listen(0, '127.0.0.1', done));
    closing.push(() => odd.close());
    const { port } = await proxy([(odd.address() as AddressInfo).port]);
    const got = await get(port, '/');
    expect([got.status, got.text]).toEqual([502, expect.stringContaining('answered what is no HTTP: HPE_')]);
  });

  test('a proxy that leads to itself: 508 at the second time', async () => {
    const port = await nobody();
    const plan = await kind.plan({ words: [String(port)], options: {} });
    const { createServer } = await import('node:net');
    const served = await serve((house) => kind.node!(house, plan));
    closing.push(() => served.close());
    const door = createServer({ allowHalfOpen: true }, (socket) =>
      served.service.connection(socket, 'x', 'x'),
    );
    await new Promise<void>((done) => door.listen(port, '127.0.0.1', done));
    closing.push(() => door.close());
    expect((await get(port, '/')).status).toBe(508);
  });
});

describe('WebSocket and other upgrades', () => {
  const asks = 'GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

  test('go through with what came early, and FIN by FIN', async () => {
    const there = await behind(hello);
    there.server.on('upgrade', (request, socket) => {
      socket.write(
        `HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\nearly `,
      );
      socket.pipe(socket);
    });
    const { port, lines } = await proxy([there.port]);
    const one = wire(port, `${asks}first `);
    await one.until((text) => text.includes('early first '));
    one.socket.write('second');
    await one.until((text) => text.endsWith('second'));
    one.socket.end();
    expect(await one.ended()).toBe('end');
    expect(one.text()).toMatch(/^HTTP\/1\.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: echo\r\n/);
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ what: 'GET /chat', result: '101' });
  });

  test('an upstream that declines is heard', async () => {
    const there = await behind((_request, response) => response.writeHead(403).end('not you'));
    const { port } = await proxy([there.port]);
    const one = wire(port, asks);
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 403 Forbidden[\s\S]*not you/);
  });

  test('one that refuses is 502; a body beside Upgrade is refused before anybody could misread it', async () => {
    const { port } = await proxy([await nobody()]);
    const one = wire(port, asks);
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 502 /);
    const smuggled = 'GET /secret HTTP/1.1\r\nHost: h\r\n\r\n';
    const other = wire(
      port,
      asks.replace('\r\n\r\n', `\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`),
    );
    await other.ended();
    expect(other.text()).toMatch(/^HTTP\/1\.1 400 /);
    expect(other.text().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

describe('request smuggling: what is not plain reaches no upstream', () => {
  const inner = 'GET /admin HTTP/1.1\r\nHost: h\r\n\r\n';
  const post = (fields: string, body: string) => `POST / HTTP/1.1\r\nHost: h\r\n${fields}\r\n\r\n${body}`;
  test.each([
    ['CL.TE', post('Content-Length: 6\r\nTransfer-Encoding: chunked', `0\r\n\r\n${inner}`)],
    ['TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4', `5c\r\n${inner}0\r\n\r\n`)],
    ['TE.TE', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x', `0\r\n\r\n${inner}`)],
    ['an unknown coding behind chunked', post('Transfer-Encoding: chunked, x', `0\r\n\r\n${inner}`)],
    ['a space before the colon', post('Transfer-Encoding : chunked', `0\r\n\r\n${inner}`)],
    ['two lengths', post('Content-Length: 0\r\nContent-Length: 34', inner)],
    ['a list of lengths', post('Content-Length: 0, 34', inner)],
    ['a signed length', post('Content-Length: +0', inner)],
    ['a vertical tab in chunked', post('Transfer-Encoding: \x0bchunked', `0\r\n\r\n${inner}`)],
    [
      'a line that is folded',
      post('X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 4\r\nContent-Length: 5', inner),
    ],
    ['a bare LF in a chunk size', post('Transfer-Encoding: chunked', `0\n\n${inner}`)],
    ['a chunk size that is none', post('Transfer-Encoding: chunked', `0x0\r\n\r\n${inner}`)],
    ['two hosts', `GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n`],
    ['NUL in a field', `GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n`],
  ])('%s', async (_shape, text) => {
    const there = await behind(hello);
    const { port } = await proxy([there.port], { cache: '0' });
    const one = wire(port, text);
    closing.push(() => one.socket.destroy());
    await one.until((answer) => /HTTP\/1\.1 \d/.test(answer));
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(there.seen.filter(({ url }) => url === '/admin')).toEqual([]);
    expect(there.seen).toHaveLength(0);
  });
});
