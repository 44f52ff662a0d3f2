/** What a tap costs: bulk, small messages, new connections, idle ones. Against proxies that look at nothing. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from '../test/needs.ts';
import { type Budget, bench, type Contender, remark } from './harness.ts';

const ROUNDS = 3;
const SECONDS = '0.6';
/** A proxied connection is two descriptors, and a process may have 20 000 here. */
const IDLE = 9_000;
const TICK_MS = 10;
const DIRECT = 'no proxy';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-bench-'));
const load = built('load');
const goProxy = built('proxy');

interface Proxy {
  readonly name: string;
  readonly role: Contender['role'];
  readonly needs: string;
  /** How many idle connections it can have, if fewer than others. */
  readonly idle?: number;
  command(listen: string, target: string): readonly string[];
}

const ours = (decode: string): Proxy => ({
  name: `sockscope tap --decode ${decode}`,
  role: 'ours',
  needs: 'node',
  command: (listen, target) => [
    process.execPath,
    'dist/cli.js',
    'tap',
    listen,
    target,
    '--quiet',
    '--decode',
    decode,
  ],
});

const haproxy = (threads: number): Proxy => ({
  name: threads === 1 ? 'HAProxy, 1 thread' : `HAProxy, ${threads} threads`,
  role: 'peer',
  needs: 'haproxy',
  command(listen, target) {
    const file = join(folder, `haproxy-${threads}.cfg`);
    // Without maxpipes it would want a quarter of maxconn as pipes, and more descriptors than there are.
    writeFileSync(
      file,
      `global
  maxconn ${IDLE + 10}
  maxpipes 500
  nbthread ${threads}
defaults
  mode tcp
  option splice-auto
  timeout connect 10s
  timeout client 10m
  timeout server 10m
listen bench
  bind ${listen}
  server target ${target}
`,
    );
    return ['haproxy', '-q', '-db', '-f', file];
  },
});

const socat: Proxy = {
  name: 'socat',
  role: 'peer',
  needs: 'socat',
  // A process for each.
  idle: 300,
  command(listen, target) {
    const [host, port] = listen.split(':');
    const listens = `TCP-LISTEN:${port},bind=${host},fork,reuseaddr,backlog=1024,nodelay`;
    return ['socat', '-lf', '/dev/null', listens, `TCP:${target},nodelay`];
  },
};

const NONE = ours('none');
const AUTO = ours('auto');
const HAPROXY = haproxy(1);
const HAPROXY_2 = haproxy(2);
const GO: Proxy = {
  name: 'Go io.Copy',
  role: 'peer',
  needs: 'go',
  // Two pipes for each, also while nothing is said: six descriptors.
  idle: 3_000,
  command: (listen, target) => [goProxy, listen, target],
};
const NODE: Proxy = {
  name: 'node:net pipe',
  role: 'peer',
  needs: 'node',
  command: (listen, target) => [process.execPath, 'bench/fixtures/tap/pipe.mjs', listen, target],
};
const PEERS = [HAPROXY, HAPROXY_2, GO, socat, NODE];

interface Running {
  readonly address: string;
  readonly child: ChildProcess | null;
}

/** What `load` prints, by its names. */
type Found = Readonly<Record<string, number>>;

interface Question {
  readonly question: string;
  readonly proxies: readonly Proxy[];
  readonly unit: string;
  /** What `load` is asked to do at a proxy's address. */
  work(address: string): readonly string[];
  figure(found: Found): number;
  readonly budget: readonly Budget[];
  /** Further tables from the same rounds: another figure of the same work, or the proxy's CPU time for it. */
  readonly also: readonly Also[];
}

interface Also {
  readonly question: string;
  readonly unit: string;
  readonly budget: readonly Budget[];
  /** `cpuMs` is what the proxy used during the whole run of `load`, its warm-up included. */
  figure(found: Found, cpuMs: number): number;
  readonly floorToo: boolean;
}

async function ask({ question, proxies, unit, work, figure, budget, also }: Question): Promise<void> {
  const running = new Map<Proxy | null, Running>();
  const kept = new Map<Proxy | null, { found: Found; cpuMs: number }[]>();
  const once = async (proxy: Proxy | null): Promise<number> => {
    const { address, child } = running.get(proxy)!;
    const before = cpuMs(child);
    const found = await loaded(work(address));
    const taken = { found, cpuMs: cpuMs(child) - before };
    const all = kept.get(proxy) ?? [];
    kept.set(proxy, [...all, taken]);
    return figure(found);
  };
  const contenders = (one: (proxy: Proxy | null) => () => Promise<number>): Contender[] => [
    { name: DIRECT, role: 'floor', figure: one(null) },
    ...proxies.map((proxy) => ({
      name: proxy.name,
      role: proxy.role,
      needs: proxy.needs,
      figure: one(proxy),
    })),
  ];
  await bench({
    question,
    unit,
    runs: ROUNDS,
    budget,
    contenders: contenders((proxy) => () => once(proxy)),
    async setup() {
      running.set(null, { address: server.address, child: null });
      for (const proxy of present(proxies)) {
        running.set(proxy, await start(proxy));
      }
      return async () => {
        for (const { child } of running.values()) {
          await stop(child);
        }
      };
    },
  });
  for (const { question, unit, figure, budget, floorToo } of also) {
    // The same rounds again, the warm-up included: nothing is measured a second time.
    const taken = new Map<Proxy | null, number>();
    await bench({
      question,
      unit,
      runs: ROUNDS,
      budget,
      contenders: contenders((proxy) => async () => {
        const at = taken.get(proxy) ?? 0;
        taken.set(proxy, at + 1);
        const { found, cpuMs } = kept.get(proxy)![at]!;
        return figure(found, cpuMs);
      }).filter(({ role }) => floorToo || role !== 'floor'),
    });
  }
}

function built(name: string): string {
  const to = join(folder, name);
  const { status, stderr } = spawnSync('go', ['build', '-o', to, `bench/fixtures/tap/${name}.go`], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`${name}.go needs go to be built: ${stderr}`);
  }
  return to;
}

function present(proxies: readonly Proxy[]): Proxy[] {
  return proxies.filter(({ needs }) => findProgram(needs) !== null);
}

async function startServer(): Promise<Running & { readonly child: ChildProcess }> {
  const child = spawn(load, ['serve', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [address] = await once(createInterface({ input: child.stdout }), 'line');
  return { address: String(address), child };
}

async function start(proxy: Proxy): Promise<Running> {
  const address = `127.0.0.1:${await freePort()}`;
  const [program, ...words] = proxy.command(address, server.address);
  const child = spawn(program!, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  for (let tries = 0; tries < 1000 && child.exitCode === null; tries++) {
    if (await answers(address)) {
      return { address, child };
    }
    await pause(20);
  }
  await stop(child);
  throw new Error(`${proxy.name} did not start`);
}

async function stop(child: ChildProcess | null): Promise<void> {
  if (child !== null && child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const [host, port] = address.split(':');
    const socket = connect(Number(port), host!);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function loaded(words: readonly string[]): Promise<Found> {
  const child = spawn(load, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [status] = await gone;
  if (status !== 0) {
    throw new Error(`load ${words.join(' ')} ended with ${status}`);
  }
  return JSON.parse(said) as Found;
}

/** User and system time of a process, all its threads, and its children, the living and the dead (proc_pid_stat(5), fields 14 to 17). */
function cpuMs(child: ChildProcess | null): number {
  return child === null
    ? Number.NaN
    : family(child.pid!).reduce((sum, pid) => sum + ticksOf(pid), 0) * TICK_MS;
}

function ticksOf(pid: number): number {
  const fields = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim();
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
}

function rssKib(child: ChildProcess): number {
  const one = (pid: number): number => Number(/VmRSS:\s*(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
  return family(child.pid!).reduce((sum, pid) => sum + one(pid), 0);
}

/** A child that ends meanwhile has nothing to say. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** KiB of the proxy for each idle connection. A process of its own each time: what bulk left behind would hide it. */
async function idle(proxy: Proxy): Promise<number> {
  const connections = proxy.idle ?? IDLE;
  const { address, child } = await start(proxy);
  try {
    await loaded(['ping', address, '1', '0.1', 'plain']);
    const before = rssKib(child!);
    const crowd = spawn(load, ['idle', address, String(connections)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const gone = once(crowd, 'exit');
    await Promise.race([once(createInterface({ input: crowd.stdout }), 'line'), gone]);
    if (crowd.exitCode !== null) {
      throw new Error(`${proxy.name} did not take ${connections} connections`);
    }
    const after = rssKib(child!);
    descriptors.set(proxy.name, readdirSync(`/proc/${child!.pid}/fd`).length);
    crowd.stdin.end();
    await gone;
    return (after - before) / connections;
  } finally {
    await stop(child);
  }
}

const descriptors = new Map<string, number>();
const server = await startServer();

const gigabytes: Question['figure'] = ({ bytesPerSecond }) => bytesPerSecond! / 1e9;
/** `load` runs for a quarter of its time before it counts. */
const WHOLE = 1.25 * Number(SECONDS);
const cpuPerGigabyte = (question: string): Also => ({
  question: `CPU time of the proxy for a gigabyte: ${question}`,
  unit: 'ms/GB',
  budget: [],
  figure: ({ bytesPerSecond }, cpuMs) => cpuMs / ((bytesPerSecond! * WHOLE) / 1e9),
  floorToo: false,
});

const atLeast = (proxies: readonly Proxy[], ...limits: [against: string, times: number][]): Budget[] =>
  proxies.flatMap(({ name }) => limits.map(([against, times]) => ({ ours: name, against, atLeast: times })));

async function pingPong(connections: number): Promise<void> {
  const at = connections === 1 ? '1 connection' : `${connections} connections`;
  const what = `a Redis command and its reply, 53 and 39 bytes, ${at}`;
  // The budget speaks of 1 and 32; 512 is for knowing.
  const budget = connections > 32 ? [] : [{ ours: AUTO.name, against: HAPROXY.name, atMost: 1 }];
  await ask({
    question: `Ping-pong, the median: ${what}`,
    proxies: [AUTO, ...PEERS],
    unit: 'µs',
    work: (address) => ['ping', address, String(connections), SECONDS, 'resp'],
    figure: ({ p50 }) => p50! / 1000,
    budget,
    also: [
      {
        question: `And the slowest in a hundred: ${what}`,
        unit: 'µs',
        budget,
        figure: ({ p99 }) => p99! / 1000,
        floorToo: true,
      },
      {
        question: `CPU time of the proxy for 1000 round trips: ${what}`,
        unit: 'ms',
        budget: [],
        figure: ({ perSecond }, cpuMs) => cpuMs / ((perSecond! * WHOLE) / 1000),
        floorToo: false,
      },
    ],
  });
}

async function bulk(): Promise<void> {
  const what = '4 streams of a protocol nobody knows';
  await ask({
    question: `Bulk: ${what}`,
    proxies: [NONE, AUTO, ...PEERS],
    unit: 'GB/s',
    work: (address) => ['bulk', address, '4', SECONDS],
    figure: gigabytes,
    budget: atLeast([NONE, AUTO], [HAPROXY.name, 2], [GO.name, 1.2], [DIRECT, 0.7]),
    also: [cpuPerGigabyte(what)],
  });
}

async function http(): Promise<void> {
  const what = '4 connections with keep-alive, bodies of 1 MB';
  await ask({
    question: `HTTP: ${what}; ours reads the headers`,
    proxies: [AUTO, ...PEERS],
    unit: 'GB/s',
    work: (address) => ['http', address, '4', SECONDS],
    figure: gigabytes,
    budget: atLeast([AUTO], [HAPROXY.name, 2], [GO.name, 1.2], [DIRECT, 0.7]),
    also: [cpuPerGigabyte(what)],
  });
}

async function connections(): Promise<void> {
  const what = 'connect, one byte there and back, reset; 16 at a time';
  await ask({
    question: `New connections: ${what}`,
    proxies: [NONE, AUTO, ...PEERS],
    unit: '1/s',
    work: (address) => ['connect', address, '16', SECONDS],
    figure: ({ perSecond }) => perSecond!,
    budget: atLeast([NONE, AUTO], [HAPROXY.name, 1], [GO.name, 1.5]),
    also: [
      {
        question: `CPU time of the proxy for 1000 connections: ${what}`,
        unit: 'ms',
        budget: [],
        // No warm-up here.
        figure: ({ perSecond }, cpuMs) => cpuMs / ((perSecond! * Number(SECONDS)) / 1000),
        floorToo: false,
      },
    ],
  });
}

async function idleOnes(): Promise<void> {
  const fewer = PEERS.map(({ name, idle: most }) => (most === undefined ? '' : `${name}: ${most}`));
  await bench({
    question: `Memory of the proxy for each of ${IDLE} idle connections that said one byte (${fewer.filter(Boolean).join(', ')})`,
    unit: 'KiB',
    runs: 1,
    contenders: [NONE, AUTO, ...PEERS].map((proxy) => ({
      name: proxy.name,
      role: proxy.role,
      needs: proxy.needs,
      figure: () => idle(proxy),
    })),
  });
  const counts = [...descriptors].map(([name, count]) => `${name} ${count}`).join(', ');
  remark(`20 000 descriptors is the limit here, so there were not 10 000. Open then: ${counts}`);
}

try {
  await bulk();
  await http();
  await pingPong(1);
  await pingPong(32);
  await pingPong(512);
  await connections();
  await idleOnes();
} finally {
  await stop(server.child);
  rmSync(folder, { recursive: true, force: true });
}
