import { afterEach, describe, expect, test } from 'vitest';
import { type Served, serve, until, type Wire, type Wish, wire } from '../../../test/web-service.ts';
import { readGob } from '../gob/read.ts';
import { routeList } from './api/routes.ts';
import { kind } from './api.ts';

let served: Served | null = null;
const wires: Wire[] = [];

afterEach(async () => {
  for (const { socket } of wires.splice(0)) {
    socket.destroy();
  }
  await served?.close();
  served = null;
});

async function up(options: Record<string, unknown> = {}, wish: Wish = {}): Promise<Served> {
  const plan = await kind.plan({ words: [], options });
  served = await serve((house) => kind.node!(house, plan), wish);
  return served;
}

function get(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${served!.port}${path}`, { redirect: 'manual', ...init });
}

describe('serve api', () => {
  test('lists its routes, and each of them answers', async () => {
    await up();
    const list = await (await get('/')).text();
    expect(list.split('\n').length - 1).toBe(routeList.length);
    const paths = [
      '/json',
      '/gob',
      '/slow?ms=1',
      '/chain?ms=1',
      '/status/200',
      '/headers',
      '/stream?ms=1',
      '/redirect/1',
    ];
    const statuses = await Promise.all(paths.map(async (path) => (await get(path)).status));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 302]);
  });

  test('the report says the same in JSON and in gob', async () => {
    await up();
    await (await get('/status/204')).text();
    const json = (await (await get('/json')).json()) as Record<string, unknown>;
    const read = readGob(new Uint8Array(await (await get('/gob')).arrayBuffer()));
    const [gob] = read as unknown as [Record<string, unknown>];
    expect(gob.Pid).toBe(process.pid);
    expect(Buffer.from(gob.Id as Uint8Array).toString('hex')).toBe(json.id);
    expect(gob.Routes).toHaveLength((json.routes as unknown[]).length);
    expect(gob.Answered).toEqual(
      new Map([
        ['/status/:code', 1],
        ['/json', 1],
        ['/gob', 1],
      ]),
    );
  });

  test('a method that a route does not know is answered 405 with those that it knows', async () => {
    await up();
    const wrong = await get('/json', { method: 'POST', body: 'x' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const other = await get('/echo');
    expect([other.status, other.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await get('/nothing')).status).toBe(404);
    const head = await get('/json', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test.each([
    '/status/199',
    '/status/600',
    '/status/x',
    '/slow?ms=-1',
    '/slow?ms=1e3',
    '/stream?count=x',
    '/stream?ms=99999999',
    '/redirect/101',
    '/chain?ms=',
  ])('%s is answered 400 with a sentence', async (path) => {
    await up();
    const answer = await get(path);
    expect([answer.status, (await answer.text()).length > 20]).toEqual([400, true]);
  });

  test('statuses without content have none', async () => {
    await up();
    for (const code of [204, 205, 304]) {
      const answer = await get(`/status/${code}`);
      expect([answer.status, await answer.text()]).toEqual([code, '']);
    }
    expect((await get('/status/418')).status).toBe(418);
    await until(() => served!.lines.length === 4);
    expect(served!.lines.every(({ fine }) => fine)).toBe(true);
  });

  test('redirects lead down to the list', async () => {
    await up();
    const answer = await get('/redirect/3', { redirect: 'follow' });
    expect([answer.status, new URL(answer.url).pathname]).toEqual([200, '/']);
    expect(served!.lines.map(({ what }) => what)).toEqual([
      'GET /redirect/3',
      'GET /redirect/2',
      'GET /redirect/1',
      'GET /',
    ]);
  });

  test('headers and bodies come back as they were sent', async () => {
    await up();
    const headers = (await (await get('/headers', { headers: { 'X-One': 'öne' } })).json()) as Record<
      string,
      string
    >;
    expect(headers['x-one']).toBe('öne');
    const bytes = Buffer.from([0, 255, 10, 13]);
    const echo = await get('/echo', { method: 'POST', body: bytes, headers: { 'Content-Type': 'x/y' } });
    expect(Buffer.from(await echo.arrayBuffer())).toEqual(bytes);
    expect(echo.headers.get('content-type')).toBe('x/y');
  });

  test('what is sent to /echo has a limit, whether its length was told or not', async () => {
    await up({}, { common: { maxBody: 10 } });
    const told = await get('/echo', { method: 'POST', body: 'x'.repeat(11) });
    const chunks = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('x'.repeat(11)));
        controller.close();
      },
    });
    const untold = await get('/echo', { method: 'POST', body: chunks, duplex: 'half' } as RequestInit);
    expect([told.status, untold.status]).toEqual([413, 413]);
  });

  test('a stream comes piece by piece', async () => {
    await up();
    const pieces: string[] = [];
    for await (const piece of (await get('/stream?count=3&ms=30')).body!) {
      pieces.push(Buffer.from(piece).toString());
    }
    expect(pieces).toEqual(['line 1 of 3\n', 'line 2 of 3\n', 'line 3 of 3\n']);
  });
});

describe('a deadline', () => {
  test('of the request cancels what is being done and names it', async () => {
    const { lines } = await up();
    const began = performance.now();
    const answer = await get('/slow?ms=10000', { headers: { 'x-deadline-ms': '80' } });
    expect(performance.now() - began).toBeLessThan(2000);
    expect(answer.status).toBe(504);
    expect(await answer.text()).toBe('the deadline of 80 ms passed; cancelled: /slow > look up\n');
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ result: '504', fine: false, note: 'cancelled: /slow > look up' });
  });

  test('of the command line holds for everybody; the shorter one counts', async () => {
    await up({ deadline: '60ms' });
    expect(await (await get('/slow?ms=9000')).text()).toContain('the deadline of 60 ms passed');
    const longer = await get('/slow?ms=9000', { headers: { 'x-deadline-ms': '5000' } });
    expect(await longer.text()).toContain('the deadline of 60 ms passed');
    expect((await get('/slow?ms=1')).status).toBe(200);
  });

  test('crosses the connection to the call below', async () => {
    const { lines } = await up();
    const answer = await get('/chain?ms=10000', { headers: { 'x-deadline-ms': '100' } });
    expect(answer.status).toBe(504);
    await until(() => lines.length === 2);
    const below = lines.find(({ what }) => what.startsWith('GET /slow'))!;
    const above = lines.find(({ what }) => what.startsWith('GET /chain'))!;
    expect(above.result).toBe('504');
    expect(below.note).toBe('cancelled: /slow > look up');
    expect(below.took).toBeLessThan(2e9);
  });

  test('so does a client that goes away', async () => {
    const { lines } = await up();
    const one = wire(served!.port, 'GET /chain?ms=10000 HTTP/1.1\r\nHost: h\r\n\r\n');
    wires.push(one);
    await until(() => one.socket.bytesWritten > 0);
    await new Promise((turn) => setTimeout(turn, 100));
    one.socket.resetAndDestroy();
    await until(() => lines.length === 2);
    expect(lines.map(({ what, result, note }) => [what.split('?')[0], result, note.split(' > ')[0]])).toEqual(
      expect.arrayContaining([
        ['GET /chain', 'gone', 'cancelled: /chain'],
        ['GET /slow', 'gone', 'cancelled: /slow'],
      ]),
    );
    expect(served!.said).toEqual([]);
  });

  test('cuts an answer that has begun, and does not let it look complete', async () => {
    const { lines } = await up();
    const answer = await get('/stream?count=100&ms=20', { headers: { 'x-deadline-ms': '100' } });
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
    await until(() => lines.length === 1);
    expect(lines[0]).toMatchObject({ result: 'cut', fine: false });
    expect(lines[0]!.note).toMatch(/^cancelled: line \d+ of 100, the deadline of 100 ms passed$/);
  });

  test.each(['0', '-5', 'soon', '1.5', '99999999'])('of %s is refused', async (ms) => {
    await up();
    expect((await get('/json', { headers: { 'x-deadline-ms': ms } })).status).toBe(400);
  });
});

describe('what is typed', () => {
  test.each(['soon', '5', '0', '2h'])('--deadline %s is refused with what would do', (deadline) => {
    expect(() => kind.plan({ words: [], options: { deadline } })).toThrow(/is no duration from 1ms to 1h/);
  });

  test('the line to try it fits how it is reached', () => {
    const where = {
      over: 'tcp',
      host: '127.0.0.1',
      port: 8080,
      path: '',
      tls: false,
      authority: '',
    } as const;
    expect(kind.tries(where, { deadline: null })).toBe('curl http://127.0.0.1:8080/');
    expect(kind.tries({ ...where, host: '::1', tls: true, authority: '/ca.pem' }, { deadline: null })).toBe(
      'curl --cacert /ca.pem https://[::1]:8080/',
    );
    expect(kind.tries({ ...where, over: 'unix', path: '/tmp/a' }, { deadline: null })).toBe(
      'curl --unix-socket /tmp/a http://localhost/',
    );
  });
});
