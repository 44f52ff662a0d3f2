import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeControl, fakeControl, newPlan } from '../../test/toxiproxy/fake-control.ts';
import { SockscopeError } from '../errors.ts';
import { type ControlApi, type ControlApiOptions, MAX_BODY, startControlApi } from './control-api.ts';
import { faults } from './faults.ts';
import { MOST_TOXICS } from './toxics.ts';

let control: FakeControl;
let api: ControlApi;

async function start(more: Partial<ControlApiOptions> = {}): Promise<ControlApi> {
  const options = { host: '127.0.0.1', port: 0, token: null, control, version: '2.12.0', newPlan, ...more };
  const started = await startControlApi(options);
  if (started instanceof SockscopeError) {
    throw started;
  }
  return started;
}

beforeEach(async () => {
  control = fakeControl();
  api = await start();
});
afterEach(async () => {
  await api.close();
  await control.closeAll();
});

interface Said {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** node:http, because fetch does not let a Host or an Origin be chosen. */
function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Said> {
  const { port } = api.address;
  return new Promise((resolve, reject) => {
    const asking = request({ port, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    asking.on('error', reject);
    asking.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  });
}

async function answer(
  method: string,
  path: string,
  body?: unknown,
): Promise<[status: number, body: unknown]> {
  const { status, text } = await ask(method, path, body);
  return [status, text === '' ? '' : JSON.parse(text)];
}

const redis = { name: 'redis', listen: '127.0.0.1:0', upstream: 'localhost:6379' };

async function made(body: object = redis): Promise<{ listen: string; port: number }> {
  const [status, proxy] = await answer('POST', '/proxies', body);
  expect(status).toBe(201);
  const { listen } = proxy as { listen: string };
  return { listen, port: Number(listen.split(':').at(-1)) };
}

function isUp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('proxies', () => {
  it('are listed as an object by name, in the order of the names, with fields in the order of the real one', async () => {
    expect((await ask('GET', '/proxies')).text).toBe('{}');
    const b = await made({ ...redis, name: 'b' });
    const ten = await made({ ...redis, name: '10' });
    const body = (listen: string) =>
      `"listen":"${listen}","upstream":"localhost:6379","enabled":true,"toxics":[]`;
    const { text, headers } = await ask('GET', '/proxies');
    expect(text).toBe(`{"10":{"name":"10",${body(ten.listen)}},"b":{"name":"b",${body(b.listen)}}}`);
    expect(headers['content-type']).toBe('application/json');
  });

  it('are created with 201 and listen; port 0 is answered with the real one', async () => {
    const { port } = await made();
    expect(port).toBeGreaterThan(0);
    expect(await isUp(port)).toBe(true);
    expect(await answer('GET', '/proxies/redis')).toEqual([
      200,
      { name: 'redis', listen: `127.0.0.1:${port}`, upstream: 'localhost:6379', enabled: true, toxics: [] },
    ]);
  });

  it('listen on 127.0.0.1 and any port when nothing is said', async () => {
    expect((await made({ name: 'redis', upstream: 'localhost:6379' })).listen).toMatch(/^127\.0\.0\.1:[1-9]/);
  });

  it('that are disabled keep the text they came with and do not listen', async () => {
    const { listen } = await made({ ...redis, listen: 'localhost:1', enabled: false });
    expect(listen).toBe('localhost:1');
    expect(control.log).toEqual([]);
  });

  it('take their toxics with them when they are created: in force before they listen', async () => {
    await made({ ...redis, toxics: [{ type: 'timeout' }, { type: 'corrupt', stream: 'upstream' }] });
    expect(control.log).toEqual(['listen redis [timeout_downstream corrupt_upstream]']);
    const [, toxics] = await answer('GET', '/proxies/redis/toxics');
    expect(toxics).toMatchObject([{ type: 'corrupt' }, { type: 'timeout', attributes: { timeout: 0 } }]);
  });

  it('with a toxic that cannot be are not created at all', async () => {
    const toxics = [{ type: 'noop' }, { type: 'latency', attributes: { late: 1 } }];
    const [status, { error }] = (await answer('POST', '/proxies', { ...redis, toxics })) as [
      number,
      { error: string },
    ];
    expect(status).toBe(400);
    expect(error).toMatch(/no attribute "late".*\(toxic 2\)$/);
    expect(control.list()).toEqual([]);
  });

  it('may be UDP', async () => {
    const body = { name: 'dns', listen: 'udp://127.0.0.1:5355', upstream: 'udp://127.0.0.1:53' };
    expect(await answer('POST', '/proxies', body)).toEqual([201, { ...body, enabled: true, toxics: [] }]);
  });

  it.each([
    ['no name', { upstream: 'localhost:1' }, 400, 'missing required field: name'],
    ['no upstream', { name: 'a' }, 400, 'missing required field: upstream'],
    ['neither', null, 400, 'missing required field: name'],
    ['a name that exists', { ...redis, listen: 'localhost:1' }, 409, 'proxy already exists'],
    [
      'a number for the listen address',
      { ...redis, listen: 6379 },
      400,
      'bad request body: listen must be a string',
    ],
    ['text for a yes', { ...redis, enabled: 'no' }, 400, 'bad request body: enabled must be true or false'],
    ['a list', [], 400, 'bad request body: a proxy must be an object'],
  ])('with %s are refused', async (_, body, status, error) => {
    await made();
    expect(await answer('POST', '/proxies', body)).toEqual([status, { error, status }]);
  });

  it('with an address that cannot be read are refused with a hint', async () => {
    const [status, body] = await answer('POST', '/proxies', { ...redis, listen: 'local373' });
    expect(status).toBe(400);
    expect(body).toMatchObject({ status: 400, hint: expect.stringContaining('localhost:6379') });
  });

  it("on a port in use are refused with Go's sentence, and ours as a hint", async () => {
    const { port } = await made();
    expect(
      await answer('POST', '/proxies', { ...redis, name: 'other', listen: `localhost:${port}` }),
    ).toEqual([
      500,
      {
        error: `listen tcp 127.0.0.1:${port}: bind: address already in use`,
        status: 500,
        hint: `127.0.0.1:${port} is taken. Take another.`,
      },
    ]);
  });

  it('have names that a path can carry encoded', async () => {
    await made({ ...redis, name: 'a/b c' });
    expect(await answer('GET', '/proxies/a%2Fb%20c')).toMatchObject([200, { name: 'a/b c' }]);
    expect((await ask('DELETE', '/proxies/a%2Fb%20c')).status).toBe(204);
  });

  it('are deleted with 204 and no body, once', async () => {
    const { port } = await made();
    expect(await ask('DELETE', '/proxies/redis')).toMatchObject({ status: 204, text: '' });
    expect(await isUp(port)).toBe(false);
    expect(await answer('DELETE', '/proxies/redis')).toEqual([
      404,
      { error: 'proxy not found', status: 404 },
    ]);
  });

  it('of the same name created at the same time are one', async () => {
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await ask('POST', '/proxies', redis)).status),
    );
    expect(statuses.sort()).toEqual([201, 409, 409]);
  });
});

describe('an update', () => {
  it.each(['PATCH', 'POST'])('by %s disables and enables on the same port', async (method) => {
    const { listen, port } = await made();
    expect(await answer(method, '/proxies/redis', { enabled: false })).toMatchObject([
      200,
      { listen, enabled: false },
    ]);
    expect(await isUp(port)).toBe(false);
    expect(await answer(method, '/proxies/redis', { enabled: true })).toMatchObject([
      200,
      { listen, enabled: true },
    ]);
    expect(await isUp(port)).toBe(true);
  });

  it('that sends back what it was told restarts nothing, localhost being 127.0.0.1', async () => {
    const { listen, port } = await made();
    const before = control.log.length;
    await answer('POST', '/proxies/redis', { ...redis, listen, enabled: true, toxics: null });
    await answer('POST', '/proxies/redis', { ...redis, listen: `localhost:${port}`, name: 'other' });
    expect(control.log.slice(before)).toEqual([]);
  });

  it('of the upstream restarts it and keeps its toxics', async () => {
    const { listen } = await made({ ...redis, toxics: [{ type: 'noop' }] });
    expect(await answer('PATCH', '/proxies/redis', { upstream: 'localhost:6380' })).toMatchObject([
      200,
      { listen, upstream: 'localhost:6380', enabled: true, toxics: [{ name: 'noop_downstream' }] },
    ]);
    expect(control.log.slice(1)).toEqual(['update redis {target listen}', 'listen redis [noop_downstream]']);
  });

  it('of the listen address moves it', async () => {
    const { port } = await made();
    const [, moved] = await answer('PATCH', '/proxies/redis', { listen: '127.0.0.1:0' });
    const { listen } = moved as { listen: string };
    expect(await isUp(port)).toBe(false);
    expect(await isUp(Number(listen.split(':')[1]))).toBe(true);
  });

  it('of one that is not there is 404 before its body is looked at', async () => {
    expect(await answer('PATCH', '/proxies/none', '{')).toEqual([
      404,
      { error: 'proxy not found', status: 404 },
    ]);
  });
});

describe('toxics', () => {
  beforeEach(async () => {
    await made();
  });

  it('are created with 200 and answered with every attribute of their type', async () => {
    const toxic = {
      attributes: { latency: 100, jitter: 0 },
      name: 'latency_downstream',
      type: 'latency',
      stream: 'downstream',
      toxicity: 1,
    };
    expect(
      await answer('POST', '/proxies/redis/toxics', { type: 'latency', attributes: { latency: 100 } }),
    ).toEqual([200, toxic]);
    expect(await answer('GET', '/proxies/redis/toxics')).toEqual([200, [toxic]]);
    expect(await answer('GET', '/proxies/redis/toxics/latency_downstream')).toEqual([200, toxic]);
    expect(await answer('GET', '/proxies/redis')).toMatchObject([200, { toxics: [toxic] }]);
  });

  it.each(['PATCH', 'POST'])('are changed by %s, what is not named staying', async (method) => {
    await answer('POST', '/proxies/redis/toxics', {
      name: 'slow',
      type: 'latency',
      attributes: { latency: 1, jitter: 2 },
    });
    const changed = await answer(method, '/proxies/redis/toxics/slow', {
      toxicity: 0.5,
      attributes: { latency: 9 },
    });
    expect(changed).toMatchObject([200, { toxicity: 0.5, attributes: { latency: 9, jitter: 2 } }]);
    expect(await answer('GET', '/proxies/redis/toxics/slow')).toEqual(changed);
  });

  it('of every kind that there is here can be created and read back', async () => {
    for (const { name, attributes } of faults) {
      const given = Object.fromEntries(
        attributes
          .filter(({ otherwise }) => otherwise === undefined)
          .map((one) => [one.name, sample(one.kind)]),
      );
      const twin = ['latency', 'bandwidth', 'slicer', 'slow-close', 'limit-data'].includes(name);
      const body = { type: name, name, ...(twin ? {} : { attributes: given }) };
      const created = await answer('POST', '/proxies/redis/toxics', body);
      expect(created, name).toMatchObject([200, { name }]);
      expect(await answer('GET', `/proxies/redis/toxics/${name}`)).toEqual(created);
      expect(control.find('redis')?.plan.faults.at(-1)?.fault).toBe(name);
    }
  });

  it('of one name are one: 409, also for the other stream', async () => {
    await answer('POST', '/proxies/redis/toxics', { name: 'a', type: 'noop' });
    expect(
      await answer('POST', '/proxies/redis/toxics', { name: 'a', type: 'timeout', stream: 'upstream' }),
    ).toEqual([409, { error: 'toxic already exists', status: 409 }]);
  });

  it('have an end', async () => {
    const toxics = Array.from({ length: MOST_TOXICS }, (_, at) => ({ type: 'noop', name: String(at) }));
    await made({ ...redis, name: 'full', toxics });
    expect(await answer('POST', '/proxies/full/toxics', { type: 'noop' })).toEqual([
      400,
      { error: 'a proxy has at most 1000 toxics', status: 400 },
    ]);
  });

  it('are deleted with 204, once', async () => {
    await answer('POST', '/proxies/redis/toxics', { name: 'a', type: 'noop' });
    expect((await ask('DELETE', '/proxies/redis/toxics/a')).status).toBe(204);
    expect(await answer('GET', '/proxies/redis/toxics')).toEqual([200, []]);
    for (const method of ['DELETE', 'GET', 'PATCH']) {
      const gone = [404, { error: 'toxic not found', status: 404 }];
      expect(await answer(method, '/proxies/redis/toxics/a', method === 'PATCH' ? {} : undefined)).toEqual(
        gone,
      );
    }
  });

  it('of a proxy that is not there are 404', async () => {
    for (const [method, path] of [
      ['GET', '/proxies/none/toxics'],
      ['POST', '/proxies/none/toxics'],
      ['GET', '/proxies/none/toxics/a'],
      ['PATCH', '/proxies/none/toxics/a'],
      ['DELETE', '/proxies/none/toxics/a'],
    ] as const) {
      expect(await answer(method, path)).toEqual([404, { error: 'proxy not found', status: 404 }]);
    }
  });
});

function sample(kind: string): number | string | boolean {
  return kind === 'yes' ? true : kind === 'word' ? 'x' : 1;
}

describe('populate', () => {
  const two = { name: 'two', listen: '127.0.0.1:0', upstream: 'localhost:2' };

  it('creates what is not there, with its toxics, and answers 201 with all in the order sent', async () => {
    const [status, body] = await answer('POST', '/populate', [
      { ...two, toxics: [{ type: 'limit_data', attributes: { bytes: 10 } }] },
      { ...redis, enabled: false },
    ]);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      proxies: [
        { name: 'two', enabled: true, toxics: [{ type: 'limit_data', attributes: { bytes: 10 } }] },
        { name: 'redis', enabled: false, toxics: [] },
      ],
    });
    expect(control.log).toEqual(['listen two [limit_data_downstream]']);
  });

  it('leaves one that is the same as it is, toxics and all, and disabled if it is', async () => {
    const { port } = await made({ ...redis, toxics: [{ type: 'noop' }] });
    await answer('PATCH', '/proxies/redis', { enabled: false });
    const before = control.log.length;
    const [, body] = await answer('POST', '/populate', [
      { ...redis, listen: `localhost:${port}`, enabled: true },
    ]);
    expect(body).toMatchObject({ proxies: [{ name: 'redis', enabled: false, toxics: [{ type: 'noop' }] }] });
    expect(control.log.slice(before)).toEqual([]);
  });

  it('puts the toxics that it was sent on one that is the same', async () => {
    const toxics = [{ type: 'noop' }, { type: 'latency', name: 'slow' }];
    const { listen } = await made({ ...redis, toxics });
    const sent = [
      { type: 'latency', name: 'slow', attributes: { latency: 5 } },
      { type: 'timeout', name: 'noop_downstream' },
      { type: 'limit_data' },
    ];
    const [, body] = await answer('POST', '/populate', [{ ...redis, listen, toxics: sent }]);
    const [{ toxics: now }] = (body as { proxies: [{ toxics: { name: string; type: string }[] }] }).proxies;
    expect(now.map(({ name, type }) => [name, type]).sort()).toEqual([
      ['limit_data_downstream', 'limit_data'],
      ['noop_downstream', 'timeout'],
      ['slow', 'latency'],
    ]);
    expect(now.find(({ name }) => name === 'slow')).toMatchObject({ attributes: { latency: 5 } });
  });

  it('replaces one that differs, and its toxics', async () => {
    const { listen } = await made({ ...redis, toxics: [{ type: 'noop' }] });
    const [, body] = await answer('POST', '/populate', [{ ...redis, listen, upstream: 'localhost:6380' }]);
    expect(body).toMatchObject({ proxies: [{ listen, upstream: 'localhost:6380', toxics: [] }] });
    expect(control.list()).toHaveLength(1);
  });

  it.each([
    [
      'a proxy without a name',
      [redis, { upstream: 'localhost:1' }],
      'missing required field: name at proxy 2',
    ],
    ['a proxy without an upstream', [redis, { name: 'b' }], 'missing required field: upstream at proxy 2'],
    ['an object', redis, 'bad request body: the proxies must be a list'],
    ['a toxic that cannot be', [redis, { ...two, toxics: [{}] }], 'invalid toxic type (toxic 1) at proxy 2'],
  ])('creates nothing when there is %s', async (_, body, error) => {
    expect(await answer('POST', '/populate', body)).toEqual([400, { error, status: 400, proxies: null }]);
    expect(control.list()).toEqual([]);
  });

  it('that fails half way answers with the error and what it made', async () => {
    const [status, body] = await answer('POST', '/populate', [
      redis,
      { ...two, listen: 'local373' },
      { ...two, name: '3' },
    ]);
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: expect.any(String), status: 400, proxies: [{ name: 'redis' }] });
    expect(control.list().map(({ plan }) => plan.name)).toEqual(['redis']);
  });
});

describe('reset', () => {
  it('enables every proxy, takes every toxic away and answers 204', async () => {
    const { port } = await made({ ...redis, toxics: [{ type: 'noop' }] });
    await answer('PATCH', '/proxies/redis', { enabled: false });
    expect(await ask('POST', '/reset')).toMatchObject({ status: 204, text: '' });
    expect(await answer('GET', '/proxies/redis')).toMatchObject([200, { enabled: true, toxics: [] }]);
    expect(await isUp(port)).toBe(true);
  });

  it('leaves alone what is whole', async () => {
    await made();
    const before = control.log.length;
    await ask('POST', '/reset');
    expect(control.log.slice(before)).toEqual([]);
  });
});

describe('the rest of it', () => {
  it('tells its version, letter for letter as the real one does', async () => {
    const { text, headers } = await ask('GET', '/version');
    expect(text).toBe('{"version": "2.12.0"}\n');
    expect(headers['content-type']).toBe('application/json;charset=utf-8');
  });

  it('gives every answer a number of its own, refusals too, and the seed when there is one', async () => {
    const first = await ask('GET', '/version');
    const second = await ask('GET', '/nothing');
    expect(first.headers['x-toxiproxy-request-id']).toMatch(/^[0-9a-f]{20}$/);
    expect(second.headers['x-toxiproxy-request-id']).not.toBe(first.headers['x-toxiproxy-request-id']);
    expect(first.headers).not.toHaveProperty('x-sockscope-seed');
    await api.close();
    api = await start({ seed: 42 });
    expect((await ask('GET', '/version')).headers['x-sockscope-seed']).toBe('42');
  });

  it('counts bytes by direction, in the form that Prometheus reads', async () => {
    const { listen } = await made({ ...redis, name: 'a"b\\c' });
    const { text, headers } = await ask('GET', '/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const labels = `listener="${listen}",proxy="a\\"b\\\\c",upstream="localhost:6379"`;
    expect(text.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      `toxiproxy_proxy_received_bytes_total{direction="downstream",${labels}} 34`,
      `toxiproxy_proxy_received_bytes_total{direction="upstream",${labels}} 12`,
      `toxiproxy_proxy_sent_bytes_total{direction="downstream",${labels}} 34`,
      `toxiproxy_proxy_sent_bytes_total{direction="upstream",${labels}} 12`,
      '',
    ]);
  });

  it('answers the metrics with fresh counts where there are some', async () => {
    await made();
    await api.close();
    api = await start({ counted: async () => control.list().map((state) => ({ ...state, fromServer: 99 })) });
    expect((await ask('GET', '/metrics')).text).toMatch(/received.*direction="downstream".* 99\n/);
  });

  it.each(['/', '/nothing', '/proxies/', '/proxies/a/b', '/proxies/a/toxics/b/c', '/version/'])(
    'has nothing at %s: 404',
    async (path) => {
      expect(await answer('GET', path)).toEqual([
        404,
        { error: 'there is nothing at this path', status: 404 },
      ]);
    },
  );

  it.each([
    ['PUT', '/proxies', 'GET, POST'],
    ['PUT', '/proxies/a', 'GET, PATCH, POST, DELETE'],
    ['DELETE', '/proxies/a/toxics', 'GET, POST'],
    ['GET', '/populate', 'POST'],
    ['GET', '/reset', 'POST'],
    ['POST', '/version', 'GET'],
    ['OPTIONS', '/proxies', 'GET, POST'],
  ])('does not %s %s: 405, and says what goes', async (method, path, allow) => {
    const { status, headers } = await ask(method, path);
    expect(status).toBe(405);
    expect(headers.allow).toBe(allow);
  });

  it('refuses a body that is no JSON, one that is empty, and a path that cannot be decoded', async () => {
    const [status, body] = await answer('POST', '/proxies', '{"name"');
    expect([status, body]).toEqual([
      400,
      { error: expect.stringMatching(/^bad request body: /), status: 400 },
    ]);
    expect(await answer('POST', '/proxies', '')).toMatchObject([
      400,
      { error: 'bad request body: it is empty' },
    ]);
    expect((await ask('GET', '/proxies/%ff')).status).toBe(400);
  });

  it('refuses a body that is too long, announced or not', async () => {
    const body = ' '.repeat(MAX_BODY + 1);
    expect((await ask('POST', '/proxies', body)).status).toBe(413);
    expect((await ask('POST', '/proxies', body, { 'transfer-encoding': 'chunked' })).status).toBe(413);
    expect((await ask('POST', '/proxies', ' '.repeat(MAX_BODY))).status).toBe(400);
  });

  it('lets a client that sends its body slowly hold up nobody else', async () => {
    const slow = connect(api.address.port, '127.0.0.1');
    await new Promise((done) => slow.once('connect', done));
    slow.write('POST /proxies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
    await made();
    slow.destroy();
  });

  it('closes while clients are connected, and its port is free again', async () => {
    const { port } = api.address;
    const idle = connect(port, '127.0.0.1');
    const gone = new Promise((done) => idle.once('close', done));
    await new Promise((done) => idle.once('connect', done));
    await api.close();
    await gone;
    expect(await isUp(port)).toBe(false);
    api = await start({ port });
  });

  it('says which port is taken when it cannot listen', async () => {
    const { port } = api.address;
    const options = { host: '127.0.0.1', port, token: null, control, version: '2.12.0', newPlan };
    const error = await startControlApi(options);
    expect(error).toMatchObject({ code: 'API_LISTEN', exit: 3 });
    expect((error as SockscopeError).message).toContain(`127.0.0.1:${port}: EADDRINUSE`);
  });
});

describe('who may ask', () => {
  it('is not decided by the user agent', async () => {
    expect((await ask('GET', '/proxies', undefined, { 'user-agent': 'Mozilla/5.0' })).status).toBe(200);
  });

  it('is not a page of elsewhere, not even to look: 403, and nothing happens', async () => {
    const origin = 'http://evil.example';
    expect((await ask('GET', '/proxies', undefined, { origin })).status).toBe(403);
    expect((await ask('POST', '/proxies', redis, { origin })).status).toBe(403);
    expect((await ask('OPTIONS', '/proxies', undefined, { origin })).status).toBe(403);
    expect(control.list()).toEqual([]);
  });

  it('is not a page that had its own name led here: 403', async () => {
    const { port } = api.address;
    const { status, text } = await ask('GET', '/proxies', undefined, { host: `evil.example:${port}` });
    expect(status).toBe(403);
    expect(JSON.parse(text)).toEqual({ error: expect.stringContaining('evil.example'), status: 403 });
  });

  it('is, where there is a token, our own page with it, and a program without it', async () => {
    await api.close();
    api = await start({ token: 'secret' });
    const host = `localhost:${api.address.port}`;
    const page = { host, origin: `http://${host}` };
    const refused = await ask('GET', '/proxies', undefined, page);
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe('Bearer');
    expect(
      (await ask('GET', '/proxies', undefined, { ...page, authorization: 'Bearer secret' })).status,
    ).toBe(200);
    expect((await ask('GET', '/proxies')).status).toBe(200);
  });

  it('is nobody without the token when it was asked of everybody', async () => {
    await api.close();
    api = await start({ token: 'secret', tokenForEverybody: true });
    expect((await ask('GET', '/proxies')).status).toBe(401);
    expect((await ask('GET', '/proxies', undefined, { authorization: 'Bearer secret' })).status).toBe(200);
  });
});
