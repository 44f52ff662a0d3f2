import { execFile } from 'node:child_process';
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { get, type Origin, origin } from '../../../test/proxy-origin.ts';
import { type Served, serve, until, type Wish, wire } from '../../../test/web-service.ts';
import { createAllowed, readPattern } from './forward/allowed.ts';
import { kind } from './forward.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

async function behind(...given: Parameters<typeof origin>): Promise<Origin> {
  const one = await origin(...given);
  closing.push(() => one.close());
  return one;
}

async function forward(options = {}, wish: Wish = {}): Promise<Served> {
  const plan = await kind.plan({ words: [], options });
  const served = await serve((house) => kind.node!(house, structuredClone(plan)), wish);
  closing.push(() => served.close());
  return served;
}

async function tcp(talk: (socket: Socket) => void): Promise<number> {
  const server = createTcp({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    talk(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('plain HTTP', () => {
  test('a whole URI is fetched from where it says, with Via and without what is for proxies', async () => {
    const there = await behind((_request, response) => response.end('hello'));
    const { port, lines } = await forward();
    const got = await get(port, `http://localhost:${there.port}/a?b`, {
      method: 'POST',
      headers: { Host: 'ignored', 'Proxy-Connection': 'keep-alive', 'Proxy-Authorization': 'x' },
      body: 'words',
    });
    expect(got.text).toBe('hello');
    expect(there.seen[0]).toMatchObject({ method: 'POST', url: '/a?b', body: 'words' });
    expect(there.seen[0]!.headers.host).toBe(`localhost:${there.port}`);
    expect(there.seen[0]!.headers.via).toMatch(/^1\.1 sockscope-/);
    expect(Object.keys(there.seen[0]!.headers).filter((name) => /proxy|forwarded/.test(name))).toEqual([]);
    await until(() => lines.length === 1);
    expect(lines[0]!.note).toMatch(/^localhost:\d+ [\d.]+ ms, bypass$/);
  });

  test('the cache says hit or miss, and stands in for an origin that is down with --stale', async () => {
    const there = await behind((_request, response) =>
      response.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('x'),
    );
    const { port, lines } = await forward({ stale: true });
    const uri = `http://127.0.0.1:${there.port}/`;
    await get(port, uri);
    await get(port, uri);
    await there.close();
    const last = await get(port, uri, { headers: { 'Cache-Control': 'no-cache' } });
    expect([last.status, last.headers['cache-status']]).toEqual([
      200,
      expect.stringContaining('detail=origin-down'),
    ]);
    await until(() => lines.length === 3);
    expect(
      lines.map(({ note }) => note.replace(/^.*, (?=\w+$)/, '').replace(/.*(origin-down)$/, '$1')),
    ).toEqual(['miss', 'hit', 'origin-down']);
  });

  test('a path alone is told how it is done', async () => {
    const { port } = await forward();
    expect(await get(port, '/')).toMatchObject({ status: 400, text: expect.stringContaining('curl -x') });
  });

  test('a request to the proxy itself is refused, by address and by the way round', async () => {
    const { port } = await forward();
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '0.0.0.0']) {
      expect((await get(port, `http://${host}:${port}/`)).status).toBe(508);
    }
  });

  test('an origin that is not there: 502, 403 for what is not allowed, and why', async () => {
    const there = await behind((_request, response) => response.end('hello'));
    const { port } = await forward({ deny: ['127.0.0.0/8:1'], allow: ['127.0.0.0/8', '*.test'] });
    const ask = async (uri: string) => {
      const { status, text } = await get(port, uri);
      return `${status} ${text.trim()}`;
    };
    expect([
      await ask('http://127.0.0.1:2/'),
      await ask('http://127.0.0.1:1/'),
      await ask('http://example.org/'),
      await ask('http://localhost:1/'),
      (await ask(`http://localhost:${there.port}/`)).slice(4),
    ]).toEqual([
      '502 127.0.0.1:2 refused the connection: nothing listens there',
      '403 127.0.0.1:1 is not allowed here',
      expect.stringMatching(
        /^(403 example.org is not allowed here|502 example.org cannot be found: its name is unknown)$/,
      ),
      '403 localhost:1 is not allowed here',
      'hello',
    ]);
  });
});

describe('CONNECT', () => {
  const asks = (port: number) => `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`;

  test('bytes go both ways, what came with the request too, and a FIN ends one direction only', async () => {
    let heard = '';
    const there = await tcp((socket) => {
      socket.setEncoding('latin1');
      socket.on('data', (piece: string) => {
        heard += piece;
      });
      socket.on('end', () => {
        socket.write('after your FIN');
        socket.end();
      });
    });
    const { port, lines } = await forward();
    const one = wire(port, `${asks(there)}early `);
    await one.until((text) => text.includes('\r\n\r\n'));
    one.socket.write('late');
    one.socket.end();
    expect(await one.ended()).toBe('end');
    expect([heard, one.text()]).toEqual([
      'early late',
      'HTTP/1.1 200 Connection established\r\n\r\nafter your FIN',
    ]);
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ result: '200', fine: true });
  });

  test('the server may end first, and still hears the client', async () => {
    let heard = '';
    let ended = false;
    const there = await tcp((socket) => {
      socket.setEncoding('latin1');
      socket.on('data', (piece: string) => {
        heard += piece;
      });
      socket.on('end', () => {
        ended = true;
      });
      socket.end('bye');
    });
    const { port } = await forward();
    const { connect } = await import('node:net');
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    closing.push(() => client.destroy());
    let text = '';
    let fin = false;
    client.setEncoding('latin1');
    client.on('data', (piece) => {
      text += piece;
    });
    client.on('end', () => {
      fin = true;
    });
    client.write(asks(there));
    await until(() => fin);
    expect(text).toMatch(/bye$/);
    client.end('still here');
    await until(() => ended);
    expect(heard).toBe('still here');
  });

  test('a reset crosses as a reset', async () => {
    const there = await tcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { port } = await forward();
    const one = wire(port, asks(there));
    await one.until((text) => text.includes('\r\n\r\n'));
    one.socket.write('x');
    expect(await one.ended()).toBe('ECONNRESET');
  });

  test.each([
    ['CONNECT 127.0.0.1:1 HTTP/1.1', /^HTTP\/1\.1 502 [\s\S]*127\.0\.0\.1:1 refused the connection/],
    ['CONNECT 127.0.0.1 HTTP/1.1', /^HTTP\/1\.1 400 [\s\S]*HOST:PORT/],
    ['CONNECT 127.0.0.1:99999 HTTP/1.1', /^HTTP\/1\.1 400 /],
    ['CONNECT 10.1.2.3:22 HTTP/1.1', /^HTTP\/1\.1 403 [\s\S]*10\.1\.2\.3:22 is not allowed/],
    ['CONNECT localhost:22 HTTP/1.1', /^HTTP\/1\.1 403 /],
  ])('%s', async (line, answer) => {
    const { port, lines } = await forward({ deny: [':22'] });
    const one = wire(port, `${line}\r\nHost: x\r\n\r\n`);
    await one.ended();
    expect(one.text()).toMatch(answer);
    await until(() => lines.length === 1);
    expect(lines[0]!.result).toBe(one.text().slice(9, 12));
  });

  test('to the proxy itself it is refused', async () => {
    const { port } = await forward();
    const one = wire(port, asks(port));
    await one.ended();
    expect(one.text()).toMatch(/^HTTP\/1\.1 508 /);
  });

  test.skipIf(needs('curl').missing !== null)('curl -x and curl -p', async () => {
    const there = await behind((request, response) => response.end(`${request.method} ${request.url}`));
    const { port, lines } = await forward();
    const curl = async (...args: string[]) =>
      (await promisify(execFile)('curl', ['-s', '--noproxy', '', '-x', `http://127.0.0.1:${port}`, ...args]))
        .stdout;
    expect(await curl(`http://127.0.0.1:${there.port}/plain`)).toBe('GET /plain');
    expect(await curl('-p', `http://127.0.0.1:${there.port}/tunnel`)).toBe('GET /tunnel');
    await until(() => lines.length === 2);
    expect(lines.map(({ result }) => result)).toEqual(['200', '200']);
  });
});

describe('--allow and --deny', () => {
  const lists = (allow: string[], deny: string[] = []) =>
    createAllowed({ allow: allow.map(readPattern), deny: deny.map(readPattern) });

  test.each([
    [[], [], 'any.test', 80, true],
    [['example.org'], [], 'example.org', 80, true],
    [['example.org'], [], 'EXAMPLE.org.', 80, true],
    [['example.org'], [], 'www.example.org', 80, false],
    [['*.example.org'], [], 'www.example.org', 80, true],
    [['*.example.org'], [], 'example.org', 80, false],
    [['*.example.org'], [], 'badexample.org', 80, false],
    [['*.example.org:443'], [], 'www.example.org', 80, false],
    [['10.0.0.0/8'], [], '10.255.0.1', 80, true],
    [['10.0.0.0/8'], [], '11.0.0.1', 80, false],
    [['[fd00::/8]:80'], [], 'fd00::1', 80, true],
    [['fd00::/8'], [], 'fe80::1', 80, false],
    [['::1'], [], '[::1]', 80, true],
    [[], [':22'], 'a.test', 22, false],
    [[], [':22'], 'a.test', 23, true],
    [['*.test'], ['b.test'], 'b.test', 80, false],
  ])('allow %j, deny %j: %s:%i → %s', (allow, deny, host, port, may) => {
    expect(lists(allow, deny).host(host, port)).toBe(may);
  });

  test('what a name turns out to be counts too', () => {
    const deny = lists([], ['127.0.0.0/8']);
    expect([deny.host('a.test', 80), deny.address('a.test', 80, '127.0.0.1')]).toEqual([true, false]);
    const allow = lists(['10.0.0.0/8']);
    expect([
      allow.host('a.test', 80),
      allow.address('a.test', 80, '10.1.1.1'),
      allow.address('a.test', 80, '9.9.9.9'),
    ]).toEqual([true, true, false]);
  });

  test.each(['', '10.0.0.0/33', 'a b', 'http://x', '*.', 'a*b', '[::1', ':0', ':70000', 'x/8'])(
    '%j is refused',
    (text) => {
      expect(() => readPattern(text)).toThrow('names neither hosts nor a network');
    },
  );
});
