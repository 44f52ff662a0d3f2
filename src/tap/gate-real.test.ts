/** Real programs through a gate whose rules look at everything and find nothing: they must not notice it. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../test/needs.ts';
import { decoders } from '../wire/app/decoders.ts';
import { type Chain, createChain } from './chain.ts';
import { faulty, holding, setting } from './gate/testing.ts';
import { createGate, GATE_PATIENCE, type Rule } from './gate.ts';

const run = promisify(execFile);
const folders = existsSync('/usr/lib/postgresql')
  ? readdirSync('/usr/lib/postgresql').map((name) => join('/usr/lib/postgresql', name, 'bin'))
  : [];
process.env.PATH = [process.env.PATH, ...folders].join(':');

const now = () => Number(process.hrtime.bigint());
const watching = (): Rule[] => [holding('contains "never said"'), faulty('drop', 'message.name == "never"')];

async function port(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** A proxy of chains with one gate per connection, and nothing else. */
async function relay(target: number, rules: readonly Rule[]) {
  const said: string[] = [];
  let longest = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = createConnection({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const sockets = { client, server: upstream };
    const chains: { client?: Chain; server?: Chain } = {};
    const gate = createGate({
      start: { transport: 'tcp', clientPort: 40_000, serverPort: target, midStream: false },
      candidates: decoders,
      rules,
      reveal: true,
      now,
      held: () => 1,
      forgotten: () => {},
      handOver: () => {},
      stir: (side) => setImmediate(() => chains[side]?.timer()),
    });
    for (const [side, other] of [
      ['client', 'server'],
      ['server', 'client'],
    ] as const) {
      let timer: NodeJS.Timeout | undefined;
      const chain = createChain(
        [gate[side]],
        {
          bytes: (bytes) => sockets[other].write(bytes),
          end: () => sockets[other].end(),
          wake: (at) => {
            clearTimeout(timer);
            if (at !== Number.POSITIVE_INFINITY) {
              longest = Math.max(longest, at - now());
              timer = setTimeout(() => chain.timer(), Math.max(0, at - now()) / 1e6);
            }
          },
          answer: () => {},
          reset: () => sockets[other].destroy(),
          close: () => sockets[other].end(),
          say: (what) => said.push(what),
        },
        now,
      );
      chains[side] = chain;
      sockets[side].on('data', (bytes) => chain.data(bytes, now()));
      sockets[side].on('end', () => chain.end());
      sockets[side].on('error', () => sockets[other].destroy());
      sockets[side].on('close', () => {
        clearTimeout(timer);
        gate.close();
      });
    }
  });
  return { port: await port(server), said, close: () => server.close(), waited: () => longest };
}

async function through(target: number, rules: readonly Rule[], talk: (port: number) => Promise<string>) {
  const before = await talk(target);
  const proxy = await relay(target, rules);
  const began = now();
  const after = await talk(proxy.port);
  proxy.close();
  return { before, after, said: proxy.said, took: now() - began };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  const own = await port(probe);
  await new Promise((resolve) => probe.close(resolve));
  return own;
}

describe.skipIf(needs('redis-server', 'redis-cli', 'redis-benchmark').missing !== null)('Redis', () => {
  let target = 0;
  let stop = () => {};

  beforeAll(async () => {
    target = await freePort();
    const child = spawn('redis-server', ['--port', `${target}`, '--bind', '127.0.0.1', '--save', ''], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    stop = () => child.kill();
    for await (const line of child.stdout) {
      if (String(line).includes('Ready to accept')) {
        break;
      }
    }
  });
  afterAll(() => stop());

  test('pipelines, MULTI and RESP3 say the same', async () => {
    const { before, after, said } = await through(target, watching(), async (own) => {
      const words = [
        'MULTI',
        'SET a 1',
        'GET a',
        'EXEC',
        'LRANGE nothing 0 -1',
        'PING',
        'CONFIG GET save',
        'GET',
      ];
      const { stdout } = await run('sh', [
        '-c',
        `printf '%s\\n' ${words.map((one) => `'${one}'`).join(' ')} | redis-cli -3 -p ${own}`,
      ]);
      return stdout;
    });
    expect(after).toBe(before);
    expect(said).toEqual([]);
  });

  test('a benchmark with pipelines comes to its end', async () => {
    const proxy = await relay(target, watching());
    const { stdout } = await run('redis-benchmark', [
      '-p',
      `${proxy.port}`,
      '-n',
      '4000',
      '-P',
      '16',
      '-c',
      '10',
      '-q',
      '-t',
      'set,get,lrange_100',
    ]);
    proxy.close();
    expect(stdout).toMatch(/LRANGE_100.*: [\d.]+ requests per second/);
    expect(proxy.said).toEqual([]);
  });

  test('a reply of our own takes the place of the real one', async () => {
    const rule = faulty('reply', 'redis.command == "SET" and key ~ "user:*"', {
      protocol: 'redis',
      text: '-ERR no luck',
    });
    const proxy = await relay(target, [rule]);
    const { stdout } = await run('sh', [
      '-c',
      `printf 'SET user:1 x\\nEXISTS user:1\\nSET b 2\\n' | redis-cli -p ${proxy.port}`,
    ]);
    proxy.close();
    expect(stdout.replace(/\n+/g, ' ')).toBe('ERR no luck 0 OK ');
  });
});

describe.skipIf(needs('curl').missing !== null)('curl', () => {
  test('chunked both ways, keep-alive, Expect and events', async () => {
    const server = createHttp((request, response) => {
      request.on('data', () => {});
      request.on('end', () => {
        if (request.url === '/events') {
          response.setHeader('Content-Type', 'text/event-stream');
          response.write('data: 1\n\n');
          setImmediate(() => response.end('data: 2\n\n'));
          return;
        }
        response.setHeader('Date', 'x');
        response.write('one ');
        response.end(`two ${request.method}`);
      });
    });
    const target = await port(server);
    const { before, after, said, took } = await through(
      target,
      [...watching(), setting('http.reply[/none].status=500')],
      async (own) => {
        const base = `http://127.0.0.1:${own}`;
        const file = join(import.meta.dirname, '../../package.json');
        const next = (...more: string[]) => ['--next', '-sS', '--max-time', '10', ...more];
        const { stdout } = await run('curl', [
          ...['-sS', '--max-time', '10', `${base}/a`],
          ...next('-H', 'Transfer-Encoding: chunked', '-T', file, `${base}/b`),
          ...next('-H', 'Expect: 100-continue', '--data-binary', `@${file}`, `${base}/c`),
          ...next(`${base}/events`),
          ...next('-I', `${base}/d`),
        ]);
        return stdout.replaceAll(String(own), 'PORT');
      },
    );
    server.closeAllConnections();
    server.close();
    expect(after).toBe(before);
    expect(said).toEqual([]);
    expect(took).toBeLessThan(GATE_PATIENCE * 2);
  });
});

describe.skipIf(needs('psql', 'initdb', 'postgres').missing !== null)('PostgreSQL', () => {
  const root = process.getuid?.() === 0;
  const asUser = root
    ? ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--clear-groups', '--']
    : [];
  let folder = '';
  let target = 0;
  let stop = async () => {};

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-gate-'));
    if (root) {
      const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
      chownSync(folder, id('-u'), id('-g'));
    }
    const data = join(folder, 'data');
    const [program, ...words] = [
      ...asUser,
      'initdb',
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '--no-sync',
    ];
    await run(program!, words, { cwd: folder });
    target = await freePort();
    const [first, ...rest] = [
      ...asUser,
      'postgres',
      '-D',
      data,
      '-k',
      folder,
      '-p',
      `${target}`,
      '-h',
      '127.0.0.1',
      '-F',
    ];
    const child = spawn(first!, rest, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    stop = async () => {
      child.kill('SIGINT');
      await once(child, 'exit');
    };
    for await (const line of child.stderr) {
      if (String(line).includes('ready to accept')) {
        break;
      }
    }
    child.stderr.resume();
  });
  afterAll(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('psql: queries, errors, COPY both ways, many rows, without one pause', async () => {
    const { before, after, said, took } = await through(target, watching(), async (own) => {
      const script = `SELECT 1; SELECT nothing; CREATE TEMP TABLE t(a int); COPY t FROM STDIN;
1
2
\\.
COPY t TO STDOUT; SELECT count(*) FROM generate_series(1, 5); SELECT * FROM generate_series(1, 3000); BEGIN; ROLLBACK;`;
      const words = ['-h', '127.0.0.1', '-p', `${own}`, '-U', 'postgres', '-X', '-f', '-'];
      const child = spawn('psql', [...words, 'postgres'], {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, PGSSLMODE: 'disable' },
      });
      // Two pipes have no common order.
      const said = { out: '', error: '' };
      child.stdout.on('data', (chunk) => {
        said.out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        said.error += chunk;
      });
      child.stdin.end(script);
      await once(child, 'close');
      return said.out + said.error;
    });
    expect(before).toContain('3000');
    expect(after).toBe(before);
    expect(said).toEqual([]);
    expect(took).toBeLessThan(GATE_PATIENCE);
  });
});
