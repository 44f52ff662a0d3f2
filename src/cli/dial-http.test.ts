import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createPlainHttp2 } from 'node:http2';
import { type AddressInfo, createServer as createRaw, type Server as RawServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { http } from './dial-http-fixture.ts';
import { readHttpPlan } from './dial-http-flags.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-http-'));
const closing: (() => unknown)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function listen(server: Server | RawServer, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port));
  });
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  closing.push(
    () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${await listen(server)}`;
}

/** What it does with a connection; the request is read and forgotten. */
async function raw(talk: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createRaw((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    talk(socket);
  });
  closing.push(
    () =>
      new Promise((done) => {
        for (const socket of open) {
          socket.destroy();
        }
        server.close(done);
      }),
  );
  return listen(server);
}

function afterRequest(answer: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => socket.once('data', () => answer(socket));
}

function echo(): Promise<string> {
  return serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, rawHeaders } = request;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ method, url, rawHeaders, body: Buffer.concat(chunks).toString() }));
    });
  });
}

/** What the server was asked. */
async function asked(...argv: string[]) {
  const at = await echo();
  const { out } = await http([`${at}/p?q=1`, '-s', ...argv]);
  const told = JSON.parse(out) as { method: string; url: string; rawHeaders: string[]; body: string };
  const fields = new Map<string, string>();
  for (let index = 0; index < told.rawHeaders.length; index += 2) {
    fields.set(told.rawHeaders[index]!.toLowerCase(), told.rawHeaders[index + 1]!);
  }
  return { ...told, fields };
}

describe('the request', () => {
  test('is a GET with few fields', async () => {
    const { method, url, rawHeaders } = await asked();
    expect([method, url]).toEqual(['GET', '/p?q=1']);
    expect(rawHeaders.filter((_, index) => index % 2 === 0)).toEqual([
      'Host',
      'User-Agent',
      'Accept',
      'Connection',
    ]);
  });

  test('with -d is a form by POST; pieces are joined, files lose their line ends', async () => {
    const file = join(folder, 'data');
    writeFileSync(file, 'c=\r\n3\n');
    const { method, body, fields } = await asked('-d', 'a=1', '-d', `@${file}`);
    expect([method, body]).toEqual(['POST', 'a=1&c=3']);
    expect(fields.get('content-type')).toBe('application/x-www-form-urlencoded');
    expect(fields.get('content-length')).toBe('7');
  });

  test('with -d @- reads standard input', async () => {
    const at = await echo();
    const { out } = await http([`${at}/`, '-s', '-d', '@-'], { input: 'from=stdin\n' });
    expect(JSON.parse(out).body).toBe('from=stdin');
  });

  test('with --json-body is JSON both ways', async () => {
    const { method, body, fields } = await asked('--json-body', '{"ä":1}', '-X', 'PUT');
    expect([method, body]).toEqual(['PUT', '{"ä":1}']);
    expect(fields.get('content-type')).toBe('application/json');
    expect(fields.get('accept')).toBe('application/json');
  });

  test('has the fields that were typed instead of its own; an empty one takes its own away', async () => {
    const { fields, rawHeaders } = await asked(
      '-H',
      'accept: text/plain',
      '-H',
      'User-Agent:',
      '-H',
      'X-Empty;',
      '-H',
      'Host: other.test',
      '-H',
      'X-A: 1',
      '-H',
      'X-A: 2',
    );
    expect(fields.get('accept')).toBe('text/plain');
    expect(fields.has('user-agent')).toBe(false);
    expect(fields.get('x-empty')).toBe('');
    expect(fields.get('host')).toBe('other.test');
    expect(rawHeaders.filter((each) => each === 'X-A')).toHaveLength(2);
  });

  test('-u, -A, -e and -b are fields', async () => {
    const { fields } = await asked(
      '-u',
      'me:secret',
      '-A',
      'agent/1',
      '-e',
      'http://from/',
      '-b',
      'a=b; c=d',
    );
    expect(Buffer.from(fields.get('authorization')!.slice(6), 'base64').toString()).toBe('me:secret');
    expect(fields.get('user-agent')).toBe('agent/1');
    expect(fields.get('referer')).toBe('http://from/');
    expect(fields.get('cookie')).toBe('a=b; c=d');
  });

  test.each([
    [['ftp://x/'], 'neither http nor https'],
    [['http://[::'], 'no address of the web'],
    [['x', '-H', 'no colon'], 'no header field'],
    [['x', '-H', 'A: \u{1F600}'], 'no header field'],
    [['x', '-A', 'a\nb'], 'no header field may have'],
    [['x', '-X', 'GE T'], 'no method'],
    [['x', '-d', '@/nowhere/at/all'], 'cannot be read (ENOENT)'],
    [['x', '-d', 'a', '--json-body', '{}'], 'two bodies'],
    [['x', '-d', 'a', '-I'], 'head alone'],
    [['x', '--resolve', 'a:b'], '--resolve a:b cannot be read'],
    [['x', '-x', 'socks5://p:1'], 'no proxy that can be spoken to'],
    [['x', '-x', 'p:1', '--unix-socket', '/x'], 'not reached through a proxy'],
    [['x', '--timeout', '5'], 'no time to wait'],
    [['x', '--repeat', '0'], 'cannot be'],
    [['x', '--max-redirects', '-1'], 'cannot be'],
    [['x', '--http1.1', '--http2'], 'Only one version'],
    [['x', '--key', 'k'], '--key needs the certificate'],
    [['x', '-b', 'file'], 'no cookie'],
    [['x', '-4', '-6'], 'exclude each other'],
    [['x', 'y'], 'with -I'],
    [[], 'Which address'],
    [['x', '-o', '/nowhere/at/all'], 'cannot be written (ENOENT)'],
  ])('%j is refused as usage', async (argv, words) => {
    const { exit, said } = await http(argv);
    expect(said).toContain(words);
    expect(exit).toBe(2);
  });
});

test('whatever is typed is a plan or one of our own errors', async () => {
  const text = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.constantFrom('http://a%zz:%@b/', ':1', '[::1]:1', 'a:1:::1', 'a:1:[::1]'),
  );
  await fc.assert(
    fc.asyncProperty(
      text,
      text,
      fc.constantFrom('header', 'resolve', 'proxy', 'user', 'cookie', 'method', 'timeout'),
      async (url, value, option) => {
        const flags = { [option]: option === 'header' || option === 'resolve' ? [value] : value };
        try {
          const plan = await readHttpPlan(url, flags, Readable.from([]));
          expect(plan.url.username).toBe('');
        } catch (error) {
          expect(error).toBeInstanceOf(SockscopeError);
        }
      },
    ),
  );
});

describe('the answer', () => {
  test('is on standard output, its phases on standard error', async () => {
    const at = await serve((_request, response) => response.end('hello\n'));
    const { exit, out, said } = await http([at]);
    expect([exit, out]).toEqual([0, 'hello\n']);
    expect(said).toMatch(/^GET http:\/\/127\.0\.0\.1:\d+\/ {2}HTTP\/1\.1 200 OK$/m);
    for (const name of ['resolve', 'connect', 'send', 'first byte', 'body', 'total']) {
      expect(said).toMatch(new RegExp(`^  ${name} +[\\d.]+ (µs|ms)`, 'm'));
    }
    expect(said).toMatch(/new connection from 127\.0\.0\.1:\d+/);
  });

  test('has phases that follow one another, each as long as the server made it', async () => {
    const at = await serve((_request, response) => {
      setTimeout(() => {
        response.write('a');
        setTimeout(() => response.end('b'), 40);
      }, 60);
    });
    const { events } = await http([at, '--json']);
    const [facts] = events;
    expect(facts).toMatchObject({ v: 1, type: 'exchange', status: 200, received: 2, failure: null });
    expect(Object.keys(facts)[0]).toBe('v');
    const phases = facts.phases as { name: string; from: number; ns: number }[];
    expect(phases.map(({ name }) => name)).toEqual(['resolve', 'connect', 'send', 'first byte', 'body']);
    phases.forEach(({ from, ns }, index) => {
      const next = phases[index + 1];
      if (next !== undefined) {
        expect(next.from).toBeGreaterThanOrEqual(from + ns);
      }
    });
    const ns = (name: string) => phases.find((each) => each.name === name)!.ns;
    expect(ns('first byte')).toBeGreaterThan(50e6);
    expect(ns('body')).toBeGreaterThan(30e6);
    expect(phases.reduce((sum, each) => sum + each.ns, 0)).toBeLessThanOrEqual(facts.total);
  });

  test('-i shows the head before the body, -I the head alone', async () => {
    const at = await serve((_request, response) => {
      response.setHeader('X-One', '1');
      response.end('body');
    });
    expect((await http([at, '-i', '-s'])).out).toMatch(
      /^HTTP\/1\.1 200 OK\r\nX-One: 1\r\n[\s\S]*\r\n\r\nbody$/,
    );
    expect((await http([at, '-I', '-s'])).out).toMatch(/^HTTP\/1\.1 200 OK\r\nX-One: 1\r\n[\s\S]*\r\n\r\n$/);
  });

  test('-o has the whole body or no file', async () => {
    const at = await serve((_request, response) => response.end('whole'));
    const file = join(folder, 'out');
    writeFileSync(file, 'before');
    expect((await http([at, '-o', file])).out).toBe('');
    expect(readFileSync(file, 'utf8')).toBe('whole');
    const cut = await raw(
      afterRequest((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789')),
    );
    expect((await http([`:${cut}`, '-o', file, '-4'])).exit).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('whole');
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('-o writes to a pipe or a device, and never replaces it', async () => {
    const at = await serve((_request, response) => response.end('whole'));
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    expect((await http([at, '-o', pipe])).exit).toBe(0);
    const bytes = Buffer.alloc(10);
    expect(bytes.toString('utf8', 0, readSync(reader, bytes))).toBe('whole');
    closeSync(reader);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    rmSync(pipe);
  });

  test('--sockopt sets options on the connection, and says what the kernel made of them', async () => {
    const at = await serve((_request, response) => response.end('whole'));
    const { said, exit } = await http([at, '--sockopt', 'rcvbuf=4096']);
    expect([exit, said]).toEqual([0, expect.stringContaining('rcvbuf=4096: the kernel made it 8192')]);
    await expect(http([at, '--sockopt', 'nodeley'])).resolves.toMatchObject({ exit: 2 });
  });

  test('that is binary does not go to a terminal, unless that is asked for', async () => {
    const at = await serve((_request, response) => response.end(Buffer.from([1, 0, 2])));
    const refused = await http([at], { isTTY: true });
    expect([refused.exit, refused.bytes.length]).toEqual([1, 0]);
    expect(refused.said).toContain('The body is binary');
    expect((await http([at, '-o', '-'], { isTTY: true })).bytes).toEqual(Buffer.from([1, 0, 2]));
    expect((await http([at])).bytes).toEqual(Buffer.from([1, 0, 2]));
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('in %s is undone with --compressed, and only then', async (name, pack) => {
    const text = 'x'.repeat(5000);
    const at = await serve((_request, response) => {
      response.setHeader('Content-Encoding', name);
      response.end(pack(text));
    });
    const undone = await http([at, '--compressed']);
    expect(undone.out).toBe(text);
    expect(undone.said).toContain('5.0 kB decoded');
    expect((await http([at, '-s'])).bytes).toEqual(pack(text));
  });

  test('that is not gzip, though it says so, is told', async () => {
    const at = await serve((_request, response) => {
      response.setHeader('Content-Encoding', 'gzip');
      response.end('plain');
    });
    const { exit, said } = await http([at, '--compressed']);
    expect(exit).toBe(1);
    expect(said).toContain('The body is not gzip');
  });

  test('with a status from 400 on is an answer; with --fail it is a failure without a body', async () => {
    const at = await serve((_request, response) => {
      response.statusCode = 404;
      response.end('nothing here');
    });
    expect(await http([at])).toMatchObject({ exit: 0, out: 'nothing here' });
    expect(await http([at, '--fail'])).toMatchObject({ exit: 1, out: '' });
  });

  test('of 30 MB goes through a slow reader whole', async () => {
    const body = Buffer.alloc(30e6, 'abc');
    const at = await serve((_request, response) => response.end(body));
    const { bytes } = await http([at, '-s']);
    expect(bytes.equals(body)).toBe(true);
  });
});

describe('what goes wrong is one sentence', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789';

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['closed at once', (socket) => socket.end(), /closed the connection .*an empty reply/],
    [
      'closed after the request',
      afterRequest((socket) => socket.end()),
      /closed the connection after the request, before a byte of an answer: an empty reply/,
    ],
    [
      'reset',
      afterRequest((socket) => socket.resetAndDestroy()),
      /reset the connection after the request, before a byte/,
    ],
    [
      'reset in the body',
      afterRequest((socket) => socket.write(HEAD, () => setTimeout(() => socket.resetAndDestroy(), 30))),
      /reset the connection in the middle of the answer \(got 10 of 100 bytes\)/,
    ],
    [
      'cut in the body',
      afterRequest((socket) => socket.end(HEAD)),
      /The body of the answer of 127\.0\.0\.1:\d+ was cut: got 10 of 100 bytes/,
    ],
    [
      'cut in a chunk',
      afterRequest((socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel')),
      /The body .* was cut: got 3 bytes/,
    ],
    [
      'cut in the head',
      afterRequest((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-')),
      /The head of the answer of .* was cut/,
    ],
    [
      'another protocol',
      afterRequest((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')),
      /is not HTTP\/1\.1 \(.*\): "SSH-2\.0-OpenSSH_9\.6\\r\\n"/,
    ],
    [
      'a bad field',
      afterRequest((socket) => socket.end('HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n')),
      /is not HTTP\/1\.1/,
    ],
    [
      'too large a head',
      afterRequest((socket) => socket.end(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40_000)}\r\n\r\n`)),
      /head of the answer of .* is too large/,
    ],
  ])('%s', async (_name, talk, words) => {
    const { exit, said } = await http([`http://127.0.0.1:${await raw(talk)}/`]);
    expect(said).toMatch(words);
    expect(exit).toBe(1);
  });

  test('refused: nobody listens', async () => {
    const server = createRaw();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    const { exit, said } = await http([`http://localhost:${port}/`]);
    expect(exit).toBe(1);
    expect(said).toMatch(
      /localhost:\d+ refused: nobody listens there \(\[::1\]:\d+ refused, 127\.0\.0\.1:\d+ refused\)|refused: nobody listens there/,
    );
    expect(said).toMatch(/^ {2}connect .*not finished$/m);
  });

  test('a name that nobody knows', async () => {
    const { exit, said } = await http(['http://no-such-name.invalid/']);
    expect(exit).toBe(1);
    expect(said).toContain('The name no-such-name.invalid has no address');
  });

  test.each<[string, string, (socket: Socket) => void, RegExp]>([
    [
      '--first-byte-timeout',
      '80ms',
      () => {},
      /No first byte within 80ms: the server at 127\.0\.0\.1:\d+ accepted the connection [\d.]+ ms after the request began and took the whole request\.\n--first-byte-timeout/,
    ],
    [
      '--body-timeout',
      '80ms',
      afterRequest((socket) => socket.write(HEAD)),
      /The body did not end within 80ms: .* answered 200, and 10 of 100 bytes had come/,
    ],
    [
      '--timeout',
      '80ms',
      afterRequest((socket) => socket.write('HTTP/1.1 2')),
      /The body did not end within 80ms: .* had begun its answer, but not ended its head/,
    ],
    ['--timeout', '80ms', () => {}, /No first byte within 80ms/],
  ])('%s %s runs out, and what had been reached is said', async (option, time, talk, words) => {
    const { exit, said, out } = await http([`http://127.0.0.1:${await raw(talk)}/`, option, time]);
    expect(said).toMatch(words);
    expect(exit).toBe(1);
    expect(out.length).toBeLessThan(20);
  });

  test('a handshake that is never answered has a deadline of its own', async () => {
    const { said } = await http([`https://127.0.0.1:${await raw(() => {})}/`, '--tls-timeout', '80ms']);
    expect(said).toMatch(/No end of the TLS handshake within 80ms: .* accepted the connection/);
  });

  test('a server that dribbles is not too late as long as each deadline holds', async () => {
    const at = await serve((_request, response) => {
      let left = 5;
      const timer = setInterval(() => {
        response.write('.');
        left -= 1;
        if (left === 0) {
          clearInterval(timer);
          response.end();
        }
      }, 10);
    });
    expect(await http([at, '-s', '--body-timeout', '5s', '--first-byte-timeout', '5s'])).toMatchObject({
      exit: 0,
      out: '.....',
    });
  });

  test('interrupted: nothing is left behind', async () => {
    const file = join(folder, 'interrupted');
    let begun = (): void => {};
    const interruptAfter = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const port = await raw(afterRequest((socket) => socket.write(HEAD, begun)));
    const { exit, said } = await http([`127.0.0.1:${port}`, '-o', file], { interruptAfter });
    expect(exit).toBe(1);
    expect(said).toContain('Interrupted.');
    expect(readdirSync(folder).filter((name) => name.startsWith('interrupted'))).toEqual([]);
  });
});

describe('redirects', () => {
  function chain(): Promise<string> {
    return serve((request, response) => {
      const { method, url = '/', headers } = request;
      const [, kind, status] = /^\/(to|loop|far|count|bad)\/(\w+)/.exec(url) ?? [];
      request.resume();
      request.on('end', () => {
        if (kind === 'to') {
          response.writeHead(Number(status), { Location: '/end' }).end('not this');
        } else if (kind === 'loop') {
          response.writeHead(302, { Location: status === 'a' ? '/loop/b' : '/loop/a' }).end();
        } else if (kind === 'count') {
          response.writeHead(302, { Location: `/count/${Number(status) + 1}` }).end();
        } else if (kind === 'far') {
          response.writeHead(307, { Location: `http://localhost:${request.socket.localPort}/end` }).end();
        } else if (kind === 'bad') {
          response.writeHead(302, { Location: 'ftp://x/' }).end();
        } else {
          const { authorization = '', cookie = '', 'content-type': type = '' } = headers;
          response.end(`${method} ${authorization} ${cookie} ${type}`.trim());
        }
      });
    });
  }

  test('are not followed without -L, but where they lead is said', async () => {
    const { exit, out, said } = await http([`${await chain()}/to/302`]);
    expect([exit, out]).toEqual([0, 'not this']);
    expect(said).toMatch(/302 GET .*\/to\/302 → .*\/end\n {2}not followed without -L/);
  });

  test('turn a POST into a GET without its body, over the same connection', async () => {
    const { out, said } = await http([`${await chain()}/to/303`, '-L', '-d', 'x=1', '-u', 'a:b']);
    expect(out).toBe('GET Basic YTpi');
    expect(said).toMatch(
      /POST becomes GET without its body; the same origin; kept .*Authorization.*; stripped Content-Type/,
    );
    expect(said).toMatch(/connection from 127\.0\.0\.1:\d+ reused, request 2 on it/);
  });

  test('with 307 keep the method', async () => {
    expect((await http([`${await chain()}/to/307`, '-L', '-s', '-d', 'x=1'])).out).toBe(
      'POST   application/x-www-form-urlencoded',
    );
  });

  test('to another origin leave the secrets behind, and say so', async () => {
    const { out, said } = await http([`${await chain()}/far/x`, '-L', '-u', 'a:b', '-b', 'c=d']);
    expect(out).toBe('GET');
    expect(said).toMatch(/another origin; kept User-Agent, Accept; stripped Authorization, Cookie/);
  });

  test('in a circle are said to be one', async () => {
    const { exit, said } = await http([`${await chain()}/loop/a`, '-L', '--max-redirects', '3']);
    expect(exit).toBe(1);
    expect(said).toMatch(/go round in a circle: .*\/loop\/a → .*\/loop\/b → .*\/loop\/a\./);
  });

  test('beyond --max-redirects end it', async () => {
    const { exit, events } = await http([`${await chain()}/count/1`, '-L', '--max-redirects', '3', '--json']);
    expect(exit).toBe(1);
    expect(events).toHaveLength(4);
    expect(events.at(-1)).toMatchObject({
      failure: { code: 'HTTP_REDIRECTS' },
      redirect: { followed: false },
    });
  });

  test('to something else than http are not followed', async () => {
    const { exit, said } = await http([`${await chain()}/bad/x`, '-L']);
    expect(exit).toBe(1);
    expect(said).toContain('ftp is neither http nor https');
  });
});

describe('connections', () => {
  test('are kept for --repeat, and what that is worth is said', async () => {
    const ports = new Set<number>();
    const at = await serve((request, response) => {
      ports.add(request.socket.remotePort ?? 0);
      response.end('once');
    });
    const { out, said } = await http([at, '--repeat', '5']);
    expect(out).toBe('once');
    expect(ports.size).toBe(1);
    expect(said).toMatch(/5 requests over 1 connection: min .*, median .*, max /);
    expect(said).toMatch(/over the kept connection the median is/);
    const fresh = await http([at, '--repeat', '3', '--no-keepalive', '--json']);
    expect(ports.size).toBe(4);
    expect(fresh.events.at(-1)).toMatchObject({ type: 'repeat', requests: 3, connections: 3, reused: null });
  });

  test('that were closed meanwhile are made again, and it is said', async () => {
    let requests = 0;
    const port = await raw((socket) => {
      socket.on('data', () => {
        requests += 1;
        // The second request on a connection finds it closing.
        if (requests === 2) {
          socket.end();
        } else {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        }
      });
    });
    const { exit, events } = await http([`127.0.0.1:${port}`, '--repeat', '2', '--json']);
    expect(exit).toBe(0);
    expect(events[1].notes).toEqual([
      'the kept connection had been closed meanwhile: asked again over a new one',
    ]);
    expect(requests).toBe(3);
  });

  test('try every address, and say which did not answer', async () => {
    const at = await serve((_request, response) => response.end('four'));
    const { port } = new URL(at);
    const { out, said } = await http([
      `http://two.test:${port}/`,
      '--resolve',
      `two.test:${port}:127.0.0.1,[::1]`,
    ]);
    expect(out).toBe('four');
    expect(said).toMatch(/connect .*127\.0\.0\.1:\d+ from 127\.0\.0\.1:\d+; \[::1\]:\d+ refused after/);
  });

  test('go over a UNIX socket', async () => {
    const path = join(folder, 'web.sock');
    const server = createServer((request, response) => response.end(`unix ${request.headers.host}`));
    await new Promise<void>((done) => server.listen(path, done));
    closing.push(() => new Promise((done) => server.close(done)));
    expect(await http(['http://name.test/', '--unix-socket', path])).toMatchObject({
      exit: 0,
      out: 'unix name.test',
    });
    expect((await http(['http://x/', '--unix-socket', join(folder, 'none')])).said).toContain(
      'There is no socket',
    );
  });

  test('go through a proxy in absolute form', async () => {
    const proxy = await serve((request, response) =>
      response.end(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`),
    );
    const { out } = await http(['http://far.test/x?y', '-s', '-x', proxy.replace('//', '//me:pw@')]);
    expect(out).toBe('GET http://far.test/x?y Basic bWU6cHc=');
  });

  test('with --http2-prior-knowledge speak HTTP/2 from the first byte', async () => {
    const server = createPlainHttp2((request, response) =>
      response.end(`${request.httpVersion} ${request.authority}`),
    );
    const sessions = new Set<{ destroy(): void }>();
    server.on('session', (session) => sessions.add(session));
    const port = await listen(server as unknown as Server);
    closing.push(
      () =>
        new Promise<void>((done) => {
          for (const session of sessions) {
            session.destroy();
          }
          server.close(() => done());
        }),
    );
    const { out, said } = await http([`127.0.0.1:${port}`, '--http2-prior-knowledge', '--repeat', '3']);
    expect(out).toBe(`2.0 127.0.0.1:${port}`);
    expect(said).toContain('HTTP/2 200 OK');
    expect(said).toContain('3 requests over 1 connection');
    expect(sessions.size).toBe(1);
    const plain = await serve((_request, response) => response.end());
    expect((await http([plain, '--http2-prior-knowledge'])).said).toMatch(
      /HTTP\/2 with .* broke|reset|closed/,
    );
  });
});

describe('a check of many addresses', () => {
  test('has a line for each, a sum, and fails when one did', async () => {
    let now = 0;
    let most = 0;
    const at = await serve((request, response) => {
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
        response.writeHead(request.url === '/bad' ? 500 : 200, {
          'Content-Length': 1234,
          'Content-Type': 'text/plain',
        });
        response.end();
      }, 30);
    });
    const file = join(folder, 'urls');
    const urls = Array.from({ length: 30 }, (_, index) => `${at}/${index}`);
    writeFileSync(file, `# these\n${urls.join('\r\n')}\n\n`);
    const fine = await http(['-I', '--urls', file]);
    expect(fine.exit).toBe(0);
    expect(fine.out.trim().split('\n')).toHaveLength(30);
    expect(fine.out).toMatch(/^200 +[\d.]+ ms +1\.2 kB {2}text\/plain +http:.*\/29$/m);
    expect(fine.said).toMatch(/^30 ok, 0 failed, slowest http/m);
    expect(most).toBe(16);
    const bad = await http(['-I', `${at}/bad`, `${at}/good`, 'no-such-name.invalid']);
    expect(bad.exit).toBe(1);
    expect(bad.said).toMatch(/^1 ok, 2 failed/m);
    expect(bad.out).toMatch(/no-such-name\.invalid {2}The name/);
    const told = await http(['-I', `${at}/bad`, `${at}/good`, '--json']);
    expect(told.events.map(({ type }) => type)).toEqual(['check', 'check', 'summary']);
  });
});
