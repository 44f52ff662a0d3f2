/** The proxy: answers from the cache, and answers that pass through, against nginx in front of the same origin. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from '../test/needs.ts';
import { bench, remark } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
// Started by root, nginx reads as nobody.
chmodSync(folder, 0o755);
const started: ChildProcess[] = [];
const ROUNDS = 3;
const WRK_SECONDS = 2;
const CONNECTIONS = 32;
const SMALL = 1000;
const LARGE = 100_000;

/** Waits until it answers. `body` is one server of the configuration, without its braces. */
async function nginx(workers: string, outside: string, body: (port: number) => string): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  listener.close();
  await once(listener, 'close');
  const own = mkdtempSync(join(folder, 'nginx-'));
  chmodSync(own, 0o755);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${own}/${name};`)
    .join(' ');
  writeFileSync(
    join(own, 'nginx.conf'),
    `worker_processes ${workers}; pid ${own}/pid; error_log ${own}/error; daemon off;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; ${temporary}
  ${outside.replaceAll('OWN', own)}
  server { ${body(port)} } }\n`,
  );
  started.push(
    spawn(findProgram('nginx')!, ['-e', join(own, 'error'), '-c', join(own, 'nginx.conf')], {
      stdio: 'ignore',
    }),
  );
  for (;;) {
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).text();
      return port;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Files of both sizes; below /fresh/ they may not be kept. */
function origin(): Promise<number> {
  const files = join(folder, 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'small'), 'a'.repeat(SMALL));
  writeFileSync(join(files, 'large'), 'a'.repeat(LARGE));
  return nginx(
    '1',
    'sendfile on; tcp_nopush on;',
    (port) => `listen 127.0.0.1:${port}; root ${files};
    location / { add_header Cache-Control max-age=3600; }
    location /fresh/ { alias ${files}/; add_header Cache-Control no-store; }`,
  );
}

function nginxProxy(workers: string, to: number): Promise<number> {
  return nginx(
    workers,
    `proxy_cache_path OWN/cache keys_zone=z:1m;
  upstream origin { server 127.0.0.1:${to}; keepalive 64; keepalive_requests 1000000000; }`,
    (port) => `listen 127.0.0.1:${port};
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache z; }`,
  );
}

async function ours(workers: number, to: number): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      'dist/cli.js',
      'serve',
      'proxy',
      `127.0.0.1:${to}`,
      '-l',
      '127.0.0.1:0',
      '--workers',
      `${workers}`,
      '--quiet',
      '--json',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  started.push(child);
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  child.stdout!.resume();
  return (JSON.parse(line) as { address: { port: number } }).address.port;
}

function requestsPerSecond(port: number, path: string): number {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${WRK_SECONDS}s`, `http://127.0.0.1:${port}${path}`];
  const said = execFileSync(findProgram('wrk')!, args, { encoding: 'utf8' });
  if (said.includes('Non-2xx')) {
    throw new Error(`not all were answered: ${said}`);
  }
  return Number(/Requests\/sec:\s*([\d.]+)/.exec(said)?.[1]);
}

const OURS = 'sockscope serve proxy';
const OURS_2 = `${OURS} --workers 2`;
const NGINX_1 = 'nginx, one worker';
const NGINX = 'nginx, workers as installed (auto)';

try {
  if (findProgram('nginx') === null || findProgram('wrk') === null) {
    remark('nginx and wrk are needed for this one, and one of them is not installed.');
  } else {
    const to = await origin();
    const ports = new Map([
      [NGINX_1, await nginxProxy('1', to)],
      [OURS, await ours(1, to)],
      [NGINX, await nginxProxy('auto', to)],
      [OURS_2, await ours(2, to)],
    ]);
    for (const [question, path] of [
      [`answers of ${SMALL / 1000} kB does a proxy give from its cache`, '/small'],
      [`answers of ${LARGE / 1000} kB does it give from its cache`, '/large'],
      [`answers of ${SMALL / 1000} kB, which nobody may keep, pass through it`, '/fresh/small'],
    ] as const) {
      await bench({
        question: `How many ${question} in a second? (wrk -t1 -c${CONNECTIONS}, ${WRK_SECONDS} s)`,
        unit: 'requests/s',
        runs: ROUNDS,
        contenders: [...ports].map(([name, port]) => ({
          name,
          role: name.startsWith('nginx') ? 'peer' : 'ours',
          figure: async () => requestsPerSecond(port, path),
        })),
      });
    }
    remark('Client, proxy and origin (nginx, one worker) share two virtual cores in all of these.');
  }
} finally {
  for (const child of started) {
    child.kill();
  }
  await Promise.all(started.map((child) => (child.exitCode === null ? once(child, 'exit') : null)));
  rmSync(folder, { recursive: true, force: true });
}
