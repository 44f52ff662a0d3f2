/** `sockscope serve` seen from outside: limits, misbehaviour, system calls. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';
import { ls, type Serving, serving, written } from './serving.ts';
import { cleanUp, later, run, until } from './tap/program.ts';
import { type Wire, wire } from './web-service.ts';

const here = needs('linux');
const tools = needs('linux', 'curl');
const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

afterAll(cleanUp);

function client(server: Serving, say = ''): Wire {
  const one = wire(server.port, say);
  later(() => one.socket.destroy());
  return one;
}

const clients = (server: Serving, count: number, say = ''): Wire[] =>
  Array.from({ length: count }, () => client(server, say));

/** Whose pid traces it; 0: nobody. */
function tracer(pid: number): number {
  return Number(/^TracerPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe.skipIf(here.missing !== null)('a server that misbehaves', () => {
  it.concurrent.each([
    ['echo', 'hello'],
    ['api', GET],
  ])('--leak: %s keeps 20 clients that came and went in CLOSE_WAIT', async (kind, says) => {
    const server = await serving([kind, '127.0.0.1:0', '--leak', '--quiet']);
    const all = clients(server, 20, says);
    for (const one of all) {
      await one.until((text) => text !== '');
      one.socket.end();
    }
    const mine = async () =>
      (await ls('close-wait', `sport = :${server.port}`)).filter(({ owners = [] }) =>
        owners.some(({ pid }) => pid === server.pid),
      );
    let left = await mine();
    for (const end = Date.now() + 5000; left.length !== 20 && Date.now() < end; ) {
      left = await mine();
    }
    expect(left).toHaveLength(20);
    // Twenty descriptors of its own, one for each.
    expect(new Set(left.flatMap(({ owners = [] }) => owners.map(({ fd }) => fd))).size).toBe(20);
    const { code } = await server.stop();
    expect(code).toBe(0);
  });

  it.concurrent.each(['hello', 'api'])(
    '--no-accept --backlog 3: four wait in the queue of %s, nobody is served',
    async (kind) => {
      const server = await serving([kind, '127.0.0.1:0', '--no-accept', '--backlog', '3', '--quiet']);
      const all = clients(server, 6, GET);
      await until('four to be connected', () => all.filter(({ socket }) => !socket.connecting).length >= 4);
      const [listener] = await ls('listening', `sport = :${server.port}`);
      // The queue holds one more than the backlog (Linux compares with >).
      expect(listener).toMatchObject({ state: 'LISTEN', accept: { used: 4, limit: 3 } });
      expect(all.map(({ socket }) => socket.connecting).filter(Boolean)).toHaveLength(2);
      const { code, err } = await server.stop();
      expect(all.map((one) => one.text()).join('')).toBe('');
      expect(err).toContain('drained 0, dropped 0');
      expect(code).toBe(0);
    },
  );

  it.concurrent('--die-after: the process is killed, and its clients notice', async () => {
    const server = await serving(['hello', '127.0.0.1:0', '--die-after', '300ms', '--quiet']);
    const [answered, unread] = [client(server, GET), client(server, 'GET / HT')];
    expect(await answered.ended()).toMatch(/^(end|ECONNRESET)$/);
    expect(await unread.ended()).toMatch(/^(end|ECONNRESET)$/);
    expect(await server.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  // libuv reads an RST behind a short read as FIN; curl does not.
  it.skipIf(tools.missing !== null).concurrent.each([
    ['hello', '--reset-after', 125, 56],
    ['hello', '--close-after', 125, 18],
    ['api', '--reset-after', 400, 56],
    ['api', '--close-after', 400, 18],
  ])('%s %s: the head and a part of the body, then it is over', async (kind, flag, limit, status) => {
    const server = await serving([kind, '127.0.0.1:0', flag, `${limit}B`, '--quiet']);
    const { code, out } = await run('curl', ['-sSi', `http://127.0.0.1:${server.port}/`]);
    expect([out.length, code]).toEqual([limit, status]);
    await server.stop();
  });
});

describe.skipIf(here.missing !== null)('a limit', () => {
  it.concurrent.each(['hello', 'api'])(
    '--max-connections 2: the third client of %s waits until one leaves',
    async (kind) => {
      const server = await serving([kind, '127.0.0.1:0', '--max-connections', '2', '--quiet']);
      const two = clients(server, 2, GET);
      await Promise.all(two.map((one) => one.until((text) => text.includes('200 OK'))));
      const third = client(server, GET);
      await written([third]);
      // A whole conversation of another client later it has heard nothing.
      two[0]!.socket.write(GET);
      await two[0]!.until((text) => text.split('200 OK').length === 3);
      expect(third.text()).toBe('');
      two[0]!.socket.destroy();
      await third.until((text) => text.includes('200 OK'));
      await server.stop();
    },
  );

  it.concurrent('--max-connections: those who wait get their turn in a drain, and none is waited for longer than --drain', async () => {
    const server = await serving([
      'api',
      '127.0.0.1:0',
      '--max-connections',
      '2',
      '--drain',
      '300ms',
      '--json',
    ]);
    const all = clients(server, 6, 'GET /slow?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n');
    await written(all);
    const before = performance.now();
    const { code } = await server.stop();
    expect(performance.now() - before).toBeLessThan(5000);
    expect(code).toBe(0);
    await Promise.all(all.map((one) => one.ended()));
  });

  it.concurrent("--max-connections: clients who give up while they wait take nobody else's turn", async () => {
    const server = await serving(['api', '127.0.0.1:0', '--max-connections', '1', '--quiet']);
    const first = client(server, GET);
    await first.until((text) => text.includes('200 OK'));
    const impatient = clients(server, 5, GET);
    await written(impatient);
    for (const { socket } of impatient) {
      socket.resetAndDestroy();
    }
    const last = client(server, GET);
    await written([last]);
    first.socket.destroy();
    await last.until((text) => text.includes('200 OK'));
    await server.stop();
  });

  it.concurrent.each([
    ['hello', ''],
    ['line', ''],
    ['api', ''],
    ['echo', 'hello'],
    ['rpc', ''],
  ])('--idle-timeout 200ms: %s ends a silent connection', async (kind, says) => {
    const server = await serving([kind, '127.0.0.1:0', '--idle-timeout', '200ms', '--quiet']);
    const one = client(server, says);
    expect(await one.ended()).toBe('end');
    await server.stop();
  });

  it.concurrent.each([
    ['hello', GET, '429'],
    ['api', GET, '429'],
    ['line', 'PING\r\n', 'ERR rate'],
  ])('--rate 5/s: the sixth request of %s in a row is refused', async (kind, says, refusal) => {
    const server = await serving([kind, '127.0.0.1:0', '--rate', '5/s', '--quiet']);
    const one = client(server, says.repeat(10));
    await one.until((text) => text.split(refusal).length > 1);
    const fine = one.text().split(refusal)[0]!;
    expect(fine.split(kind === 'line' ? 'PONG\r\n' : '200 OK').length - 1).toBe(5);
    one.socket.destroy();
    await server.stop();
  });
});

describe.skipIf(here.missing !== null)('--show-syscalls', () => {
  it('shows what the kernel was asked for one client, and leaves nothing traced', async () => {
    const server = await serving(['echo', '127.0.0.1:0', '--show-syscalls', '--json']);
    const [listening] = server.lines('listening');
    const traced = Number(listening?.pid);
    expect(traced).not.toBe(server.pid);
    // A thread of the program that was started.
    expect(existsSync(`/proc/${server.pid}/task/${tracer(traced)}`)).toBe(true);
    const one = client(server, 'hello\n');
    await one.until((text) => text === 'hello\n');
    const { localPort } = one.socket;
    one.socket.end();
    await until('the close', () => server.lines('access').length === 1);
    const { code, err } = await server.stop();
    expect(code).toBe(0);
    // A call that took a millisecond says so at its end.
    const calls = err
      .split('\n')
      .map((line) => line.replace(/^\[\d+\] /, '').replace(/( = \S+(?: \(EOF\))?) [\d.]+ m?s$/, '$1'));
    const listener = /^socket\(AF_INET, SOCK_STREAM\S*, \S+\) = (\d+)$/.exec(
      calls.find((call) => call.startsWith('socket(AF_INET, SOCK_STREAM')) ?? '',
    )?.[1];
    expect(calls).toContain(`bind(${listener}, 127.0.0.1:0) = 0`);
    expect(calls).toContain(`listen(${listener}, 4096) = 0`);
    const at = calls.findIndex((call) => call.startsWith(`accept4(${listener}, 127.0.0.1:${localPort}`));
    const fd = / = (\d+)$/.exec(calls[at] ?? '')?.[1];
    const own = calls.slice(at + 1).filter((call) => new RegExp(`^\\w+\\(${fd}\\b`).test(call));
    expect(own.slice(0, 4)).toEqual([
      expect.stringMatching(/^recv\w*\(\d+, "hello\\n", .*\) = 6$/),
      expect.stringMatching(/^send\w*\(\d+, "hello\\n", 6, .*\) = 6$/),
      expect.stringMatching(/^recv\w*\(\d+, "", .*\) = 0/),
      expect.stringMatching(/^close\(\d+\) = 0$/),
    ]);
    expect(isAlive(traced)).toBe(false);
  });
});
