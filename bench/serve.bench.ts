/** Servers: requests per second of `hello`, calls of `rpc`, memory of idle connections on `echo`; against Go and nginx. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from '../test/needs.ts';
import { bench, remark } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
const started: ChildProcess[] = [];
const ROUNDS = 5;
const WRK_SECONDS = 2;
const CONNECTIONS = 64;
const CALLS = 15_000;
const IDLE = 100_000;
const SERVERS = 6;

function goProgram(name: string): string | null {
  if (findProgram('go') === null) {
    return null;
  }
  const file = join(folder, name);
  execFileSync('go', ['build', '-o', file, `bench/fixtures/make/${name}.go`], {
    env: { ...process.env, GO111MODULE: 'off' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return file;
}

/** Starts a server whose first line has its port: a number alone, or in JSON. */
async function serve(
  program: string,
  args: readonly string[],
): Promise<{ port: number; child: ChildProcess }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  child.stdout!.resume();
  const port = line.startsWith('{')
    ? (JSON.parse(line) as { address: { port: number } }).address.port
    : Number(line);
  return { port, child };
}

const ours = (...words: string[]) =>
  serve(process.execPath, ['dist/cli.js', 'serve', ...words, '-l', '127.0.0.1:0', '--quiet', '--json']);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function nginx(workers: string): Promise<number> {
  const port = await freePort();
  const own = mkdtempSync(join(folder, 'nginx-'));
  writeFileSync(
    join(own, 'nginx.conf'),
    `worker_processes ${workers}; pid ${own}/pid; error_log ${own}/error; daemon off;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000;
  server { listen 127.0.0.1:${port}; location / { default_type text/plain; return 200 "Hello, world\\n"; } } }\n`,
  );
  started.push(spawn(findProgram('nginx')!, ['-c', join(own, 'nginx.conf')], { stdio: 'ignore' }));
  for (;;) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).text();
      return port;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function requestsPerSecond(port: number): number {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${WRK_SECONDS}s`, `http://127.0.0.1:${port}/`];
  const said = execFileSync(findProgram('wrk')!, args, { encoding: 'utf8' });
  return Number(/Requests\/sec:\s*([\d.]+)/.exec(said)?.[1]);
}

function stopAll(): void {
  for (const child of started.splice(0)) {
    // A killed master of nginx leaves its workers behind.
    child.kill(child.spawnfile.endsWith('nginx') ? 'SIGTERM' : 'SIGKILL');
  }
}

async function hello(): Promise<void> {
  const go = goProgram('hello');
  const ports = new Map<string, number>();
  const at = (name: string) => async () => requestsPerSecond(ports.get(name)!);
  await bench({
    question: `How many requests does a hello world answer in a second? (wrk -t1 -c${CONNECTIONS}, ${WRK_SECONDS} s)`,
    unit: 'requests/s',
    runs: ROUNDS,
    budget: [
      { ours: 'sockscope serve hello', against: 'Go net/http', atLeast: 1.3 },
      { ours: 'sockscope serve hello', against: 'nginx, workers as installed (auto)', atLeast: 0.9 },
    ],
    contenders: [
      { name: 'Go net/http', role: 'peer', needs: 'go', figure: at('go') },
      { name: 'sockscope serve hello', role: 'ours', needs: 'wrk', figure: at('ours') },
      { name: 'nginx, workers as installed (auto)', role: 'peer', needs: 'nginx', figure: at('nginx') },
      { name: 'sockscope serve hello --workers 2', role: 'ours', figure: at('ours 2') },
      { name: 'nginx, one worker', role: 'peer', needs: 'nginx', figure: at('nginx 1') },
    ],
    async setup() {
      if (go !== null) {
        ports.set('go', (await serve(go, [])).port);
      }
      ports.set('ours', (await ours('hello')).port);
      ports.set('ours 2', (await ours('hello', '--workers', '2')).port);
      if (findProgram('nginx') !== null) {
        ports.set('nginx', await nginx('auto'));
        ports.set('nginx 1', await nginx('1'));
      }
      return stopAll;
    },
  });
}

/** Milliseconds that all calls took, as `load` measured them. */
function load(port: number, words: readonly string[]): number {
  const said = execFileSync(
    process.execPath,
    [
      'dist/cli.js',
      'load',
      'rpc',
      `127.0.0.1:${port}`,
      '-n',
      `${CALLS}`,
      '--json',
      '--command',
      'Arith.Multiply [{"A":7,"B":8}]',
      ...words,
    ],
    { encoding: 'utf8' },
  );
  const result = JSON.parse(said.trim().split('\n').at(-1)!) as { requests: number; seconds: number };
  if (result.requests !== CALLS) {
    throw new Error(`only ${result.requests} of ${CALLS} calls were answered: ${said.slice(-500)}`);
  }
  return result.seconds * 1000;
}

async function rpc(): Promise<void> {
  const go = goProgram('rpc');
  let port = 0;
  for (const [question, mode, words] of [
    [
      `${CALLS} JSON-RPC calls, a connection each, one after the other: how long?`,
      'each',
      ['-c', '1', '--no-keepalive'],
    ],
    [`And over one connection, 100 on their way?`, 'one', ['-c', '1', '-p', '100']],
  ] as const) {
    await bench({
      question,
      unit: 'ms',
      runs: ROUNDS,
      budget: [
        { ours: 'sockscope load rpc → serve rpc', against: 'Go net/rpc/jsonrpc, both ends', atMost: 1 },
      ],
      contenders: [
        {
          name: 'Go net/rpc/jsonrpc, both ends',
          role: 'peer',
          needs: 'go',
          figure: async () => Number(execFileSync(go!, [mode, `${CALLS}`], { encoding: 'utf8' })),
        },
        { name: 'sockscope load rpc → serve rpc', role: 'ours', figure: async () => load(port, words) },
      ],
      async setup() {
        ({ port } = await ours('rpc'));
        return stopAll;
      },
    });
  }
}

/** KiB of several processes of one program: what each has for itself, and once what they share (code, mapped files). */
function togetherKib(pids: readonly number[]): number {
  const all = pids.map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1]);
    return {
      own: kib('Private_Clean') + kib('Private_Dirty'),
      shared: kib('Shared_Clean') + kib('Shared_Dirty'),
    };
  });
  return all.reduce((sum, { own }) => sum + own, 0) + Math.max(...all.map(({ shared }) => shared));
}

/** Bytes of the servers' memory for each of so many idle connections, the servers themselves included. */
async function idle(start: () => Promise<{ port: number; child: ChildProcess }>): Promise<number> {
  const each = Math.ceil(IDLE / SERVERS);
  const servers = await Promise.all(Array.from({ length: SERVERS }, start));
  const clients: ChildProcess[] = [];
  for (const { port } of servers) {
    const client = spawn(process.execPath, ['bench/fixtures/make/hold.mjs', `${port}`, `${each}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    clients.push(client);
    started.push(client);
    await once(createInterface({ input: client.stdout! }), 'line');
  }
  const kib = togetherKib(servers.map(({ child }) => child.pid!));
  await Promise.all(
    [...clients, ...servers.map(({ child }) => child)].map(async (child) => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }),
  );
  started.length = 0;
  return (kib * 1024) / (each * SERVERS);
}

async function memory(): Promise<void> {
  const go = goProgram('echo');
  await bench({
    question: `What does an idle connection of ${IDLE} on an echo server cost? (${SERVERS} processes, their own memory included, shared pages once)`,
    unit: 'bytes',
    runs: 2,
    budget: [{ ours: 'sockscope serve echo', against: 'Go, a goroutine each', atMost: 0.5 }],
    contenders: [
      { name: 'Go, a goroutine each', role: 'peer', needs: 'go', figure: () => idle(() => serve(go!, [])) },
      { name: 'sockscope serve echo', role: 'ours', figure: () => idle(() => ours('echo')) },
    ],
  });
}

try {
  await hello();
  await rpc();
  await memory();
  remark('Client and server share two virtual cores in all of these.');
} finally {
  stopAll();
  rmSync(folder, { recursive: true, force: true });
}
