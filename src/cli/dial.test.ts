import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { openDescriptors } from '../../test/epoll-peers.ts';
import { needs } from '../../test/needs.ts';
import { SockscopeError } from '../errors.ts';
import { createEpollReactor } from '../reactor/epoll.ts';
import { type Address, AGAIN, type ListenerEvents } from '../reactor/reactor.ts';
import { define } from './dial.ts';
import { fakeIo } from './dial-fixture.ts';
import type { DialFlags } from './dial-flags.ts';
import { runDial } from './dial-run.ts';

const isLinux = needs('linux').missing === null;
const folder = mkdtempSync(join(tmpdir(), 'sockscope-dial-'));
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) {
    close();
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

async function listening(server: Server, path?: string): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
  });
  closing.push(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  return path === undefined ? (server.address() as AddressInfo).port : 0;
}

/** The same on epoll, which tells FIN and RST apart; or one that answers no SYN. */
function onEpoll(
  accepted: ListenerEvents['accepted'],
  silent = false,
  address: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 },
): number {
  const reactor = createEpollReactor();
  if (typeof reactor === 'number') {
    throw new Error(`no epoll: ${reactor}`);
  }
  const turning = setInterval(() => reactor.turn(0), 5);
  closing.push(() => {
    clearInterval(turning);
    reactor.close();
  });
  const events = { accepted, paused() {}, resumed() {} };
  const listener = reactor.listen(address, {}, events);
  if (typeof listener === 'number' || listener.address.kind === 'unix') {
    throw new Error('no listener');
  }
  if (silent) {
    expect(listener.silence(true)).toBe(0);
  }
  return listener.address.port;
}

/** A server that does this with each connection; half-open connections are allowed. */
function served(run: (socket: Socket) => void): Promise<number> {
  return listening(createServer({ allowHalfOpen: true }, run));
}

interface Dialled {
  readonly code: number | string;
  readonly out: Buffer;
  readonly said: string;
}

async function dial(words: string[], flags: DialFlags, sent: string | Buffer | null = ''): Promise<Dialled> {
  const io = fakeIo();
  if (sent !== null) {
    io.input.end(sent);
  }
  let code: number | string;
  try {
    code = await runDial(words, flags, io);
  } catch (error) {
    if (!(error instanceof SockscopeError)) {
      throw error;
    }
    code = `${error.exit} ${error.message}`;
  }
  return { code, out: io.out(), said: io.said() };
}

const echo = (socket: Socket): void => void socket.pipe(socket);

describe('dial in a pipe', () => {
  it('every byte arrives, both ways, through a slow reader, and FIN ends it: 4 MB of noise come back unchanged', async () => {
    const port = await served(echo);
    const io = fakeIo({ slow: true });
    const sent = randomBytes(4 << 20);
    for (let at = 0; at < sent.length; at += 100_000) {
      io.input.write(sent.subarray(at, at + 100_000));
    }
    io.input.end();
    expect(await runDial([`127.0.0.1:${port}`], {}, io)).toBe(0);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(digest(io.out())).toBe(digest(sent));
    expect(io.said()).toContain('you half-closed (FIN)');
    expect(io.said()).toContain('you ended first, with FIN');
  });

  it('the answer of a server that speaks only after our FIN is read to its end', async () => {
    const port = await served((socket) => {
      let got = '';
      socket.on('data', (text) => {
        got += text;
      });
      socket.on('end', () => setImmediate(() => socket.end(`you said ${got}`)));
    });
    const { code, out, said } = await dial([`127.0.0.1:${port}`], {}, 'hello');
    expect([code, out.toString()]).toEqual([0, 'you said hello']);
    expect(said).toMatch(/connected to 127\.0\.0\.1:\d+ in [\d.]+ (µs|ms)/);
    expect(said).toContain('peer half-closed');
  });

  it('RST is told as RST, not as an end, and is exit code 1; what came before it is kept', async () => {
    const port = await served((socket) => {
      socket.write('before', () => setTimeout(() => socket.resetAndDestroy(), 50));
    });
    const { code, out, said } = await dial([`127.0.0.1:${port}`], {}, null);
    expect([code, out.toString()]).toEqual([1, 'before']);
    expect(said).toContain('peer reset (RST)');
    expect(said).not.toContain('half-closed');
    expect(said).toContain('the peer ended first, with RST');
  });

  it("the peer's FIN does not end what we still have to say", async () => {
    let got = '';
    const port = await served((socket) => {
      socket.end('bye');
      socket.on('data', (text) => {
        got += text;
      });
    });
    const io = fakeIo();
    const over = runDial([`127.0.0.1:${port}`], {}, io);
    await expect.poll(() => io.said()).toContain('peer half-closed');
    io.input.end('still here');
    expect(await over).toBe(0);
    await expect.poll(() => got).toBe('still here');
    expect(io.said()).toContain('the peer ended first, with FIN');
  });

  it.skipIf(!isLinux)(
    '--then-reset and --linger0 send RST, --then-close FIN, as the kernel tells the server',
    async () => {
      // Node would take an RST behind data for FIN (libuv), so the server stands on epoll.
      const seen: string[] = [];
      const port = onEpoll((stream) => {
        let got = '';
        return {
          readable() {
            const into = new Uint8Array(100);
            for (let count = stream.read(into, 0, 100); count !== AGAIN; count = stream.read(into, 0, 100)) {
              if (count <= 0) {
                seen.push(`${got} ${count}`);
                stream.close();
                return;
              }
              got += Buffer.from(into.subarray(0, count)).toString();
            }
          },
          writable() {},
        };
      });
      for (const flags of [{ thenReset: true }, { linger0: true }, { thenClose: true }]) {
        const before = seen.length;
        expect((await dial([`127.0.0.1:${port}`], flags, 'x')).code).toBe(0);
        await expect.poll(() => seen.length).toBe(before + 1);
      }
      expect(seen).toEqual(['x -104', 'x -104', 'x 0']);
    },
  );

  it('--keep-open waits for the peer, -q and -w do not wait for ever', async () => {
    let ends = 0;
    const port = await served((socket) => {
      socket.on('end', () => {
        ends += 1;
      });
      socket.on('data', (text) => text.toString() === 'go' && setTimeout(() => socket.end(), 60));
    });
    const kept = await dial([`127.0.0.1:${port}`], { keepOpen: true }, 'go');
    expect(kept.said).not.toContain('you half-closed');
    expect(kept.said).toContain('the peer ended first, with FIN');
    const idle = await dial([`127.0.0.1:${port}`], { keepOpen: true, wait: '200ms' }, 'x');
    expect(idle.code).toBe(0);
    expect(idle.said).toContain('nothing happened for so long');
    const quit = await dial([`127.0.0.1:${port}`], { quitAfter: '100ms' }, 'x');
    expect(quit.code).toBe(0);
    await expect.poll(() => ends).toBeGreaterThan(0);
  });

  it('refused, an unknown port and an unknown host are one sentence and exit code 1', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    await once(server, 'close');
    expect((await dial([`127.0.0.1:${port}`], {})).code).toBe(
      `1 127.0.0.1:${port} refused: nobody listens there.`,
    );
    expect((await dial(['no-such-host.invalid:80'], {})).code).toMatch(
      /^1 The name no-such-host\.invalid has no address/,
    );
  });

  it('localhost is tried on both families, and each try is told', async () => {
    const port = await served(echo);
    const { code, out, said } = await dial(['localhost', String(port)], {}, 'hi');
    expect([code, out.toString()]).toEqual([0, 'hi']);
    expect(said).toMatch(/\[::1\]:\d+, tried at .*: (refused|E\w+) after/);
    expect(said).toMatch(/connected to 127\.0\.0\.1:\d+ \(localhost\)/);
    expect((await dial([`localhost:${port}`], { ipv6: true }, 'hi')).code).toMatch(/^1 /);
  });

  it.skipIf(!isLinux)(
    'who does not answer a SYN is told with its state and how many SYNs went out',
    async () => {
      const port = onEpoll(() => null, true);
      const { code, said } = await dial([`127.0.0.1:${port}`], { wait: '1300ms' });
      expect(code).toBe(`1 127.0.0.1:${port} did not answer within 1300ms.`);
      expect(said).toMatch(/timed out in SYN-SENT after 1\.3 s \(2 SYNs sent, none answered\)/);
    },
  );

  it.skipIf(!isLinux)(
    '--source, --source-port and --sockopt are what the server sees and the kernel took',
    async () => {
      let from = '';
      const port = await served((socket) => {
        from = `${socket.remoteAddress}:${socket.remotePort}`;
        socket.end();
      });
      const free = createServer();
      const own = await listening(free);
      free.close();
      await once(free, 'close');
      const flags = { source: '127.0.0.7', sourcePort: String(own), sockopt: 'rcvbuf=8192,nodelay' };
      const { code, said } = await dial([`127.0.0.1:${port}`], flags);
      expect([code, from]).toEqual([0, `127.0.0.7:${own}`]);
      expect(said).toContain('rcvbuf=8192: the kernel made it 16384 bytes');
      expect((await dial([`127.0.0.1:${port}`], { sockopt: 'ttl=999' })).code).toMatch(
        /^1 The kernel does not take the socket option ttl=999: .*EINVAL/,
      );
      expect((await dial([`127.0.0.1:${port}`], { source: '203.0.113.9' })).code).toContain(
        'is not an address of this machine',
      );
    },
  );

  it.skipIf(!isLinux)(
    'a silent IPv6 address costs 250 ms and not the whole time, and leaves no descriptor open',
    async () => {
      const port = await served(echo);
      // The same port on ::1, where no SYN is answered.
      onEpoll(() => null, true, { kind: 'tcp', host: '::1', port });
      const before = openDescriptors();
      const { code, out, said } = await dial(['localhost', String(port)], { wait: '5' }, 'quick');
      expect([code, out.toString()]).toEqual([0, 'quick']);
      expect(said).toMatch(/\[::1\]:\d+, tried at .*: not waited for/);
      expect(said).toMatch(/connected to 127\.0\.0\.1:\d+ \(localhost\)/);
      await dial(['localhost', String(port)], { ipv6: true, wait: '50ms' });
      await expect.poll(openDescriptors).toBeLessThanOrEqual(before + 2);
    },
  );

  it('--send understands escapes, -C makes CR LF, -x shows both directions with offsets', async () => {
    const port = await served(echo);
    const { out } = await dial(
      [`127.0.0.1:${port}`],
      { send: ['a\\x00\\r\\n'], crlf: true, hex: true },
      'b\n',
    );
    expect(out.toString()).toMatch(/→ 00000000 {2}61 00 0d 0a .*\|a\.\.\.\|/);
    expect(out.toString()).toMatch(/→ 00000004 {2}62 0d 0a .*\|b\.\.\|/);
    expect(out.toString()).toMatch(/← 00000000 {2}61 00 0d 0a/);
  });

  it('--json: every line is an event, version first, and bytes that are no text are base64', async () => {
    const port = await served(echo);
    const { out } = await dial([`127.0.0.1:${port}`], { json: true }, Buffer.of(0xff, 0xfe));
    const lines = out.toString().trim().split('\n');
    expect(lines.every((line) => line.startsWith('{"v":1,"type":'))).toBe(true);
    const events = lines.map((line) => JSON.parse(line) as { type: string; base64?: string });
    expect(events.find(({ type }) => type === 'received')?.base64).toBe('//4=');
    expect(events.at(-1)).toMatchObject({
      type: 'summary',
      sent: 2,
      received: 2,
      first: { by: 'you', how: 'fin' },
    });
  });

  it('-z connects, says so and leaves', async () => {
    let data = 0;
    const port = await served((socket) => socket.on('data', () => data++));
    const { code, out, said } = await dial([`127.0.0.1:${port}`], { scan: true }, null);
    expect([code, out.length, data]).toEqual([0, 0, 0]);
    expect(said.trim().split('\n')).toHaveLength(1);
  });

  it('Ctrl-C ends in good order; a second one leaves at once', async () => {
    const port = await served(() => {});
    const io = fakeIo();
    const over = runDial([`127.0.0.1:${port}`], {}, io);
    await expect.poll(() => io.said()).toContain('connected');
    io.interrupt();
    expect(await over).toBe(0);
    expect(io.said()).toContain('you ended first, by interrupting it');
    io.interrupt();
    expect(io.quits()).toBe(1);
  });

  it.skipIf(!isLinux)('Ctrl-C while nobody answers gives up at once, and closes what was begun', async () => {
    const port = onEpoll(() => null, true);
    const before = openDescriptors();
    const io = fakeIo();
    const over = runDial([`127.0.0.1:${port}`], { verbose: true }, io).catch(
      (error: SockscopeError) => error.code,
    );
    await expect.poll(openDescriptors).toBeGreaterThan(before);
    io.interrupt();
    expect(await over).toBe('DIAL_INTERRUPTED');
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
  });
});

describe('dial to other kinds of sockets', () => {
  it('UNIX sockets', async () => {
    const path = join(folder, 'echo.sock');
    await listening(createServer({ allowHalfOpen: true }, echo), path);
    const { code, out } = await dial([`unix:${path}`], {}, 'over a path');
    expect([code, out.toString()]).toEqual([0, 'over a path']);
    expect((await dial([path], { unix: true }, 'x')).out.toString()).toBe('x');
    expect((await dial([`unix:${path}.no`], {})).code).toContain('There is no socket');
  });

  it('UDP: a datagram goes to the address of the name that is served, and a refusal is told', async () => {
    const socket = createSocket('udp4', (bytes, { port, address }) => socket.send(bytes, port, address));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    const { code, out, said } = await dial([`udp://localhost:${port}`], {}, 'dgram');
    expect([code, out.toString()]).toEqual([0, 'dgram']);
    expect(said).toContain(`[::1]:${port}`);
    socket.close();
    const refused = await dial([`127.0.0.1`, String(port)], { udp: true }, 'x');
    expect(refused.code).toBe(1);
    expect(refused.said).toContain('ECONNREFUSED');
  });

  const socat = needs('socat', 'linux');
  it.skipIf(socat.missing !== null)('UNIX datagrams, with a name to answer to', async () => {
    const path = join(folder, 'dgram.sock');
    const child = spawn('socat', [`UNIX-RECVFROM:${path}`, 'EXEC:rev'], { stdio: 'ignore' });
    closing.push(() => child.kill());
    await expect.poll(() => needsFile(path)).toBe(true);
    const { code, out } = await dial([`unix-dgram:${path}`], {}, 'abc\n');
    expect([code, out.toString()]).toEqual([0, 'cba\n']);
  });

  it('telnet: negotiation is answered and left out, 255 survives, and a text service gets lines', async () => {
    const got: number[] = [];
    const port = await served((socket) => {
      // DO TERMINAL-TYPE, WILL ECHO, DO 99, WILL SGA: in a pipe only the last is agreed to.
      socket.write(
        Buffer.of(255, 253, 24, 255, 251, 1, 255, 253, 99, 255, 251, 3, 104, 105, 255, 255, 13, 10),
      );
      socket.on('data', (bytes) => got.push(...bytes));
      socket.on('end', () => socket.end());
    });
    const io = fakeIo();
    const over = runDial([`telnet://127.0.0.1:${port}`], {}, io);
    await expect.poll(() => [...io.out()]).toEqual([104, 105, 255, 10]);
    io.input.end(Buffer.of(97, 255, 10));
    expect(await over).toBe(0);
    const text = Buffer.from(got).toString('hex');
    for (const answer of ['fffc18', 'fffe01', 'fffc63', 'fffd03', '61ffff0d0a']) {
      expect(text).toContain(answer);
    }
    const plain = await served(echo);
    expect((await dial([`telnet://127.0.0.1:${plain}`], {}, 'EHLO x\n')).out.toString()).toBe('EHLO x\n');
  });

  it('WebSocket: a line is a message; the close is told with its code; a refusal with its status', async () => {
    const http = createHttpServer((_request, response) => response.writeHead(404).end('nothing here\n'));
    const sockets = new WebSocketServer({ noServer: true });
    const messages: string[] = [];
    http.on('upgrade', (request, socket, head) => {
      if (request.url === '/no') {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\ngo away\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (client) => {
        client.on('message', (data, binary) => {
          messages.push(String(data));
          client.send(data, { binary });
          if (String(data) === 'bye') {
            client.close(4001, 'as you wish');
          }
        });
      });
    });
    const port = await listening(http);
    const noise = randomBytes(1000);
    const bytes = dial([`ws://127.0.0.1:${port}/`], { binary: true }, noise);
    await expect.poll(() => messages.splice(0).length).toBe(1);
    const { code, out, said } = await dial([`ws://127.0.0.1:${port}/live?x=1`], {}, 'one\ntwo\nlast');
    expect((await bytes).out.equals(noise)).toBe(true);
    expect([code, out.toString(), messages.join()]).toEqual([0, 'one\ntwo\nlast\n', 'one,two,last']);
    expect(said).toContain('you closed with code 1000');
    expect((await dial([`ws://127.0.0.1:${port}/`], {}, 'bye\n')).said).toContain(
      'peer closed with code 4001 "as you wish"',
    );
    expect((await dial([`ws://127.0.0.1:${port}/no`], {})).code).toContain(
      'it answered 403 Forbidden, "go away"',
    );
  });
});

function needsFile(path: string): boolean {
  return execFileSync('sh', ['-c', `[ -S '${path}' ] && echo yes || true`], { encoding: 'utf8' }) === 'yes\n';
}

const openssl = needs('openssl');

describe.skipIf(openssl.missing !== null)('dial over TLS', () => {
  const [cert, key] = [join(folder, 'c.pem'), join(folder, 'k.pem')];
  let secured = '';
  let pem = { cert: '', key: '' };

  beforeAll(() => {
    const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost';
    const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...words.split(' '), ...names], { stdio: 'ignore' });
    pem = {
      cert: execFileSync('cat', [cert], { encoding: 'utf8' }),
      key: execFileSync('cat', [key], { encoding: 'utf8' }),
    };
    writeFileSync(join(folder, 'both.pem'), pem.cert + pem.key);
  });

  async function tls(options: object = {}): Promise<string> {
    const server = createTlsServer(
      { ...pem, ALPNProtocols: ['h2', 'echo'], allowHalfOpen: true, ...options },
      (socket) => {
        socket.on('error', () => {});
        socket.pipe(socket);
      },
    );
    server.on('tlsClientError', () => {});
    secured = `tls://localhost:${await listening(server)}`;
    return secured;
  }

  it('what was agreed on and whose certificate it is are told, and bytes come back after close_notify', async () => {
    const { code, out, said } = await dial([await tls()], { ca: cert, alpn: 'echo' }, 'secret');
    expect([code, out.toString()]).toEqual([0, 'secret']);
    expect(said).toMatch(/secured with TLSv1\.3, TLS_\w+, echo in/);
    expect(said).toMatch(/certificate of CN=localhost, signed by CN=localhost, expires \d{4}-/);
  });

  it('a certificate that is not trusted, or for somebody else, is one sentence with a remedy', async () => {
    expect((await dial([await tls()], {})).code).toMatch(
      /^1 The certificate of localhost:\d+ is signed by itself\.$/,
    );
    expect((await dial([secured], { ca: cert, sni: 'other.test' })).code).toContain(
      'is not for other.test, but for DNS:localhost',
    );
    const looked = await dial([secured], { insecure: true }, 'x');
    expect([looked.code, looked.out.toString()]).toEqual([0, 'x']);
    expect(looked.said).toContain('not trusted: The certificate of');
  });

  it('a server that wants a certificate says so after the handshake; with ours it is content', async () => {
    const wants = { requestCert: true, rejectUnauthorized: true, ca: [pem.cert] };
    const refused = await dial([await tls(wants)], { ca: cert }, 'x');
    expect(refused.code).toBe(1);
    expect(refused.said).toMatch(/broken after .*(CERTIFICATE_REQUIRED|certificate)/i);
    expect((await dial([secured], { ca: cert, cert: join(folder, 'both.pem') }, 'x')).out.toString()).toBe(
      'x',
    );
  });

  it('a plain server is told from a broken handshake', async () => {
    const port = await served((socket) => socket.end('220 plain text service\r\n'));
    expect((await dial([`tls://127.0.0.1:${port}`], {})).code).toContain('does not speak TLS');
  });
});

describe('the words of dial', () => {
  async function parsed(...argv: string[]): Promise<string> {
    const root = new Command('sockscope')
      .exitOverride()
      .configureOutput({ writeErr: () => {}, writeOut: () => {} });
    const command = define(
      root
        .command('dial')
        .exitOverride()
        .configureOutput({ writeErr: () => {} }),
    );
    let what = 'nothing';
    command.action((address: string, port: string | undefined, flags: DialFlags) => {
      what = JSON.stringify([address, port, flags]);
    });
    const dns = command.commands.find((one) => one.name() === 'dns');
    command.hook('preSubcommand', (_group, sub) => {
      sub.action(() => {
        what = `dns ${sub.args.join(' ')} ${JSON.stringify(sub.opts())}`;
      });
    });
    expect(dns).toBeDefined();
    await root.parseAsync(['dial', ...argv], { from: 'user' });
    return what;
  }

  it('an address goes to dial itself, the name of a client to that client, with its own options', async () => {
    expect(await parsed('-4', 'localhost:80', '-w', '3')).toBe(
      '["localhost:80",null,{"ipv4":true,"wait":"3"}]',
    );
    expect(await parsed('localhost', '80')).toBe('["localhost","80",{}]');
    expect(await parsed('dns', 'example.com', '--short')).toContain('dns example.com {');
    expect(await parsed('dns', 'example.com', '--short')).toContain('"short":true');
  });

  it('what cannot be meant is exit code 2 and a sentence', async () => {
    const bad: [string[], DialFlags, RegExp][] = [
      [['x:99999'], {}, /99999 is not a port/],
      [['tsl://x:1'], {}, /tsl:\/\//],
      [['x:1'], { wait: 'soon' }, /soon is not a time/],
      [['x:1'], { thenClose: true, thenReset: true }, /Only one thing/],
      [['x:1'], { ipv4: true, ipv6: true }, /exclude/],
      [['x:1'], { alpn: 'h2' }, /is for TLS/],
      [['x:1'], { sockopt: 'nodlay' }, /no socket option/],
      [['x:1'], { source: 'me' }, /not an address/],
      [['tls://x:1'], { ca: '/nonexistent.pem' }, /cannot be read/],
      [['unix:/x'], { sourcePort: '5' }, /no source/],
    ];
    for (const [words, flags, message] of bad) {
      const { code } = await dial(words, flags, null);
      expect(code).toMatch(/^2 /);
      expect(code).toMatch(message);
    }
  });
});
