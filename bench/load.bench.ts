/** Making load: requests for a second of the client's own CPU, against the same nginx, in turns. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../test/needs.ts';
import { bench, remark } from './harness.ts';

const SECONDS = 4;
const CONNECTIONS = 64;

const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
const perSecond = new Map<string, number[]>();
let port = 0;

interface Client {
  readonly name: string;
  readonly role: 'ours' | 'peer';
  readonly needs: string;
  readonly command: () => readonly string[];
  /** Requests that were answered, from what it prints. */
  readonly requests: (printed: string) => number;
}

const url = (): string => `http://127.0.0.1:${port}/`;

const clients: readonly Client[] = [
  {
    name: 'wrk -t1',
    role: 'peer',
    needs: 'wrk',
    command: () => ['wrk', '-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, url()],
    requests: (printed) => Number(/(\d+) requests in/.exec(printed)?.[1]),
  },
  {
    name: 'sockscope load http',
    role: 'ours',
    needs: 'node',
    command: () => [
      process.execPath,
      'dist/cli.js',
      ...['load', 'http', url(), '-c', `${CONNECTIONS}`, '-d', `${SECONDS}s`, '--json'],
    ],
    requests: (printed) => (JSON.parse(printed.trim().split('\n').at(-1)!) as { requests: number }).requests,
  },
  {
    name: 'autocannon',
    role: 'peer',
    needs: 'autocannon',
    command: () => [
      'autocannon',
      '-c',
      `${CONNECTIONS}`,
      '-d',
      `${SECONDS}`,
      '--json',
      '--no-progress',
      url(),
    ],
    requests: (printed) =>
      (JSON.parse(printed.slice(printed.indexOf('{'))) as { requests: { total: number } }).requests.total,
  },
];

/** Requests for a second of user and system time of the whole process, its start included. */
async function measure({ name, command, requests }: Client): Promise<number> {
  const file = join(folder, 'time');
  const [program, ...args] = command();
  const ran = spawnSync(
    'time',
    ['-q', '-f', '%U %S', '-o', file, findProgram(program!) ?? program!, ...args],
    {
      encoding: 'utf8',
    },
  );
  const made = requests(ran.stdout);
  const [user = 0, system = 0] = readFileSync(file, 'utf8').trim().split(' ').map(Number);
  if (!(made > 0)) {
    throw new Error(`${name} made no request: ${ran.stderr}`);
  }
  perSecond.set(name, [...(perSecond.get(name) ?? []), Math.round(made / SECONDS)]);
  return made / (user + system);
}

async function startNginx(): Promise<() => void> {
  port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
     events { worker_connections 1024; }
     http { access_log off; keepalive_requests 1000000000; ${temporary}
       server { listen 127.0.0.1:${port}; location / { return 200 'hello, world\\n'; } } }`,
  );
  const server = spawn(findProgram('nginx')!, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  });
  const curl = (): boolean => spawnSync('curl', ['-s', '-o', '/dev/null', url()]).status === 0;
  for (let tries = 0; tries < 100 && !curl(); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return () => void server.kill('SIGTERM');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
}

try {
  await bench({
    question: `Requests to nginx (return 200) for a second of the client's CPU, ${CONNECTIONS} connections, ${SECONDS} s each`,
    unit: 'requests',
    runs: 3,
    budget: [
      { ours: 'sockscope load http', against: 'wrk -t1', atLeast: 0.8 },
      { ours: 'sockscope load http', against: 'autocannon', atLeast: 3 },
    ],
    setup: startNginx,
    contenders: clients.map((client) => ({
      name: client.name,
      role: client.role,
      needs: client.needs,
      figure: () => measure(client),
    })),
  });
  const rates = [...perSecond].map(([name, all]) => `${name} ${all.join(' ')}`).join('; ');
  remark(`requests per second, nginx on the other core, warm-up first: ${rates}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
