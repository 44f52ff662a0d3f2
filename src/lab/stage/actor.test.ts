/** Real programs on this machine's loopback, each a process of its own, spoken to as the stage does. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { spawnActor } from '../../kernel/spawn-lab.ts';
import type { Call, Program } from '../api.ts';
import { startProgram } from './program.ts';
import type { RawCall } from './protocol.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const linux = needs('linux');
const PATIENCE_MS = 10_000;

let folder = '';
let entry = '';
const ending: (() => Promise<void>)[] = [];

beforeAll(async () => {
  // Below node_modules, so that the bundle finds koffi.
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  folder = mkdtempSync(join(root, 'node_modules/.cache/actor-test-'));
  entry = join(folder, 'actor.mjs');
  const bundle = await rolldown({
    input: join(root, 'src/cli/lab-actor.ts'),
    platform: 'node',
    external: ['koffi'],
  });
  await bundle.write({ file: entry, format: 'esm', codeSplitting: false });
  await bundle.close();
});
afterEach(async () => {
  await Promise.all(ending.splice(0).map((end) => end()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Watched {
  readonly program: Program;
  readonly calls: RawCall[];
  /** The first call that fits, told so far or later. */
  told(fits: (call: RawCall) => boolean): Promise<RawCall>;
}

const names = { here: '127.0.0.1' };

const setup = (): string =>
  JSON.stringify({
    host: 'here',
    names,
    start: { monotonic: String(process.hrtime.bigint()), realtime: '0' },
  });

async function start(): Promise<Watched> {
  const calls: RawCall[] = [];
  const running = await startProgram({
    host: 'here',
    process: spawnActor({ entry, setup: setup() }),
    onCall: (call) => void calls.push(call),
  });
  ending.push(() => running.end());
  return {
    program: running.program,
    calls,
    told: (fits) => until(() => calls.find(fits)),
  };
}

async function until<T>(look: () => T | undefined | false): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error('it did not happen in time');
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const began = (name: string) => (call: RawCall) => call.name === name && call.took === null;

async function listenSomewhere({ program }: Watched, options = {}): Promise<[fd: number, address: string]> {
  const fd = await program.listening('127.0.0.1:0', options);
  return [fd, String((await program.getsockname(fd)).value)];
}

interface Pair {
  readonly it: Watched;
  readonly client: number;
  readonly server: number;
  readonly address: string;
}

async function pair(): Promise<Pair> {
  const watched = await start();
  const [listener, address] = await listenSomewhere(watched);
  const client = await watched.program.connected(address);
  const server = await watched.program.accepted(listener);
  return { it: watched, client, server, address };
}

const outcome = ({ result, errno }: Call) => errno ?? result;

describe.skipIf(linux.missing)('a program of the lab', () => {
  it('waits in accept, and tells of it when it begins and again, under the same number, when a peer came', async () => {
    const server = await start();
    const [listener, address] = await listenSomewhere(server);
    const accepting = server.program.accept(listener);
    const begin = await server.told(began('accept4'));
    expect(begin).toMatchObject({
      fd: listener,
      result: null,
      args: [listener, null, 'SOCK_CLOEXEC'],
      host: 'here',
      pid: server.program.pid,
    });

    const client = await start();
    const fd = await client.program.connected(address);
    const accepted = await accepting;
    const me = (await client.program.getsockname(fd)).value;
    expect(accepted).toMatchObject({ errno: null, value: me });
    expect(accepted.result).toBeGreaterThan(2);
    const end = await server.told((call) => call.call === begin.call && call.took !== null);
    expect(end.at).toBe(begin.at);
    expect(end.took).toBe(accepted.took);
    expect(`${end.tuple?.peer.address}:${end.tuple?.peer.port}`).toBe(me);
    expect(server.calls.filter(({ call }) => call === begin.call)).toHaveLength(2);
  });

  it('waits in recv until bytes come; what is there already is one record', async () => {
    const { it: watched, client, server } = await pair();
    const { program } = watched;
    const receiving = program.recv(server);
    const begin = await watched.told(began('recv'));
    expect(begin.args).toEqual([server, null, 65536, 0]);
    expect(await program.send(client, 'hello\n', ['MSG_NOSIGNAL'])).toMatchObject({ result: 6, errno: null });
    const got = await receiving;
    expect(got).toMatchObject({ result: 6, text: 'hello\n', errno: null });
    expect(got.bytes).toEqual(new TextEncoder().encode('hello\n'));
    const sent = await watched.told(({ name }) => name === 'send');
    expect(sent.args).toEqual([client, '"hello\\n"', 6, 'MSG_NOSIGNAL']);
    expect(sent.tuple).toMatchObject({ protocol: 'tcp', local: { address: '127.0.0.1' } });

    await program.send(client, 'again');
    const before = watched.calls.length;
    expect((await program.recv(server)).text).toBe('again');
    expect(watched.calls.slice(before)).toMatchObject([
      { name: 'recv', result: 5, args: [server, '"again"', 65536, 0] },
    ]);
  });

  it('gives ECONNREFUSED for a port where nobody listens, and says so when a verb of several calls meets it', async () => {
    const { program } = await start();
    const { result: bound } = await program.socket();
    await program.bind(bound, '127.0.0.1:0');
    const address = String((await program.getsockname(bound)).value);
    const { result: fd } = await program.socket();
    expect(outcome(await program.connect(fd, address))).toBe('ECONNREFUSED');
    await expect(program.connected(address)).rejects.toThrow(
      `connect to ${address} failed with ECONNREFUSED`,
    );
  });

  it('gives EADDRINUSE for a port that another socket listens on', async () => {
    const watched = await start();
    const [, address] = await listenSomewhere(watched);
    await expect(watched.program.listening(address)).rejects.toThrow(
      /^(bind to|listen on) \S+ failed with EADDRINUSE$/,
    );
  });

  it('is woken from accept by a shutdown of its listener: EINVAL', async () => {
    const watched = await start();
    const [listener] = await listenSomewhere(watched);
    const accepting = watched.program.accept(listener);
    await watched.told(began('accept4'));
    await watched.program.shutdown(listener, 'both');
    expect(outcome(await accepting)).toBe('EINVAL');
  });

  it('reads ECONNRESET once after a reset, and then the end; its record still knows where the socket was', async () => {
    const { it: watched, client, server, address } = await pair();
    const { program } = watched;
    await program.setsockopt(server, 'SO_LINGER', 0);
    const receiving = program.recv(client);
    await program.close(server);
    expect(outcome(await receiving)).toBe('ECONNRESET');
    expect(outcome(await program.recv(client))).toBe(0);
    const last = watched.calls.at(-1);
    expect(`${last?.tuple?.peer.address}:${last?.tuple?.peer.port}`).toBe(address);
    expect(last?.tuple?.local.port).toBeGreaterThan(0);
    expect(outcome(await program.send(client, 'x', ['MSG_NOSIGNAL']))).toBe('EPIPE');
  });

  it('connects without waiting when asked to, and asks the socket how it went', async () => {
    const watched = await start();
    const { program } = watched;
    const [, address] = await listenSomewhere(watched);
    const { result: fd } = await program.socket('tcp', { nonblock: true });
    expect(['EINPROGRESS', 0]).toContain(
      outcome(await program.connect(fd, address.replace('127.0.0.1', 'here'))),
    );
    expect((await program.poll({ [fd]: ['POLLOUT'] }, 5000)).value).toEqual({ [fd]: ['POLLOUT'] });
    expect((await program.getsockopt(fd, 'SO_ERROR')).value).toBe(0);
    expect(watched.calls.find(({ name }) => name === 'connect')?.tuple?.local.port).toBeGreaterThan(0);
  });

  it('cuts a datagram and says so, and gives its whole length when asked to', async () => {
    const { program } = await start();
    const { result: to } = await program.socket('udp');
    await program.bind(to, '127.0.0.1:0');
    const address = String((await program.getsockname(to)).value);
    const { result: from } = await program.socket('udp');
    expect(outcome(await program.sendto(from, '0123456789', address))).toBe(10);
    expect(outcome(await program.sendto(from, '0123456789', address))).toBe(10);
    expect(await program.recvmsg(to, 4)).toMatchObject({
      result: 4,
      text: '0123',
      value: {
        flags: ['MSG_TRUNC'],
        from: (await program.getsockname(from)).value?.toString().replace('0.0.0.0', '127.0.0.1'),
      },
    });
    expect(await program.recv(to, 4, ['MSG_TRUNC'])).toMatchObject({ result: 10, text: '0123' });
  });

  it('knows both ends of a datagram although its sockets are bound to every address', async () => {
    const watched = await start();
    const { program } = watched;
    const { result: to } = await program.socket('udp');
    await program.bind(to, '*:0');
    const port = String((await program.getsockname(to)).value).split(':')[1];
    const { result: from } = await program.socket('udp');
    await program.sendto(from, 'x', `here:${port}`);
    await program.recvmsg(to);
    const [sent, received] = watched.calls.slice(-2).map(({ tuple }) => tuple);
    expect(sent).toMatchObject({
      protocol: 'udp',
      local: { address: '127.0.0.1' },
      peer: { address: '127.0.0.1', port: Number(port) },
    });
    expect(received).toEqual({ protocol: 'udp', local: sent?.peer, peer: sent?.local });
  });

  it.each(['udp', 'udp6'] as const)(
    'finds in the error queue of a %s socket who said that the port is closed',
    async (kind) => {
      const { program } = await start();
      const loopback = kind === 'udp' ? '127.0.0.1' : '[::1]';
      const { result: gone } = await program.socket(kind);
      if ((await program.bind(gone, `${loopback}:0`)).errno === 'EADDRNOTAVAIL') {
        // This machine has no IPv6.
        return;
      }
      const address = String((await program.getsockname(gone)).value);
      await program.close(gone);
      const { result: fd } = await program.socket(kind);
      await program.setsockopt(fd, kind === 'udp' ? 'IP_RECVERR' : 'IPV6_RECVERR', 1);
      await program.sendto(fd, 'anybody?', address);
      expect((await program.poll({ [fd]: [] }, 5000)).value).toEqual({ [fd]: ['POLLERR'] });
      const { value } = await program.recvmsg(fd, 100, ['MSG_ERRQUEUE']);
      expect(value).toMatchObject({
        from: address,
        flags: ['MSG_ERRQUEUE'],
        error:
          kind === 'udp'
            ? { errno: 'ECONNREFUSED', origin: 'ICMP', type: 3, code: 3, offender: '127.0.0.1' }
            : { errno: 'ECONNREFUSED', origin: 'ICMP6', type: 1, code: 4, offender: '::1' },
      });
    },
  );

  it('has fifty calls waiting at a time, and each gets its own errno', async () => {
    const watched = await start();
    const { program } = watched;
    const waits: Promise<Call>[] = [];
    const wake: (() => Promise<unknown>)[] = [];
    for (let i = 0; i < 25; i++) {
      const listener = await program.listening('127.0.0.1:0', { backlog: 1 });
      const address = String((await program.getsockname(listener)).value);
      const fd = await program.connected(address);
      const server = await program.accepted(listener);
      waits.push(program.accept(listener), program.recv(fd));
      wake.push(async () => {
        await program.shutdown(listener, 'both');
        await program.setsockopt(server, 'SO_LINGER', i % 2 === 0 ? 0 : -1);
        await program.close(server);
      });
    }
    await until(() => watched.calls.filter(({ took }) => took === null).length >= 50);
    await Promise.all(wake.map((run) => run()));
    const outcomes = (await Promise.all(waits)).map(outcome);
    expect(outcomes).toEqual(
      Array.from({ length: 25 }, (_, i) => ['EINVAL', i % 2 === 0 ? 'ECONNRESET' : 0]).flat(),
    );
  });

  it('refuses a call that it has no thread left for, instead of making it late', async () => {
    const watched = await start();
    const { program } = watched;
    const [listener] = await listenSomewhere(watched);
    const waiting = Array.from({ length: 64 }, () => program.accept(listener));
    await expect(program.accept(listener)).rejects.toThrow('64 calls of this program are waiting');
    await program.shutdown(listener, 'both');
    expect((await Promise.all(waiting)).map(outcome)).toEqual(Array.from({ length: 64 }, () => 'EINVAL'));
  });

  it('runs out of descriptors where it was told to: EMFILE, from accept with an empty queue too', async () => {
    const watched = await start();
    const { program } = watched;
    const [listener] = await listenSomewhere(watched);
    const { result: highest } = await program.open('/dev/null');
    const limited = await program.setrlimit('NOFILE', highest + 3);
    expect(limited).toMatchObject({ errno: null });
    expect(limited.value).toBeGreaterThan(highest + 3);
    expect(outcome(await program.dup(listener))).toBe(highest + 1);
    expect(outcome(await program.pipe())).toBe('EMFILE');
    expect(outcome(await program.open('/dev/null'))).toBe(highest + 2);
    expect(outcome(await program.dup(listener))).toBe('EMFILE');
    expect(outcome(await program.accept(listener))).toBe('EMFILE');
    await program.close(highest);
    const { result, value } = await program.socket('udp');
    expect([result, value]).toEqual([highest, null]);
  });

  it('has pipes, and a copy of a descriptor keeps the connection open', async () => {
    const { it: watched, client, server } = await pair();
    const { program } = watched;
    expect((await program.pipe()).value).toEqual([expect.any(Number), expect.any(Number)]);
    const { result: copy } = await program.dup(client);
    await program.close(client);
    await program.send(copy, 'still here');
    expect((await program.recv(server)).text).toBe('still here');
    await program.close(copy);
    expect(outcome(await program.recv(server))).toBe(0);
    expect(outcome(await program.close(copy))).toBe('EBADF');
  });

  it('waits with epoll, edge-triggered, and is told once', async () => {
    const { it: watched, client, server } = await pair();
    const { program } = watched;
    const { result: epoll } = await program.epollCreate();
    expect(outcome(await program.epollCtl(epoll, 'add', server, ['EPOLLIN', 'EPOLLET']))).toBe(0);
    const waiting = program.epollWait(epoll, 10, -1);
    await watched.told(began('epoll_wait'));
    await program.send(client, 'x');
    expect(await waiting).toMatchObject({ result: 1, value: { [server]: ['EPOLLIN'] } });
    expect(await program.epollWait(epoll, 10, 0)).toMatchObject({ result: 0, value: {} });
    expect(outcome(await program.epollCtl(epoll, 'add', server, ['EPOLLIN']))).toBe('EEXIST');
  });

  it('finds the urgent mark, and how much waits to be read', async () => {
    const { it: watched, client, server } = await pair();
    const { program } = watched;
    await program.send(client, 'ab');
    await program.send(client, 'Z', ['MSG_OOB']);
    expect((await program.poll({ [server]: ['POLLPRI'] }, 5000)).value).toEqual({ [server]: ['POLLPRI'] });
    expect((await program.ioctl(server, 'SIOCATMARK')).value).toBe(0);
    expect((await program.recv(server)).text).toBe('ab');
    expect((await program.ioctl(server, 'SIOCATMARK')).value).toBe(1);
    expect((await program.recv(server, 1, ['MSG_OOB'])).text).toBe('Z');
  });

  it('sends more than the peer has room for by waiting for it, and receives all of it', async () => {
    const { it: watched, client, server } = await pair();
    const { program } = watched;
    const sending = program.send(client, 20_000_000);
    await watched.told(began('send'));
    const got = await program.received(server, 20_000_000);
    expect(outcome(await sending)).toBe(20_000_000);
    expect(got.bytes).toHaveLength(20_000_000);
    expect(got.text.slice(0, 27)).toBe('abcdefghijklmnopqrstuvwxyza');
    await program.shutdown(client, 'write');
    expect(await program.received(server, 1)).toMatchObject({ result: 0, text: '' });
  });

  it('lingers in close for as long as SO_LINGER says', async () => {
    const { it: watched, client } = await pair();
    const { program } = watched;
    await program.setsockopt(client, 'SO_LINGER', 1);
    await program.fcntl(client, 'O_NONBLOCK', true);
    let more: Call;
    do {
      more = await program.send(client, 1_000_000);
    } while (more.errno === null);
    expect(more.errno).toBe('EAGAIN');
    const closed = await program.close(client);
    expect(closed.result).toBe(0);
    expect(closed.took).toBeGreaterThan(0.9e9);
    expect(watched.calls.some(began('close'))).toBe(true);
  });

  it('ignores SIGPIPE as Node does, until it is told to die of it as a C program would', async () => {
    const { it: watched, client } = await pair();
    const { program } = watched;
    await program.shutdown(client, 'write');
    expect(outcome(await program.send(client, 'x'))).toBe('EPIPE');
    expect(outcome(await program.signal('SIGPIPE', 'default'))).toBe(0);
    await expect(program.send(client, 'x')).rejects.toThrow(/SIGPIPE/);
    expect(await program.exited).toEqual({ code: null, signal: 'SIGPIPE' });
  });

  it('becomes another program and keeps its pid, with what was not close-on-exec', async () => {
    const watched = await start();
    const { program } = watched;
    const { result: kept } = await program.socket('udp', { inherit: true });
    const { result: closed } = await program.socket('udp');
    const exec = program.exec('sh', ['-c', `ls -l /proc/$$/fd > ${folder}/became-$$; exec sleep 1000`]);
    const begin = await watched.told(began('execve'));
    expect(begin.args[1]).toEqual(['sh', '-c', expect.any(String)]);
    const { pid } = program;
    await until(() => command(pid) === 'sleep\u00001000\0');
    const open = readFileSync(join(folder, `became-${pid}`), 'utf8');
    expect(open).toMatch(new RegExp(` ${kept} -> socket:`));
    expect(open).not.toMatch(new RegExp(` ${closed} -> `));
    await program.kill('SIGTERM');
    await exec;
    expect(await program.exited).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('says why it cannot become another program, and stays what it is', async () => {
    const watched = await start();
    await expect(watched.program.exec('no-such-program')).rejects.toThrow(
      'exec of no-such-program failed with ENOENT',
    );
    expect(watched.calls.at(-1)).toMatchObject({ name: 'execve', result: -1, errno: 'ENOENT' });
    expect(outcome(await watched.program.socket())).toBeGreaterThan(2);
  });

  it('starts children that inherit what is not close-on-exec, hears them, and tells how they ended', async () => {
    const watched = await start();
    const { program } = watched;
    const { result: kept } = await program.socket('udp', { inherit: true });
    const child = await program.spawn('sh', [
      '-c',
      'read word; echo "got $word"; ls -l /proc/$$/fd >&2; exit 3',
    ]);
    expect(watched.calls.at(-1)).toMatchObject({ name: 'execve', result: child.pid });
    await child.write('this\n');
    expect(await child.prints(/got/)).toBe('got this\n');
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(await child.stderr()).toMatch(new RegExp(` ${kept} -> socket:`));
    const sleeper = await program.spawn('sleep', ['1000']);
    await sleeper.kill('SIGKILL');
    expect(await sleeper.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(program.spawn('no-such-program')).rejects.toThrow(
      'spawn of no-such-program failed with ENOENT',
    );
  });

  it('exits with the status it is given although calls of it still wait', async () => {
    const watched = await start();
    const [listener] = await listenSomewhere(watched);
    void watched.program.accept(listener).catch(() => {});
    await watched.told(began('accept4'));
    await watched.program.exit(7);
    expect(await watched.program.exited).toEqual({ code: 7, signal: null });
    expect(watched.calls.at(-1)).toMatchObject({ name: 'exit_group', args: [7], took: null });
  });

  it('ends when nobody speaks with it any more, although calls of it still wait', async () => {
    const silent = spawnActor({ entry, setup: setup() });
    const { program } = await startProgram({ host: 'here', process: silent, onCall() {} });
    const listener = await program.listening('127.0.0.1:0');
    void program.accept(listener);
    await program.getsockname(listener);
    silent.disconnect();
    await until(() => !isAlive(program.pid));
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function command(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

describe.skipIf(linux.missing)('what no system call can be made of', () => {
  let program: Program;
  const asked: [what: string, ask: () => Promise<unknown>, sentence: string][] = [
    [
      'an option',
      () => program.setsockopt(900, 'SO_REUSEADR', 1),
      'no SO_REUSEADR; did you mean SO_REUSEADDR?',
    ],
    [
      'an option far from all',
      () => program.getsockopt(900, 'TCP_WHATEVER'),
      'known are TCP_NODELAY, TCP_MAXSEG',
    ],
    ['a value', () => program.setsockopt(900, 'SO_RCVBUF', 1.5), 'a value of SO_RCVBUF is a whole number'],
    [
      'a flag',
      () => program.recv(900, 10, ['MSG_PEAK']),
      'flags of recv has no MSG_PEAK; did you mean MSG_PEEK?',
    ],
    ['an event', () => program.poll({ 900: ['EPOLLIN'] }, 0), 'did you mean POLLIN?'],
    ['an address', () => program.connect(900, '10.0.0.1'), '10.0.0.1 is no address'],
    ['a host', () => program.connect(900, 'sever:80'), '(hosts: here)'],
    ['a port', () => program.bind(900, '*:65536'), '*:65536 is no address'],
    ['a kind', () => program.socket('sctp' as 'tcp'), 'socket has no sctp; did you mean tcp?'],
    ['a wish', () => program.listening('*:0', { backlgo: 1 } as object), 'listening has no option backlgo'],
    ['a descriptor', () => program.close('x' as unknown as number), 'a descriptor is a whole number'],
    ['a job', () => program.job('dishes'), 'the list of jobs has no dishes'],
  ];

  it('is refused with a sentence that helps', async () => {
    program = (await start()).program;
    for (const [what, ask, sentence] of asked) {
      await expect(ask(), what).rejects.toThrow(sentence);
    }
  });

  it('keeps the descriptors that the process itself lives on out of reach', async () => {
    program = (await start()).program;
    for (let fd = 3; fd < 10; fd++) {
      await expect(program.close(fd)).rejects.toThrow('belongs to the laboratory');
    }
    expect(outcome(await program.close(900))).toBe('EBADF');
  });
});
