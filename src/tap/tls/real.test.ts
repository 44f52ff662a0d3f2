/** The tap's TLS between programs that people use. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findProgram, needs } from '../../../test/needs.ts';
import type { TlsPlan } from '../plan.ts';
import { type Authority, openAuthority } from './ca.ts';
import { daysFromNow, newKeyPair, pemOf, signedCertificate } from './mint.ts';
import { type TestRelay, testRelay } from './relay-fixture.ts';

let home = '';
let folder = '';
let ours: Authority;
let theirs: Authority;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sockscope-tls-real-'));
  folder = join(home, 'ours');
  ours = await openAuthority({ folder });
  theirs = await openAuthority({ folder: join(home, 'theirs') });
  await files('server', ['localhost', '127.0.0.1']);
  await files('client', ['she']);
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) {
    await clean();
  }
});

async function files(use: 'server' | 'client', names: string[]): Promise<void> {
  const { publicKey, privateKey } = await newKeyPair();
  const cert = await signedCertificate(theirs, { names, publicKey, span: daysFromNow(30), use });
  writeFileSync(join(home, `${use}.pem`), cert);
  writeFileSync(join(home, `${use}-key.pem`), await pemOf(privateKey));
}

const file = (name: string) => join(home, name);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Started, and answering on its port. */
async function started(program: string, words: string[], port: number): Promise<ChildProcess> {
  const child = spawn(findProgram(program) ?? program, words, {
    cwd: home,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (bytes) => {
    said += bytes;
  });
  const ended = once(child, 'exit');
  cleanups.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      ended.then(() => 'ended'),
    ]);
    socket.destroy();
    if (answer === true) {
      return child;
    }
    if (answer === 'ended') {
      throw new Error(`${program} ended: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function nginx(): Promise<number> {
  const port = await freePort();
  mkdirSync(file('www'), { recursive: true });
  writeFileSync(file('www/index.html'), 'from nginx\n');
  writeFileSync(
    file('nginx.conf'),
    `daemon off; master_process off; pid ${file('nginx.pid')}; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${file('t1')}; proxy_temp_path ${file('t2')}; fastcgi_temp_path ${file('t3')};
  uwsgi_temp_path ${file('t4')}; scgi_temp_path ${file('t5')};
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate server.pem; ssl_certificate_key server-key.pem;
    root ${file('www')};
    location /protocol { return 200 "$server_protocol $ssl_server_name\\n"; }
  }
}
`,
  );
  await started('nginx', ['-p', home, '-c', file('nginx.conf'), '-e', 'stderr'], port);
  return port;
}

async function relayTo(port: number, plan: Partial<TlsPlan>): Promise<TestRelay> {
  const relay = await testRelay(plan, port, { folder });
  cleanups.push(() => relay.close());
  return relay;
}

interface Answer {
  status: number;
  out: string;
  problem: string;
}

function run(program: string, words: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(program, words, { encoding: 'utf8', timeout: 20_000 }, (error, out, problem) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), out, problem });
    });
    child.stdin?.end();
  });
}

const curl = (relay: TestRelay, path: string, ...more: string[]) =>
  run('curl', [
    '-sS',
    '--noproxy',
    '*',
    '--cacert',
    ours.path,
    ...more,
    `https://localhost:${relay.port}${path}`,
  ]);

describe.skipIf(needs('curl', 'nginx').missing !== null)('curl through the tap to nginx', () => {
  it('speaks HTTP/2 when both can, HTTP/1.1 when curl wants it, and the name arrives', async () => {
    const relay = await relayTo(await nginx(), { authority: theirs.path });
    expect((await curl(relay, '/protocol', '--http2')).out).toBe('HTTP/2.0 localhost\n');
    expect((await curl(relay, '/protocol', '--http1.1')).out).toBe('HTTP/1.1 localhost\n');
    expect((await curl(relay, '/protocol', '--no-alpn')).out).toBe('HTTP/1.1 localhost\n');
    expect((await curl(relay, '/', '--tls-max', '1.2')).out).toBe('from nginx\n');
    const spoken = relay.outcomes.map((one) => one.kind === 'secured' && [one.alpn, one.clientVersion]);
    expect(spoken).toEqual([
      ['h2', 'TLSv1.3'],
      ['http/1.1', 'TLSv1.3'],
      [null, 'TLSv1.3'],
      ['h2', 'TLSv1.2'],
    ]);
  });

  it('that does not trust the local CA is told what to do', async () => {
    const relay = await relayTo(await nginx(), { insecure: true });
    const { status } = await run('curl', ['-sS', '--noproxy', '*', `https://localhost:${relay.port}/`]);
    expect(status).toBe(60);
    const refused = await relay.outcome();
    expect(refused).toMatchObject({ code: 'TLS_CLIENT_TRUST', side: 'client' });
    expect(refused.kind === 'failure' && refused.message).toBe(
      'The client does not accept the certificate it was shown for localhost (alert unknown_ca).',
    );
    expect(refused.kind === 'failure' && refused.hint).toContain(ours.path);
  });

  it('and plain curl reaches a TLS target when the tap originates', async () => {
    const relay = await relayTo(await nginx(), { mode: 'originate', authority: theirs.path });
    const { out } = await run('curl', ['-sS', '--noproxy', '*', `http://localhost:${relay.port}/protocol`]);
    expect(out).toBe('HTTP/1.1 localhost\n');
  });

  it('that offers TLS 1.1 at most is told that nothing is in common', async () => {
    const relay = await relayTo(await nginx(), { insecure: true });
    const { status } = await curl(
      relay,
      '/',
      '--tls-max',
      '1.1',
      '--tlsv1.0',
      '--ciphers',
      'DEFAULT@SECLEVEL=0',
    );
    expect(status).toBe(35);
    const refused = await relay.outcome();
    expect(refused.kind === 'failure' && refused.message).toContain('the client offers TLS 1.1');
  });
});

describe.skipIf(needs('curl', 'nghttpd').missing !== null)('curl through the tap to nghttpd', () => {
  it('keeps h2', async () => {
    const port = await freePort();
    mkdirSync(file('www'), { recursive: true });
    writeFileSync(file('www/a.txt'), 'from nghttpd\n');
    await started(
      'nghttpd',
      ['-d', file('www'), `${port}`, file('server-key.pem'), file('server.pem')],
      port,
    );
    const relay = await relayTo(port, { authority: theirs.path });
    const { out } = await curl(relay, '/a.txt', '--http2', '-w', '%{http_version}');
    expect(out).toBe('from nghttpd\n2');
  });
});

describe.skipIf(needs('curl', 'openssl').missing !== null)('curl through the tap to openssl s_server', () => {
  const server = async (...words: string[]) => {
    const port = await freePort();
    await started('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-www', '-quiet', ...words], port);
    return port;
  };

  it('with a self-signed certificate is refused in words, and works with --insecure', async () => {
    const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
    const names = ['-keyout', file('self-key.pem'), '-out', file('self.pem')];
    execFileSync('openssl', [...make.split(' '), ...names], { stdio: 'ignore' });
    const port = await server('-cert', file('self.pem'), '-key', file('self-key.pem'));
    const relay = await relayTo(port, {});
    expect((await curl(relay, '/')).problem).toContain('alert internal error');
    const refused = await relay.outcome();
    expect(refused.kind === 'failure' && refused.message).toBe(
      "The target's certificate for localhost is self-signed, and not trusted here.",
    );
    const trustful = await relayTo(port, { insecure: true });
    expect((await curl(trustful, '/')).out).toContain('s_server');
  });

  it('that verifies its clients gets the certificate of the plan', async () => {
    const own = ['-cert', file('server.pem'), '-key', file('server-key.pem')];
    const port = await server(...own, '-Verify', '2', '-verify_return_error', '-CAfile', theirs.path);
    const trusting = { authority: theirs.path };
    const ofHers = { certificate: file('client.pem'), key: file('client-key.pem') };
    const relay = await relayTo(port, { ...trusting, ...ofHers });
    const { out } = await curl(relay, '/');
    expect(out).toMatch(/Subject: CN ?= ?she\b/);
    const bare = await relayTo(port, trusting);
    expect((await curl(bare, '/')).status).not.toBe(0);
    expect(await bare.trouble()).toMatchObject({ code: 'TLS_TARGET_WANTS_CERTIFICATE' });
  });
});
