/** curl and other clients get the same through the built tap as without it, and what they say is decoded. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../needs.ts';
import { type Nginx, nginx } from './nginx.ts';
import { answers, cleanUp, folder, freePort, later, run, serve, type Tap, tap, until } from './program.ts';

const lab = needs('linux', 'nginx', 'curl');
const h2 = needs('linux', 'nghttpd', 'curl');
const balancer = needs('linux', 'haproxy', 'nginx', 'curl');

let site: Nginx;
let through: Tap;
let node: number;
let nodeTap: Tap;

const PAGE = 'hello from nginx\n'.repeat(100);
const BIG = randomBytes(1_000_000);

function origin(): Server {
  const server = createServer((request, response) => {
    const hash = createHash('sha256');
    let length = 0;
    request.on('data', (piece: Buffer) => {
      hash.update(piece);
      length += piece.length;
    });
    request.on('end', () =>
      response.end(
        `${request.method} ${length} ${hash.digest('hex')} ${request.headers['transfer-encoding']}\n`,
      ),
    );
  });
  // RFC 6455 section 4.2.2: as little of a WebSocket server as there can be; it echoes one frame's text.
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.on('error', () => {});
    socket.on('data', (frame: Buffer) => {
      const length = frame[1]! & 0x7f;
      const text = frame.subarray(6, 6 + length).map((byte, i) => byte ^ frame[2 + (i % 4)]!);
      socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
    });
  });
  return server;
}

beforeAll(async () => {
  if (lab.missing !== null) {
    return;
  }
  site = await nginx('absolute_redirect off; location /old { return 301 /page; }');
  writeFileSync(join(site.root, 'page'), PAGE);
  writeFileSync(join(site.root, 'big'), BIG);
  through = await tap(['0', String(site.port)]);
  const server = origin().listen(0, '127.0.0.1');
  await once(server, 'listening');
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  node = (server.address() as AddressInfo).port;
  nodeTap = await tap(['0', String(node)]);
});
afterAll(cleanUp);

/** What curl gets without the tap and with it; `:PORT` in its words is the server's or the tap's. */
async function twice(
  words: readonly string[],
  port: number,
  tapped: Tap,
  input?: Uint8Array,
): Promise<{ out: string; said: string[]; heard: string[] }> {
  const go = (to: number) =>
    run(
      'curl',
      ['-sS', ...words].map((word) => word.replaceAll(':PORT', `:${to}`)),
      input === undefined ? {} : { input },
    );
  // nginx names itself by the port that was asked for, and the second may turn in between.
  const clean = (text: string, to: number): string =>
    text.replace(/Date: .*\r\n/gi, '').replaceAll(`:${to}`, ':PORT');
  const straight = await go(port);
  const from = tapped.events.length;
  const ended = tapped.of('ended').length;
  const second = await go(tapped.port);
  expect([second.code, second.err, clean(second.out, tapped.port)]).toEqual([
    straight.code,
    straight.err,
    clean(straight.out, port),
  ]);
  const sum = (bytes: Buffer, to: number): string =>
    createHash('sha1')
      .update(clean(bytes.toString('latin1'), to))
      .digest('hex');
  expect(sum(second.bytes, tapped.port)).toBe(sum(straight.bytes, port));
  await until('the connection to end', () => tapped.of('ended').length > ended);
  const told = tapped.events.slice(from).filter(({ type }) => type === 'message');
  const of = (side: string): string[] =>
    told.filter((one) => one.from === side).map((one) => String(one.summary));
  return { out: straight.out, said: of('client'), heard: of('server') };
}

describe.skipIf(lab.missing)('HTTP through a tap', () => {
  it('several URLs over one kept connection', async () => {
    const urls = ['/page', '/none', '/old', '/page'].map((path) => `http://127.0.0.1:PORT${path}`);
    const { said, heard } = await twice(['-i', ...urls], site.port, through);
    expect(said.map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual([
      'GET /page',
      'GET /none',
      'GET /old',
      'GET /page',
    ]);
    expect(heard.map((one) => Number(/\d{3}/.exec(one)?.[0]))).toEqual([200, 404, 301, 200]);
    expect(through.of('opened')).toHaveLength(1);
  });

  it('an upgrade to HTTP/2 that the server declines', async () => {
    const { said, heard } = await twice(['-i', '--http2', 'http://127.0.0.1:PORT/page'], site.port, through);
    expect(said).toEqual([expect.stringMatching(/^GET \/page/)]);
    expect(heard).toEqual([expect.stringMatching(/200/)]);
  });

  it('HEAD, and a range', async () => {
    const head = await twice(['-I', 'http://127.0.0.1:PORT/page'], site.port, through);
    expect(head.said).toEqual([expect.stringMatching(/^HEAD \/page/)]);
    expect(head.heard).toEqual([expect.stringMatching(/200/)]);
    const range = await twice(['-i', '-r', '5-9', 'http://127.0.0.1:PORT/page'], site.port, through);
    expect(range.heard).toEqual([expect.stringMatching(/206/)]);
  });

  it('a body of 1 MB, byte for byte', async () => {
    const words = ['-sS', `http://127.0.0.1:${through.port}/big`];
    const ran = await run('curl', words);
    expect(ran.bytes.equals(BIG)).toBe(true);
    await until('the reply', () =>
      through.events.some((one) => one.type === 'message' && Number(one.bytes) > BIG.length),
    );
  });

  it.each([
    ['with a length', []],
    ['in chunks', ['-H', 'Transfer-Encoding: chunked']],
    ['after 100 Continue', ['-H', 'Expect: 100-continue']],
  ])('an upload of 1 MB %s', async (_, words) => {
    const all = ['-X', 'POST', ...words, '--data-binary', '@-', 'http://127.0.0.1:PORT/put'];
    const { out, said, heard } = await twice(all, node, nodeTap, BIG);
    expect(out).toContain(`POST 1000000 ${createHash('sha256').update(BIG).digest('hex')}`);
    expect(said).toEqual([expect.stringMatching(/^POST \/put/)]);
    expect(heard.at(-1)).toMatch(/200/);
  });

  it('a WebSocket: the upgrade and its frames', async () => {
    const socket = connect(nodeTap.port, '127.0.0.1');
    let got = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      got = Buffer.concat([got, bytes]);
    });
    socket.write(
      'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await until('101', () => got.includes('\r\n\r\n'));
    socket.write(Buffer.from([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from('hello')]));
    await until('the echo', () => got.includes('hello'));
    socket.destroy();
    const frames = (): unknown[] =>
      nodeTap
        .of('message')
        .filter(({ protocol }) => protocol === 'websocket')
        .map(({ summary }) => summary);
    await until('both frames', () => frames().length === 2);
    expect(frames()).toEqual([expect.stringContaining('hello'), expect.stringContaining('hello')]);
    expect(nodeTap.said('server').some((one) => /101/.test(one))).toBe(true);
  });
});

describe.skipIf(h2.missing)('HTTP/2 without TLS through a tap', () => {
  let port: number;
  let h2Tap: Tap;

  beforeAll(async () => {
    const root = folder();
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'page'), PAGE);
    writeFileSync(join(root, 'big'), BIG);
    port = await freePort();
    await serve('nghttpd', ['--no-tls', '-a', '127.0.0.1', '-d', root, String(port)], () => answers(port));
    h2Tap = await tap(['0', String(port)]);
  });

  it.each([
    ['/page', /^200 /],
    ['/none', /^404 /],
  ])('curl with prior knowledge gets %s', async (path, status) => {
    const { said, heard } = await twice(
      ['-i', '--http2-prior-knowledge', `http://127.0.0.1:PORT${path}`],
      port,
      h2Tap,
    );
    expect(said).toContain(`GET ${path}`);
    expect(heard).toContainEqual(expect.stringMatching(status));
  });

  it('a body of 1 MB, byte for byte', async () => {
    const ran = await run('curl', ['-sS', '--http2-prior-knowledge', `http://127.0.0.1:${h2Tap.port}/big`]);
    expect(ran.bytes.equals(BIG)).toBe(true);
    await until('the request', () => h2Tap.said('client').includes('GET /big'));
  });
});

describe.skipIf(lab.missing)('fronts', () => {
  it.each([
    [
      'SOCKS5, an address',
      'socks5://127.0.0.1:0',
      (port: number) => ['--socks5', `127.0.0.1:${port}`],
      '127.0.0.1',
    ],
    [
      'SOCKS5, a name',
      'socks5://127.0.0.1:0',
      (port: number) => ['--socks5-hostname', `127.0.0.1:${port}`],
      'localhost',
    ],
    [
      'SOCKS4a, a name',
      'socks5://127.0.0.1:0',
      (port: number) => ['--socks4a', `127.0.0.1:${port}`],
      'localhost',
    ],
    [
      'CONNECT',
      'connect://127.0.0.1:0',
      (port: number) => ['-x', `http://127.0.0.1:${port}`, '-p'],
      'localhost',
    ],
  ])('%s: curl gets the page, and the request is decoded', async (_, listen, words, host) => {
    const front = await tap([listen]);
    const ran = await run('curl', ['-sS', ...words(front.port), `http://${host}:${site.port}/page`]);
    expect(ran).toMatchObject({ out: PAGE, err: '', code: 0 });
    await until('the request', () => front.said('client').some((one) => one.startsWith('GET /page')));
  });

  it.each([
    ['SOCKS5', 'socks5://127.0.0.1:0', (port: number) => ['--socks5', `127.0.0.1:${port}`], 97],
    ['CONNECT', 'connect://127.0.0.1:0', (port: number) => ['-x', `http://127.0.0.1:${port}`, '-p'], 56],
  ])('%s: a refused target is told in its words', async (_, listen, words, code) => {
    const front = await tap([listen]);
    const nobody = await freePort();
    const ran = await run('curl', ['-sS', ...words(front.port), `http://127.0.0.1:${nobody}/`]);
    expect(ran.code).toBe(code);
    await until('the dial', () => front.of('dial-failed').length === 1);
    expect(front.of('dial-failed')[0]).toMatchObject({
      errno: -111,
      told: 'refused',
      target: `127.0.0.1:${nobody}`,
    });
  });
});

describe.skipIf(balancer.missing)('the PROXY protocol', () => {
  const SAYS = 'location /who { return 200 "$proxy_protocol_addr $proxy_protocol_port\\n"; }';

  it.each(['1', '2'])('version %s out: nginx knows the client', async (version) => {
    const inside = await nginx(SAYS, 'proxy_protocol');
    const one = await tap(['0', String(inside.port), '--proxy-out', version]);
    const port = await freePort();
    const ran = await run('curl', ['-sS', '--local-port', String(port), `http://127.0.0.1:${one.port}/who`]);
    expect(ran.out).toBe(`127.0.0.1 ${port}\n`);
    await until('the request', () => one.said('client').some((text) => text.startsWith('GET /who')));
  });

  it.each(['send-proxy', 'send-proxy-v2'])(
    'in (haproxy, %s) and out: the first client stays the client',
    async (sends) => {
      const inside = await nginx(SAYS, 'proxy_protocol');
      const one = await tap(['0', String(inside.port), '--proxy-in', '--proxy-out', '2']);
      const place = await freePort();
      const file = join(folder(), 'haproxy.cfg');
      writeFileSync(
        file,
        `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nlisten l\n  bind 127.0.0.1:${place}\n  server s 127.0.0.1:${one.port} ${sends}\n`,
      );
      await serve('haproxy', ['-db', '-f', file], () => answers(place));
      const port = await freePort();
      const ran = await run('curl', ['-sS', '--local-port', String(port), `http://127.0.0.1:${place}/who`]);
      expect(ran.out).toBe(`127.0.0.1 ${port}\n`);
      await until('the request', () => one.said('client').some((text) => text.startsWith('GET /who')));
    },
  );

  it('a client without the header is not let in, and that is said', async () => {
    const one = await tap(['0', String(site.port), '--proxy-in']);
    const ran = await run('curl', ['-sS', `http://127.0.0.1:${one.port}/page`]);
    expect(ran.code).not.toBe(0);
    await until('the reason', () => one.of('fault').length > 0);
    expect(one.of('fault')[0]?.what).toMatch(/PROXY protocol/);
  });
});
