/** Faults, rewriting and rules by the command line, felt by real clients. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { client, target, text } from '../fixtures/engine.ts';
import { needs } from '../needs.ts';
import { type Nginx, nginx } from './nginx.ts';
import {
  answers,
  cleanUp,
  freePort,
  type Ran,
  type Redis,
  redis,
  run,
  serve,
  type Tap,
  tap,
  until,
} from './program.ts';

const linux = needs('linux');
const lab = needs('linux', 'redis-server', 'redis-cli', 'nginx', 'curl');

let server: Redis;
let site: Nginx;
let taps: Tap[] = [];

beforeAll(async () => {
  if (lab.missing === null) {
    server = await redis();
    site = await nginx('location /echo { return 200 "$http_x_test|$request_uri\\n"; }');
    writeFileSync(join(site.root, 'page'), 'all is well\n'.repeat(10));
    writeFileSync(join(site.root, 'big'), Buffer.alloc(100_000, 'x'));
  }
});
afterEach(async () => {
  await Promise.all(taps.map((one) => one.stop()));
  taps = [];
});
afterAll(cleanUp);

async function before(port: number, ...words: string[]): Promise<Tap> {
  const made = await tap(['0', String(port), ...words]);
  taps.push(made);
  return made;
}

const cli = (port: number, words: readonly string[], input?: string): Promise<Ran> =>
  run('redis-cli', ['-p', String(port), ...words], input === undefined ? {} : { input });

const curl = (port: number, path: string, ...words: string[]): Promise<Ran> =>
  run('curl', ['-sS', '-i', '-m', '10', ...words, `http://127.0.0.1:${port}${path}`]);

async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** One command and its answer on a connection that stands, in milliseconds; without starting a program. */
async function asked(port: number, command: string): Promise<{ ms: number; answer: string }> {
  const one = client(port);
  await until('the connection', () => one.connected);
  let ms = 0;
  one.socket.once('data', () => {
    ms = performance.now() - began;
  });
  const began = performance.now();
  one.socket.write(command);
  await until('the answer', () => one.data.length > 0 || one.closed || one.ended);
  one.socket.destroy();
  return { ms, answer: text(one) };
}

describe.skipIf(lab.missing)('faults on redis', () => {
  it('latency 200ms: an answer takes 200 ms longer, and not 400', async () => {
    const slow = await before(server.port, '--fault', 'latency 200ms');
    const { ms, answer } = await asked(slow.port, 'PING\r\n');
    expect(answer).toBe('+PONG\r\n');
    expect(ms).toBeGreaterThanOrEqual(199);
    expect(ms).toBeLessThan(400);
  });

  it('reset at the third SET of a user; other commands and keys do not count', async () => {
    const fault = 'reset when redis.command == "SET" and key ~ "user:*" nth 3';
    const one = await before(server.port, '--fault', fault);
    const input = 'SET user:1 a\nSET other b\nGET user:1\nSET user:2 c\nSET user:3 d\n';
    const { out, err } = await cli(one.port, [], input);
    expect(out.trim().split('\n').slice(0, 4)).toEqual(['OK', 'OK', 'a', 'OK']);
    expect(`${out}${err}`).toMatch(/reset by peer|closed the connection/i);
    await until('it to be told', () => one.of('fault').length > 0);
    expect((await cli(server.port, ['GET', 'user:3'])).out).toBe('\n');
    expect((await cli(one.port, ['SET', 'user:4', 'e'])).out).toBe('OK\n');
  });

  it('reply redis -MOVED: the server never sees the GET, the rest goes on', async () => {
    const one = await before(
      server.port,
      '--fault',
      'reply redis -MOVED 1 127.0.0.1:7000 when redis.command == "GET"',
    );
    const { out } = await cli(one.port, [], 'SET k v\nGET k\nSTRLEN k\n');
    expect(out.replace(/\n+/g, '\n')).toMatch(/^OK\n(\(error\) )?MOVED 1 127.0.0.1:7000\n1\n$/);
    await until('it to be told', () => one.said('server').some((said) => /MOVED/.test(said)));
  });

  it('bandwidth 100kB/s: 100 kB take a second', async () => {
    await cli(server.port, ['SETRANGE', 'large', '99999', 'x']);
    const one = await before(server.port, '--fault', 'bandwidth 100kB/s');
    const sink = client(one.port);
    const began = performance.now();
    sink.socket.write('GET large\r\n');
    await until('all of it', () => Buffer.concat(sink.data).length >= 100_000);
    const ms = performance.now() - began;
    sink.socket.destroy();
    expect(ms).toBeGreaterThan(800);
    expect(ms).toBeLessThan(2500);
  });

  it('limit-data 10: ten bytes, and the end', async () => {
    const one = await before(server.port, '--fault', 'limit-data 10');
    const sink = client(one.port);
    sink.socket.write('GET large\r\nPING\r\n');
    await until('the end', () => sink.ended || sink.closed);
    expect(Buffer.concat(sink.data)).toHaveLength(10);
    sink.socket.destroy();
  });

  it('unplug: nothing comes, the connection stays', async () => {
    const one = await before(server.port, '--fault', 'unplug at 500ms for 700ms');
    const sink = client(one.port);
    await until('an answer before, or the fault', () => {
      sink.socket.write('PING\r\n');
      return sink.data.length > 0;
    });
    const ms = await took(async () => {
      let quietSince = performance.now();
      let had = sink.data.length;
      await until('a silence of 400 ms', () => {
        if (sink.data.length !== had) {
          had = sink.data.length;
          quietSince = performance.now();
        }
        sink.socket.write('PING\r\n');
        return performance.now() - quietSince > 400;
      });
    });
    expect(ms).toBeGreaterThan(400);
    expect([sink.ended, sink.closed]).toEqual([false, false]);
    const silent = sink.data.length;
    await until('answers again', () => sink.data.length > silent);
    sink.socket.destroy();
  });
});

describe.skipIf(lab.missing)('faults on HTTP', () => {
  it('reply http 503 to some paths, for a while', async () => {
    const fault = 'reply http 503 when http.path ~ "/pay*" for 1500ms';
    const one = await before(site.port, '--fault', fault);
    expect((await curl(one.port, '/pay/now')).out).toMatch(/^HTTP\/1.1 503/);
    expect((await curl(one.port, '/page')).out).toMatch(/^HTTP\/1.1 200[\s\S]*all is well/);
    await until('it to be over', () => performance.now() > 0 && one.of('fault').length > 0);
    for (let code = '503'; code === '503'; ) {
      code = /^HTTP\/1.1 (\d+)/.exec((await curl(one.port, '/pay/now')).out)?.[1] ?? '';
      expect(['503', '404']).toContain(code);
    }
  });

  it('slicer: everything arrives, in pieces', async () => {
    const one = await before(site.port, '--bytes', '--fault', 'slicer 1000');
    const { out } = await curl(one.port, '/big');
    expect(out.endsWith('x'.repeat(100_000))).toBe(true);
    await until('the pieces', () => one.of('bytes').filter(({ from }) => from === 'server').length > 50);
  });

  it('--replace, down and up, with the length kept', async () => {
    const one = await before(
      site.port,
      '--replace',
      'down:all is well=>it was bad!',
      '--replace',
      'up:/nowhere=>/page',
    );
    // As long as it was: Content-Length is not ours to change.
    expect((await curl(one.port, '/page')).out).toMatch(/\r\n\r\nit was bad!\nit was bad!\n/);
    expect((await curl(one.port, '/nowhere')).out).toMatch(/^HTTP\/1.1 200/);
  });

  it('--match tells where the bytes match', async () => {
    const one = await before(site.port, '--match', 'all is w[a-f]ll');
    await curl(one.port, '/page');
    await until('the matches', () => one.of('fault').length > 0);
    expect(JSON.stringify(one.of('fault')[0])).toMatch(/match/);
  });

  it('--set changes a header on its way', async () => {
    const one = await before(site.port, '--set', 'http.request.header.x-test=set by the tap');
    expect((await curl(one.port, '/echo')).out).toMatch(/\r\n\r\nset by the tap\|\/echo\n$/);
  });

  it('--set changes a reply of redis by its key', async () => {
    const one = await before(server.port, '--set', 'redis.reply[GET user:*]=forged');
    await cli(server.port, ['MSET', 'user:9', 'true', 'other', 'true']);
    expect((await cli(one.port, ['GET', 'user:9'])).out).toBe('forged\n');
    expect((await cli(one.port, ['GET', 'other'])).out).toBe('true\n');
  });
});

describe.skipIf(linux.missing)('faults before the first byte', () => {
  async function echo(): Promise<number> {
    const made = await target(({ socket }) => socket.pipe(socket));
    ends.push(() => made.close());
    return made.port;
  }
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(ends.splice(0).map((end) => end()));
  });

  it('refuse: clients are refused although the target listens', async () => {
    const one = await before(await echo(), '--fault', 'refuse');
    await until('refusing', () => one.of('standing').at(-1)?.state === 'refusing');
    const refused = client(one.port);
    await until('the refusal', () => refused.closed);
    expect(refused.error).toBe('ECONNREFUSED');
  });

  it('accept-delay: the first answer is late, the second is not', async () => {
    const one = await before(await echo(), '--fault', 'accept-delay 300ms');
    const sink = client(one.port);
    const began = performance.now();
    sink.socket.write('x');
    await until('the first', () => sink.data.length === 1);
    expect(performance.now() - began).toBeGreaterThanOrEqual(299);
    const again = performance.now();
    sink.socket.write('y');
    await until('the second', () => text(sink) === 'xy');
    expect(performance.now() - again).toBeLessThan(250);
    sink.socket.destroy();
  });

  it('half-close: the client hears the end and can still be heard', async () => {
    const made = await target();
    ends.push(() => made.close());
    const one = await before(made.port, '--fault', 'half-close 4');
    const sink = client(one.port);
    await until('the other end', () => made.sockets.some(({ closed }) => !closed));
    made.sockets.find(({ closed }) => !closed)!.socket.write('1234567');
    await until('the end', () => sink.ended);
    expect(text(sink)).toBe('1234');
    sink.socket.write('heard');
    await until('the words', () => made.sockets.some((far) => text(far) === 'heard'));
    sink.socket.destroy();
  });

  it('the same seed repeats the run connection by connection, another does not', async () => {
    const port = await echo();
    async function pattern(seed: number): Promise<string> {
      const one = await before(
        port,
        '--seed',
        String(seed),
        '--fault',
        'limit-data 0 toxicity 50%',
        '--quiet',
      );
      let seen = '';
      for (let i = 0; i < 20; i++) {
        const sink = client(one.port);
        await until('the connection', () => sink.connected || sink.closed);
        sink.socket.write('hello');
        await until('a byte or the end', () => sink.data.length > 0 || sink.ended || sink.closed);
        seen += sink.data.length > 0 ? 'y' : 'n';
        sink.socket.destroy();
      }
      await one.stop();
      return seen;
    }
    const first = await pattern(7);
    expect(await pattern(7)).toBe(first);
    expect(await pattern(8)).not.toBe(first);
    expect(first).toMatch(/y.*n|n.*y/);
  });
});

describe.skipIf(needs('linux', 'dig', 'dnsmasq').missing)('faults on UDP', () => {
  it.each([
    ['latency 200ms', 'A', true],
    ['delay 200ms when dns.type == "AAAA"', 'AAAA', true],
    ['delay 200ms when dns.type == "AAAA"', 'A', false],
  ])('%s, asked for %s', async (fault, type, slow) => {
    const port = await freePort();
    await serve(
      'dnsmasq',
      [
        '--no-daemon',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        '--listen-address=127.0.0.1',
        '--bind-interfaces',
        `--port=${port}`,
        '--pid-file=',
        '--local=/test/',
        '--user=root',
        '--host-record=one.test,192.0.2.1,2001:db8::1',
      ],
      () => answers(port),
    );
    const made = await tap(['udp://127.0.0.1:0', `udp://127.0.0.1:${port}`, '--fault', fault]);
    taps.push(made);
    const { out } = await run('dig', [
      '@127.0.0.1',
      '-p',
      String(made.port),
      '+tries=1',
      '+time=3',
      'one.test',
      type,
    ]);
    const ms = Number(/Query time: (\d+) msec/.exec(out)?.[1]);
    if (slow) {
      expect(ms).toBeGreaterThanOrEqual(199);
      expect(ms).toBeLessThan(600);
    } else {
      expect(ms).toBeLessThan(190);
    }
  });
});
