/** Programs whose traffic is led through a relay of this test, as root and as a plain user: `src/tap/program`. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from './needs.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lab = needs('linux', 'root', 'namespace', 'setpriv', 'curl');

/**
 * A relay as small as it can be. It writes what it hears into EVENTS, one JSON line each. VERDICT forces what becomes of every
 * connection; ENTER is a port of the program that is entered from outside as soon as it listens.
 */
const DRIVER = `
const net = require('node:net');
const dgram = require('node:dgram');
const { appendFileSync } = require('node:fs');
const { launch } = require('./launch.js');
const { forwardSignals, exitCode } = require('./forward-signals.js');
const event = (type, more) => appendFileSync(process.env.EVENTS, JSON.stringify({ type, ...more }) + '\\n');
const dialled = new Map();
const sockets = new Map();
const verdicts = { ECONNREFUSED: 'refused', EHOSTUNREACH: 'unreachable', ENETUNREACH: 'no-route' };
const program = launch({
  command: process.argv[2], args: process.argv.slice(3),
  stageEntry: __dirname + '/tap-stage.js', hook: __dirname + '/node-hook.cjs',
}, {
  started: (pid) => event('started', { pid }),
  dial(request) {
    event('dial', request);
    if (process.env.VERDICT) {
      program.verdict(request.id, process.env.VERDICT);
      return;
    }
    const upstream = net.connect({ host: request.host, port: request.port, allowHalfOpen: true });
    dialled.set(request.id, upstream);
    let stands = false;
    upstream.on('connect', () => { stands = true; program.verdict(request.id, 'go'); });
    upstream.on('error', (error) => { if (!stands) program.verdict(request.id, verdicts[error.code] ?? 'silence'); });
  },
  accepted(id, fd) {
    const upstream = dialled.get(id);
    const client = new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    event('accepted', { id, from: client.remoteAddress, to: client.localAddress });
    client.on('error', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
    client.on('close', () => event('relayed', { up: client.bytesRead, down: upstream.bytesRead }));
  },
  abandoned(id) { event('abandoned', { id }); dialled.get(id)?.destroy(); },
  flow(request) {
    event('flow', request);
    const socket = dgram.createSocket('udp' + request.family);
    const connected = new Promise((resolve) => socket.connect(request.port, request.host, resolve));
    sockets.set(request.id, { socket, connected });
    socket.on('message', (bytes) => program.send(request.id, bytes));
    socket.on('error', (error) => program.fail(request.id, error.code === 'ECONNREFUSED' ? 'refused' : 'unreachable'));
  },
  datagram(flow, bytes) {
    const copy = Buffer.from(bytes);
    const { socket, connected } = sockets.get(flow);
    connected.then(() => socket.send(copy));
  },
  flowEnded(flow) { sockets.get(flow)?.socket.close(); sockets.delete(flow); },
  listening(at, site) {
    event('listening', { at, sites: at.map(({ port }) => site(port)) });
    const wanted = at.find(({ port }) => String(port) === process.env.ENTER);
    if (wanted) program.enter(7, wanted.host, wanted.port);
  },
  entered(id, fd) {
    const inside = new net.Socket({ fd, readable: true, writable: true });
    inside.on('data', (bytes) => event('entered', { id, said: String(bytes) }));
    inside.end('from outside');
  },
  exited(code, signal) {
    event('exited', { code, signal });
    stop();
    for (const { socket } of sockets.values()) socket.close();
    process.exitCode = exitCode(code, signal);
  },
  failed(error) { console.error(error.code, error.message); stop(); process.exitCode = error.exit; },
  trouble: (text) => event('trouble', { text }),
});
if (program instanceof Error) {
  console.error(program.code, program.message);
  process.exit(program.exit);
}
const stop = forwardSignals(program);
`;

let built: string;
let scratch: string;

beforeAll(async () => {
  if (lab.missing !== null) {
    return;
  }
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  // Inside the project, so that the bundle finds koffi.
  built = mkdtempSync(join(root, 'node_modules/.cache/tap-program-'));
  const bundle = await rolldown({
    cwd: root,
    input: {
      'tap-stage': 'src/cli/tap-stage.ts',
      launch: 'src/tap/program/launch.ts',
      'forward-signals': 'src/tap/program/forward-signals.ts',
    },
    platform: 'node',
    external: ['koffi'],
    tsconfig: join(root, 'tsconfig.json'),
  });
  await bundle.write({ dir: built, format: 'cjs', entryFileNames: '[name].js' });
  await bundle.close();
  writeFileSync(join(built, 'package.json'), '{ "type": "commonjs" }');
  writeFileSync(join(built, 'driver.js'), DRIVER);
  copyFileSync(join(root, 'src/tap/program/node-hook.cjs'), join(built, 'node-hook.cjs'));
  chmodSync(built, 0o755);
  scratch = mkdtempSync(join(tmpdir(), 'sockscope-program-test-'));
  chmodSync(scratch, 0o777);
});

afterAll(() => {
  for (const folder of [built, scratch].filter(Boolean)) {
    rmSync(folder, { recursive: true, force: true });
  }
});

type Event = Record<string, unknown> & { type: string };

interface Ran {
  status: number | null;
  out: string;
  err: string;
  events: Event[];
  temporary: string;
}

interface Running {
  child: ChildProcess;
  ended: Promise<Ran>;
  events(): Event[];
  heard(type: string, matches?: (event: Event) => boolean): Promise<Event>;
}

let runs = 0;

function start(uid: number, words: string[], environment: Record<string, string> = {}): Running {
  const place = join(scratch, `run-${++runs}`);
  mkdirSync(place);
  chmodSync(place, 0o777);
  const file = join(place, 'events');
  writeFileSync(file, '');
  chmodSync(file, 0o666);
  const driver = [process.execPath, join(built, 'driver.js'), ...words];
  const plain = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...driver];
  const [command, args] = uid === 0 ? [driver[0]!, driver.slice(1)] : ['setpriv', plain];
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const child = spawn(command, args, {
    env: { ...inherited, EVENTS: file, TMPDIR: place, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  const events = (): Event[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const temporary = (): string =>
    readdirSync(place)
      .filter((name) => name !== 'events')
      .join();
  return {
    child,
    events,
    ended: once(child, 'close').then(([status]) => ({
      status,
      out,
      err,
      events: events(),
      temporary: temporary(),
    })),
    heard: (type, matches = () => true) =>
      until(() => events().find((event) => event.type === type && matches(event))),
  };
}

const run = (uid: number, words: string[], environment?: Record<string, string>): Promise<Ran> =>
  start(uid, words, environment).ended;

async function until<T>(look: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (performance.now() > deadline) {
      throw new Error('it did not come');
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}/exe`) && exe(pid) !== '';

function exe(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

const namespaceOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`);

function peopleOf(namespace: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return Number.isInteger(pid) && readlinkSync(`/proc/${pid}/ns/net`) === namespace;
      } catch {
        return false;
      }
    });
}

async function serve(host: string, each: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    each(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return server;
}

const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;

async function freePort(): Promise<number> {
  const server = await serve('127.0.0.1', () => {});
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

const hasIpv6 =
  existsSync('/proc/net/if_inet6') && readFileSync('/proc/net/if_inet6', 'utf8').includes(' lo');

const HELLO = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n';

describe.skipIf(lab.missing)('a program behind a tap', () => {
  describe.each([
    ['root', 0],
    ['a plain user', 65_534],
  ])('of %s', (_, uid) => {
    it.each([
      ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
      ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
      ...(hasIpv6 ? [['[::1]', '::1', '::1']] : []),
    ])('reaches a server outside at %s through the relay', async (typed, host, listen) => {
      const server = await serve(listen!, (socket) => socket.once('data', () => socket.end(HELLO)));
      const port = portOf(server);
      const ran = await run(uid, ['curl', '-sS', `http://${typed}:${port}/`]);
      server.close();
      expect(ran).toMatchObject({ out: 'hello\n', status: 0, err: '' });
      const started = ran.events.find(({ type }) => type === 'started');
      expect(ran.events).toContainEqual(
        expect.objectContaining({ type: 'dial', host, port, pid: started?.pid, name: 'curl' }),
      );
      expect(ran.events).toContainEqual(expect.objectContaining({ type: 'accepted', from: host, to: host }));
      expect(ran.events).toContainEqual({ type: 'relayed', up: expect.any(Number), down: HELLO.length });
    });

    it('is refused where nobody listens', async () => {
      const port = await freePort();
      const script = `require('net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code, e.address))`;
      expect((await run(uid, [process.execPath, '-e', script])).out).toBe('ECONNREFUSED 127.0.0.1\n');
    });

    it.each([
      ['unreachable', 'EHOSTUNREACH'],
      ['no-route', 'ENETUNREACH'],
      ['refused', 'ECONNREFUSED'],
    ])('hears %s as %s, over IPv4 and IPv6', async (verdict, code) => {
      const hosts = hasIpv6 ? ['198.51.100.9', '::1'] : ['198.51.100.9'];
      const script = hosts
        .map((host) => `require('net').connect(81, '${host}').on('error', (e) => console.log(e.code))`)
        .join(';');
      const ran = await run(uid, [process.execPath, '-e', script], { VERDICT: verdict });
      expect(ran.out).toBe(`${code}\n`.repeat(hosts.length));
    });

    it('waits in vain where there is silence, and its giving up is told', async () => {
      const script = `const s = require('net').connect(81, '198.51.100.9').on('error', (e) => console.log(e.code));
        setTimeout(() => { console.log(s.connecting); s.destroy(); }, 300);`;
      const silent = await run(uid, [process.execPath, '-e', script], { VERDICT: 'silence' });
      expect(silent.out).toBe('true\n');
      const given = `const s = require('net').connect(81, '198.51.100.9'); setTimeout(() => s.destroy(), 100); setInterval(() => {}, 1000)`;
      const running = start(uid, [process.execPath, '-e', given], { VERDICT: 'later' });
      await running.heard('abandoned');
      running.child.kill('SIGTERM');
      await running.ended;
    });

    it('says and hears 8 MB each way without a byte changed', async () => {
      const hash = createHash('sha256');
      const reply = randomBytes(8_000_000);
      const server = await serve('127.0.0.1', (socket) => {
        socket.on('data', (bytes) => hash.update(bytes));
        socket.on('end', () => socket.end(reply));
      });
      const script = `
        const { createHash, randomBytes } = require('crypto');
        const digest = (b) => createHash('sha256').update(b).digest('hex');
        const sent = randomBytes(8e6), got = [];
        const s = require('net').connect({ port: ${portOf(server)}, host: '127.0.0.1', allowHalfOpen: true });
        s.on('data', (b) => got.push(b)).on('end', () => console.log(digest(sent), digest(Buffer.concat(got))));
        s.end(sent);`;
      const ran = await run(uid, [process.execPath, '-e', script]);
      server.close();
      const expected = createHash('sha256').update(reply).digest('hex');
      expect(ran.out.trim()).toBe(`${hash.digest('hex')} ${expected}`);
    });

    it('what it wrote last arrives although it has ended', async () => {
      let got = 0;
      const server = await serve('127.0.0.1', (socket) => {
        socket.on('data', (bytes) => {
          got += bytes.length;
        });
        socket.on('end', () => socket.end());
      });
      const script = `const s = require('net').connect(${portOf(server)}, '127.0.0.1', () => s.write(Buffer.alloc(300000), () => process.exit()))`;
      const ran = await run(uid, [process.execPath, '-e', script]);
      expect(ran.status).toBe(0);
      await until(() => got === 300_000);
      server.close();
    });

    it('is itself: its user, its folder, its exit status', async () => {
      const ran = await run(uid, ['sh', '-c', 'id -u; id -g; pwd; exit 5']);
      expect(ran).toMatchObject({ out: `${uid}\n${uid}\n${process.cwd()}\n`, status: 5 });
      expect((await run(uid, ['sh', '-c', 'kill -9 $$'])).status).toBe(137);
    });

    it('gets the signals that sockscope gets, and decides', async () => {
      const ready = join(scratch, `ready-${runs}-${uid}`);
      const script = `trap 'echo asked; exit 9' TERM; : > ${ready}; while :; do sleep 0.05; done`;
      const running = start(uid, ['sh', '-c', script]);
      await until(() => existsSync(ready));
      running.child.kill('SIGTERM');
      expect(await running.ended).toMatchObject({ out: 'asked\n', status: 9 });
      const other = start(uid, ['sleep', '60']);
      await other.heard('started');
      other.child.kill('SIGINT');
      expect((await other.ended).status).toBe(130);
    });

    it('leaves no process, no namespace and no file behind', async () => {
      const running = start(uid, ['sh', '-c', 'sleep 300 & echo $!; read line < /dev/null; sleep 0.2']);
      const { pid } = await running.heard('started');
      const namespace = namespaceOf(pid as number);
      expect(namespace).not.toBe(namespaceOf(process.pid));
      const ran = await running.ended;
      expect(alive(Number(ran.out))).toBe(false);
      expect(peopleOf(namespace)).toEqual([]);
      expect(ran.temporary).toBe('');
    });

    it('ends when sockscope is killed', async () => {
      const running = start(uid, ['sh', '-c', 'sleep 300']);
      const { pid } = await running.heard('started');
      const namespace = namespaceOf(pid as number);
      running.child.kill('SIGKILL');
      await until(() => peopleOf(namespace).length === 0);
      const { temporary } = await running.ended;
      expect(temporary).toBe('');
    });

    it('serves itself at every address it has, and outside can come in through the tap', async () => {
      const port = await freePort();
      const hosts = ['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])];
      const script = `
        const net = require('net');
        const server = net.createServer((c) => c.on('data', (b) => { c.end('heard ' + b); if (String(b) === 'from outside') server.close(); }));
        server.listen(${port}, () => {
          for (const host of ${JSON.stringify(hosts)}) {
            net.connect(${port}, host, function () { this.end(host); }).on('data', (b) => console.log(String(b)));
          }
        });`;
      const ran = await run(uid, [process.execPath, '-e', script], { ENTER: String(port) });
      expect(ran.out.trim().split('\n').sort()).toEqual(hosts.map((host) => `heard ${host}`).sort());
      expect(ran.events.filter(({ type }) => type === 'dial')).toEqual([]);
      expect(ran.events).toContainEqual({ type: 'entered', id: 7, said: 'heard from outside' });
    });

    it('sends datagrams of every size to itself and to others, and hears that a port is closed', async () => {
      const closed = await freePort();
      const script = `
        const dgram = require('dgram');
        const own = dgram.createSocket('udp4').on('message', (m) => { console.log('own', m.length); own.close(); });
        own.bind(0, '127.0.0.1', () => {
          const s = dgram.createSocket('udp4');
          s.send(Buffer.alloc(60000), own.address().port, '127.0.0.1', () => s.close());
        });
        const lost = dgram.createSocket('udp4').on('error', (e) => { console.log(e.code); lost.close(); });
        lost.connect(${closed}, '127.0.0.1', () => lost.send('x'));
        const big = dgram.createSocket('udp4').on('message', (m) => { console.log('back', m.length); big.close(); });
        big.send(Buffer.alloc(50000), Number(process.argv[1]), '127.0.0.1');`;
      const { createSocket } = await import('node:dgram');
      const echo = createSocket('udp4');
      echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
      echo.bind(0, '127.0.0.1');
      await once(echo, 'listening');
      const ran = await run(uid, [process.execPath, '-e', script, String(echo.address().port)]);
      echo.close();
      expect(ran.out.trim().split('\n').sort()).toEqual(['ECONNREFUSED', 'back 50000', 'own 60000']);
    });

    it('a Node program tells the line that connects and the line that listens', async () => {
      const server = await serve('127.0.0.1', (socket) => socket.end());
      const port = await freePort();
      const file = join(scratch, `lines-${uid}.js`);
      writeFileSync(
        file,
        `const net = require('node:net');
function open() {
  return net.connect(${portOf(server)}, '127.0.0.1');
}
const own = net.createServer().listen(${port}, '127.0.0.1', () => {
  open().resume();
});
own.on('connection', (socket) => own.close(() => {}) && socket.resume().end('seen'));
`,
      );
      const ran = await run(uid, [process.execPath, file], {
        NODE_OPTIONS: '--no-warnings',
        ENTER: String(port),
      });
      server.close();
      expect(ran.status).toBe(0);
      const dial = ran.events.find(({ type }) => type === 'dial');
      expect(dial?.site).toEqual({ file, line: 3, column: 14, function: 'open' });
      const sites = ran.events.flatMap((event) =>
        event.type === 'listening' ? (event.sites as unknown[]) : [],
      );
      expect(sites).toContainEqual(expect.objectContaining({ what: 'listen', port, file, line: 5 }));
    });

    it('a command that is not there is said before anything is started', async () => {
      const ran = await run(uid, ['no-such-program']);
      expect(ran.status).toBe(2);
      expect(ran.err).toBe('NO_PROGRAM There is no program no-such-program.\n');
    });
  });

  it.skipIf(needs('redis-server', 'redis-cli').missing)('redis-cli sees what it sees outside', async () => {
    const port = await freePort();
    const redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    redis.stdout.on('data', (bytes) => {
      said += bytes;
    });
    await until(() => said.includes('Ready to accept'));
    const words = ['redis-cli', '-p', String(port), '-r', '3', 'INCR', 'n'];
    const ran = await run(65_534, words);
    redis.kill();
    await once(redis, 'close');
    expect(ran.out).toBe('1\n2\n3\n');
  });

  it.skipIf(needs('dnsmasq', 'dig').missing)(
    'dig hears a server outside, over UDP and over TCP',
    async () => {
      const port = await freePort();
      const dnsmasq = spawn(
        'dnsmasq',
        [
          '--no-daemon',
          `--port=${port}`,
          '--listen-address=127.0.0.1',
          '--bind-interfaces',
          '--no-resolv',
          '--no-hosts',
          '--address=/x.test/192.0.2.77',
          '--user=root',
          '--conf-file=/dev/null',
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let said = '';
      dnsmasq.stderr.on('data', (bytes) => {
        said += bytes;
      });
      await until(() => said.includes('started'));
      const dig = `dig +short +tries=2 -p ${port} @127.0.0.1 x.test`;
      const ran = await run(65_534, ['sh', '-c', `${dig}; ${dig} +tcp`]);
      dnsmasq.kill();
      await once(dnsmasq, 'close');
      expect(ran.out).toBe('192.0.2.77\n192.0.2.77\n');
      expect(ran.events).toContainEqual(
        expect.objectContaining({ type: 'flow', host: '127.0.0.1', port, name: 'dig' }),
      );
    },
  );

  it('names the setting that forbids namespaces', () => {
    const driver = `echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all "$@"`;
    const done = spawnSync(
      'unshare',
      ['-Ur', 'sh', '-c', driver, 'sh', process.execPath, join(built, 'driver.js'), 'true'],
      { encoding: 'utf8', env: { ...process.env, EVENTS: '/dev/null' } },
    );
    expect(done.stderr).toContain(
      'NO_NAMESPACES This user may not make a network namespace: user.max_user_namespaces is 0.',
    );
    expect(done.status).toBe(3);
  });
});
