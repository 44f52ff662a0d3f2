import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SockscopeError } from '../../errors.ts';
import type { TlsPlan } from '../plan.ts';
import { type Authority, openAuthority } from './ca.ts';
import { tlsKit } from './kit.ts';
import { daysFromNow, newKeyPair, pemOf, signedCertificate } from './mint.ts';
import type { TlsFailure } from './refusal.ts';
import { PLAN, type TestRelay, testRelay } from './relay-fixture.ts';
import type { Secured } from './secure.ts';

const DAY = 86_400_000;

let home = '';
let folder = '';
/** Of the tap, and of somebody else who signs the targets. */
let ours: Authority;
let theirs: Authority;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sockscope-tls-'));
  folder = join(home, 'ours');
  ours = await openAuthority({ folder });
  theirs = await openAuthority({ folder: join(home, 'theirs') });
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) {
    await clean();
  }
});

interface Pair {
  cert: string;
  key: string;
}

async function certificate(
  names: string[],
  use: 'server' | 'client' = 'server',
  span = daysFromNow(30),
): Promise<Pair> {
  const { publicKey, privateKey } = await newKeyPair();
  return {
    cert: await signedCertificate(theirs, { names, publicKey, span, use }),
    key: await pemOf(privateKey),
  };
}

/** A TLS server that answers each connection's bytes in capitals, and FIN with FIN. */
async function shouting(
  options: tls.TlsOptions,
): Promise<{ port: number; names: (string | false | null)[] }> {
  const names: (string | false | null)[] = [];
  const server = tls.createServer({ allowHalfOpen: true, ...options } as tls.TlsOptions, (socket) => {
    names.push(socket.servername);
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    socket.on('end', () => socket.end('.'));
  });
  return { port: await listening(server), names };
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

async function relayTo(
  port: number,
  plan: Partial<TlsPlan>,
  host = 'localhost',
  seconds = 10,
): Promise<TestRelay> {
  const relay = await testRelay(plan, port, { folder, host, seconds });
  cleanups.push(() => relay.close());
  return relay;
}

/** A client that trusts the tap's CA. */
function client(relay: TestRelay, options: tls.ConnectionOptions = {}): tls.TLSSocket {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: relay.port,
    ca: ours.certificate,
    servername: 'localhost',
    allowHalfOpen: true,
    ...options,
  } as tls.ConnectionOptions);
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

async function secured(relay: TestRelay): Promise<Secured> {
  const outcome = await relay.outcome();
  if (outcome.kind === 'failure') {
    throw new Error(outcome.message);
  }
  return outcome;
}

async function failed(relay: TestRelay): Promise<TlsFailure> {
  const outcome = await relay.outcome();
  if (outcome.kind === 'secured') {
    throw new Error('it went well');
  }
  return outcome;
}

const trusting = () => ({ authority: theirs.path });

describe('TLS both ways', () => {
  it('carries bytes, and a FIN of the client leaves the answer open', async () => {
    const target = await shouting(await certificate(['localhost']));
    const relay = await relayTo(target.port, trusting());
    const socket = client(relay);
    socket.end('hello');
    expect(await text(socket)).toBe('HELLO.');
    expect(await secured(relay)).toMatchObject({
      sni: 'localhost',
      alpn: null,
      clientVersion: 'TLSv1.3',
      serverVersion: 'TLSv1.3',
    });
  });

  it('carries megabytes in both directions unchanged', async () => {
    const target = await shouting(await certificate(['localhost']));
    const relay = await relayTo(target.port, trusting());
    const socket = client(relay);
    const said = 'abcdefgh'.repeat(1 << 18);
    socket.end(said);
    expect(await text(socket)).toBe(`${said.toUpperCase()}.`);
  });

  it.each([
    [['h2', 'http/1.1'], ['http/1.1'], 'http/1.1'],
    [['h2', 'http/1.1'], ['h2', 'http/1.1'], 'h2'],
    [['x-own'], null, null],
  ])('with a client that offers %j and a target that knows %j speaks %j', async (offers, knows, spoken) => {
    const pair = await certificate(['localhost']);
    const target = await shouting({ ...pair, ...(knows === null ? {} : { ALPNProtocols: knows }) });
    const relay = await relayTo(target.port, trusting());
    const socket = client(relay, { ALPNProtocols: offers });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe(spoken ?? false);
    expect((await secured(relay)).alpn).toBe(spoken);
  });

  it('when the target knows none of the protocols, gives the client the alert the target gave', async () => {
    const target = await shouting({ ...(await certificate(['localhost'])), ALPNProtocols: ['a'] });
    const relay = await relayTo(target.port, trusting());
    const [error] = await once(
      client(relay, { ALPNProtocols: ['b'] }).off('error', () => {}),
      'error',
    );
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
    expect((await failed(relay)).message).toContain('alert no_application_protocol');
  });

  it('asks the target for the name the client asked for', async () => {
    const target = await shouting(await certificate(['a.test', 'b.test', '127.0.0.1']));
    const relay = await relayTo(target.port, trusting(), '127.0.0.1');
    for (const servername of ['a.test', 'B.test']) {
      const socket = client(relay, { servername });
      await once(socket, 'secureConnect');
      expect(socket.getPeerCertificate().subjectaltname).toBe(`DNS:${servername.toLowerCase()}`);
      socket.end();
      await secured(relay);
    }
    const nameless = client(relay, { servername: '' });
    await once(nameless, 'secureConnect');
    expect(nameless.getPeerCertificate().subjectaltname).toContain('IP Address:127.0.0.1');
    expect((await secured(relay)).sni).toBeNull();
    expect(target.names).toEqual(['a.test', 'b.test', false]);
  });

  it('asks a target elsewhere by its own name when the client said localhost, and by another when wished', async () => {
    const target = await shouting(await certificate(['real.test', 'wished.test']));
    const relay = await relayTo(target.port, trusting(), 'real.test');
    await once(client(relay), 'secureConnect');
    const wishing = await relayTo(target.port, { ...trusting(), serverName: 'wished.test' }, 'real.test');
    await once(client(wishing), 'secureConnect');
    expect(target.names).toEqual(['real.test', 'wished.test']);
  });

  it('hands out the keys of both connections', async () => {
    const target = await shouting(await certificate(['localhost']));
    const relay = await relayTo(target.port, trusting());
    await once(client(relay), 'secureConnect');
    await secured(relay);
    const randoms = new Set(relay.keys.map((line) => line.split(' ')[1]));
    expect(randoms.size).toBe(2);
    for (const line of relay.keys) {
      expect(line).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+$/);
    }
    expect(relay.keys.filter((line) => line.startsWith('CLIENT_TRAFFIC_SECRET_0 '))).toHaveLength(2);
  });

  it('takes a RST of the target as a RST to the client', async () => {
    const pair = await certificate(['localhost']);
    const raws: Socket[] = [];
    const server = tls.createServer(pair, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => raws[0]!.resetAndDestroy());
    });
    server.on('connection', (raw: Socket) => raws.push(raw));
    const relay = await relayTo(await listening(server), trusting());
    const socket = client(relay);
    const broke = once(socket, 'error');
    socket.write('x');
    expect((await broke)[0].code).toBe('ECONNRESET');
  });

  it('takes a RST of the client as a RST to the target', async () => {
    const pair = await certificate(['localhost']);
    let tell: (error: NodeJS.ErrnoException) => void = () => {};
    const broke = new Promise<NodeJS.ErrnoException>((resolve) => {
      tell = resolve;
    });
    const server = tls.createServer(pair, (socket) => {
      socket.on('error', tell);
      socket.write('x');
    });
    const relay = await relayTo(await listening(server), trusting());
    const raw = connect({ host: '127.0.0.1', port: relay.port });
    await once(raw, 'connect');
    const socket = client(relay, { socket: raw });
    await once(socket, 'data');
    raw.resetAndDestroy();
    expect((await broke).code).toBe('ECONNRESET');
  });
});

describe("the target's certificate", () => {
  it.each([
    [
      'for another name',
      async () => certificate(['other.test']),
      /is not for localhost; it is for DNS:other.test/,
    ],
    [
      'expired',
      async () =>
        certificate(['localhost'], 'server', {
          from: new Date(Date.now() - 9 * DAY),
          to: new Date(Date.now() - DAY),
        }),
      /has expired/,
    ],
    [
      'of the future',
      async () =>
        certificate(['localhost'], 'server', {
          from: new Date(Date.now() + DAY),
          to: new Date(Date.now() + 9 * DAY),
        }),
      /not valid yet/,
    ],
  ])('%s is refused in words, and accepted with --insecure', async (_what, make, words) => {
    const target = await shouting(await make());
    const relay = await relayTo(target.port, trusting());
    const [error] = await once(client(relay), 'error');
    expect(error.message).toContain('alert number 80');
    const refused = await failed(relay);
    expect(refused).toMatchObject({ code: 'TLS_TARGET_CERTIFICATE', side: 'server' });
    expect(refused.message).toMatch(words);
    expect(refused.hint).toContain('--insecure');

    const trustful = await relayTo(target.port, { insecure: true });
    const socket = client(trustful);
    socket.end('x');
    expect(await text(socket)).toBe('X.');
  });

  it('signed by nobody that is known here is refused as that', async () => {
    const target = await shouting(await certificate(['localhost']));
    const relay = await relayTo(target.port, {});
    client(relay);
    const refused = await failed(relay);
    expect(refused.message).toContain('signed by an authority that is not trusted here');
    expect(refused.hint).toContain('--tls-ca');
  });
});

describe('a target that wants a client certificate', () => {
  const wanting = async (maxVersion: tls.SecureVersion) =>
    shouting({
      ...(await certificate(['localhost'])),
      ca: theirs.certificate,
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion,
    });

  it('gets the one of the plan', async () => {
    const { cert, key } = await certificate(['she'], 'client');
    writeFileSync(join(home, 'she.pem'), cert);
    writeFileSync(join(home, 'she-key.pem'), key);
    const target = await wanting('TLSv1.3');
    const files = { certificate: join(home, 'she.pem'), key: join(home, 'she-key.pem') };
    const relay = await relayTo(target.port, { ...trusting(), ...files });
    const socket = client(relay);
    socket.end('x');
    expect(await text(socket)).toBe('X.');
  });

  it('and gets none says so: in TLS 1.2 in the handshake', async () => {
    const relay = await relayTo((await wanting('TLSv1.2')).port, trusting());
    client(relay);
    expect((await failed(relay)).side).toBe('server');
  });

  it('and gets none says so: in TLS 1.3 after it', async () => {
    const relay = await relayTo((await wanting('TLSv1.3')).port, trusting());
    client(relay);
    const trouble = await relay.trouble();
    expect(trouble.code).toBe('TLS_TARGET_WANTS_CERTIFICATE');
    expect(trouble.hint).toContain('--tls-cert');
  });
});

describe('the client', () => {
  it('that speaks plain HTTP is told apart', async () => {
    const relay = await relayTo(1, { mode: 'terminate' });
    const socket = connect({ host: '127.0.0.1', port: relay.port });
    socket.write('GET / HTTP/1.1\r\n\r\n');
    const refused = await failed(relay);
    expect(refused.code).toBe('TLS_NOT_TLS');
    expect(refused.message).toBe('The client does not speak TLS: plain HTTP.');
    expect(await text(socket)).toBe('');
    expect(relay.hellos).toEqual([]);
  });

  it('that says nothing is let go after a while', async () => {
    const relay = await relayTo(1, { mode: 'terminate' }, 'localhost', 0.05);
    const socket = connect({ host: '127.0.0.1', port: relay.port });
    expect((await failed(relay)).code).toBe('TLS_TIMEOUT');
    expect(await text(socket)).toBe('');
  });

  it('that goes away before or after its hello leaves nothing behind', async () => {
    const relay = await relayTo(1, { mode: 'terminate' });
    connect({ host: '127.0.0.1', port: relay.port }).end();
    expect((await failed(relay)).message).toBe('The client closed the connection without a word.');
    connect({ host: '127.0.0.1', port: relay.port }).end(Uint8Array.of(22, 3));
    expect((await failed(relay)).message).toContain('in the middle of its ClientHello');
  });

  it('that breaks off while the target is asked is not waited for', async () => {
    const asked: Socket[] = [];
    const port = await listening(createServer((socket) => asked.push(socket)));
    const relay = await relayTo(port, {}, 'localhost', 0.5);
    const raw = connect({ host: '127.0.0.1', port: relay.port });
    client(relay, { socket: raw });
    await expect.poll(() => asked.length).toBe(1);
    const left = once(asked[0]!, 'close');
    raw.resetAndDestroy();
    expect((await failed(relay)).message).toContain('went away while the target was dialled');
    asked[0]!.resume();
    await left;
  });

  it('is reset when the target refuses the connection', async () => {
    const relay = await relayTo(1, { mode: 'both' });
    const [error] = await once(client(relay), 'error');
    expect(error.code).toBe('ECONNRESET');
    expect(await failed(relay)).toMatchObject({ code: 'TLS_DIAL', errno: -111 });
  });

  it('hears internal_error when the target does not speak TLS', async () => {
    const port = await listening(createServer((socket) => socket.end('hello, this is no TLS\r\n')));
    const relay = await relayTo(port, {});
    const [error] = await once(client(relay), 'error');
    expect(error.message).toContain('alert number 80');
    expect((await failed(relay)).message).toContain('The target does not speak TLS on this port');
  });
});

describe('TLS one way', () => {
  it('terminate: TLS from the client, plain to the target, HTTP/1.1 when it is offered', async () => {
    const port = await listening(
      createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
        socket.on('end', () => socket.end('.'));
      }),
    );
    const relay = await relayTo(port, { mode: 'terminate' });
    const socket = client(relay, { ALPNProtocols: ['h2', 'http/1.1'] });
    socket.end('hello');
    expect(await text(socket)).toBe('HELLO.');
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(await secured(relay)).toMatchObject({ clientVersion: 'TLSv1.3', serverVersion: '' });
  });

  it('originate: plain from the client, TLS to the target', async () => {
    const target = await shouting(await certificate(['localhost']));
    const relay = await relayTo(target.port, { ...trusting(), mode: 'originate' });
    const socket = connect({ host: '127.0.0.1', port: relay.port, allowHalfOpen: true });
    socket.end('hello');
    expect(await text(socket)).toBe('HELLO.');
    expect(await secured(relay)).toMatchObject({ sni: null, clientVersion: '', serverVersion: 'TLSv1.3' });
    expect(target.names).toEqual(['localhost']);
  });
});

describe('the files of a plan', () => {
  const refused = async (plan: Partial<TlsPlan>) => {
    try {
      await tlsKit({ ...PLAN, mode: 'originate', ...plan }, 'localhost', { folder });
    } catch (error) {
      return error as SockscopeError;
    }
    throw new Error('they were accepted');
  };

  it('are checked when the tap starts', async () => {
    const one = await certificate(['she'], 'client');
    const other = await certificate(['he'], 'client');
    const file = (name: string, content: string) => {
      writeFileSync(join(home, name), content);
      return join(home, name);
    };
    const missing = await refused({ authority: join(home, 'none.pem') });
    expect(missing).toBeInstanceOf(SockscopeError);
    expect(missing.message).toContain('none.pem cannot be read');
    expect((await refused({ authority: file('empty.pem', '') })).message).toContain(
      'holds no certificate in PEM',
    );
    expect((await refused({ certificate: file('1.pem', one.cert) })).message).toContain(
      'only the certificate',
    );
    const mismatch = await refused({ certificate: file('1.pem', one.cert), key: file('2.pem', other.key) });
    expect(mismatch.message).toContain('does not belong to the certificate');
    const damaged = one.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
    const broken = await refused({ certificate: file('3.pem', damaged), key: file('4.pem', one.key) });
    expect(broken.message).toContain('OpenSSL cannot use');
  });
});
