/** `sockscope watch --lanes` on programs that run already, in a network namespace of their own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Event, Packet, StateChange, Syscall } from '../src/session/events.ts';
import { decode } from '../src/session/ndjson.ts';
import { type Built, buildTracer } from '../src/watch/syscalls/built.fixture.ts';
import { needs } from './needs.ts';

const here = needs('linux', 'namespace', 'python3', 'sh');

/** Answers each line; on `reset` it ends the connection with a RST. */
const SERVER = `
import socket, struct, os, sys
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('127.0.0.1', 7000)); l.listen(8); print('pid', os.getpid(), flush=True)
while True:
  s, _ = l.accept()
  while True:
    data = s.recv(100)
    if data == b'reset\\n': s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    if data in (b'', b'reset\\n'): break
    s.sendall(b'answer\\n')
  s.close()
`;

/** Does what its input says: connect, a line to send, close. */
const CLIENT = `
import socket, os, sys
c = None; print('pid', os.getpid(), flush=True)
for line in sys.stdin:
  word = line.strip()
  if word == 'connect': c = socket.socket(); c.connect(('127.0.0.1', 7000))
  elif word == 'close': c.close()
  else:
    try: c.sendall(line.encode()); c.recv(100)
    except OSError as e: pass
  print('done', word, flush=True)
`;

interface Program {
  readonly child: ChildProcess;
  out: string;
  err: string;
  code: number | null | undefined;
}

describe.skipIf(here.missing !== null)('sockscope watch --lanes', () => {
  let built: Built;
  let folder: string;
  /** Itself, not what a version manager puts in front of it. */
  let interpreter: string;
  /** Lives as long as a test: whose namespace the others enter. */
  let room: Program;
  const running: Program[] = [];

  beforeAll(async () => {
    built = await buildTracer();
    folder = mkdtempSync(join(tmpdir(), 'watch-lanes-'));
    const asked = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
    interpreter = asked.stdout.trim();
  });
  afterEach(() => {
    for (const { child, code } of running.splice(0)) {
      if (code === undefined) {
        child.kill('SIGKILL');
      }
    }
  });
  afterAll(() => {
    built.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function start(command: string, ...args: string[]): Program {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const program: Program = { child, out: '', err: '', code: undefined };
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      program.out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      program.err += text;
    });
    child.stdin?.on('error', () => {});
    child.on('exit', (code) => {
      program.code = code;
    });
    running.push(program);
    return program;
  }

  async function until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 20_000; !holds(); ) {
      if (Date.now() > end) {
        const said = running.map(({ out, err }) => `${out.slice(-1000)}${err.slice(-500)}`).join('\n--\n');
        throw new Error(`waited for ${what}; heard:\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function makeRoom(): Promise<void> {
    room = start('unshare', '-Urn', 'sh', '-c', 'ip link set lo up; echo pid $$; exec sleep 1000');
    await until('a namespace', () => /pid \d+/.test(room.out));
  }

  function inside(...words: string[]): Program {
    const ids = process.getuid?.() === 0 ? [] : ['--preserve-credentials'];
    return start('nsenter', '-t', String(pidOf(room)), '-U', '-n', ...ids, ...words);
  }

  function pidOf({ out }: Program): number {
    return Number(/pid (\d+)/.exec(out)?.[1]);
  }

  async function python(script: string): Promise<Program> {
    const program = inside(interpreter, '-c', script);
    await until('a program', () => /pid \d+/.test(program.out));
    return program;
  }

  function watch(...words: string[]): Program {
    return inside(process.execPath, join(built.folder, 'watch.js'), ...words);
  }

  async function tell(client: Program, word: string): Promise<void> {
    client.child.stdin?.write(`${word}\n`);
    await until(`the client's ${word}`, () => client.out.includes(`done ${word}`));
  }

  function events({ out }: Program): Event[] {
    return out.split('\n').flatMap((line) => {
      const read = line === '' ? null : decode(line);
      return read?.ok === true && read.event.type !== 'session' ? [read.event] : [];
    });
  }

  const calls = (program: Program) =>
    events(program).filter((event): event is Syscall => event.type === 'syscall' && event.took !== null);
  const packets = (program: Program) =>
    events(program).filter((event): event is Packet => event.type === 'packet');
  const states = (program: Program) =>
    events(program).filter((event): event is StateChange => event.type === 'state');
  const isTraced = (program: Program) => {
    const status = readFileSync(`/proc/${pidOf(program)}/status`, 'utf8');
    return !/^TracerPid:\s*0$/m.test(status);
  };

  it('joins calls, states and packets of both ends, and lets both go on', { timeout: 60_000 }, async () => {
    await makeRoom();
    const server = await python(SERVER);
    const client = await python(CLIENT);
    const watching = watch('--json', ':7000 or', `pid:${pidOf(client)}`);
    await until('both tracers', () => isTraced(server) && isTraced(client));
    await tell(client, 'connect');
    await tell(client, 'hello');
    await until('the server to read', () => calls(watching).some(({ name }) => name === 'recvfrom'));
    await tell(client, 'reset');
    await until('the reset', () => calls(watching).some(({ errno }) => errno === 'ECONNRESET'));
    await tell(client, 'close');
    await until('a RST', () => packets(watching).some(({ flags }) => flags?.includes('RST') === true));
    watching.child.kill('SIGINT');
    await until('its end', () => watching.code !== undefined);
    expect(watching.code).toBe(0);

    const connect = calls(watching).find(({ name }) => name === 'connect');
    const accept = calls(watching).find(({ name }) => name.startsWith('accept'));
    const id = connect?.connection;
    expect(id).toMatch(/^tcp\/\d+\/127\.0\.0\.1:\d+>127\.0\.0\.1:7000#1$/);
    expect([connect?.side, accept?.side, accept?.connection]).toEqual(['client', 'server', id]);
    const crossed = packets(watching).filter(({ connection }) => connection === id);
    expect(crossed[0]).toMatchObject({ flags: ['SYN'], from: 'client' });
    expect(crossed[1]).toMatchObject({ flags: ['SYN', 'ACK'], from: 'server' });
    // Each once, although the loopback shows them twice.
    expect(crossed.filter(({ flags }) => flags?.includes('SYN'))).toHaveLength(2);
    // One clock: the SYN crosses while connect is in the kernel.
    const returned = (connect?.at ?? 0) + (connect?.took ?? 0);
    expect(crossed[0]?.at).toBeGreaterThan((connect?.at ?? 0) - 1e6);
    expect(crossed[0]?.at).toBeLessThan(returned + 1e6);
    const seen = (side: string) =>
      states(watching).filter((one) => one.connection === id && one.side === side);
    expect(seen('client').map(({ to }) => to)).toContain('ESTABLISHED');
    expect(seen('server').map(({ to }) => to)).toContain('ESTABLISHED');
    expect(calls(watching).find(({ errno }) => errno === 'ECONNRESET')).toMatchObject({
      connection: id,
      side: 'client',
    });

    expect([isTraced(server), isTraced(client)]).toEqual([false, false]);
    await tell(client, 'connect');
    await tell(client, 'again');
    expect([server.code, client.code]).toEqual([undefined, undefined]);
  });

  it('takes up a connection that was there before', { timeout: 60_000 }, async () => {
    await makeRoom();
    const server = await python(SERVER);
    const client = await python(CLIENT);
    await tell(client, 'connect');
    await tell(client, 'hello');
    const watching = watch('--json', ':7000');
    // The other end is found although only one may be named.
    await until('both tracers', () => isTraced(server) && isTraced(client));
    await tell(client, 'more');
    await until('what was said', () => packets(watching).some(({ length }) => length === 5));
    await until('both calls', () => calls(watching).filter(({ name }) => name === 'sendto').length >= 2);
    const ids = new Set(
      [...packets(watching), ...calls(watching)].flatMap(({ connection }) => connection ?? []),
    );
    expect([...ids]).toEqual([expect.stringMatching(/>127\.0\.0\.1:7000#1$/)]);
    const first = states(watching).filter(({ to }) => to === 'ESTABLISHED');
    expect(first.map(({ side }) => side).sort()).toEqual(['client', 'server']);
  });

  it('draws the lanes, waits for who comes later, and ends with its reader', {
    timeout: 60_000,
  }, async () => {
    await makeRoom();
    const file = join(folder, 'seen.pcapng');
    const watching = watch('-w', file, ':7000');
    await until('the note', () => watching.err.includes('nothing matches :7000 yet; waiting for it'));
    const server = await python(SERVER);
    await until('the tracer', () => isTraced(server));
    const client = await python(CLIENT);
    await tell(client, 'connect');
    await tell(client, 'hello');
    await until('lanes', () => /SYN,ACK/.test(watching.out) && /recvfrom\(/.test(watching.out));
    expect(watching.out).toMatch(/client program .*wire.* server program/);
    // As `| head` does: nobody reads any more.
    watching.child.stdout?.destroy();
    await until('its end', () => watching.code !== undefined);
    expect(watching.code).toBe(0);
    expect(isTraced(server)).toBe(false);
    expect(watching.err).toMatch(/\d+ packets and \d+ entries written/);
    expect(readFileSync(file).readUInt32LE(0)).toBe(0x0a0d0d0a);
  });

  it('says what it may not see, and shows the rest', { timeout: 60_000 }, async () => {
    await makeRoom();
    const server = await python(SERVER);
    const client = await python(CLIENT);
    await tell(client, 'connect');
    // No rights in the room, although the room's user is ours.
    const watching = inside(
      'setpriv',
      '--bounding-set=-all',
      '--inh-caps=-all',
      process.execPath,
      join(built.folder, 'watch.js'),
      '--json',
      ':7000',
    );
    await until('the note', () => watching.err.includes('packets not visible: needs CAP_NET_RAW'));
    await until('states', () => states(watching).filter(({ to }) => to === 'ESTABLISHED').length === 2);
    watching.child.kill('SIGTERM');
    await until('its end', () => watching.code !== undefined);
    expect(watching.code).toBe(0);
    expect([server.code, client.code]).toEqual([undefined, undefined]);
  });

  it('says why a program cannot be traced, and shows the rest', { timeout: 60_000 }, async () => {
    await makeRoom();
    const server = await python(SERVER);
    const first = watch('--json', ':7000');
    await until('the first tracer', () => isTraced(server));
    const second = watch('--json', ':7000');
    await until('the sentence', () =>
      /Process \d+ cannot be traced: process \d+ traces it already/.test(second.err),
    );
    const client = await python(CLIENT);
    await tell(client, 'connect');
    await until('its packets', () => packets(second).some(({ flags }) => flags?.includes('SYN') === true));
    for (const { child } of [first, second]) {
      child.kill('SIGINT');
    }
    await until('their ends', () => first.code === 0 && second.code === 0);
    expect(server.code).toBeUndefined();
  });

  it('says what is missing where no program is named', () => {
    const done = spawnSync(process.execPath, [join(built.folder, 'watch.js')], { encoding: 'utf8' });
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('sockscope watch --lanes :8080');
  });
});
