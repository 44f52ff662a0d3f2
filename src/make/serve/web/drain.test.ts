import type { ServerResponse } from 'node:http';
import { type ClientHttp2Session, connect as connectSession } from 'node:http2';
import { afterEach, expect, test } from 'vitest';
import { type Served, serve, until, type Wire, wire } from '../../../../test/web-service.ts';
import type { WebHandler, WebResponse } from './handler.ts';
import { webService } from './server.ts';

let served: Served;
const wires: Wire[] = [];

afterEach(async () => {
  for (const { socket } of wires.splice(0)) {
    socket.destroy();
  }
  await served.close();
});

async function up(handle: WebHandler['handle'], drainNs = 10e9): Promise<void> {
  served = await serve((house) => webService(house, { handle }), { common: { drainNs } });
}

function say(text: string): Wire {
  const one = wire(served.port, text);
  wires.push(one);
  return one;
}

const GET = 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n';

test('200 requests in flight at the drain: none is lost, nobody is reset', async () => {
  const waiting: WebResponse[] = [];
  await up((request, response) => {
    request.resume();
    // Every second answer has begun when the drain comes.
    if (waiting.push(response) % 2 === 0) {
      (response as ServerResponse).write('begun ');
    }
  });
  const clients = Array.from({ length: 200 }, (_none, at) =>
    say(at % 5 === 0 ? `POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345` : GET),
  );
  await until(() => waiting.length === 200);
  const drained = served.drain();
  for (const response of waiting) {
    (response as { end(text: string): void }).end('done');
  }
  expect(await drained).toBe(0);
  await Promise.all(clients.map((client) => client.ended()));
  expect(clients.filter((client) => client.how() !== 'end')).toEqual([]);
  expect(clients.filter((client) => !/HTTP\/1.1 200 [\s\S]*done/.test(client.text()))).toEqual([]);
  // Those that had not begun say that they are the last.
  expect(clients.filter((client) => /Connection: close/.test(client.text()))).toHaveLength(100);
  expect(served.lines.filter(({ result }) => result === '200')).toHaveLength(200);
});

test('several requests of one connection are all answered, and only the last answer says so', async () => {
  const waiting: WebResponse[] = [];
  await up((_request, response) => {
    waiting.push(response);
  });
  const one = say(GET + GET + GET);
  await until(() => waiting.length === 3);
  const drained = served.drain();
  for (const response of waiting) {
    response.end();
  }
  expect(await drained).toBe(0);
  expect(await one.ended()).toBe('end');
  const heads = one.text().split('HTTP/1.1 200').slice(1);
  expect(heads.map((head) => /Connection: close/.test(head))).toEqual([false, false, true]);
});

test('a kept connection whose next request is on its way is answered; a silent one is closed', async () => {
  await up((_request, response) => {
    response.end('hello');
  });
  const late = say(GET);
  const silent = say(GET);
  const mute = say('');
  await Promise.all([late, silent].map((one) => one.until((text) => text.includes('hello'))));
  const drained = served.drain();
  await new Promise((turn) => setTimeout(turn, 80));
  late.socket.write(GET);
  expect(await drained).toBe(0);
  expect(await Promise.all([late, silent, mute].map((one) => one.ended()))).toEqual(['end', 'end', 'end']);
  expect(late.text()).toMatch(/hello[\s\S]*Connection: close[\s\S]*hello$/);
});

test('who does not finish in time is cut, counted and told to the handler', async () => {
  const reasons: unknown[] = [];
  await up((_request, _response, { signal }) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason));
  }, 300e6);
  const one = say(GET);
  const two = say(`${GET}${GET}`);
  await until(() => one.socket.bytesWritten > 0 && two.socket.bytesWritten > 0);
  await new Promise((turn) => setTimeout(turn, 50));
  expect(await served.drain()).toBe(3);
  await Promise.all([one.ended(), two.ended()]);
  expect(reasons).toHaveLength(3);
  expect(served.lines.map(({ result }) => result)).toEqual(['gone', 'gone', 'gone']);
});

test('HTTP/2: streams are finished, new ones are taken until the client knows, then the session ends', async () => {
  const waiting: WebResponse[] = [];
  await up((request, response) => {
    if (request.url === '/wait') {
      waiting.push(response);
    } else {
      response.end();
    }
  });
  const session: ClientHttp2Session = connectSession(`http://127.0.0.1:${served.port}`);
  session.on('error', () => {});
  const goaways: number[] = [];
  session.on('goaway', (_code, last) => goaways.push(last));
  const statuses: unknown[] = [];
  for (let at = 0; at < 50; at++) {
    session.request({ ':path': '/wait' }).on('response', (headers) => statuses.push(headers[':status']));
  }
  await until(() => waiting.length === 50);
  const drained = served.drain();
  await new Promise((turn) => setTimeout(turn, 300));
  for (const response of waiting) {
    response.end();
  }
  expect(await drained).toBe(0);
  expect(statuses).toHaveLength(50);
  expect(goaways.length).toBeGreaterThan(0);
  expect(served.lines).toHaveLength(50);
  session.destroy();
});
