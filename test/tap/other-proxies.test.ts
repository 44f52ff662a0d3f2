/**
 * What proxies do to a connection, with one script for all of them: the table of docs/tap.md and README.md. Every cell is asserted,
 * also where it is not ours, so that the table goes on saying what was seen.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Socket, sockets } from '../../src/index.ts';
import { client, type Seen, type Target, target, text } from '../fixtures/engine.ts';
import { needs } from '../needs.ts';
import { answers, cleanUp, folder, freePort, later, rssBytes, run, serve, tap, until } from './program.ts';

const lab = needs('linux', 'haproxy', 'socat', 'go', 'python3');

const PROXIES = ['no proxy', 'sockscope tap', 'HAProxy', 'socat', 'Go io.Copy', 'node:net pipe'] as const;
/** The last one is what a footnote of the table says. */
type Name = (typeof PROXIES)[number] | 'half-open pipe';

type Question = keyof typeof TABLE;

/** Rows and cells as they are printed; cells in the order of PROXIES. */
const TABLE = {
  clientFin: [
    'client says FIN, the server answers a second later',
    'arrives',
    'arrives',
    'arrives',
    'cut off',
    'arrives',
    'cut off',
  ],
  serverFin: [
    'server says FIN, the client goes on a second later',
    'arrives',
    'arrives',
    'arrives',
    'cut off',
    'arrives',
    'cut off',
  ],
  serverReset: ['server sends RST: the client gets', 'RST', 'RST', 'FIN', 'FIN', 'FIN', 'FIN'],
  clientReset: ['client sends RST: the server gets', 'RST', 'RST', 'RST', 'FIN', 'FIN', 'FIN'],
  down: [
    'nobody listens behind it: the client is',
    'refused',
    'refused',
    'accepted, then FIN',
    'accepted, then FIN',
    'accepted, then FIN',
    'accepted, then FIN',
  ],
  slowDial: [
    'one dial gets no answer: the next client',
    'goes on',
    'goes on',
    'goes on',
    'goes on',
    'goes on',
    'goes on',
  ],
  slowReader: [
    'server stops reading: the client',
    'is stopped',
    'is stopped',
    'is stopped',
    'is stopped',
    'is stopped',
    'is stopped',
  ],
  urgent: [
    'an urgent byte (`MSG_OOB`)',
    'is out of line',
    'comes in line',
    'is lost, and what follows',
    'is lost',
    'is lost, and what follows',
    'is lost',
  ],
} as const;

const QUESTIONS = Object.keys(TABLE) as Question[];

/** As it stands in the pages. */
function printed(): string {
  const rows = [
    ['', ...PROXIES],
    Array(PROXIES.length + 1).fill('---'),
    ...QUESTIONS.map((one) => TABLE[one]),
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |\n`.replace('|  |', '| |')).join('');
}

interface Running {
  readonly port: number;
  readonly pid: number;
  /** Resolves when it has seen that nobody listens behind it. */
  knows(): Promise<unknown>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
let goProxy = '';

async function started(name: Name, to: number): Promise<Running> {
  if (name === 'no proxy') {
    return { port: to, pid: process.pid, knows: () => Promise.resolve() };
  }
  if (name === 'sockscope tap') {
    const one = await tap(['0', String(to)]);
    const refuses = () => one.of('standing').at(-1)?.state === 'refusing';
    return { port: one.port, pid: one.pid, knows: () => until('it to refuse', refuses) };
  }
  const port = await freePort();
  const [program, ...words] = command(name, `127.0.0.1:${port}`, `127.0.0.1:${to}`);
  const { pid } = await serve(program!, words, async () => waiting(port) !== undefined);
  return { port, pid, knows: () => Promise.resolve() };
}

function command(name: Name, listen: string, to: string): string[] {
  const [host, port] = listen.split(':');
  switch (name) {
    case 'HAProxy': {
      const file = join(folder(), 'haproxy.cfg');
      const timeouts = ['connect', 'client', 'server'].map((one) => `  timeout ${one} 30s\n`).join('');
      const defaults = `defaults\n  mode tcp\n  retries 0\n${timeouts}`;
      writeFileSync(
        file,
        `global\n  nbthread 1\n${defaults}listen one\n  bind ${listen}\n  server target ${to}\n`,
      );
      return ['haproxy', '-q', '-db', '-f', file];
    }
    case 'socat':
      return ['socat', `TCP-LISTEN:${port},bind=${host},fork,reuseaddr`, `TCP:${to}`];
    case 'Go io.Copy':
      return [goProxy, listen, to];
    case 'half-open pipe':
      return [process.execPath, here('./pipe.mjs'), listen, to, 'half-open'];
    default:
      return [process.execPath, here('./pipe.mjs'), listen, to];
  }
}

/** Asked of the kernel with a filter: a machine may have thousands of others. */
function rows(filter: string): readonly Socket[] {
  return sockets({ filter, owners: 'never', protocols: ['tcp'], families: [4] }).sockets;
}

/** How many connections wait to be accepted. */
const waiting = (port: number): number | undefined =>
  rows(`state listening and sport = :${port}`)[0]?.accept?.used;

/** proc_pid_stat(5): the state stands behind the name, and T is "stopped". */
const stopped = (pid: number): boolean =>
  / T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1)!);

function enter(port: number): Seen {
  const one = client(port);
  later(() => one.socket.destroy());
  return one;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let pairs = 0;

/** Both ends of a new connection, which has carried something each way. */
async function pair({ port }: Running, server: Target): Promise<{ near: Seen; far: Seen }> {
  const name = `pair ${++pairs}`;
  const near = enter(port);
  near.socket.write(name);
  const far = await until('the far end', () => server.sockets.find((one) => text(one) === name));
  far.socket.write('y');
  await until('the answer', () => text(near) === 'y');
  near.data.length = 0;
  far.data.length = 0;
  return { near, far };
}

/** socat gives the other direction half a second. */
const QUIET_MS = 1000;

async function halfClose(proxy: Running, server: Target, by: 'client' | 'server'): Promise<string> {
  const { near, far } = await pair(proxy, server);
  const [ends, goesOn] = by === 'client' ? [near, far] : [far, near];
  ends.socket.end();
  await until('the FIN', () => goesOn.ended);
  await pause(QUIET_MS);
  goesOn.socket.end('late');
  await until('the end', () => ends.ended || ends.closed);
  goesOn.socket.destroy();
  return text(ends) === 'late' ? 'arrives' : 'cut off';
}

async function reset(proxy: Running, server: Target, by: 'client' | 'server'): Promise<string> {
  const { near, far } = await pair(proxy, server);
  const [gone, hears] = by === 'client' ? [near, far] : [far, near];
  gone.socket.resetAndDestroy();
  await until('the end', () => hears.ended || hears.closed);
  hears.socket.destroy();
  return hears.error === 'ECONNRESET' ? 'RST' : 'FIN';
}

/** The proxy and its children sleep while it is sent, so that they find everything at once, whatever the machine has to do. */
const URGENT = `
import os, signal, socket, sys
port, proxy = sys.argv[1:]
s = socket.create_connection(('127.0.0.1', int(port)))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.send(b'hello'); s.recv(1)
pids = []
if proxy:
    with open(f'/proc/{proxy}/task/{proxy}/children') as children:
        pids = [int(pid) for pid in [proxy] + children.read().split()]
def state(pid):
    with open(f'/proc/{pid}/stat') as stat:
        return stat.read().rpartition(')')[2].split()[0]
for pid in pids:
    os.kill(pid, signal.SIGSTOP)
    while state(pid) != 'T': pass
s.send(b'ab'); s.send(b'!', socket.MSG_OOB); s.send(b'cd'); s.shutdown(socket.SHUT_WR)
for pid in pids: os.kill(pid, signal.SIGCONT)
`;

const URGENT_MEANS: Readonly<Record<string, string>> = {
  'ab!cd': 'comes in line',
  abcd: 'is lost',
  ab: 'is lost, and what follows',
};

async function urgent(name: Name, proxy: Running, server: Target): Promise<string> {
  const sent = run('python3', [
    '-c',
    URGENT,
    String(proxy.port),
    name === 'no proxy' ? '' : String(proxy.pid),
  ]);
  const far = await until('the far end', () => server.sockets.find((one) => text(one) === 'hello'));
  far.data.length = 0;
  far.socket.write('y');
  await until('the end', () => far.ended);
  far.socket.end();
  expect(await sent).toMatchObject({ code: 0, err: '' });
  const said = text(far);
  return name === 'no proxy' && said === 'abcd' ? 'is out of line' : (URGENT_MEANS[said] ?? said);
}

const PIECE = Buffer.alloc(1 << 20);
/** More than the kernel's buffers of two connections take. */
const OFFERED = 64 * PIECE.length;
const STILL_MS = 700;
const MOST_GROWN = 32 << 20;

async function slowReader(proxy: Running, server: Target): Promise<string> {
  const { near, far } = await pair(proxy, server);
  far.socket.pause();
  const memory = rssBytes(proxy.pid);
  let given = 0;
  for (let stopped = false; !stopped && given < OFFERED; given += PIECE.length) {
    const written = new Promise<boolean>((resolve) => near.socket.write(PIECE, () => resolve(false)));
    stopped = await Promise.race([written, pause(STILL_MS).then(() => true)]);
  }
  const grown = rssBytes(proxy.pid) - memory;
  near.socket.destroy();
  far.socket.destroy();
  return given < OFFERED && (grown < MOST_GROWN || proxy.pid === process.pid)
    ? 'is stopped'
    : `goes on for ${given}, ${grown} more memory`;
}

async function down(proxy: Running): Promise<string> {
  await proxy.knows();
  const one = enter(proxy.port);
  await until('the end', () => one.ended || one.closed);
  if (!one.connected) {
    return one.error === 'ECONNREFUSED' ? 'refused' : String(one.error);
  }
  return `accepted, then ${one.error === 'ECONNRESET' ? 'RST' : 'FIN'}`;
}

const GREETS = `require('node:net').createServer((s) => s.on('error', () => {}).end('hello'))
  .listen({ host: '127.0.0.1', port: Number(process.argv[1]), backlog: 1 })`;
/** What a backlog of 1 holds: the kernel compares with "more than" (sk_acceptq_is_full). */
const FILL = 2;

/** The target's queue is full, so that it drops the SYN of one dial; when there is room again, the next client is dialled for. */
async function slowDial(name: Name): Promise<string> {
  const port = await freePort();
  const { pid } = await serve(process.execPath, ['-e', GREETS, String(port)], () => answers(port));
  const proxy = await started(name, port);
  await until('an empty queue', () => waiting(port) === 0);
  process.kill(pid, 'SIGSTOP');
  await until('it to sleep', () => stopped(pid));
  const fillers = Array.from({ length: FILL }, () => enter(port));
  await until('a full queue', () => waiting(port) === FILL && fillers.every(({ connected }) => connected));
  const first = enter(proxy.port);
  await until('a dial without an answer', () => rows(`state syn-sent and dport = :${port}`).length === 1);
  process.kill(pid, 'SIGCONT');
  await until('room', () => fillers.every((one) => text(one) === 'hello'));
  const second = enter(proxy.port);
  await until('both', () => text(first) + text(second) !== '');
  return text(second) === 'hello' ? 'goes on' : 'waits';
}

async function script(name: Name): Promise<Record<Question, string>> {
  const server = await target();
  later(() => server.close());
  const proxy = await started(name, server.port);
  const [clientFin, serverFin, slow] = await Promise.all([
    halfClose(proxy, server, 'client'),
    halfClose(proxy, server, 'server'),
    slowDial(name),
  ]);
  const serverReset = await reset(proxy, server, 'server');
  const clientReset = await reset(proxy, server, 'client');
  const outOfLine = await urgent(name, proxy, server);
  const reader = await slowReader(proxy, server);
  await server.close();
  return {
    clientFin,
    serverFin,
    serverReset,
    clientReset,
    urgent: outOfLine,
    slowReader: reader,
    slowDial: slow,
    down: await down(proxy),
  };
}

describe.skipIf(lab.missing)('what proxies do to a connection', () => {
  const seen = new Map<Name, Record<Question, string>>();

  beforeAll(async () => {
    const home = folder();
    goProxy = join(home, 'proxy');
    const built = await run('go', ['build', '-o', goProxy, here('../../bench/fixtures/tap/proxy.go')], {
      env: { GO111MODULE: 'off', GOCACHE: join(home, 'cache') },
      timeoutMs: 50_000,
    });
    expect(built).toMatchObject({ code: 0 });
    await Promise.all(
      [...PROXIES, 'half-open pipe' as const].map(async (name) => seen.set(name, await script(name))),
    );
  }, 120_000);
  afterAll(cleanUp);

  describe.each(PROXIES.map((name, at) => [name, at + 1] as const))('%s', (name, at) => {
    it.each(QUESTIONS.map((one) => [`${TABLE[one][0]}: ${TABLE[one][at]}`, one] as const))(
      '%s',
      (_, question) => {
        expect(seen.get(name)![question]).toBe(TABLE[question][at]);
      },
    );
  });

  it('with allowHalfOpen a node:net pipe passes FIN on, and is otherwise as without', () => {
    const usual = seen.get('node:net pipe');
    expect(seen.get('half-open pipe')).toEqual({ ...usual, clientFin: 'arrives', serverFin: 'arrives' });
  });

  it('docs/tap.md has this table', () => {
    expect(readFileSync(here('../../docs/tap.md'), 'utf8')).toContain(printed());
  });
});
