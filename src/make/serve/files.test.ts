import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectHttp2, constants } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { begin, createRaw, type Raw } from '../../../test/web-raw.ts';
import { type Served, serve, until } from '../../../test/web-service.ts';
import { planFrom } from './files/plan.ts';
import { kind } from './files.ts';

const SECRET = 'nobody outside may read this';
const page = '<p>a line of a page that is served again and again</p>\n'.repeat(100);
let base = '';
let root = '';
const open: (() => Promise<void> | void)[] = [];

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'sockscope-files-'));
  root = join(base, 'root');
  for (const folder of ['root', 'root/sub', 'root/with index', 'root/empty', 'root/.git', 'outside']) {
    mkdirSync(join(base, folder));
  }
  const old = new Date('2024-01-02T03:04:05.500Z');
  const put = (path: string, content: string | Buffer) => {
    writeFileSync(join(base, path), content);
    utimesSync(join(base, path), old, old);
  };
  put('root/a.txt', '0123456789');
  put('root/empty.txt', '');
  put('root/page.html', page);
  put('root/big.bin', Buffer.alloc(3_000_000, 'abcdefghij'));
  put('root/huge.json', JSON.stringify(Array.from({ length: 200_000 }, (_, i) => i)));
  put('root/with index/index.html', 'the index');
  put('root/sub/<b>&"\'.txt', 'x');
  put('root/sub/javascript:alert(1)', 'x');
  put('root/sub/.hidden', 'h');
  put('root/.git/config', 'hidden');
  put('root/app.js', page);
  put('root/app.js.gz', gzipSync(`packed ${page}`));
  put('root/app.js.zst', 'not really zstd');
  put('outside/secret.txt', SECRET);
  writeFileSync(Buffer.concat([Buffer.from(join(root, 'sub/')), Buffer.from([0xff, 0xfe])]), 'no UTF-8');
  symlinkSync('../outside/secret.txt', join(root, 'out.txt'));
  symlinkSync('../outside', join(root, 'out'));
  symlinkSync('a.txt', join(root, 'in.txt'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync(join(base, 'rootless'), join(root, 'sub/broken'));
  spawnSync('mkfifo', [join(root, 'fifo')]);
});

afterEach(async () => {
  for (const close of open.splice(0)) {
    await close();
  }
});

afterAll(() => rmSync(base, { recursive: true, force: true }));

async function start(
  options: Record<string, unknown> = {},
  directory = root,
): Promise<Served & { raw: Raw }> {
  const plan = planFrom({ words: [directory], options });
  const served = await serve((house) => kind.node!(house, plan));
  const raw = createRaw(served.port);
  open.push(
    () => raw.close(),
    () => served.close(),
  );
  return { ...served, raw };
}

describe('what is asked for', () => {
  test('a file comes with its type, length, validators; HEAD says the same', async () => {
    const { raw } = await start({ cacheControl: 'max-age=60' });
    const got = await raw.get('/a.txt');
    expect(got.status).toBe(200);
    expect(got.body.toString()).toBe('0123456789');
    expect(got.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '10',
      'last-modified': 'Tue, 02 Jan 2024 03:04:05 GMT',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'cache-control': 'max-age=60',
    });
    expect(got.headers.etag).toMatch(/^"a-[0-9a-f]+-[0-9a-f]+"$/);
    const head = await raw.get('/a.txt', {}, 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    const same = ['content-length', 'etag', 'last-modified', 'content-type'];
    expect(same.map((name) => head.headers[name])).toEqual(same.map((name) => got.headers[name]));
    expect((await raw.get('/empty.txt')).body.length).toBe(0);
    expect((await raw.get(`/${'a'.repeat(5000)}`)).status).toBe(404);
  });

  test('anything but GET and HEAD is 405 with Allow', async () => {
    const { raw } = await start();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const got = await raw.get('/a.txt', {}, method);
      expect([got.status, got.headers.allow]).toEqual([405, 'GET, HEAD']);
    }
  });

  test('ranges: one, several, from the end, beyond it; of small files and of large ones', async () => {
    const { raw } = await start();
    const one = await raw.get('/a.txt', { Range: 'bytes=2-4' });
    expect([one.status, one.headers['content-range'], String(one.body)]).toEqual([
      206,
      'bytes 2-4/10',
      '234',
    ]);
    const beyond = await raw.get('/a.txt', { Range: 'bytes=10-' });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);
    const end = await raw.get('/big.bin', { Range: 'bytes=-5' });
    expect([end.status, String(end.body)]).toEqual([206, 'fghij']);
    const middle = await raw.get('/big.bin', { Range: 'bytes=1000001-2000000' });
    expect(middle.body.length).toBe(1_000_000);
    expect(String(middle.body.subarray(0, 10))).toBe('bcdefghija');
    for (const path of ['/a.txt', '/big.bin']) {
      const several = await raw.get(path, { Range: 'bytes=0-1,4-4,-2' });
      const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(
        several.headers['content-type'] ?? '',
      )?.[1];
      const parts = String(several.body).split(`\r\n--${boundary}`);
      expect([several.status, parts.length, parts[0], parts.at(-1)]).toEqual([206, 5, '', '--\r\n']);
      expect(parts[2]).toMatch(/^\r\nContent-Type: [^\r]+\r\nContent-Range: bytes 4-4\/\d+\r\n\r\n[4e]$/);
    }
    const head = await raw.get('/a.txt', { Range: 'bytes=2-4' }, 'HEAD');
    expect([head.status, head.headers['content-length']]).toEqual([200, '10']);
  });

  test('conditions: 304 without a body, 412, and If-Range gives the whole of another file', async () => {
    const { raw } = await start();
    const { etag = '', 'last-modified': date = '' } = (await raw.get('/big.bin')).headers;
    const same = await raw.get('/big.bin', { 'If-None-Match': `"x", ${etag}` });
    expect([same.status, same.body.length, same.headers.etag]).toEqual([304, 0, etag]);
    expect((await raw.get('/big.bin', { 'If-Modified-Since': date })).status).toBe(304);
    expect((await raw.get('/big.bin', { 'If-Match': '"x"' })).status).toBe(412);
    for (const [condition, status] of [
      [etag, 206],
      [date, 206],
      ['"x"', 200],
      [`W/${etag}`, 200],
    ] as const) {
      expect((await raw.get('/big.bin', { Range: 'bytes=0-0', 'If-Range': condition })).status).toBe(status);
    }
  });

  test('what changed is never answered from memory', async () => {
    const { raw } = await start();
    const path = join(root, 'changing.txt');
    const old = new Date(Date.now() - 10_000);
    for (const content of ['first', 'other', 'third']) {
      writeFileSync(path, content);
      expect(String((await raw.get('/changing.txt')).body)).toBe(content);
    }
    utimesSync(path, old, old);
    expect(String((await raw.get('/changing.txt')).body)).toBe('third');
    writeFileSync(`${path}.new`, 'fifth');
    utimesSync(`${path}.new`, old, old);
    renameSync(`${path}.new`, path);
    expect(String((await raw.get('/changing.txt')).body)).toBe('fifth');
    rmSync(path);
    expect((await raw.get('/changing.txt')).status).toBe(404);
  });
});

describe('directories', () => {
  test('the slash is put behind by a redirect that cannot leave the server; index.html is served', async () => {
    const { raw } = await start();
    const moved = await raw.get('/with%20index?a=b');
    expect([moved.status, moved.headers.location]).toEqual([301, './with%20index/?a=b']);
    expect((await raw.get('//sub')).headers.location).toBe('./sub/');
    expect((await raw.get('/with%20index/../sub')).headers.location).toBe('./sub/');
    expect(String((await raw.get('/with%20index/')).body)).toBe('the index');
    expect((await raw.get('/a.txt/')).status).toBe(404);
  });

  test('a listing is escaped, complete, without what would not be served; also as JSON', async () => {
    const { raw } = await start();
    const html = String((await raw.get('/sub/')).body);
    expect(html).toContain('<a href="./%3Cb%3E%26%22%27.txt">&lt;b&gt;&amp;&quot;&#39;.txt</a>');
    expect(html).toContain('href="./javascript%3Aalert%281%29"');
    expect(html).toContain('href="./%FF%FE"');
    expect(html).not.toMatch(/hidden|broken/);
    const json = JSON.parse(String((await raw.get('/', { Accept: 'application/json' })).body)) as {
      name: string;
      type: string;
      size?: number;
      mtime: string;
      href: string;
    }[];
    const names = json.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['empty', 'sub', 'with index']);
    expect(names).toContain('in.txt');
    for (const absent of ['.git', 'out', 'out.txt', 'loop', 'fifo']) {
      expect(names).not.toContain(absent);
    }
    expect(json.find(({ name }) => name === 'a.txt')).toEqual({
      name: 'a.txt',
      href: './a.txt',
      type: 'file',
      size: 10,
      mtime: '2024-01-02T03:04:05.500Z',
    });
    expect(String((await raw.get('/sub/%FF%FE')).body)).toBe('no UTF-8');
    expect((await (await start({ listing: false })).raw.get('/sub/')).status).toBe(403);
  });

  test('hidden files are not there, unless they are asked for', async () => {
    const { raw } = await start();
    expect((await raw.get('/.git/config')).status).toBe(404);
    expect((await raw.get('/sub/%2ehidden')).status).toBe(404);
    const shown = (await start({ hidden: true })).raw;
    expect(String((await shown.get('/.git/config')).body)).toBe('hidden');
    expect(String((await shown.get('/sub/')).body)).toContain('.hidden');
  });

  test('--try-files: a page of its own for what is not there, in nginx words too', async () => {
    const app = (await start({ tryFiles: 'page.html' })).raw;
    expect(String((await app.get('/users/7', { 'Accept-Encoding': 'identity' })).body)).toBe(page);
    expect((await app.get('/sub')).status).toBe(301);
    const clean = (await start({ tryFiles: '$uri $uri.html =404' })).raw;
    expect((await clean.get('/page')).headers['content-type']).toBe('text/html; charset=utf-8');
    expect([(await clean.get('/nothing')).status, (await clean.get('/sub/')).status]).toEqual([404, 404]);
  });
});

describe('packed', () => {
  test('on the fly by q, once for all who ask, with a weak validator and without ranges', async () => {
    const { raw } = await start();
    const packed = await raw.get('/page.html', { 'Accept-Encoding': 'gzip, br;q=0.5', Range: 'bytes=0-1' });
    expect([packed.status, packed.headers['content-encoding'], packed.headers.vary]).toEqual([
      200,
      'gzip',
      'Accept-Encoding',
    ]);
    expect(packed.headers['content-length']).toBe(String(packed.body.length));
    expect(packed.headers['accept-ranges']).toBeUndefined();
    expect(packed.headers.etag).toMatch(/^W\/"/);
    expect(String(gunzipSync(packed.body))).toBe(page);
    const br = await raw.get('/page.html', { 'Accept-Encoding': 'gzip, br' });
    expect(String(brotliDecompressSync(br.body))).toBe(page);
    const plain = await raw.get('/page.html');
    expect([plain.headers['content-encoding'], plain.headers.vary]).toEqual([undefined, 'Accept-Encoding']);
    const again = await raw.get('/page.html', {
      'Accept-Encoding': 'gzip',
      'If-None-Match': packed.headers.etag ?? '',
    });
    expect(again.status).toBe(304);
    expect(
      (await raw.get('/big.bin', { 'Accept-Encoding': 'gzip' })).headers['content-encoding'],
    ).toBeUndefined();
    expect(
      (await raw.get('/a.txt', { 'Accept-Encoding': 'gzip' })).headers['content-encoding'],
    ).toBeUndefined();
  });

  test('a large file is packed while it is sent', async () => {
    const { raw } = await start();
    const got = await raw.get('/huge.json', { 'Accept-Encoding': 'gzip' });
    expect(got.headers['content-length']).toBeUndefined();
    expect(JSON.parse(String(gunzipSync(got.body)))).toHaveLength(200_000);
  });

  test('a packed file beside it goes first, with ranges of its own, unless it is older', async () => {
    const { raw } = await start();
    const got = await raw.get('/app.js', { 'Accept-Encoding': 'gzip, br' });
    expect([got.headers['content-encoding'], got.headers['content-type']]).toEqual([
      'gzip',
      'text/javascript; charset=utf-8',
    ]);
    expect(String(gunzipSync(got.body))).toBe(`packed ${page}`);
    expect((await raw.get('/app.js', { 'Accept-Encoding': 'zstd' })).headers['content-encoding']).toBe(
      'zstd',
    );
    const part = await raw.get('/app.js', { 'Accept-Encoding': 'gzip', Range: 'bytes=0-1' });
    expect([part.status, part.body.toString('hex'), part.headers['content-encoding']]).toEqual([
      206,
      '1f8b',
      'gzip',
    ]);
    const now = new Date();
    utimesSync(join(root, 'app.js'), now, now);
    const fresh = await raw.get('/app.js', { 'Accept-Encoding': 'gzip' });
    expect(String(gunzipSync(fresh.body))).toBe(page);
  });
});

test('--cors lets pages of other origins read, and answers what browsers ask before', async () => {
  const { raw } = await start({ cors: true });
  expect((await raw.get('/a.txt')).headers['access-control-allow-origin']).toBe('*');
  expect((await raw.get('/nothing')).headers['access-control-allow-origin']).toBe('*');
  const asked = await raw.get('/a.txt', { 'Access-Control-Request-Headers': 'range' }, 'OPTIONS');
  expect([asked.status, asked.headers['access-control-allow-headers']]).toEqual([204, 'range']);
});

describe('nothing outside', () => {
  test('links that lead out are refused, and served with --follow; a link within is fine', async () => {
    const { raw } = await start();
    for (const path of ['/out.txt', '/out/secret.txt', '/out/']) {
      const got = await raw.get(path);
      expect([path, got.status]).toEqual([path, 403]);
      expect(String(got.body)).not.toContain(SECRET);
    }
    expect(String((await raw.get('/in.txt')).body)).toBe('0123456789');
    expect((await raw.get('/loop')).status).toBe(404);
    expect(String((await (await start({ follow: true })).raw.get('/out/secret.txt')).body)).toBe(SECRET);
  });

  test('a FIFO, a device and a socket are not opened, and nobody waits', async () => {
    symlinkSync('/dev/zero', join(root, 'zero'));
    const listener = createServer().listen(join(root, 'sock'));
    open.push(() => void listener.close());
    const { raw } = await start({ follow: true });
    for (const path of ['/fifo', '/zero', '/sock']) {
      expect((await raw.get(path)).status).toBe(404);
    }
    rmSync(join(root, 'zero'));
  });

  test('no path leads to the secret, however it is written', async () => {
    const { raw } = await start({ hidden: true, tryFiles: '$uri $uri/ $uri.txt =404' });
    const piece = fc.constantFrom(
      ...['..', '.', '/', '//', '%2e%2e', '%2E.', '%2f', '%5c', '\\', '%252e', '%00', '%c0%ae', '%ff'],
      ...['out', 'out.txt', 'outside', 'secret.txt', 'secret', 'root', 'sub', 'in.txt', '?', '#', 'a'],
      encodeURI(base),
    );
    const path = fc.array(piece, { minLength: 1, maxLength: 9 }).map((all) => `/${all.join('/')}`);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          path,
          path.map((all) => all.replaceAll('/', '').replace(/^/, '/')),
        ),
        async (target) => {
          const got = await raw.get(target);
          expect(String(got.body)).not.toContain(SECRET);
          expect([200, 301, 400, 403, 404]).toContain(got.status);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a name that is swapped for a link out, again and again, never shows the secret', async () => {
    const { raw } = await start();
    const path = join(root, 'swapped');
    const seen = new Set<number>();
    for (let i = 0; i < 60; i++) {
      rmSync(path, { force: true });
      if (i % 2 === 0) {
        linkSync(join(root, 'a.txt'), path);
      } else {
        symlinkSync('../outside/secret.txt', path);
      }
      const got = await raw.get('/swapped');
      seen.add(got.status);
      expect(String(got.body)).not.toContain(SECRET);
    }
    expect([...seen].sort()).toEqual([200, 403]);
    rmSync(path);
  });
});

describe('files that change while they are sent', () => {
  // More than the kernel keeps for a client that does not read.
  const LENGTH = 40_000_000;

  async function halfway() {
    const path = join(root, 'moving.bin');
    rmSync(path, { force: true });
    writeFileSync(path, '');
    truncateSync(path, LENGTH);
    const old = new Date(Date.now() - 60_000);
    utimesSync(path, old, old);
    const served = await start();
    const client = await begin(served.port, '/moving.bin');
    open.push(() => void client.socket.destroy());
    return { served, client, path };
  }

  test('a truncated file cuts the connection', async () => {
    const { served, client, path } = await halfway();
    truncateSync(path, 1_000_000);
    client.socket.resume();
    await until(client.over);
    expect(client.count()).toBeLessThan(LENGTH);
    await until(() => served.lines.length === 1);
    const note = 'the file became shorter while it was sent';
    expect(served.lines[0]).toMatchObject({ result: 'cut', fine: false, note });
  });

  test('one that was written over does so too', async () => {
    const { served, client, path } = await halfway();
    utimesSync(path, new Date(), new Date());
    client.socket.resume();
    await until(client.over);
    expect(client.count()).toBeLessThan(LENGTH);
    await until(() => served.lines.length === 1);
    expect(served.lines[0]!.note).toBe('the file was written over while it was sent');
  });

  test('one that grows, or is replaced by another, is sent as it was announced', async () => {
    const { served, client, path } = await halfway();
    appendFileSync(path, 'more');
    client.socket.resume();
    await until(() => client.count() === LENGTH);
    const second = await begin(served.port, '/moving.bin');
    open.push(() => void second.socket.destroy());
    writeFileSync(`${path}.new`, 'short');
    renameSync(`${path}.new`, path);
    second.socket.resume();
    await until(() => second.count() === LENGTH + 4);
    await until(() => served.lines.length === 2);
    expect(served.lines.map(({ result }) => result)).toEqual(['200', '200']);
    expect(client.count()).toBe(LENGTH);
  });

  test('a drain waits for the download that is under way', async () => {
    const { served, client } = await halfway();
    const drained = served.drain();
    client.socket.resume();
    expect(await drained).toBe(0);
    await until(() => client.count() === LENGTH);
  });

  test('over HTTP/2 a download that is given up does not disturb the one beside it', async () => {
    const { served } = await halfway();
    const session = connectHttp2(`http://127.0.0.1:${served.port}`);
    open.push(() => session.destroy());
    const [given, kept] = ['/moving.bin', '/big.bin'].map((path) => session.request({ ':path': path }));
    await once(given!, 'data');
    given!.close(constants.NGHTTP2_CANCEL);
    let count = 0;
    kept!.on('data', (piece: Buffer) => {
      count += piece.length;
    });
    await once(kept!, 'end');
    expect(count).toBe(3_000_000);
    await until(() => served.lines.length === 2);
    expect(served.lines.map(({ what, result }) => `${what} ${result}`).sort()).toEqual([
      'GET /big.bin 200',
      'GET /moving.bin gone',
    ]);
  });

  test('a client that goes away leaves no file open', async () => {
    const { served, client } = await halfway();
    client.socket.destroy();
    await until(() => served.lines.length === 1);
    expect(served.lines[0]!.result).toBe('gone');
    const links = () => String(spawnSync('ls', ['-l', `/proc/${process.pid}/fd`]).stdout);
    await until(() => !links().includes('moving.bin'));
  });
});

test.skipIf(process.getuid?.() !== 0)(
  'what this user may not read is 403, and a whole directory is refused at once',
  async () => {
    // Root reads everything, so this test becomes nobody for a moment.
    const { raw } = await start();
    const locked = join(root, 'locked');
    mkdirSync(locked, { mode: 0o700 });
    spawnSync('chmod', ['755', base]);
    writeFileSync(join(root, 'locked.txt'), 'x', { mode: 0o600 });
    process.seteuid!(65534);
    try {
      expect((await raw.get('/locked.txt')).status).toBe(403);
      expect((await raw.get('/locked/')).status).toBe(403);
      expect(() => planFrom({ words: [locked], options: {} })).toThrow('may not be read by this user');
    } finally {
      process.seteuid!(0);
    }
  },
);
