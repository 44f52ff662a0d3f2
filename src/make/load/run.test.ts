import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findProgram, needs } from '../../../test/needs.ts';
import { closeFd } from '../../kernel/epoll.ts';
import {
  bindSocket,
  encodeAddress,
  listenOn,
  localAddress,
  openSocket,
  SOCK_STREAM,
} from '../../kernel/stream-sockets.ts';
import type { LoadResult, LoadSecond } from '../../session/load.ts';
import type { LoadPlan } from './plan.ts';
import { startLoad } from './run.ts';
import { type Built, buildLoad, planOf } from './run-fixture.ts';

const linux = needs('linux');
let built: Built;
const cleanups: (() => void)[] = [];
const seconds: LoadSecond[] = [];

beforeAll(async () => {
  built = await buildLoad();
});

afterAll(() => built.remove());

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) {
    cleanup();
  }
  seconds.length = 0;
});

function run(plan: LoadPlan): Promise<LoadResult> {
  return startLoad(plan, { entry: built.worker, onSecond: (second) => seconds.push(second) }).result;
}

async function listening(server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as { port: number }).port;
}

async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  return listening(
    createServer((socket) => {
      cleanups.push(() => socket.destroy());
      socket.on('error', () => {});
      onConnection(socket);
    }),
  );
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function program(command: string, args: readonly string[], port: number): Promise<void> {
  const child: ChildProcess = spawn(findProgram(command)!, args, { stdio: 'ignore' });
  cleanups.push(() => child.kill('SIGTERM'));
  await expect
    .poll(
      () =>
        new Promise((resolve) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() !== null));
          socket.on('error', () => resolve(false));
        }),
      { timeout: 5000 },
    )
    .toBe(true);
}

describe.skipIf(linux.missing)('a run of http', () => {
  it('makes as many requests as were wished for, and counts what the server counts', async () => {
    let asked = 0;
    let connections = 0;
    const server = createHttp((request, response) => {
      asked++;
      expect([request.method, request.url, request.headers['x-a']]).toEqual(['POST', '/p?q', 'b']);
      request.resume();
      request.on('end', () => response.writeHead(asked % 2 === 0 ? 404 : 200).end('x'.repeat(asked % 7)));
    }).on('connection', () => connections++);
    const port = await listening(server);
    const wishes = { method: 'POST', path: '/p?q', headers: ['x-a: b'], body: Buffer.from('hello') };
    const result = await run(planOf('http', port, { requests: 200, threads: 2, wishes }));
    expect(result).toMatchObject({
      requests: 200,
      threads: 2,
      why: { code: 'count' },
      errors: [],
      waiting: 0,
    });
    expect([asked, connections]).toEqual([200, 4]);
    expect(result.badAnswers).toEqual([{ what: '404', count: 100 }]);
    expect(result.sockets).toMatchObject({ opened: 4, reused: 196, failed: 0 });
    expect(result.latency!.count).toBe(200);
    expect(seconds.reduce((sum, one) => sum + one.requests, 0)).toBe(200);
    // Node's server closes none of them, so all are still there when it is asked.
    expect(result.sockets.states).toContainEqual({ what: 'ESTABLISHED', count: 4 });
  });

  it('opens a connection for each request without keep-alive, and asks for that', async () => {
    const kept: (string | undefined)[] = [];
    const port = await listening(
      createHttp((request, response) => {
        kept.push(request.headers.connection);
        response.end('chunked, and then the end');
      }),
    );
    const result = await run(planOf('http', port, { requests: 30, wishes: { keepAlive: false } }));
    expect(result).toMatchObject({ requests: 30, pooled: false, why: { code: 'count' } });
    expect(result.sockets).toMatchObject({ opened: 30, reused: 0 });
    expect(kept).toEqual(Array(30).fill('close'));
  });

  it('goes on elsewhere when the server closes after some answers, and loses no request', async () => {
    const port = await listening(
      Object.assign(
        createHttp((_, response) => void response.end('ok')),
        { maxRequestsPerSocket: 10 },
      ),
    );
    const result = await run(planOf('http', port, { requests: 100, connections: 1, pipeline: 4 }));
    expect(result).toMatchObject({ requests: 100, errors: [] });
    expect(result.sockets.opened).toBeGreaterThanOrEqual(10);
  });

  it('keeps its rate, and charges a server that stood still for what was due meanwhile', async () => {
    let first = true;
    const port = await listening(
      createHttp((_, response) => {
        if (first) {
          first = false;
          setTimeout(() => response.end('late'), 300);
        } else {
          response.end('ok');
        }
      }),
    );
    const result = await run(planOf('http', port, { requests: 100, connections: 1, rate: 200 }));
    expect(result.requests).toBe(100);
    // 300 ms at 200 per second: some sixty were due while the only connection waited.
    expect(result.late).toBeGreaterThanOrEqual(40);
    expect(result.latency!.p50, 'half of them waited, which a closed loop would never see').toBeGreaterThan(
      20e6,
    );
    expect(result.seconds).toBeGreaterThan(0.45);
  });

  it('calls a request that takes too long a timeout', async () => {
    const port = await listening(createHttp(() => {}));
    const result = await run(planOf('http', port, { requests: 2, connections: 2, timeoutNs: 60e6 }));
    expect(result).toMatchObject({
      requests: 0,
      errors: [{ what: 'timeout', count: 2 }],
      why: { code: 'count' },
    });
  });

  it('ends when it is told to, and says what was on its way', async () => {
    let asked = 0;
    const port = await listening(
      createHttp(() => {
        if (++asked === 4) {
          going.stop();
        }
      }),
    );
    const going = startLoad(planOf('http', port, { durationNs: 60e9 }), {
      entry: built.worker,
      onSecond() {},
    });
    expect(await going.result).toMatchObject({ why: { code: 'interrupted' }, waiting: 4 });
  });

  it('says that nobody listens, and that it is another protocol', async () => {
    expect((await run(planOf('http', await freePort(), { durationNs: 5e9 }))).why).toEqual({
      code: 'refused',
    });
    const port = await tcpServer((socket) => void socket.write('220 mail.example ESMTP\r\n'));
    expect((await run(planOf('http', port, { durationNs: 5e9 }))).why.code).toBe('protocol');
  });

  it.skipIf(needs('nginx').missing)('is answered by nginx, with bodies larger than a buffer', async () => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'sockscope-load-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'large'), 'x'.repeat(300_000));
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join(' ');
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
       http { access_log off; ${temporary} server { listen 127.0.0.1:${port}; root ${folder}; } }`,
    );
    await program('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], port);
    const result = await run(planOf('http', port, { requests: 60, wishes: { path: '/large' } }));
    expect(result).toMatchObject({ requests: 60, badAnswers: [], errors: [] });
    expect(result.received).toBeGreaterThan(60 * 300_000);
    const head = await run(
      planOf('http', port, { requests: 60, pipeline: 5, wishes: { path: '/large', method: 'HEAD' } }),
    );
    expect(head).toMatchObject({ requests: 60, badAnswers: [], errors: [] });
    expect(head.received).toBeLessThan(60 * 1000);
  });
});

describe.skipIf(linux.missing)('a run of other kinds', () => {
  it.skipIf(needs('redis-server').missing)(
    'speaks to Redis, pipelined, and counts its refusals',
    async () => {
      const port = await freePort();
      await program('redis-server', ['--port', `${port}`, '--save', '', '--bind', '127.0.0.1'], port);
      const set = await run(
        planOf('redis', port, { requests: 500, pipeline: 8, wishes: { command: ['SET', 'a', 'b'] } }),
      );
      expect(set).toMatchObject({ requests: 500, badAnswers: [], errors: [] });
      const wrong = await run(
        planOf('redis', port, { requests: 20, wishes: { command: ['LPUSH', 'a', 'b'] } }),
      );
      expect(wrong.badAnswers).toEqual([{ what: 'error reply', count: 20 }]);
    },
  );

  it('speaks JSON-RPC 1.0, with errors among the answers', async () => {
    const port = await tcpServer((socket) => {
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes.toString();
        for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
          const { method, params, id } = JSON.parse(text.slice(0, at)) as {
            method: string;
            params: { A: number; B: number }[];
            id: number;
          };
          text = text.slice(at + 1);
          const fine = method === 'Arith.Multiply';
          const result = fine ? params[0]!.A * params[0]!.B : null;
          socket.write(`${JSON.stringify({ id, result, error: fine ? null : 'no such method' })}\n`);
        }
      });
    });
    const command = ['Arith.Multiply', '[{"A":7,"B":8}]'];
    const fine = await run(planOf('rpc', port, { requests: 50, pipeline: 3, wishes: { command } }));
    expect(fine).toMatchObject({ requests: 50, badAnswers: [], errors: [] });
    const wrong = await run(planOf('rpc', port, { requests: 5, wishes: { command: ['Arith.Divide'] } }));
    expect(wrong.badAnswers).toEqual([{ what: 'error answer', count: 5 }]);
  });

  it('sends lines, echoes of any size, and datagrams', async () => {
    const lines = await tcpServer(
      (socket) => void socket.on('data', (bytes) => socket.write(bytes.toString().replaceAll('I', 'O'))),
    );
    expect(await run(planOf('line', lines, { requests: 40, pipeline: 2 }))).toMatchObject({
      requests: 40,
      errors: [],
    });
    const echo = await tcpServer((socket) => void socket.pipe(socket));
    expect(await run(planOf('tcp', echo, { requests: 10, wishes: { size: 500_000 } }))).toMatchObject({
      requests: 10,
      errors: [],
      received: 5_000_000,
      sent: 5_000_000,
    });
    const udp = createSocket('udp4', (bytes, from) => udp.send(bytes, from.port, from.address));
    cleanups.push(() => udp.close());
    const port = await new Promise<number>((resolve) =>
      udp.bind(0, '127.0.0.1', () => resolve(udp.address().port)),
    );
    expect(await run(planOf('udp', port, { requests: 40 }))).toMatchObject({ requests: 40, errors: [] });
  });

  it('counts datagrams that are lost', async () => {
    let came = 0;
    const udp = createSocket('udp4', (bytes, from) => {
      if (came++ % 2 === 0) {
        udp.send(bytes, from.port, from.address);
      }
    });
    cleanups.push(() => udp.close());
    const port = await new Promise<number>((resolve) =>
      udp.bind(0, '127.0.0.1', () => resolve(udp.address().port)),
    );
    const result = await run(planOf('udp', port, { requests: 10, connections: 1, timeoutNs: 150e6 }));
    expect(result).toMatchObject({ requests: 5, errors: [{ what: 'timeout', count: 5 }] });
  });

  it('holds connections, and replaces one that the server closes', async () => {
    let accepted = 0;
    const port = await tcpServer((socket) => {
      accepted++;
      if (accepted === 50) {
        socket.end();
      }
      if (accepted === 301) {
        going.stop();
      }
    });
    const plan = planOf('hold', port, { connections: 300, threads: 2, durationNs: 60e9 });
    const going = startLoad(plan, { entry: built.worker, onSecond() {} });
    const result = await going.result;
    expect(result.why.code).toBe('interrupted');
    expect(result.errors).toEqual([{ what: 'closed by the server', count: 1 }]);
    expect(result.sockets.states).toContainEqual({ what: 'ESTABLISHED', count: 300 });
  });

  it('says that the accept queue is full when nobody accepts', async () => {
    const address = encodeAddress({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    const fd = openSocket(2, SOCK_STREAM);
    cleanups.push(() => closeFd(fd));
    if (typeof address === 'number') {
      throw new Error(`no address: ${address}`);
    }
    expect([bindSocket(fd, address), listenOn(fd, 8)]).toEqual([0, 0]);
    const { port } = localAddress(fd, 'tcp') as { port: number };
    const result = await run(planOf('hold', port, { connections: 30, durationNs: 400e6 }));
    expect(result.why).toMatchObject({ code: 'accept-queue', used: 9, limit: 8 });
    expect(result.connecting).toBeGreaterThan(0);
    expect(result.connecting + result.sockets.opened).toBe(30);
  });
});
