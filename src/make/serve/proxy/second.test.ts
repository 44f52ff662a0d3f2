/** HTTP/2 in front, TLS behind, and a real WebSocket through. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { needs } from '../../../../test/needs.ts';
import { get, origin } from '../../../../test/proxy-origin.ts';
import { type Served, serve, until } from '../../../../test/web-service.ts';
import { kind } from '../proxy.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

async function proxy(words: readonly (string | number)[], options = {}): Promise<Served> {
  const plan = await kind.plan({ words: words.map(String), options });
  const served = await serve((house) => kind.node!(house, structuredClone(plan)));
  closing.push(() => served.close());
  return served;
}

async function ask(session: ClientHttp2Session, headers: Record<string, string | string[]>, body = '') {
  const stream = session.request(headers);
  let text = '';
  let answer: Record<string, unknown> = {};
  stream.setEncoding('latin1');
  stream.on('response', (given) => {
    answer = given;
  });
  stream.on('data', (piece: string) => {
    text += piece;
  });
  stream.end(body);
  return new Promise<{ text: string; answer: Record<string, unknown>; code: number }>((done) => {
    stream.on('error', () => {});
    stream.on('close', () => done({ text, answer, code: stream.rstCode }));
  });
}

test('HTTP/2 in front: bodies, crumbs of cookies, repeated fields, hits, and a broken answer is a reset stream', async () => {
  const there = await origin((request, response, seen) => {
    if (request.url === '/broken') {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('half');
      setImmediate(() => response.destroy());
      return;
    }
    response.writeHead(200, [
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Cache-Control',
      'max-age=9',
      'Connection',
      'close',
    ]);
    response.end(`${seen.method} ${seen.headers.cookie} ${seen.body}`);
  });
  closing.push(() => there.close());
  const { port } = await proxy([there.port]);
  const session = connect(`http://127.0.0.1:${port}`);
  closing.push(() => session.destroy());
  const posted = await ask(session, { ':method': 'POST', ':path': '/', cookie: ['a=b', 'c=d'] }, 'words');
  expect(posted.text).toBe('POST a=b; c=d words');
  expect(posted.answer).toMatchObject({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] });
  expect(there.seen[0]!.headers).toMatchObject({
    'x-forwarded-host': `127.0.0.1:${port}`,
    via: expect.stringMatching(/^2\.0 /),
  });
  expect((await ask(session, { ':path': '/x' })).answer['cache-status']).toContain('stored');
  expect((await ask(session, { ':path': '/x' })).answer['cache-status']).toContain('hit');
  expect((await ask(session, { ':path': '/broken' })).code).not.toBe(0);
});

test('a WebSocket through: messages both ways, closed by either side', async () => {
  const there = await origin((_request, response) => response.end());
  closing.push(() => there.close());
  const sockets = new WebSocketServer({ server: there.server });
  sockets.on('connection', (one) => one.on('message', (data) => one.send(`heard ${data}`)));
  const { port, service } = await proxy([there.port]);
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  closing.push(() => client.terminate());
  const heard: string[] = [];
  client.on('message', (data) => heard.push(String(data)));
  await new Promise((open) => client.once('open', open));
  client.send('one');
  client.send('x'.repeat(200_000));
  await until(() => heard.length === 2);
  expect([heard[0], heard[1]!.length]).toEqual(['heard one', 200_006]);
  const closed = new Promise((done) => client.once('close', done));
  const drained = service.drain();
  await closed;
  expect(await drained).toBe(0);
});

test.skipIf(needs('openssl').missing !== null)(
  'TLS behind: trusted by ca, refused otherwise, and insecure asks nobody',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sockscope-behind-'));
    closing.push(() => rmSync(folder, { recursive: true, force: true }));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
      ].concat(['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']),
      { stdio: 'ignore' },
    );
    const there = createSecure({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) =>
      response.end('secret'),
    );
    await new Promise<void>((done) => there.listen(0, '127.0.0.1', done));
    closing.push(() => {
      there.closeAllConnections();
      there.close();
    });
    const { port } = there.address() as AddressInfo;
    const file = join(folder, 'proxy.yaml');
    const answers: string[] = [];
    for (const more of ['ca: cert.pem', 'insecure: true', '']) {
      writeFileSync(file, `upstreams: ["https://localhost:${port}"]\n${more}\n`);
      const one = await proxy([file]);
      const { status, text } = await get(one.port, '/');
      answers.push(`${status} ${text.trim()}`);
    }
    expect(answers).toEqual([
      '200 secret',
      '200 secret',
      `502 the certificate of the upstream https://localhost:${port} is not trusted: DEPTH_ZERO_SELF_SIGNED_CERT`,
    ]);
  },
);
