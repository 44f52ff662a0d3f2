import type { ServerResponse } from 'node:http';
import { connect as connectSession } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { type Served, serve, until, type Wire, type Wish, wire } from '../../../../test/web-service.ts';
import { readBody } from './body.ts';
import type { Exchange, WebHandler } from './handler.ts';
import { webService } from './server.ts';

let served: Served | null = null;
const wires: Wire[] = [];

afterEach(async () => {
  for (const { socket } of wires.splice(0)) {
    socket.destroy();
  }
  await served?.close();
  served = null;
});

async function up(
  handle: WebHandler['handle'],
  wish: Wish = {},
  more: Partial<WebHandler> = {},
): Promise<Served> {
  served = await serve((house) => webService(house, { handle, ...more }), wish);
  return served;
}

function say(text: string): Wire {
  const one = wire(served!.port, text);
  wires.push(one);
  return one;
}

const GET = 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n';
const hello: WebHandler['handle'] = (_request, response) => {
  response.end('hello');
};

describe('a web server', () => {
  test('answers several requests on one connection, each with a line', async () => {
    const { lines } = await up(hello);
    const one = say(GET);
    await one.until((text) => text.includes('hello'));
    one.socket.write(GET + GET);
    await one.until((text) => text.split('hello').length === 4);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({
      what: 'GET /x',
      result: '200',
      fine: true,
      sent: 5,
      received: 0,
      note: '',
    });
    expect(lines[0]!.from).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(lines[0]!.took).toBeGreaterThan(0);
  });

  test('a client that closes its side still gets its answer', async () => {
    await up(async (_request, response) => {
      await new Promise((turn) => setTimeout(turn, 20));
      response.end('late');
    });
    const one = say(GET);
    one.socket.end();
    expect(await one.ended()).toBe('end');
    expect(one.text()).toMatch(/late$/);
    expect(served!.lines[0]).toMatchObject({ result: '200' });
  });

  test('the first bytes may come one by one, whatever they turn out to be', async () => {
    await up((request, response) => {
      response.end(`${request.method}.`);
    });
    const one = say('P');
    for (const piece of ['R', 'OPFIND /x HT', 'TP/1.1\r\nHost: h\r\n\r\n']) {
      await new Promise((turn) => setTimeout(turn, 10));
      one.socket.write(piece);
    }
    expect(await one.until((text) => text.includes('.'))).toMatch(/200 OK[\s\S]*PROPFIND/);
  });

  test('HTTP/2 is spoken with who begins with its preface', async () => {
    const { port, lines } = await up(hello);
    const session = connectSession(`http://127.0.0.1:${port}`);
    const stream = session.request({ ':path': '/two' });
    const got = await new Promise<string>((done, broken) => {
      let text = '';
      stream.on('data', (piece) => {
        text += piece;
      });
      stream.on('end', () => done(text));
      stream.on('error', broken);
    });
    expect(got).toBe('hello');
    session.close();
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ what: 'GET /two', result: '200', sent: 5, note: 'h2' });
  });

  test('what is thrown becomes 500 and is said; what was begun is cut', async () => {
    const { said, lines } = await up(async (request, response) => {
      if (request.url === '/begun') {
        (response as ServerResponse).write('half');
      }
      throw new Error('no luck');
    });
    const one = say(GET);
    expect(await one.until((text) => text.includes('internal error'))).toMatch(/^HTTP\/1.1 500 /);
    expect(said[0]).toContain('no luck');
    const two = say(GET.replace('/x', '/begun'));
    await two.ended();
    expect(two.text()).not.toMatch(/0\r\n\r\n$/);
    await until(() => lines.length === 2);
    expect(lines.map(({ result, fine }) => [result, fine])).toEqual([
      ['500', false],
      ['gone', false],
    ]);
  });
});

describe('what a web server refuses', () => {
  test.each([
    ['nonsense', 'hello there\r\n\r\n', 400],
    [
      'both ways to say how long',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['a head of 20 kB', `GET / HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
  ])('%s, closing properly', async (_name, text, status) => {
    const { lines } = await up(hello);
    const one = say(text);
    expect(await one.ended()).toBe('end');
    expect(one.text()).toContain(`HTTP/1.1 ${status} `);
    expect(one.text()).toMatch(/^Connection: close\r$/m);
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ result: String(status), fine: true });
  });

  test('nonsense behind a request is answered after the request', async () => {
    await up(async (_request, response) => {
      await new Promise((turn) => setTimeout(turn, 20));
      response.end('hello');
    });
    const one = say(`${GET}nonsense\r\n\r\n`);
    expect(await one.ended()).toBe('end');
    expect(one.text()).toMatch(/^HTTP\/1.1 200 [\s\S]*hello[\s\S]*HTTP\/1.1 400 /);
  });

  test('a chunk that is none, in the middle of a body', async () => {
    const seen: unknown[] = [];
    await up(async (request, response) => {
      seen.push(await readBody(request, 0));
      response.end('never');
    });
    const one = say('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n');
    expect(await one.ended()).toBe('end');
    expect(one.text()).toMatch(/^HTTP\/1.1 400 /);
    await until(() => seen.length === 1);
    expect(seen).toEqual(['gone']);
  });

  test('a body that is too long is refused before it comes, and what comes anyway resets nothing', async () => {
    const { lines } = await up(hello, { common: { maxBody: 10 } });
    const body = 'b'.repeat(2_000_000);
    const one = say(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(await one.ended()).toBe('end');
    expect(one.text()).toMatch(/^HTTP\/1.1 413 /);
    expect(lines[0]).toMatchObject({ result: '413', fine: true });
  });

  test('who waits for 100 (Continue) is told 413 instead, or goes on', async () => {
    await up(
      async (request, response) => {
        response.end(`got ${(await readBody(request, 10)).length}`);
      },
      { common: { maxBody: 10 } },
    );
    const head = (length: number) =>
      `POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    const long = say(head(11));
    expect(await long.ended()).toBe('end');
    expect(long.text()).toMatch(/^HTTP\/1.1 413 /);
    const short = say(head(4));
    await short.until((text) => text.startsWith('HTTP/1.1 100 '));
    short.socket.write('abcd');
    await short.until((text) => text.includes('got 4'));
  });

  test('a body that turns out too long is read on and forgotten, and the connection is kept', async () => {
    const { lines } = await up(async (request, response) => {
      response.end(String(await readBody(request, 10)));
    });
    const chunk = `400\r\n${'c'.repeat(1024)}\r\n`;
    const one = say(
      `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(50)}0\r\n\r\n`,
    );
    await one.until((text) => text.includes('too large'));
    one.socket.write(GET);
    await one.until((text) => text.split('HTTP/1.1 200').length === 3);
    expect(lines[0]).toMatchObject({ result: '200', received: 1024 * 50 });
  });

  test('who asks too often', async () => {
    let left = 1;
    await up(hello, { allows: (client) => client === '127.0.0.1' && left-- > 0 });
    const one = say(GET + GET);
    expect(await one.until((text) => text.includes('too many'))).toMatch(
      /200 OK[\s\S]*429 [\s\S]*Retry-After: 1/,
    );
  });

  test('a head that comes byte by byte is answered 408 in time', async () => {
    const { lines } = await up(hello, { common: { idleNs: 300e6 } });
    const one = say('GET / HTTP/1.1\r\n');
    const began = performance.now();
    const drip = setInterval(() => one.socket.write('X: y\r\n'), 50);
    expect(await one.ended()).toBe('end');
    clearInterval(drip);
    expect(one.text()).toMatch(/^HTTP\/1.1 408 /);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(lines[0]).toMatchObject({ what: 'half a request', result: '408' });
  });

  test('a body that stops coming is answered 408; the silent and the finished are closed without a word', async () => {
    await up(
      async (request, response) => {
        await readBody(request, 0);
        response.end('hello');
      },
      { common: { idleNs: 100e6 } },
    );
    const half = say('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc');
    const silent = say('');
    const kept = say(GET);
    expect(await Promise.all([half.ended(), silent.ended(), kept.ended()])).toEqual(['end', 'end', 'end']);
    expect(half.text()).toMatch(/^HTTP\/1.1 408 /);
    expect(silent.text()).toBe('');
    expect(kept.text()).toMatch(/hello$/);
  });
});

describe('a client that goes away', () => {
  test('aborts what was done for it', async () => {
    const reasons: string[] = [];
    const { lines } = await up(
      (_request, _response, { signal }) =>
        new Promise((_done, broken) => {
          signal.addEventListener('abort', () => {
            reasons.push((signal.reason as Error).message);
            broken(signal.reason);
          });
        }),
    );
    const reset = say(GET);
    await until(() => reset.socket.readyState === 'open');
    await new Promise((turn) => setTimeout(turn, 20));
    reset.socket.resetAndDestroy();
    await until(() => lines.length === 1);
    const closed = say(GET);
    await new Promise((turn) => setTimeout(turn, 20));
    closed.socket.destroy();
    await until(() => lines.length === 2);
    expect(lines.map(({ result }) => result)).toEqual(['gone', 'gone']);
    expect(reasons).toEqual(['the client went away', 'the client closed the connection']);
    expect(served!.said).toEqual([]);
  });

  test('is told once to whoever asked and did not take it back, and at once to who asks too late', async () => {
    const heard: string[] = [];
    let held: Exchange | null = null;
    const { lines } = await up((_request, _response, exchange) => {
      held = exchange;
      exchange.whenGone(() => heard.push(`first, ${exchange.aborted}`));
      exchange.whenGone(() => heard.push('never'))();
      exchange.whenGone(() => heard.push('last'));
    });
    const one = say(GET);
    await until(() => held !== null);
    expect(held!.aborted).toBe(false);
    one.socket.resetAndDestroy();
    await until(() => lines.length === 1);
    held!.whenGone(() => heard.push('too late'));
    expect(heard).toEqual(['first, true', 'last', 'too late']);
  });

  test('so does the server that ends at once', async () => {
    let held: Exchange | null = null;
    await up((_request, _response, exchange) => {
      held = exchange;
    });
    say(GET);
    await until(() => held !== null);
    const { signal } = held!;
    await served!.close();
    expect((signal.reason as Error).message).toBe('the server ended');
  });
});

describe('what is no longer HTTP', () => {
  test('an upgrade and a tunnel belong to the handler', async () => {
    const take = (status: string) => (_request: unknown, socket: import('node:stream').Duplex) => {
      socket.write(`HTTP/1.1 ${status}\r\n\r\n`);
      socket.pipe(socket);
    };
    const { lines } = await up(
      hello,
      {},
      { upgrade: take('101 Switching Protocols'), connect: take('200 OK') },
    );
    const one = say('GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    const two = say('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n');
    await one.until((text) => text.startsWith('HTTP/1.1 101'));
    await two.until((text) => text.startsWith('HTTP/1.1 200'));
    for (const each of [one, two]) {
      each.socket.write('ping');
      await each.until((text) => text.endsWith('ping'));
      each.socket.end();
      await each.ended();
    }
    await until(() => lines.length === 2);
    expect(lines).toMatchObject([
      { what: 'GET /ws', result: '101', received: 4 },
      { what: 'CONNECT a:1', result: '200', received: 4 },
    ]);
  });

  test.each([
    ['an upgrade', 'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
  ])(
    '%s for somebody who asks too often is told so, logged as that, and the connection goes',
    async (_, text) => {
      const never = () => expect.unreachable();
      const { lines } = await up(hello, { allows: () => false }, { upgrade: never, connect: never });
      const one = say(text);
      expect(await one.ended()).toBe('end');
      expect(one.text()).toMatch(/^HTTP\/1.1 429 [\s\S]*Retry-After: 1/);
      await until(() => lines.length === 1);
      expect(lines[0]).toMatchObject({ result: '429', fine: true });
      expect(await served!.drain()).toBe(0);
      served = null;
    },
  );

  test('a handler that refuses with its last words is logged with their status', async () => {
    const refuse = (_request: unknown, socket: import('node:stream').Duplex) =>
      void socket.end(Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'));
    const { lines } = await up(hello, {}, { upgrade: refuse });
    const one = say('GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    await one.ended();
    one.socket.destroy();
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ result: '403', fine: true });
  });

  test('an upgrade to HTTP/2 is not taken: the request is answered as any other', async () => {
    await up(hello, {}, { upgrade: (_request, socket) => socket.end('upgraded') });
    const one = say(
      'GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    );
    expect(await one.until((text) => text.includes('hello'))).toMatch(/^HTTP\/1.1 200 /);
    one.socket.write(GET);
    await one.until((text) => text.split('hello').length === 3);
  });
});
