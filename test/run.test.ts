/** `sockscope run` on real programs, compared with strace of the same. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event, Packet, StateChange, Syscall } from '../src/session/events.ts';
import { decode } from '../src/session/ndjson.ts';
import { type Built, buildTracer } from '../src/watch/syscalls/built.fixture.ts';
import { needs } from './needs.ts';

const here = needs('linux', 'strace', 'python3', 'sh');

/** One process: a listener, a client, a refused connect, a reset, datagrams, and errors on purpose. */
const STORY = `
import socket, struct
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(4); at = l.getsockname()
c = socket.socket(); c.connect(at); s, _ = l.accept()
c.sendall(b'hello\\n'); s.recv(100); s.sendall(b'x' * 100); c.recv(1000)
c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
c.shutdown(socket.SHUT_WR); s.recv(10)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()
try: c.recv(10)
except OSError as e: pass
c.close(); l.close()
r = socket.socket()
try: r.connect(at)
except OSError as e: pass
r.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))
u.sendto(b'datagram', u.getsockname()); u.recvfrom(100); u.close()
`;

describe.skipIf(here.missing !== null)('sockscope run', () => {
  let built: Built;
  let folder: string;
  /** Itself, not what a version manager puts in front of it. */
  let python: string;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    built = await buildTracer();
    folder = mkdtempSync(join(tmpdir(), 'run-'));
    writeFileSync(join(folder, 'story.py'), STORY);
    const asked = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
    python = asked.stdout.trim();
  });
  afterAll(() => {
    for (const child of running) {
      child.kill('SIGKILL');
    }
    built.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function run(...words: string[]) {
    const done = spawnSync(process.execPath, [join(built.folder, 'run.js'), ...words], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      timeout: 25_000,
    });
    return { status: done.status, stdout: done.stdout, stderr: done.stderr };
  }

  function session(...words: string[]) {
    const { status, stdout, stderr } = run('--json', ...words);
    const events: Event[] = [];
    const others: string[] = [];
    for (const line of stderr.split('\n').filter((one) => one !== '')) {
      const read = decode(line);
      if (read.ok && read.event.type !== 'session') {
        events.push(read.event);
      } else if (!read.ok) {
        others.push(line);
      }
    }
    const calls = events.filter((event): event is Syscall => event.type === 'syscall' && event.took !== null);
    const states = events.filter((event): event is StateChange => event.type === 'state');
    return { status, stdout, events, calls, states, others };
  }

  /** In a network namespace of its own, where it may capture. */
  const ROOM = ['unshare', '-Urn', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'];

  function inRoom(...words: string[]) {
    const [command = '', ...args] = [...ROOM, process.execPath, join(built.folder, 'run.js'), ...words];
    return spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 25_000 });
  }

  function eventsOf(text: string): Event[] {
    return text.split('\n').flatMap((line) => {
      const read = line === '' ? null : decode(line);
      return read?.ok === true && read.event.type !== 'session' ? [read.event] : [];
    });
  }

  async function until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 15_000; !holds(); ) {
      if (Date.now() > end) {
        throw new Error(`waited for ${what}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  const NETWORK = new Set(
    'socket bind listen connect accept accept4 sendto recvfrom sendmsg recvmsg shutdown setsockopt getsockopt getsockname getpeername socketpair'.split(
      ' ',
    ),
  );

  it('sees the calls that strace sees: names, descriptors, results and errnos', () => {
    const log = join(folder, 'strace.log');
    const words = [python, join(folder, 'story.py')];
    spawnSync('strace', ['-f', '-qq', '-e', 'trace=network', '-e', 'signal=none', '-o', log, ...words]);
    const theirs = readFileSync(log, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [, name, fd, result, errno] = /^\d+ +(\w+)\((\d*).*\) += (-?\d+)(?: (E\w+))?/.exec(line) ?? [];
        return name === undefined
          ? []
          : [`${name} ${name.startsWith('socket') ? '' : fd} ${result} ${errno ?? ''}`];
      });
    const { status, calls } = session(...words);
    const ours = calls
      .filter(({ name }) => NETWORK.has(name))
      .map(({ name, fd, result, errno }) => `${name} ${fd ?? ''} ${result} ${errno ?? ''}`);
    expect(status).toBe(0);
    expect(theirs.length).toBeGreaterThan(20);
    expect(ours).toEqual(theirs);
    expect(calls.some(({ name, errno }) => name === 'recvfrom' && errno === 'ECONNRESET')).toBe(true);
    expect(calls.some(({ name, errno }) => name === 'connect' && errno === 'ECONNREFUSED')).toBe(true);
  });

  it('joins both ends of a connection, and shows what was sent, by name', () => {
    const { calls, states } = session(python, join(folder, 'story.py'));
    const accepted = calls.find(({ name }) => name.startsWith('accept'));
    const connected = calls.find(({ name, result }) => name === 'connect' && result === 0);
    expect(accepted?.connection).toBeDefined();
    expect(accepted?.connection).toBe(connected?.connection);
    expect([connected?.side, accepted?.side]).toEqual(['client', 'server']);
    expect(calls.find(({ name }) => name === 'sendto')?.args).toEqual([connected?.fd, '"hello\\n"', 6, 0]);
    expect(calls.find(({ name }) => name === 'shutdown')?.args[1]).toBe('SHUT_WR');
    const linger = calls.find(({ args }) => args.includes('SO_LINGER'));
    expect(linger?.args.slice(1)).toEqual(['SOL_SOCKET', 'SO_LINGER', '0 s']);
    const of = (side: string) =>
      states
        .filter((state) => state.connection === connected?.connection && state.side === side)
        .map(({ to }) => to);
    expect(of('client')).toContain('ESTABLISHED');
    expect(of('client').join(' ')).toMatch(/^ESTABLISHED FIN-WAIT-/);
    expect(of('server')).toContain('CLOSE-WAIT');
  });

  it.skipIf(needs('namespace').missing !== null)(
    'joins the packets: also the SYN, which crossed before its call was known, and that of a refused connect',
    () => {
      const events = eventsOf(inRoom('--json', python, join(folder, 'story.py')).stderr);
      const connects = events.filter(
        (event): event is Syscall =>
          event.type === 'syscall' && event.name === 'connect' && event.took !== null,
      );
      const packets = events.filter((event): event is Packet => event.type === 'packet');
      const [good, bad] = connects.filter(({ args }) => String(args[1]).startsWith('127.0.0.1:'));
      expect([good?.result, bad?.errno]).toEqual([0, 'ECONNREFUSED']);
      const of = (call: Syscall | undefined) =>
        packets.filter(({ connection }) => connection !== undefined && connection === call?.connection);
      expect(
        of(good)
          .slice(0, 3)
          .map(({ flags, from }) => `${from} ${flags}`),
      ).toEqual(['client SYN', 'server SYN,ACK', 'client ACK']);
      expect(of(good).at(-1)?.flags).toContain('RST');
      expect(of(bad).map(({ flags, from }) => `${from} ${flags}`)).toEqual(['client SYN', 'server RST,ACK']);
      // One clock for calls and packets.
      for (const call of [good, bad]) {
        const at = of(call)[0]?.at ?? 0;
        expect(at).toBeGreaterThan((call?.at ?? 0) - 1e6);
        expect(at).toBeLessThan((call?.at ?? 0) + (call?.took ?? 0) + 1e6);
      }
      const sent = events.find(
        (event) => event.type === 'syscall' && event.name === 'sendto' && event.args.includes('"datagram"'),
      );
      const datagram = packets.find(({ protocol }) => protocol === 'udp');
      expect(datagram?.connection).toBeDefined();
      expect(datagram?.connection).toBe((sent as Syscall | undefined)?.connection);
      // Nobody else's.
      expect(packets.every(({ connection }) => connection !== undefined)).toBe(true);
    },
  );

  it.skipIf(needs('namespace').missing !== null)('draws lanes, and records what Wireshark opens', () => {
    const file = join(folder, 'run.pcapng');
    const { status, stderr } = inRoom('-w', file, python, join(folder, 'story.py'));
    expect(status).toBe(0);
    expect(stderr).toMatch(/client program .*wire.* server program/);
    expect(stderr).toMatch(/SYN,ACK/);
    expect(stderr).toMatch(/ECONNRESET/);
    expect(stderr).toMatch(/ ended with status 0 after/);
    expect(stderr).toMatch(/\d+ packets and \d+ entries written to/);
    const bytes = readFileSync(file);
    // A section header, and an interface whose packets begin with IP (LINKTYPE_RAW).
    expect(bytes.readUInt32LE(0)).toBe(0x0a0d0d0a);
    let at = 0;
    while (at < bytes.length && bytes.readUInt32LE(at) !== 1) {
      at += bytes.readUInt32LE(at + 4);
    }
    expect(bytes.readUInt16LE(at + 8)).toBe(101);
  });

  it('needs no rights for calls and states, and says what it cannot see', () => {
    const done = spawnSync(
      'setpriv',
      [
        ...(process.getuid?.() === 0 ? ['--reuid', '65534', '--regid', '65534', '--clear-groups'] : []),
        process.execPath,
        join(built.folder, 'run.js'),
        'sh',
        '-c',
        'exit 5',
      ],
      { encoding: 'utf8', cwd: '/' },
    );
    expect(done.status).toBe(5);
    expect(done.stderr).toContain('packets not visible: needs CAP_NET_RAW');
  });

  it('goes on without a reader of its lines', () => {
    const program = `${python} ${join(folder, 'story.py')}; echo done >${join(folder, 'done')}; exit 4`;
    const script = '"$0" "$1" sh -c "$2" 2>&1 >/dev/null | head -1; echo $PIPESTATUS';
    const words = ['-c', script, process.execPath, join(built.folder, 'run.js'), program];
    const done = spawnSync('bash', words, { encoding: 'utf8' });
    expect(done.stdout.split('\n').slice(1)).toEqual(['4', '']);
    expect(readFileSync(join(folder, 'done'), 'utf8')).toBe('done\n');
  });

  it('leaves the program its input, output and exit status', () => {
    const { status, stdout } = run('sh', '-c', 'echo out; exit 7');
    expect([status, stdout]).toEqual([7, 'out\n']);
  });

  it('passes on the signal that ended the program', () => {
    expect(run('sh', '-c', 'kill -TERM $$').status).toBe(143);
    expect(run('sh', '-c', 'kill -KILL $$').status).toBe(137);
  });

  it('says in a sentence that there is no such program', () => {
    const { status, stderr } = run('no-such-program-here');
    expect(status).toBe(2);
    expect(stderr).toContain('There is no program no-such-program-here.');
  });

  it('gives the program the environment and the signals of a plain start', () => {
    const plain = spawnSync('sh', ['-c', 'env; grep ^Sig[BI] /proc/self/status'], { encoding: 'utf8' });
    const traced = run('sh', '-c', 'env; grep ^Sig[BI] /proc/self/status');
    expect(traced.stdout.split('\n').sort()).toEqual(plain.stdout.split('\n').sort());
  });

  it('follows threads, and tells a wait when it begins', () => {
    const script = `const s = require('net').createServer((c) => { c.end('bye'); s.close(); });
      s.listen(0, '127.0.0.1', () => require('net').connect(s.address().port, '127.0.0.1').resume());
      require('dns').lookup('localhost', () => {});`;
    const { status, calls, events } = session(process.execPath, '-e', script);
    expect(status).toBe(0);
    expect(new Set(calls.map(({ tid }) => tid)).size).toBeGreaterThan(1);
    expect(calls.some(({ name, result }) => name.startsWith('accept') && Number(result) > 0)).toBe(true);
    const came = calls
      .filter(({ name }) => /^epoll_p?wait$/.test(name))
      .flatMap(({ args }) => Object.values(args[1] ?? {}));
    expect(came).toContain('EPOLLIN');
    expect(events.some((event) => event.type === 'syscall' && event.took === null)).toBe(true);
  });

  it('follows children and what they become', () => {
    const { status, calls } = session(
      'sh',
      '-c',
      `sh -c 'exec python3 ${join(folder, 'story.py')}' | cat; echo`,
    );
    expect(status).toBe(0);
    expect(calls.filter(({ name }) => name === 'execve').map(({ args }) => args[0])).toEqual(
      expect.arrayContaining([expect.stringContaining('python3'), expect.stringContaining('cat')]),
    );
    expect(calls.some(({ name, errno }) => name === 'connect' && errno === 'ECONNREFUSED')).toBe(true);
  });

  it('keeps up with 500 children that live for a moment', () => {
    const { status, stdout } = run(
      'sh',
      '-c',
      'i=0; while [ $i -lt 500 ]; do (exit 3) || i=$((i+1)); done; echo $i',
    );
    expect([status, stdout]).toEqual([0, '500\n']);
  });

  it('lets a program be stopped and go on', async () => {
    const child = spawn(
      process.execPath,
      [join(built.folder, 'run.js'), 'sh', '-c', 'echo $$; kill -STOP $$; echo went on'],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    running.push(child);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (more) => {
      text += more;
    });
    await until('its pid', () => /^\d+\n/.test(text));
    const pid = Number.parseInt(text, 10);
    const state = () => /^State:\s*(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    await until('the stop', () => state() === 't' || state() === 'T');
    // Group stop is where it stays, not something we woke it from.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(text).toBe(`${pid}\n`);
    process.kill(pid, 'SIGCONT');
    const code = await new Promise((resolve) => child.on('exit', resolve));
    expect([code, text]).toEqual([0, `${pid}\nwent on\n`]);
  });

  it('takes the program along when it is killed itself', async () => {
    const child = spawn(
      process.execPath,
      [join(built.folder, 'run.js'), 'sh', '-c', 'echo $$; sleep 60 & wait'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    running.push(child);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (more) => {
      text += more;
    });
    await until('its pid', () => /^\d+\n/.test(text));
    const pid = Number.parseInt(text, 10);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    child.kill('SIGKILL');
    await until(
      'its end',
      () => !existsSync(`/proc/${pid}`) || /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
    );
  });
});
