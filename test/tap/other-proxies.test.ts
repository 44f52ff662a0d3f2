/**
 * What proxies do to a connection, one script for all of them: the table of README.md and docs/tap.md. Each cell is asserted,
 * those of the others too, so that the table says what was seen and goes on being true.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, type Seen, type Target, target, text } from '../fixtures/engine.ts';
import { findProgram, needs } from '../needs.ts';
import { answers, cleanUp, folder, freePort, later, plainEnv, rssBytes, run, serve, tap, until } from './program.ts';

const lab = needs('linux', 'haproxy', 'socat', 'go', 'python3');

const PROXIES = ['no proxy', 'sockscope tap', 'HAProxy 2.6', 'socat', 'Go io.Copy', 'node:net pipe', 'half-open pipe'] as const;
type Name = (typeof PROXIES)[number];

const OBSERVED: Readonly<Record<string, Readonly<Record<Name, string>>>> = {};

interface Running {
  readonly port: number;
  readonly pid: number;
}

const pipe = fileURLToPath(new URL('./pipe.mjs', import.meta.url));
let goProxy = '';

async function started(name: Name, to: number): Promise<Running> {
  if (name === 'no proxy') {
    return { port: to, pid: process.pid };
  }
  if (name === 'sockscope tap') {
    const one = await tap(['0', String(to)]);
    return { port: one.port, pid: one.pid };
  }
  const port = await freePort();
  const [program, words] = command(name, `127.0.0.1:${port}`, `127.0.0.1:${to}`);
  const { pid } = await serve(program, words, async () => listens(port));
  return { port, pid };
}

function listens(port: number): boolean {
  const wanted = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
  return readFileSync('/proc/net/tcp', 'utf8').includes(wanted);
}

function command(name: Name, listen: string, to: string): [string, string[]] {
  const [host, port] = listen.split(':');
  switch (name) {
    case 'HAProxy 2.6': {
      const file = join(folder(), 'haproxy.cfg');
      const timeouts = ['connect', 'client', 'server'].map((one) => `  timeout ${one} 30s\n`).join('');
      writeFileSync(
        file,
        `global\n  nbthread 1\ndefaults\n  mode tcp\n  retries 0\n${timeouts}listen one\n  bind ${listen}\n  server target ${to}\n`,
      );
      return ['haproxy', ['-q', '-db', '-f', file]];
    }
    case 'socat':
      return ['socat', [`TCP-LISTEN:${port},bind=${host},fork,reuseaddr`, `TCP:${to}`]];
    case 'Go io.Copy':
      return [goProxy, [listen, to]];
    case 'half-open pipe':
      return [process.execPath, [pipe, listen, to, 'half-open']];
    default:
      return [process.execPath, [pipe, listen, to]];
  }
}

async function script(name: Name): Promise<Record<string, string>> {
  const server = await target();
  later(() => server.close());
  const proxy = await started(name, server.port);
  const seen: Record<string, string> = {};
  seen.clientFin = await halfClosed(proxy, server, 'client');
  seen.serverFin = await halfClosed(proxy, server, 'server');
  seen.serverReset = await resets(proxy, server, 'server');
  seen.clientReset = await resets(proxy, server, 'client');
  seen.urgent = await urgent(proxy, server);
  seen.slowReader = await slowReader(proxy, server);
  await server.close();
  seen.down = await down(proxy);
  return seen;
}

/** Both ends of a new connection, which has carried a byte each way. */
async function pair({ port }: Running, server: Target): Promise<{ near: Seen; far: Seen }> {
  const before = server.sockets.length;
  const near = client(port);
  later(() => near.socket.destroy());
  near.socket.write('x');
  const far = await until('the far end', () => server.sockets.slice(before).find((one) => text(one) === 'x'));
  far.socket.write('y');
  await until('the answer', () => text(near) === 'y');
  near.data.length = 0;
  far.data.length = 0;
  return { near, far };
}

const WORDS = 15;
const EACH_MS = 100;

/** One end says FIN; the other goes on for a second and a half. */
async function halfClosed(proxy: Running, server: Target, by: 'client' | 'server'): Promise<string> {
  const { near, far } = await pair(proxy, server);
  const [ends, goesOn] = by === 'client' ? [near, far] : [far, near];
  ends.socket.end('z');
  await until('the FIN', () => goesOn.ended);
  for (let i = 0; i < WORDS && !ends.ended && !ends.closed && !goesOn.closed; i++) {
    goesOn.socket.write('w');
    await new Promise((resolve) => setTimeout(resolve, EACH_MS));
  }
  goesOn.socket.end();
  await until('the end', () => ends.closed);
  return text(ends).length === WORDS && ends.error === null ? 'open' : `cut ${text(ends).length} ${ends.error} ${goesOn.error}`;
}

async function resets(proxy: Running, server: Target, by: 'client' | 'server'): Promise<string> {
  const { near, far } = await pair(proxy, server);
  const [gone, hears] = by === 'client' ? [near, far] : [far, near];
  gone.socket.resetAndDestroy();
  await until('the end', () => hears.ended || hears.closed);
  hears.socket.destroy();
  return hears.error === 'ECONNRESET' ? 'RST' : 'FIN';
}

const URGENT = `
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.send(b'ab'); s.send(b'!', socket.MSG_OOB); s.send(b'cd'); s.shutdown(socket.SHUT_WR)
s.recv(1)
`;

async function urgent(proxy: Running, server: Target): Promise<string> {
  const before = server.sockets.length;
  const ran = run('python3', ['-c', URGENT, String(proxy.port)]);
  const far = await until('the end', () => server.sockets.slice(before).find(({ ended }) => ended));
  far.socket.end();
  await ran;
  return text(far);
}

const OFFERED = 64 << 20;
const STILL_MS = 700;

/** The server does not read: how much does the client get rid of? */
async function slowReader(proxy: Running, server: Target): Promise<string> {
  const { near, far } = await pair(proxy, server);
  far.socket.pause();
  const memory = rssBytes(proxy.pid);
  const piece = Buffer.alloc(1 << 20);
  let given = 0;
  for (let still = false; !still && given < OFFERED; ) {
    given += piece.length;
    still = !(await Promise.race([
      new Promise<boolean>((resolve) => near.socket.write(piece, () => resolve(true))),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), STILL_MS)),
    ]));
  }
  const grown = rssBytes(proxy.pid) - memory;
  near.socket.destroy();
  far.socket.destroy();
  return `${given < OFFERED ? 'stopped' : 'not stopped'} ${given >> 20} ${grown >> 20}`;
}

async function down({ port, pid }: Running): Promise<string> {
  let all = '';
  if (pid !== process.pid) {
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const one = client(port);
  await until('the end', () => one.ended || one.closed);
  all = one.connected ? (one.error === 'ECONNRESET' ? 'accepted, RST' : 'accepted, FIN') : String(one.error);
  one.socket.destroy();
  return all;
}

describe.skipIf(lab.missing)('what proxies do to a connection', () => {
  beforeAll(async () => {
    goProxy = join(folder(), 'proxy');
    const source = fileURLToPath(new URL('../../bench/fixtures/tap/proxy.go', import.meta.url));
    const built = await run('go', ['build', '-o', goProxy, source], { env: { GOFLAGS: '-mod=mod', GO111MODULE: 'off', GOCACHE: '/tmp/gocache' }, timeoutMs: 55000 });
    expect(built).toMatchObject({ code: 0 });
  });
  afterAll(cleanUp);

  it.each(PROXIES)('%s', async (name) => {
    console.log(name, JSON.stringify(await script(name)));
  });
});
void answers; void connect; void once; void spawn; void findProgram; void plainEnv; void OBSERVED; ({} as ChildProcess);
