import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer, type ServerOptions } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, needs } from '../../test/needs.ts';
import { http } from './dial-http-fixture.ts';

const openssl = needs('openssl');
const nginx = needs('openssl', 'nginx');
const folder = mkdtempSync(join(tmpdir(), 'sockscope-https-'));
const ca = join(folder, 'ca.pem');
const closing: (() => unknown)[] = [];
const settings = process.env.XDG_CONFIG_HOME;

function ssl(...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
}

/** A certificate by our authority; `days` may be over already. */
function certify(name: string, names: string, ...validity: string[]): void {
  ssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${name}`,
  );
  writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
  ssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    `${name}.pem`,
    '-extfile',
    `${name}.ext`,
    ...validity,
  );
}

function pair(name: string): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(join(folder, `${name}.pem`)), key: readFileSync(join(folder, `${name}.key`)) };
}

beforeAll(() => {
  // The authority of whoever runs this has no part in it.
  process.env.XDG_CONFIG_HOME = join(folder, 'settings');
  if (openssl.missing !== null) {
    return;
  }
  ssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Test Authority',
    '-days',
    '2',
  );
  certify('good', 'DNS:localhost,IP:127.0.0.1', '-days', '2');
  certify('other', 'DNS:other.test', '-days', '2');
  certify('old', 'DNS:localhost', '-days', '-1');
});

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

afterAll(() => {
  if (settings === undefined) {
    delete process.env.XDG_CONFIG_HOME;
  } else {
    process.env.XDG_CONFIG_HOME = settings;
  }
  rmSync(folder, { recursive: true, force: true });
});

async function secure(name: string, options: ServerOptions = {}): Promise<number> {
  const server = createServer({ ...pair(name), ...options }, (asked, response) => {
    const peer = (asked.socket as TLSSocket).getPeerCertificate()?.subject?.CN ?? 'nobody';
    response.end(`${asked.httpVersion} ${peer}`);
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(
    () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

async function second(): Promise<number> {
  const server: Http2SecureServer = createSecureServer(
    { ...pair('good'), allowHTTP1: true },
    (asked, response) => {
      if (asked.url === '/reset') {
        asked.stream.respond({ ':status': 200, 'content-length': '100' });
        asked.stream.write('0123456789', () =>
          setTimeout(() => asked.stream.destroy(new Error('on purpose')), 20),
        );
      } else if (asked.url === '/closed') {
        asked.stream.respond({ ':status': 200 });
        asked.stream.write('0123456789', () => setTimeout(() => asked.stream.session?.destroy(), 20));
      } else if (asked.url === '/short') {
        asked.stream.respond({ ':status': 200, 'content-length': '100' });
        asked.stream.end('0123456789');
      } else if (asked.url === '/from') {
        response.writeHead(302, { location: '/to' });
        response.end();
      } else {
        const chunks: Buffer[] = [];
        asked.on('data', (chunk: Buffer) => chunks.push(chunk));
        asked.on('end', () =>
          response.end(
            `${asked.method} ${asked.httpVersion} ${asked.headers['x-own'] ?? ''} ${Buffer.concat(chunks)}`,
          ),
        );
      }
    },
  );
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(
    () =>
      new Promise<void>((done) => {
        for (const session of sessions) {
          session.destroy();
        }
        server.close(() => done());
      }),
  );
  return (server.address() as AddressInfo).port;
}

describe.skipIf(openssl.missing)('TLS', () => {
  test('is a phase of its own, with version, cipher and certificate', async () => {
    const { exit, out, said, events } = await http([
      `https://localhost:${await secure('good')}/`,
      '--cacert',
      ca,
    ]);
    expect([exit, out, events]).toEqual([0, '1.1 nobody', []]);
    expect(said).toMatch(
      /^ {2}TLS +[\d.]+ (ms|µs) .*TLSv1\.3 TLS_AES_\S+; for localhost, 127\.0\.0\.1 by Test Authority, until 20\d\d-/m,
    );
  });

  test.each([
    ['good', 'https://localhost', [], /signed by an authority that is not trusted here/, '--cacert FILE'],
    [
      'other',
      'https://localhost',
      ['--cacert'],
      /is not for localhost, but for DNS:other\.test/,
      '--resolve',
    ],
    ['old', 'https://localhost', ['--cacert'], /has expired/, 'Renew it'],
  ])(
    'with the certificate %s is refused, taken with -k, and both are explained',
    async (name, to, options, words, remedy) => {
      const url = `${to}:${await secure(name)}/`;
      const argv = options.length === 0 ? [] : ['--cacert', ca];
      const refused = await http([url, ...argv]);
      expect(refused.exit).toBe(1);
      expect(refused.said).toMatch(words);
      expect(refused.said).toContain(remedy);
      const taken = await http([url, '-k', ...argv]);
      expect([taken.exit, taken.out]).toEqual([0, '1.1 nobody']);
      expect(taken.said).toMatch(/taken all the same \(-k\): The certificate/);
    },
  );

  test('asks by the name that --resolve leads elsewhere', async () => {
    const port = await secure('other');
    const { exit } = await http([
      `https://other.test:${port}/`,
      '--resolve',
      `other.test:${port}:127.0.0.1`,
      '--cacert',
      ca,
      '-s',
    ]);
    expect(exit).toBe(0);
  });

  test('trusts the authority of this machine by itself', async () => {
    const own = join(folder, 'settings', 'sockscope');
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'ca.pem'), readFileSync(ca));
    try {
      expect((await http([`https://localhost:${await secure('good')}/`, '-s'])).exit).toBe(0);
    } finally {
      rmSync(own, { recursive: true });
    }
  });

  test('shows our certificate to a server that asks', async () => {
    const port = await secure('good', { requestCert: true, rejectUnauthorized: true, ca: readFileSync(ca) });
    const url = `https://localhost:${port}/`;
    const with_ = await http([
      url,
      '--cacert',
      ca,
      '--cert',
      join(folder, 'other.pem'),
      '--key',
      join(folder, 'other.key'),
      '-s',
    ]);
    expect(with_.out).toBe('1.1 other');
    const without = await http([url, '--cacert', ca]);
    expect(without.exit).toBe(1);
    expect(without.said).toContain('--cert FILE');
    expect((await http([url, '--cert', ca, '--key', join(folder, 'other.key')])).said).toContain(
      'cannot be used',
    );
  });

  test('is not what a plain server speaks, and the other way round', async () => {
    const plain = createHttp((_request, response) => response.end());
    await new Promise<void>((done) => plain.listen(0, '127.0.0.1', done));
    closing.push(() => new Promise((done) => plain.close(done)));
    const { said } = await http([`https://127.0.0.1:${(plain.address() as AddressInfo).port}/`]);
    expect(said).toMatch(/does not speak TLS/);
    expect(said).toContain('try http://');
    expect((await http([`http://127.0.0.1:${await secure('good')}/`])).said).toMatch(/empty reply|not HTTP/);
  });

  test('goes through a proxy by CONNECT', async () => {
    const asked: string[] = [];
    const proxy = createHttp();
    proxy.on('connect', (head, socket, first) => {
      asked.push(`${head.url} ${head.headers['proxy-authorization'] ?? ''}`.trim());
      if (head.headers['proxy-authorization'] === undefined) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      const [, port] = head.url!.split(':');
      const far = connect(Number(port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        far.write(first);
        far.pipe(socket).pipe(far);
      });
      far.on('error', () => socket.destroy());
      socket.on('error', () => far.destroy());
    });
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    closing.push(
      () =>
        new Promise((done) => {
          proxy.close(done);
          proxy.closeAllConnections();
        }),
    );
    const at = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const url = `https://localhost:${await secure('good')}/`;
    const { exit, out, said } = await http([url, '--cacert', ca, '-x', `http://me:pw@${at}`]);
    expect([exit, out]).toEqual([0, '1.1 nobody']);
    expect(said).toMatch(/^ {2}proxy .*CONNECT$/m);
    const refused = await http([url, '--cacert', ca, '-x', at]);
    expect(refused.said).toMatch(
      /The proxy .* answered 407 to CONNECT localhost:\d+\.\nWrite its user and password/,
    );
    expect(asked[0]).toMatch(/^localhost:\d+ Basic bWU6cHc=$/);
  });
});

describe.skipIf(openssl.missing)('HTTP/2', () => {
  test('is agreed on by ALPN, carries bodies and fields, and keeps its connection over redirects', async () => {
    const port = await second();
    const posted = await http([`https://localhost:${port}/`, '--cacert', ca, '-d', 'body', '-H', 'X-Own: x']);
    expect(posted.out).toBe('POST 2.0 x body');
    expect(posted.said).toContain('HTTP/2 200 OK');
    const { out, events } = await http([`https://localhost:${port}/from`, '--cacert', ca, '-L', '--json']);
    expect(out).not.toBe('');
    expect(events.map(({ status, version, connection }) => [status, version, connection.use])).toEqual([
      [302, 'HTTP/2', 1],
      [200, 'HTTP/2', 2],
    ]);
    expect(events[0].phases.map(({ name }: { name: string }) => name)).toEqual([
      'resolve',
      'connect',
      'tls',
      'send',
      'first byte',
      'body',
    ]);
    expect((await http([`https://localhost:${port}/`, '--cacert', ca, '--http1.1', '-s'])).out).toContain(
      'GET 1.1',
    );
  });

  test('tells of a stream that was reset in its body', async () => {
    const { exit, said } = await http([`https://localhost:${await second()}/reset`, '--cacert', ca]);
    expect(exit).toBe(1);
    expect(said).toMatch(/HTTP\/2 with localhost:\d+ broke in the middle of the answer/);
    const closed = await http([`https://localhost:${await second()}/closed`, '--cacert', ca]);
    expect([closed.exit, closed.out]).toEqual([1, '0123456789']);
    const short = await http([`https://localhost:${await second()}/short`, '--cacert', ca]);
    expect([short.exit, short.said]).toEqual([1, expect.stringContaining('was cut: got 10 of 100 bytes')]);
  });
});

describe.skipIf(nginx.missing)('nginx', () => {
  test('redirects, packs and speaks HTTP/2, and we understand all of it', async () => {
    const plain = join(folder, 'plain.sock');
    mkdirSync(join(folder, 'www'), { recursive: true });
    writeFileSync(join(folder, 'www', 'page.html'), '<p>page</p>\n'.repeat(500));
    const port = await freePort();
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit; events {}
http {
  access_log off; gzip on; gzip_types text/html; gzip_min_length 10; types { text/html html; }
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen unix:${plain}; location / { return 301 https://localhost:${port}$request_uri; } }
  server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${folder}/good.pem; ssl_certificate_key ${folder}/good.key; root ${folder}/www;
    location = /see { return 303 /page.html; } }
}`,
    );
    const child = spawn(findProgram('nginx')!, ['-c', join(folder, 'nginx.conf'), '-p', folder], {
      stdio: 'ignore',
    });
    const gone = new Promise((done) => child.once('exit', done));
    closing.push(() => {
      child.kill('SIGTERM');
      return gone;
    });
    await until(port);
    const one = await http([
      `https://localhost:${port}/see`,
      '--cacert',
      ca,
      '-L',
      '--compressed',
      '-d',
      'x=1',
    ]);
    expect(one.out).toBe('<p>page</p>\n'.repeat(500));
    expect(one.said).toMatch(
      /303 POST .* → .*page\.html\n.*POST becomes GET without its body; the same origin; .*stripped Content-Type/,
    );
    expect(one.said).toMatch(/6\.0 kB decoded/);
    expect(one.said).toMatch(/HTTP\/2 200 OK/);
    const over = await http(['http://name.test/page.html?x', '--unix-socket', plain]);
    expect(over.said).toContain(
      `301 GET http://name.test/page.html?x → https://localhost:${port}/page.html?x`,
    );
  });
});

async function freePort(): Promise<number> {
  const server = createHttp();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function until(port: number): Promise<void> {
  for (;;) {
    const stands = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (stands) {
      return;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}
