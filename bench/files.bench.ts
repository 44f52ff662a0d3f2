/** Static files: `serve files` beside nginx with the same directory, asked by wrk, in turns. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../test/needs.ts';
import { bench } from './harness.ts';

const SECONDS = 2;
const CONNECTIONS = 32;

const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
const root = join(folder, 'root');
const running: ChildProcess[] = [];
const port = { ours: 0, nginx: 0 };

type Server = keyof typeof port;

/** Requests for each second, as wrk counts them. */
function ask(server: Server, path: string): number {
  const url = `http://127.0.0.1:${port[server]}${path}`;
  const { stdout, stderr } = spawnSync('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, url], {
    encoding: 'utf8',
  });
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  if (!(perSecond > 0) || /Non-2xx|Socket errors/.test(stdout)) {
    throw new Error(`wrk against ${server}${path}: ${stdout}${stderr}`);
  }
  return perSecond;
}

async function startAll(): Promise<void> {
  mkdirSync(root);
  writeFileSync(join(root, 'small.txt'), 'x'.repeat(1000));
  writeFileSync(join(root, 'large.bin'), randomBytes(10_000_000));
  port.ours = await freePort();
  port.nginx = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  // One process, sendfile, and no open_file_cache: ours looks at the file each time too. tcp_nopush would cost it half on loopback.
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; ${process.getuid?.() === 0 ? 'user root;' : ''}
     events { worker_connections 1024; }
     http { access_log off; sendfile on; keepalive_requests 1000000000; ${temporary}
       types { text/plain txt; } default_type application/octet-stream;
       server { listen 127.0.0.1:${port.nginx}; root ${root}; } }`,
  );
  start(findProgram('nginx') ?? 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')]);
  start(process.execPath, ['dist/cli.js', 'serve', 'files', root, `127.0.0.1:${port.ours}`, '-q']);
  for (const server of ['ours', 'nginx'] as const) {
    const url = `http://127.0.0.1:${port[server]}/small.txt`;
    const answers = () => spawnSync('curl', ['-sf', '-o', '/dev/null', url]).status === 0;
    for (let tries = 0; !answers(); tries++) {
      if (tries === 100) {
        throw new Error(`${server} does not answer at ${url}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function start(program: string, args: readonly string[]): void {
  running.push(spawn(program, args, { stdio: 'ignore' }));
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
  await startAll();
  for (const [what, path] of [
    ['1 kB', '/small.txt'],
    ['10 MB', '/large.bin'],
  ] as const) {
    await bench({
      question: `Requests for a file of ${what} for each second, wrk -t1 -c${CONNECTIONS}, ${SECONDS} s each`,
      unit: 'requests/s',
      runs: 3,
      contenders: [
        { name: 'nginx', role: 'peer', needs: 'nginx', figure: async () => ask('nginx', path) },
        { name: 'sockscope serve files', role: 'ours', needs: 'wrk', figure: async () => ask('ours', path) },
      ],
    });
  }
} finally {
  for (const one of running) {
    one.kill('SIGTERM');
  }
  rmSync(folder, { recursive: true, force: true });
}
