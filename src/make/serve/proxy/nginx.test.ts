/** The same origin behind nginx and behind our proxy: what clients are told, side by side. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findProgram, needs } from '../../../../test/needs.ts';
import { type Got, get, type Origin, origin, type Wants } from '../../../../test/proxy-origin.ts';
import { type Served, serve } from '../../../../test/web-service.ts';
import { kind } from '../proxy.ts';

const page = 'a line of a page that is served again and again\n'.repeat(100);

describe.skipIf(needs('nginx').missing !== null)('beside nginx', () => {
  let folder = '';
  let nginx: ChildProcess | undefined;
  let ours: Served;
  let there: Origin;
  let dies: Origin;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-beside-'));
    there = await origin((request, response, seen) => {
      const path = request.url!.split('?')[0]!.replace(/^\/(?:base|private|limited)/, '');
      if (path === '/echo') {
        response.setHeader('Content-Type', 'application/json');
        response.end(
          JSON.stringify({
            method: seen.method,
            url: seen.url,
            body: seen.body,
            for: seen.headers['x-forwarded-for'],
            hop: seen.headers['x-hop'],
          }),
        );
      } else if (path === '/moved') {
        response.writeHead(302, { Location: `http://${request.headers.host}/base/next?q` }).end();
      } else if (path === '/page') {
        response.writeHead(200, { 'Content-Type': 'text/html', ETag: '"v1"' }).end(page);
      } else if (path === '/picture') {
        response.writeHead(200, { 'Content-Type': 'image/png' }).end(page);
      } else if (path === '/cached') {
        response.writeHead(200, { 'Cache-Control': 'max-age=60' }).end(`answer ${there.seen.length}`);
      } else if (path === '/cookies') {
        response.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('two');
      } else if (/^\/status\/\d+$/.test(path)) {
        response.writeHead(Number(path.slice(8))).end();
      } else {
        response.writeHead(404, { 'Content-Type': 'text/plain' }).end('nothing here');
      }
    });
    dies = await origin((_request, response) => {
      response.writeHead(200, { 'Cache-Control': 'max-age=1' }).end('still here');
    });
    mkdirSync(join(folder, 'public'));
    writeFileSync(join(folder, 'public', 'file.txt'), 'a file');
    const hash = createHash('sha256').update('secret').digest('hex');
    const sha1 = createHash('sha1').update('secret').digest('base64');
    writeFileSync(join(folder, 'users'), `ann:{SHA}${sha1}\n`);
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join(' ');
    const up = `http://127.0.0.1:${there.port}`;
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
      events { worker_connections 64; }
      http { access_log off; ${paths} types { text/plain txt; } default_type application/octet-stream; server_tokens off;
        proxy_cache_path ${folder}/cache keys_zone=c:1m; limit_req_zone $binary_remote_addr zone=l:1m rate=1r/m;
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        gzip on; gzip_proxied any; gzip_vary on; gzip_min_length 256; gzip_types text/html;
        server { listen unix:${folder}/nginx.sock; root ${folder}/public;
          location / { try_files $uri @up; }
          location @up { proxy_pass ${up}; proxy_cache c; add_header X-Cache $upstream_cache_status; }
          location /base/ { proxy_pass ${up}/base/; }
          location /prefix/ { proxy_pass ${up}/base/; }
          location /private/ { auth_basic closed; auth_basic_user_file ${folder}/users; proxy_pass ${up}; }
          location /limited/ { limit_req zone=l; proxy_pass ${up}; }
          location /gone/ { proxy_pass http://127.0.0.1:1; }
          location /dies/ { proxy_pass http://127.0.0.1:${dies.port}; proxy_cache c; proxy_cache_use_stale error;
            add_header X-Cache $upstream_cache_status; }
        } }`,
    );
    writeFileSync(
      join(folder, 'proxy.yaml'),
      `upstreams: [${there.port}]
compress: true
stale: true
locations:
  - { path: /, try-files: public }
  - { path: /prefix/, upstreams: ["${up}/base/"] }
  - { path: /base/, upstreams: ["${up}/base/"] }
  - { path: /private/, auth: { realm: closed, users: { ann: "sha256:${hash}" } } }
  - { path: /limited/, rate: 1/m }
  - { path: /gone/, upstreams: ["127.0.0.1:1"] }
  - { path: /dies/, upstreams: [${dies.port}] }
`,
    );
    const plan = await kind.plan({ words: [join(folder, 'proxy.yaml')], options: {} });
    ours = await serve((house) => kind.node!(house, plan));
    nginx = spawn(findProgram('nginx')!, ['-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr'], {
      stdio: 'ignore',
    });
    await vi.waitFor(() => get(0, '/file.txt', { socketPath: join(folder, 'nginx.sock') }), {
      timeout: 10_000,
    });
  });

  afterAll(async () => {
    if (nginx !== undefined && nginx.exitCode === null) {
      nginx.kill();
      await once(nginx, 'exit');
    }
    await ours.close();
    await Promise.all([there.close(), dies.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Both answers; only what a client cares about. */
  async function both(path: string, wants: Wants = {}): Promise<[Got, Got]> {
    const theirs = await get(0, path, { ...wants, socketPath: join(folder, 'nginx.sock') });
    return [theirs, await get(ours.port, path, wants)];
  }

  const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  test.each<[string, string, Wants, readonly string[]]>([
    ['a file before the upstream', '/file.txt', {}, ['content-length']],
    ['a part of it', '/file.txt', { headers: { Range: 'bytes=2-' } }, ['content-range', 'content-length']],
    ['a range beyond it', '/file.txt', { headers: { Range: 'bytes=99-' } }, ['content-range']],
    ['HEAD of it', '/file.txt', { method: 'HEAD' }, ['content-length']],
    ['what is no file', '/none', {}, ['content-type']],
    ['a POST with a body', '/base/echo', { method: 'POST', body: 'words' }, ['content-type']],
    ['a query as it came', '/base/echo?a=%20b&&c', {}, ['content-type']],
    ['X-Forwarded-For behind another', '/prefix/echo', { headers: { 'X-Forwarded-For': '10.0.0.9' } }, []],
    [
      'a hop-by-hop field that Connection names',
      '/base/echo',
      { headers: { Connection: 'close, x-hop' } },
      [],
    ],
    ['a prefix that is replaced, and its Location', '/prefix/moved', {}, []],
    ['fields that come twice', '/cookies', {}, ['set-cookie']],
    ['204', '/status/204', {}, ['content-length', 'transfer-encoding']],
    ['503 of the upstream', '/status/503', {}, []],
    ['no password', '/private/page', {}, []],
    ['a wrong password', '/private/page', { headers: basic('ann:x') }, []],
    ['the right password', '/private/page', { headers: basic('ann:secret') }, ['etag']],
    ['gzip', '/page', { headers: { 'Accept-Encoding': 'gzip' } }, ['content-encoding', 'vary', 'etag']],
    [
      'no gzip for pictures',
      '/picture',
      { headers: { 'Accept-Encoding': 'gzip' } },
      ['content-encoding', 'vary'],
    ],
    ['no gzip for who does not take it', '/page', {}, ['content-encoding', 'vary', 'etag']],
    ['an upstream that refuses', '/gone/', {}, []],
  ])('%s', async (claim, path, wants, fields) => {
    const [theirs, here] = await both(path, wants);
    expect(here.status).toBe(theirs.status);
    for (const name of fields) {
      expect([name, here.headers[name]]).toEqual([name, theirs.headers[name]]);
    }
    if (here.status < 400 || claim === 'what is no file') {
      expect(plainText(here)).toBe(plainText(theirs));
    }
  });

  test('the Location of nginx is absolute, ours is a path: both lead to the same', async () => {
    const [theirs, here] = await both('/prefix/moved', { headers: { Host: 'shop.test' } });
    expect(new URL(here.headers.location!, 'http://shop.test/').href).toBe(theirs.headers.location);
  });

  test('a field that Connection names goes no further (RFC 9110, section 7.6.1); nginx passes it on', async () => {
    const [theirs, here] = await both('/base/echo', {
      headers: { Connection: 'close, x-hop', 'X-Hop': 'y' },
    });
    expect([JSON.parse(theirs.text).hop, JSON.parse(here.text).hop]).toEqual(['y', undefined]);
  });

  test('who are you: the same challenge, ours with the charset', async () => {
    const [theirs, here] = await both('/private/');
    expect(here.headers['www-authenticate']).toBe(`${theirs.headers['www-authenticate']}, charset="UTF-8"`);
  });

  test('a hit answers with what was stored', async () => {
    const [first, second] = [await both('/cached'), await both('/cached')];
    expect(second.map(({ text }) => text)).toEqual(first.map(({ text }) => text));
    expect([second[0].headers['x-cache'], second[1].headers['cache-status']]).toEqual([
      'HIT',
      expect.stringContaining('; hit; '),
    ]);
    // RFC 9111, section 5.1: a MUST that nginx leaves out.
    expect([second[0].headers.age, second[1].headers.age]).toEqual([undefined, '0']);
  });

  test('an origin that is down: both answer with what is stale', async () => {
    const first = await both('/dies/');
    await dies.close();
    // Nothing makes nginx ask before its time.
    const second = await vi.waitFor(
      async () => {
        const asked = await both('/dies/', { headers: { 'Cache-Control': 'max-age=0' } });
        expect(asked[0].headers['x-cache']).toBe('STALE');
        return asked;
      },
      { timeout: 10_000, interval: 100 },
    );
    expect([...first, ...second].map(({ status, text }) => `${status} ${text}`)).toEqual(
      Array(4).fill('200 still here'),
    );
  });

  test('too often: nginx says 503 unless told otherwise, ours 429 (RFC 6585)', async () => {
    await both('/limited/page');
    const [theirs, here] = await both('/limited/page');
    expect([theirs.status, here.status]).toEqual([503, 429]);
  });
});

function plainText({ bytes, headers }: Got): string {
  const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
  // A UNIX socket has no address to tell: nginx writes `unix:`.
  return text.replace(/"for":"([^"]*?)(unix:|127\.0\.0\.1)"/, '"for":"$1CLIENT"');
}
