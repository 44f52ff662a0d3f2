import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpAnswer, type HttpRequest, type HttpServer, serveHttp } from './http-server.ts';

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(
  answer: (request: HttpRequest) => Promise<HttpAnswer>,
  times = { headTimeout: 5000, requestTimeout: 5000, idleTimeout: 5000 },
): Promise<HttpServer> {
  const server = await serveHttp({ host: '127.0.0.1', port: 0, ...times, answer });
  if (typeof server === 'string') {
    throw new Error(server);
  }
  open.push(server);
  return server;
}

function ok(body: string): HttpAnswer {
  return { status: 200, headers: { 'X-Test': 'yes' }, body };
}

/** Everything that is said to a client that sends this and then only listens. */
function say(server: HttpServer, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(server.address.port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(heard));
    socket.on('error', reject);
  });
}

describe('the HTTP server', () => {
  it('answers with the status, headers and body it was given, and says how long the body is', async () => {
    const server = await serve(async (request) => ok(`${request.method} ${request.target} ${request.host}`));
    const response = await fetch(`http://127.0.0.1:${server.address.port}/a%20b?c`);
    expect(response.headers.get('x-test')).toBe('yes');
    const text = `GET /a%20b?c 127.0.0.1:${server.address.port}`;
    expect(response.headers.get('content-length')).toBe(String(text.length));
    expect(await response.text()).toBe(text);
  });

  it('gives a body that fits whole, and says of a longer one that it is too large, announced or not', async () => {
    const server = await serve(async (request) => {
      const body = await request.body(10);
      return ok(typeof body === 'string' ? body : `${body.length} bytes`);
    });
    const url = `http://127.0.0.1:${server.address.port}/`;
    const post = async (body: string) => (await fetch(url, { method: 'POST', body })).text();
    expect(await post('0123456789')).toBe('10 bytes');
    expect(await post('01234567890')).toBe('too large');
    const chunked = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await say(server, `${chunked}b\r\n01234567890\r\n0\r\n\r\n`)).toMatch(/too large$/);
    expect(await say(server, `${chunked}a\r\n0123456789\r\n0\r\n\r\n`)).toMatch(/10 bytes$/);
  });

  it('cuts off a client that does not send its head in time', async () => {
    const server = await serve(async () => ok('never'), {
      headTimeout: 100,
      requestTimeout: 100,
      idleTimeout: 100,
    });
    expect(await say(server, 'GET / HTTP/1.1\r\nHost:')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('cuts off a client that does not send its body in time, and says so to whoever reads it', async () => {
    let read: unknown = null;
    const times = { headTimeout: 100, requestTimeout: 200, idleTimeout: 100 };
    const server = await serve(async (request) => {
      read = await request.body(10);
      return ok('');
    }, times);
    expect(await say(server, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12')).toMatch(/ 408 /);
    await expect.poll(() => read).toBe('gone');
  });

  it('answers 500 when the answerer has a bug, and lives on', async () => {
    const server = await serve((request) =>
      request.target === '/bug' ? Promise.reject(new Error('oops')) : Promise.resolve(ok('fine')),
    );
    const url = `http://127.0.0.1:${server.address.port}`;
    expect((await fetch(`${url}/bug`)).status).toBe(500);
    expect(await (await fetch(url)).text()).toBe('fine');
  });

  it('names the error when it cannot listen', async () => {
    const server = await serve(async () => ok(''));
    const again = { headTimeout: 1000, requestTimeout: 1000, idleTimeout: 1000, answer: async () => ok('') };
    expect(await serveHttp({ host: '127.0.0.1', port: server.address.port, ...again })).toBe('EADDRINUSE');
  });

  it('closes although a client is connected that asked nothing, and another that asked and stays', async () => {
    const server = await serve(async () => ok('hello'));
    const silent = say(server, '');
    const stays = say(server, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await (await fetch(`http://127.0.0.1:${server.address.port}`)).text();
    await server.close();
    expect(await silent).toBe('');
    expect(await stays).toMatch(/hello$/);
  });

  it('answers the request that it is answering before it closes', async () => {
    let finish = () => {};
    const asked = new Promise<void>((began) => {
      void serve(() => {
        began();
        return new Promise((resolve) => {
          finish = () => resolve(ok('at last'));
        });
      }).then((server) => {
        answered = fetch(`http://127.0.0.1:${server.address.port}`).then((response) => response.text());
      });
    });
    let answered: Promise<string> = Promise.resolve('');
    await asked;
    const closed = open[0]?.close();
    finish();
    expect(await answered).toBe('at last');
    await closed;
  });
});
