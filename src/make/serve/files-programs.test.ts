/** Other people's programs: curl and a browser in front of ours, and nginx beside it with the same directory. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findProgram, needs } from '../../../test/needs.ts';
import { createRaw, type Raw, type Reply } from '../../../test/web-raw.ts';
import { type Served, serve } from '../../../test/web-service.ts';
import { planFrom } from './files/plan.ts';
import { kind } from './files.ts';

const run = promisify(execFile);
const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
let base = '';
let root = '';
let ours: Served;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'sockscope-programs-'));
  root = join(base, 'root');
  for (const folder of ['root', 'root/sub', 'root/with index']) {
    mkdirSync(join(base, folder));
  }
  const old = new Date('2024-01-02T03:04:05Z');
  const put = (path: string, content: string | Buffer) => {
    writeFileSync(join(root, path), content);
    utimesSync(join(root, path), old, old);
  };
  put('a.txt', '0123456789');
  put('empty.txt', '');
  put('lines.txt', lines);
  put('data.bin', Buffer.alloc(500_000, 'abcdefg'));
  put('style.css', 'a{b:c}');
  put('packed.css', 'a{b:c}'.repeat(500));
  put('packed.css.gz', gzipSync('a{b:c}'.repeat(500)));
  put('with index/index.html', 'the index');
  put('sub/x y.html', 'a space');
  put('dot.png', png(3, 2));
  const tell = "document.body.dataset.seen = i.naturalWidth + 'x' + i.naturalHeight";
  put('show.html', `<img id=i src=dot.png onload="${tell}">`);
  const plan = planFrom({ words: [root], options: { listing: false } });
  ours = await serve((house) => kind.node!(house, plan));
});

afterAll(async () => {
  await ours.close();
  rmSync(base, { recursive: true, force: true });
});

/** A picture of one colour. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crcOf(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, 2, 0, 0, 0]);
  const row = Buffer.alloc(1 + width * 3, 200);
  row[0] = 0;
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crcOf(bytes: Buffer): number {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
  }
  return (sum ^ -1) >>> 0;
}

describe.skipIf(needs('curl').missing !== null)('curl', () => {
  const curl = async (...args: string[]) =>
    (await run('curl', ['-sS', '--max-time', '10', ...args], { maxBuffer: 2 ** 24 })).stdout;
  const url = (path: string) => `http://127.0.0.1:${ours.port}${path}`;

  test('takes ranges, one and several', async () => {
    expect(await curl('-r', '2-4', url('/a.txt'))).toBe('234');
    const parts = await curl('-r', '0-1,8-', url('/a.txt'));
    expect(parts.match(/Content-Range: [^\r]+/g)).toEqual([
      'Content-Range: bytes 0-1/10',
      'Content-Range: bytes 8-9/10',
    ]);
  });

  test('-z brings nothing that is not newer', async () => {
    const code = ['-o', '/dev/null', '-w', '%{http_code}'];
    expect(await curl('-z', 'Wed, 03 Jan 2024 00:00:00 GMT', ...code, url('/a.txt'))).toBe('304');
    expect(await curl('-z', 'Mon, 01 Jan 2024 00:00:00 GMT', ...code, url('/a.txt'))).toBe('200');
  });

  test('--compressed brings the same text in fewer bytes', async () => {
    const file = join(base, 'got.txt');
    const size = await curl('--compressed', '-o', file, '-w', '%{size_download}', url('/lines.txt'));
    expect(readFileSync(file, 'utf8')).toBe(lines);
    expect(Number(size)).toBeLessThan(lines.length / 2);
  });

  test('-C - resumes where it stopped', async () => {
    const file = join(base, 'half.txt');
    writeFileSync(file, lines.slice(0, 100_000));
    const got = await curl('-C', '-', '-o', file, '-w', '%{http_code} %{size_download}', url('/lines.txt'));
    expect(got).toBe(`206 ${lines.length - 100_000}`);
    expect(readFileSync(file, 'utf8')).toBe(lines);
  });

  test('takes a file over HTTP/2', async () => {
    const format = ['-o', '/dev/null', '-w', '%{http_version} %{http_code} %{size_download}'];
    expect(await curl('--http2-prior-knowledge', ...format, url('/data.bin'))).toBe('2 200 500000');
  });
});

describe.skipIf(needs('nginx').missing !== null)('beside nginx', () => {
  let nginx: ChildProcess | undefined;
  let theirs: Raw;
  let mine: Raw;

  beforeAll(async () => {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${base}/${name};`)
      .join(' ');
    const types = 'text/html html; text/plain txt; text/css css; image/png png; text/javascript js;';
    writeFileSync(
      join(base, 'nginx.conf'),
      `user root; daemon off; master_process off; pid ${base}/pid; error_log stderr crit;
      events { worker_connections 64; }
      http { access_log off; ${paths} types { ${types} } default_type application/octet-stream;
        charset utf-8; charset_types text/css text/plain; gzip_static on; absolute_redirect off;
        server { listen unix:${base}/nginx.sock; root ${root}; } }`,
    );
    nginx = spawn(findProgram('nginx')!, ['-c', join(base, 'nginx.conf'), '-p', base, '-e', 'stderr'], {
      stdio: 'ignore',
    });
    theirs = createRaw(join(base, 'nginx.sock'));
    mine = createRaw(ours.port);
    await vi.waitFor(() => theirs.get('/a.txt'), { timeout: 10_000 });
  });

  afterAll(async () => {
    theirs.close();
    mine.close();
    if (nginx !== undefined && nginx.exitCode === null) {
      nginx.kill();
      await once(nginx, 'exit');
    }
  });

  const date = 'Tue, 02 Jan 2024 03:04:05 GMT';
  const before = 'Mon, 01 Jan 2024 03:04:05 GMT';
  type Asked = readonly [path: string, headers?: Record<string, string>, method?: string];
  const asked: Asked[] = [
    ...['/a.txt', '/empty.txt', '/style.css', '/dot.png', '/data.bin', '/lines.txt'].map(
      (path): Asked => [path],
    ),
    ...['/sub/x%20y.html', '//a.txt', '/./a.txt', '/sub/../a.txt', '/%61.txt', '/a.txt?query'].map(
      (path): Asked => [path],
    ),
    ...['/nothing', '/a.txt/', '/sub/', '/with%20index/', '/..', '/%2e%2e/x', '/a%00', '/a%zz'].map(
      (path): Asked => [path],
    ),
    ['/a.txt', {}, 'HEAD'],
    ['/data.bin', {}, 'HEAD'],
    ['/a.txt', {}, 'POST'],
    ['/a.txt', {}, 'DELETE'],
    ...['0-0', '2-4', '5-', '-3', '-30', '0-99', '10-', '20-30', '1-2,4-', '0-0,20-30', '0-9,0-9'].map(
      (range): Asked => ['/a.txt', { Range: `bytes=${range}` }],
    ),
    ['/data.bin', { Range: 'bytes=100000-400000' }],
    ['/data.bin', { Range: 'bytes=0-9,-100000' }],
    ['/a.txt', { 'If-Modified-Since': date }],
    ['/a.txt', { 'If-Unmodified-Since': date }],
    ['/a.txt', { 'If-Unmodified-Since': before }],
    ['/a.txt', { 'If-None-Match': '*' }],
    ['/a.txt', { 'If-None-Match': '"x"', 'If-Modified-Since': date }],
    ['/a.txt', { 'If-Match': '"x"' }],
    ['/a.txt', { Range: 'bytes=1-2', 'If-Range': date }],
    ['/a.txt', { Range: 'bytes=1-2', 'If-Range': before }],
    ['/a.txt', { Range: 'bytes=1-2', 'If-Range': '"x"' }],
    ['/packed.css', { 'Accept-Encoding': 'gzip' }],
    ['/packed.css', { 'Accept-Encoding': 'gzip;q=0' }],
  ];

  const all = asked.map(([path, headers = {}, method = 'GET']) => ({ path, headers, method }));
  test.each(all)('$method $path $headers', async ({ path, headers, method }) => {
    const [a, b] = [await theirs.get(path, headers, method), await mine.get(path, headers, method)];
    expect(said(b)).toEqual(said(a));
  });

  /** Words of errors are each server's own, a boundary is random, and only ours repeats Accept-Ranges with a part. */
  function said({ status, headers, body }: Reply): unknown {
    if (status >= 300) {
      return { status, range: headers['content-range'] };
    }
    const type = headers['content-type'] ?? '';
    const boundary = /boundary=(.*)/.exec(type)?.[1];
    const names = ['content-range', 'last-modified', 'content-encoding'];
    const common = { status, headers: names.map((name) => headers[name]) };
    return boundary === undefined
      ? {
          ...common,
          type: type.replace('; ', ';'),
          length: headers['content-length'],
          body: body.toString('latin1'),
        }
      : { ...common, body: body.toString('latin1').replaceAll(boundary, 'B').replaceAll('; ', ';') };
  }

  test('where the two differ, ours follows RFC 9110: HEAD has no ranges, and a packed file has', async () => {
    const both = async (path: string, headers: Record<string, string>, method = 'GET') => {
      const replies = [await theirs.get(path, headers, method), await mine.get(path, headers, method)];
      return replies.map(({ status }) => status);
    };
    expect(await both('/a.txt', { Range: 'bytes=0-1' }, 'HEAD')).toEqual([206, 200]);
    expect(await both('/a.txt', { Range: 'bytes=5-2' })).toEqual([416, 200]);
    expect(await both('/packed.css', { 'Accept-Encoding': 'gzip', Range: 'bytes=0-9' })).toEqual([200, 206]);
  });

  test('an ETag that it gave is one that it knows again, and the redirect leads to the same place', async () => {
    for (const one of [theirs, mine]) {
      const { etag = '' } = (await one.get('/a.txt')).headers;
      expect((await one.get('/a.txt', { 'If-None-Match': etag })).status).toBe(304);
      expect((await one.get('/a.txt', { 'If-Range': etag, Range: 'bytes=1-1' })).status).toBe(206);
      const moved = await one.get('/with%20index?a=b');
      expect(moved.status).toBe(301);
      expect(String(new URL(moved.headers.location ?? '', 'http://x/with%20index?a=b'))).toBe(
        'http://x/with%20index/?a=b',
      );
    }
  });
});

describe.skipIf(needs('chromium').missing !== null)('a browser', () => {
  test('shows a picture of the directory', async () => {
    const { stdout } = await run(
      'chromium',
      [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-extensions'],
        ...['--disable-background-networking', `--user-data-dir=${join(base, 'profile')}`],
        ...['--timeout=15000', '--dump-dom', `http://127.0.0.1:${ours.port}/show.html`],
      ],
      { timeout: 25_000 },
    );
    expect(stdout).toContain('data-seen="3x2"');
  });
});
