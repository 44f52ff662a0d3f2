import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import ssh2, { type ClientChannel } from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { needs } from '../../../test/needs.ts';
import type { Access, NodeHouse, NodeService } from './kind.ts';
import type { SshPlan } from './ssh/plan.ts';
import { kind } from './ssh.ts';

const { missing } = needs('linux', 'ssh', 'scp', 'sftp', 'ssh-keygen');

let scratch = '';
let keyFile = '';
let otherKey = '';
let askpass = '';

beforeAll(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'sockscope-ssh-')));
  // Or the shells would read ~/.bashrc: what the owner of this machine keeps there is slow, or speaks.
  vi.stubEnv('HOME', scratch);
  for (const name of ['id', 'other']) {
    if (missing === null) {
      spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '1', '-N', '', '-f', join(scratch, name)]);
    }
  }
  keyFile = join(scratch, 'id');
  otherKey = join(scratch, 'other');
  askpass = join(scratch, 'askpass');
  writeFileSync(askpass, '#!/bin/sh\necho "$TEST_PASSWORD"\n', { mode: 0o755 });
});

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
});

interface Running {
  readonly port: number;
  readonly dir: string;
  readonly lines: Access[];
  readonly said: string[];
  readonly service: NodeService;
  readonly plan: SshPlan;
  readonly sockets: Set<Socket>;
}

const servers: { server: Server; running: Running }[] = [];
const children: ChildProcess[] = [];

interface Start {
  readonly options?: Record<string, unknown>;
  readonly drainNs?: number;
  readonly allows?: () => boolean;
  readonly wrap?: (socket: Socket) => Duplex;
  readonly client?: string;
}

async function start({
  options = {},
  drainNs = 0,
  allows = () => true,
  wrap = (one) => one,
  client,
}: Start = {}): Promise<Running> {
  const dir = mkdtempSync(join(scratch, 'served-'));
  const plan = await kind.plan({
    words: [],
    options: {
      dir,
      hostKey: join(scratch, 'host_key'),
      ...(options.none === true ? {} : { authorizedKeys: `${keyFile}.pub` }),
      ...options,
    },
  });
  const lines: Access[] = [];
  const said: string[] = [];
  const begun = process.hrtime.bigint();
  const house: NodeHouse = {
    common: {
      maxConnections: 0,
      idleNs: 0,
      maxBody: 0,
      rate: 0,
      drainNs,
      backlog: 0,
      wishes: {},
      misbehaviour: null,
    } as unknown as NodeHouse['common'],
    now: () => Number(process.hrtime.bigint() - begun),
    wantsLines: true,
    access: (line) => void lines.push(line),
    counted: () => {},
    say: (text) => void said.push(text),
    allows,
    tls: null,
  } as NodeHouse;
  const service = await kind.node!(house, plan);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    service.connection(
      wrap(socket),
      `${socket.remoteAddress}:${socket.remotePort}`,
      client ?? socket.remoteAddress!,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const running = { port: (server.address() as AddressInfo).port, dir, lines, said, service, plan, sockets };
  servers.push({ server, running });
  return running;
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
  }
  for (const { server, running } of servers.splice(0)) {
    running.service.close();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Ran {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

const COMMON = [
  'BatchMode=yes',
  'StrictHostKeyChecking=accept-new',
  'GlobalKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
  'IdentitiesOnly=yes',
];

function options(key = keyFile): string[] {
  const wanted = [...COMMON, `UserKnownHostsFile=${join(scratch, 'known')}`, `IdentityFile=${key}`];
  return ['-F', '/dev/null', ...wanted.flatMap((one) => ['-o', one])];
}

function launch(
  command: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): ChildProcess {
  const child = spawn(command, args, { cwd: scratch, env: { ...process.env, ...environment } });
  children.push(child);
  return child;
}

function finished(child: ChildProcess, input: string | null = ''): Promise<Ran> {
  let [out, err] = ['', ''];
  child.stdout!.setEncoding('latin1').on('data', (text: string) => {
    out += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin!.on('error', () => {});
  if (input !== null) {
    child.stdin!.end(input);
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, out, err }));
  });
}

const ssh = (server: Running, command: string[], more: string[] = [], key = keyFile) =>
  launch('ssh', [...options(key), '-p', String(server.port), ...more, 'anna@127.0.0.1', ...command]);
const run = (server: Running, command: string, input = '', more: string[] = []) =>
  finished(ssh(server, [command], more), input);
const scp = (server: Running, args: string[]) =>
  finished(launch('scp', [...options(), '-P', String(server.port), ...args]));
const sftp = (server: Running, batch: string[]) =>
  finished(
    launch('sftp', [...options(), '-b', '-', '-P', String(server.port), 'anna@127.0.0.1']),
    `${batch.join('\n')}\n`,
  );
const at = (path: string) => `anna@127.0.0.1:${path}`;

async function until(what: () => boolean): Promise<void> {
  while (!what()) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const alive = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

const told = ({ lines }: Running) =>
  lines.map(({ what, result }) => `${what.replace(/SHA256:\S+/, 'SHA256:…')}: ${result}`);

describe.skipIf(missing)('a login', () => {
  it('by key lets OpenSSH in, and is told with the key and never twice', async () => {
    const server = await start();
    expect(await run(server, 'echo hello')).toEqual({ code: 0, signal: null, out: 'hello\n', err: '' });
    expect(told(server)).toEqual(['login anna by key SHA256:…: accepted', 'exec echo hello: exit 0']);
    expect(server.lines[1]).toMatchObject({ sent: 6, received: 0, fine: true });
    expect(server.said[0]).toContain(`host key ${server.plan.hostKey.fingerprint}`);
    const shown = spawnSync('ssh-keygen', ['-lf', server.plan.hostKey.path], { encoding: 'utf8' }).stdout;
    expect(shown).toContain(server.plan.hostKey.fingerprint);
    expect(statSync(server.plan.hostKey.path).mode & 0o777).toBe(0o600);
  });

  it('by the password that the server made goes through; a wrong one is refused three times, and neither is in a line', async () => {
    const server = await start();
    const withPassword = (password: string) =>
      finished(
        launch(
          'ssh',
          [
            ...options()
              .filter((word) => word !== 'BatchMode=yes' && !word.startsWith('IdentityFile'))
              .flatMap((word, index, all) =>
                word === '-o' && (all[index + 1] === '-o' || index === all.length - 1) ? [] : [word],
              ),
            '-o',
            'PubkeyAuthentication=no',
            '-p',
            String(server.port),
            'anna@127.0.0.1',
            'echo in',
          ],
          { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', TEST_PASSWORD: password },
        ),
      );
    const password = server.plan.password!;
    expect(server.said.join()).toContain(password);
    expect(await withPassword(password)).toMatchObject({ code: 0, out: 'in\n' });
    const wrong = await withPassword('Tr0ub4dor');
    expect(wrong.code).toBe(255);
    expect(told(server).slice(2)).toEqual(Array(3).fill('login anna by password: refused'));
    expect(JSON.stringify(server.lines)).not.toContain('Tr0ub4dor');
    expect(JSON.stringify(server.lines)).not.toContain(password);
  });

  it('by an unknown key, or with a name that was not asked for, is refused', async () => {
    const server = await start({ options: { user: 'anna' } });
    expect((await finished(ssh(server, ['echo in'], [], otherKey))).code).toBe(255);
    expect((await finished(ssh(server, ['echo in'], ['-l', 'bob']))).code).toBe(255);
    expect((await run(server, 'echo in')).code).toBe(0);
    expect(told(server).slice(-2)).toEqual(['login anna by key SHA256:…: accepted', 'exec echo in: exit 0']);
  });

  it('is refused without a look when the client asks too often', async () => {
    const server = await start({ allows: () => false });
    expect((await run(server, 'echo in')).code).toBe(255);
    expect(server.lines).toMatchObject([{ result: 'refused', note: 'too many tries' }]);
  });

  it('with --none needs nothing, and only this machine is let in', async () => {
    const server = await start({ options: { none: true } });
    const child = ssh(server, ['echo in'], ['-o', 'PubkeyAuthentication=no']);
    expect(await finished(child)).toMatchObject({ code: 0, out: 'in\n' });
    const far = await start({ options: { none: true }, client: '192.0.2.1' });
    expect((await run(far, 'echo in')).code).toBe(255);
    expect(far.lines).toEqual([]);
  });
});

describe.skipIf(missing)('a command', () => {
  it('runs in the folder, keeps stdout and stderr apart, and its status comes back', async () => {
    const server = await start();
    const { code, out, err } = await run(server, 'pwd; echo oops >&2; exit 7');
    expect({ code, out, err }).toEqual({ code: 7, out: `${server.dir}\n`, err: 'oops\n' });
  });

  it('reads what the client sends up to its end, and gets megabytes through both ways', async () => {
    const server = await start();
    const { code, out } = await run(server, 'tee /dev/stderr | wc -c', 'x'.repeat(3 << 20));
    expect({ code, out: out.trim() }).toEqual({ code: 0, out: String(3 << 20) });
    const back = await run(server, 'head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2');
    expect([back.code, back.out.length, back.err.length]).toEqual([0, 5_000_000, 5_000_000]);
    expect(server.lines.at(-1)).toMatchObject({ sent: 10_000_000 });
  });

  it('that a signal ended is told as one', async () => {
    const server = await start();
    expect((await run(server, 'kill -TERM $$')).code).toBe(255);
    expect(told(server).at(-1)).toBe('exec kill -TERM $$: SIGTERM');
  });

  it('gets the names of the connection, and nothing of the environment of the server', async () => {
    process.env.SOCKSCOPE_SECRET = 'leak';
    const server = await start();
    const { out } = await run(server, 'echo "$SSH_CONNECTION"; env', '', ['-o', 'SetEnv=LC_TEST=here']);
    expect(out).toContain(`HOME=${scratch}\n`);
    delete process.env.SOCKSCOPE_SECRET;
    expect(out).toMatch(new RegExp(`^127.0.0.1 \\d+ 127.0.0.1 ${server.port}\n`));
    expect(out).toContain('LC_TEST=here');
    expect(out).not.toContain('SOCKSCOPE_SECRET');
  });

  it('whose client is killed is ended, and so is everything that it started', async () => {
    const server = await start();
    const child = ssh(server, ['sleep 1000 & echo $$ $!; wait']);
    const over = finished(child, null);
    let pids: number[] = [];
    child.stdout!.on('data', (text: string) => {
      pids = text.trim().split(' ').map(Number);
    });
    await until(() => pids.length === 2);
    expect(pids.every(alive)).toBe(true);
    child.kill('SIGKILL');
    await over;
    await until(() => !pids.some(alive));
    await until(() => server.lines.length === 2);
    expect(told(server).at(-1)).toContain('client gone');
  });

  it('that ignores SIGHUP and reads nothing is ended as well', async () => {
    const server = await start();
    const child = ssh(server, ["trap '' HUP; echo $$; while :; do sleep 0.2; done"]);
    const over = finished(child, null);
    let pid = 0;
    child.stdout!.on('data', (text: string) => {
      pid = Number(text);
    });
    await until(() => pid > 0);
    child.stdin!.write('x'.repeat(1 << 20));
    child.kill('SIGKILL');
    await over;
    await until(() => !alive(pid));
  });
});

describe.skipIf(missing)('a terminal', () => {
  it('is a real one, in the size that the client has', async () => {
    const server = await start();
    const { out, code } = await run(server, 'tty; stty size; echo $TERM $SSH_TTY; exit 5', '', ['-tt']);
    const [tty, size, names] = out.split('\r\n');
    expect(tty).toMatch(/^\/dev\/pts\/\d+$/);
    expect(size).toMatch(/^\d+ \d+$/);
    expect(names).toContain(tty!);
    expect(code).toBe(5);
  });

  it('gives a shell that takes commands and ends at Ctrl-D', async () => {
    const server = await start();
    const child = ssh(server, [], ['-tt']);
    const over = finished(child, null);
    let out = '';
    child.stdout!.on('data', (text: string) => {
      out += text;
    });
    // Behind the prompt, or the shell would drop what was typed ahead.
    await until(() => /[$#%>] /.test(out));
    child.stdin!.write('echo $((6*7)); tty\n');
    await until(() => /42\r\n\/dev\/pts\/\d+\r\n[\s\S]*[$#%>] /.test(out));
    child.stdin!.write('\x04');
    const { code } = await over;
    expect(code).toBe(0);
    expect(told(server).at(-1)).toBe('shell: exit 0');
  });

  it('without one a shell reads its commands to the end', async () => {
    const server = await start();
    expect(await finished(ssh(server, [], ['-T']), 'echo one; exit 3\n')).toMatchObject({
      code: 3,
      out: 'one\n',
    });
  });
});

describe.skipIf(missing)('a client that OpenSSH is not', () => {
  async function channel(server: Running, command: string, more: ssh2.ExecOptions = {}) {
    const client = new ssh2.Client();
    const privateKey = await readFile(keyFile);
    await new Promise<void>((resolve, reject) => {
      client.on('ready', resolve).on('error', reject);
      client.connect({ host: '127.0.0.1', port: server.port, username: 'anna', privateKey });
    });
    const stream = await new Promise<ClientChannel>((resolve, reject) => {
      client.exec(command, more, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    let out = '';
    stream.on('data', (text: Buffer) => {
      out += text.toString();
    });
    const exit = new Promise<unknown[]>((resolve) => stream.on('exit', (...how: unknown[]) => resolve(how)));
    const closed = new Promise<void>((resolve) => stream.on('close', () => resolve()));
    const end = async () => {
      await closed;
      client.end();
    };
    return { stream, exit, end, out: () => out };
  }

  it('changes the window, and the program hears of it', async () => {
    const server = await start();
    const wanted = { pty: { rows: 11, cols: 22, term: 'vt100' } };
    const { stream, exit, end, out } = await channel(
      server,
      "trap 'stty size; exit 3' WINCH; stty size; while :; do sleep 0.05; done",
      wanted as ssh2.ExecOptions,
    );
    await until(() => out().includes('11 22'));
    stream.setWindow(33, 44, 0, 0);
    expect((await exit)[0]).toBe(3);
    await end();
    expect(out()).toContain('33 44');
  });

  it('sends a signal, also behind the end of its input, and is told which one ended the program', async () => {
    const server = await start();
    const { stream, exit, end, out } = await channel(server, 'cat; echo ready; sleep 1000');
    stream.end('');
    await until(() => out().includes('ready'));
    // The client's own `signal` does nothing any more now; the protocol knows no such rule.
    const parts = stream as unknown as {
      _client: { _protocol: { signal(channel: number, name: string): void } };
      outgoing: { id: number };
    };
    parts._client._protocol.signal(parts.outgoing.id, 'USR1');
    expect((await exit).slice(0, 2)).toEqual([null, 'SIGUSR1']);
    await end();
  });
});

describe.skipIf(missing)('SFTP', () => {
  it('answers in the order of the requests, also when a later one is done sooner', async () => {
    const server = await start();
    writeFileSync(join(server.dir, 'large'), Buffer.alloc(1 << 20));
    const client = new ssh2.Client();
    const privateKey = await readFile(keyFile);
    const [INIT, OPEN, READ, UNKNOWN] = [1, 3, 5, 99];
    const number = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    };
    const text = (value: Buffer): Buffer => Buffer.concat([number(value.length), value]);
    const packet = (type: number, ...fields: Buffer[]): Buffer =>
      text(Buffer.concat([Buffer.of(type), ...fields]));
    await new Promise<void>((resolve, reject) => {
      client.on('ready', resolve).on('error', reject);
      client.connect({ host: '127.0.0.1', port: server.port, username: 'anna', privateKey });
    });
    const stream = await new Promise<ClientChannel>((resolve, reject) => {
      // Not `sftp`: that would speak for us.
      const raw = client as unknown as {
        subsys(name: string, done: (error: Error, opened: ClientChannel) => void): void;
      };
      raw.subsys('sftp', (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    let got = Buffer.alloc(0);
    const answers: Buffer[] = [];
    stream.on('data', (bytes: Buffer) => {
      got = Buffer.concat([got, bytes]);
      while (got.length >= 4 && got.length >= 4 + got.readUInt32BE(0)) {
        answers.push(got.subarray(4, 4 + got.readUInt32BE(0)));
        got = got.subarray(4 + got.readUInt32BE(0));
      }
    });
    stream.write(packet(INIT, number(3)));
    stream.write(packet(OPEN, number(1), text(Buffer.from('/large')), number(1), number(0)));
    await until(() => answers.length === 2);
    const handle = answers[1]!.subarray(5);
    const ids = Array.from({ length: 40 }, (_, index) => index + 10);
    const asked = ids.map((id) =>
      id % 2 === 0
        ? packet(READ, number(id), handle, number(0), number(0), number(30_000))
        : packet(UNKNOWN, number(id)),
    );
    stream.write(Buffer.concat(asked));
    await until(() => answers.length === 2 + ids.length);
    expect(answers.slice(2).map((answer) => answer.readUInt32BE(1))).toEqual(ids);
    client.end();
  });

  it('puts, gets, lists, renames, links, makes and removes', async () => {
    const server = await start();
    writeFileSync(join(scratch, 'local'), 'x'.repeat(700_000));
    const { code, out, err } = await sftp(server, [
      'pwd',
      `put ${scratch}/local up`,
      'mkdir sub',
      'rename up sub/moved',
      'ln -s sub/moved link',
      'ln sub/moved hard',
      'chmod 600 sub/moved',
      `get link ${scratch}/back`,
      'ls -l sub',
      'df',
      'rm hard',
      'mkdir gone',
      'rmdir gone',
      'cd sub',
      'pwd',
    ]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(readFileSync(join(scratch, 'back'), 'utf8')).toBe('x'.repeat(700_000));
    expect(readdirSync(server.dir).sort()).toEqual(['link', 'sub']);
    expect(readlinkSync(join(server.dir, 'link'))).toBe('sub/moved');
    expect(statSync(join(server.dir, 'sub/moved')).mode & 0o777).toBe(0o600);
    expect(out).toMatch(/Remote working directory: \/\n/);
    expect(out).toMatch(/Remote working directory: \/sub\n/);
    expect(out).toMatch(/-rw------- +\d+ \S+ +\S+ +700000 .* (sub\/)?moved\n/);
    expect(server.lines.at(-1)).toMatchObject({ what: 'sftp', result: 'closed' });
  });

  it('keeps a name that is no UTF-8, and what -p asks it to keep', async () => {
    const server = await start();
    writeFileSync(Buffer.from(`${server.dir}/caf\xe9`, 'latin1'), 'bytes');
    chmodSync(Buffer.from(`${server.dir}/caf\xe9`, 'latin1'), 0o640);
    utimesSync(Buffer.from(`${server.dir}/caf\xe9`, 'latin1'), 1_000_000_000, 1_000_000_000);
    expect((await sftp(server, [`get -p caf* ${scratch}/cafe`])).code).toBe(0);
    const { mode, mtimeMs } = statSync(join(scratch, 'cafe'));
    expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_000_000_000_000]);
  });

  it('never leaves its folder: not by dots, not by links, not by a link that leads nowhere yet', async () => {
    const server = await start();
    const outside = join(scratch, 'outside');
    rmSync(outside, { recursive: true, force: true });
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    writeFileSync(join(scratch, 'local'), 'mine');
    symlinkSync(outside, join(server.dir, 'out'));
    symlinkSync(join(outside, 'new'), join(server.dir, 'dangling'));
    symlinkSync('/etc/passwd', join(server.dir, 'passwd'));
    const tries = [
      `get ../../../../etc/passwd ${scratch}/stolen`,
      `get passwd ${scratch}/stolen`,
      `get out/secret ${scratch}/stolen`,
      `put ${scratch}/local out/planted`,
      `put ${scratch}/local dangling`,
      'rm out/secret',
      'mkdir out/dir',
      'ls out/secret',
      'rename out/secret secret',
      'ln out/secret hard',
      'chmod 777 passwd',
      'cd out',
    ];
    const results = await Promise.all(tries.map((one) => sftp(server, [one])));
    expect(results.map(({ code }) => code)).toEqual(tries.map(() => 1));
    expect(existsSync(join(scratch, 'stolen'))).toBe(false);
    expect(readdirSync(outside)).toEqual(['secret']);
    expect(existsSync(join(server.dir, 'secret'))).toBe(false);
  });
});

describe.skipIf(missing).each([
  ['the scp protocol', ['-O']],
  ['scp over SFTP', ['-s']],
])('%s', (_name, how) => {
  function tree(root: string): void {
    mkdirSync(join(root, 'inner', 'empty'), { recursive: true });
    writeFileSync(join(root, 'a file'), 'spaces');
    writeFileSync(join(root, 'inner', 'big'), Buffer.alloc(1_500_000, 7), { mode: 0o640 });
    writeFileSync(join(root, 'inner', 'nothing'), '');
    utimesSync(join(root, 'inner', 'big'), 1_100_000_000, 1_200_000_000);
    utimesSync(join(root, 'inner'), 1_100_000_000, 1_200_000_000);
  }
  function check(root: string): void {
    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      'a file',
      'inner',
      'inner/big',
      'inner/empty',
      'inner/nothing',
    ]);
    expect(readFileSync(join(root, 'inner', 'big')).equals(Buffer.alloc(1_500_000, 7))).toBe(true);
    const { mode, mtimeMs } = statSync(join(root, 'inner', 'big'));
    expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_200_000_000_000]);
    expect(statSync(join(root, 'inner')).mtimeMs).toBe(1_200_000_000_000);
  }

  it('takes a folder up with -r -p, and gives it back', async () => {
    const server = await start();
    const local = mkdtempSync(join(scratch, 'tree-'));
    tree(local);
    expect(await scp(server, [...how, '-r', '-p', local, at('up')])).toMatchObject({ code: 0, err: '' });
    check(join(server.dir, 'up'));
    expect(await scp(server, [...how, '-r', '-p', at('up'), `${local}-back`])).toMatchObject({
      code: 0,
      err: '',
    });
    check(`${local}-back`);
  });

  it('refuses what is outside, and says what is not there', async () => {
    const server = await start();
    symlinkSync('/etc', join(server.dir, 'out'));
    writeFileSync(join(scratch, 'local'), 'mine');
    for (const args of [
      [at('../../../etc/passwd'), join(scratch, 'stolen')],
      [at('out/passwd'), join(scratch, 'stolen')],
      [at('missing'), join(scratch, 'stolen')],
      [join(scratch, 'local'), at('out/planted')],
    ]) {
      const { code, err } = await scp(server, [...how, ...args]);
      expect([code, err]).toEqual([how[0] === '-O' ? 1 : expect.any(Number), expect.stringMatching(/\S/)]);
      expect(code).not.toBe(0);
    }
    expect(existsSync(join(scratch, 'stolen'))).toBe(false);
    expect(existsSync('/etc/planted')).toBe(false);
  });
});

describe.skipIf(missing)('forwarding', () => {
  async function echoServer(): Promise<{ port: number; server: Server }> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let all = '';
      socket.on('data', (bytes) => {
        all += bytes;
      });
      // It answers behind the client's FIN: both directions have to end apart.
      socket.on('end', () => socket.end(all.toUpperCase()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { port: (server.address() as AddressInfo).port, server };
  }

  it('reaches a server of this machine, and each direction ends for itself', async () => {
    const echo = await echoServer();
    const server = await start({ options: { forwarding: true } });
    const ran = await finished(ssh(server, [], ['-W', `127.0.0.1:${echo.port}`]), 'hello');
    expect(ran).toMatchObject({ code: 0, out: 'HELLO' });
    await until(() => server.lines.length === 2);
    expect(server.lines[1]).toMatchObject({
      what: `forward 127.0.0.1:${echo.port}`,
      result: 'closed',
      received: 5,
      sent: 5,
    });
    echo.server.close();
  });

  it('is refused when it was not asked for, and to other machines', async () => {
    const echo = await echoServer();
    const without = await start();
    expect((await finished(ssh(without, [], ['-W', `127.0.0.1:${echo.port}`]), 'hello')).out).toBe('');
    const server = await start({ options: { forwarding: true } });
    expect((await finished(ssh(server, [], ['-W', '192.0.2.1:80']), 'hello')).out).toBe('');
    expect(told(server).at(-1)).toBe('forward 192.0.2.1:80: refused');
    echo.server.close();
  });
});

describe.skipIf(missing)('the server', () => {
  it('that drains lets a running command end and takes nothing new', async () => {
    const server = await start({ drainNs: 5e9 });
    const child = ssh(server, ['echo ready; cat; echo done']);
    const over = finished(child, null);
    let ready = false;
    child.stdout!.on('data', () => {
      ready = true;
    });
    await until(() => ready);
    const drained = server.service.drain();
    expect((await run(server, 'echo late')).code).toBe(255);
    child.stdin!.end('last');
    expect(await over).toMatchObject({ code: 0, out: 'ready\nlastdone\n' });
    expect(await drained).toBe(0);
    expect(server.sockets.size).toBe(0);
  });

  it('that has drained too long kills what runs, and counts it', async () => {
    const server = await start({ drainNs: 100e6 });
    const child = ssh(server, ['echo $$; sleep 1000']);
    const over = finished(child, null);
    let pid = 0;
    child.stdout!.on('data', (text: string) => {
      pid = Number(text);
    });
    await until(() => pid > 0);
    expect(await server.service.drain()).toBe(1);
    expect((await over).code).toBe(255);
    await until(() => !alive(pid));
    expect(told(server).at(-1)).toContain('cut off');
  });

  it('lives on what is only a duplex, and through clients that speak nonsense', async () => {
    const server = await start({ wrap: plainDuplex });
    expect((await run(server, 'echo hello')).out).toBe('hello\n');
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      'SSH-2.0-x\r\n\0\0\0\x0c\x06nonsense'.padEnd(4000, '\xff'),
      '',
    ]) {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {}).resume();
      socket.end(Buffer.from(bytes, 'latin1'));
      await new Promise((resolve) => socket.on('close', resolve));
    }
    await until(() => server.sockets.size === 0);
    expect((await run(server, 'echo again')).out).toBe('again\n');
  });
});

/** What a misbehaving house gives instead of a socket. */
function plainDuplex(socket: Socket): Duplex {
  const out = new PassThrough();
  out.pipe(socket);
  const duplex = Duplex.from({ readable: socket, writable: out });
  socket.on('close', () => duplex.destroy());
  duplex.on('error', () => {});
  return duplex;
}

describe('the options of serve ssh', () => {
  const plan = (typed: Record<string, unknown>) =>
    Promise.resolve(kind.plan({ words: [], options: { hostKey: join(scratch, 'host_key_2'), ...typed } }));

  it('say what is wrong in one sentence', async () => {
    writeFileSync(join(scratch, 'bad_key'), 'no key', { mode: 0o600 });
    writeFileSync(join(scratch, 'open_key'), 'no key', { mode: 0o644 });
    chmodSync(join(scratch, 'open_key'), 0o644);
    for (const [typed, says] of [
      [{ none: true, password: 'x' }, /--none lets everybody in/],
      [{ password: '' }, /empty/],
      [{ user: '' }, /empty/],
      [{ dir: '/nowhere' }, /cannot be served/],
      [{ dir: '/etc/passwd' }, /is no folder/],
      [{ authorizedKeys: '/nowhere' }, /cannot be read/],
      [{ authorizedKeys: '/etc/passwd' }, /No public key/],
      [{ hostKey: join(scratch, 'bad_key') }, /holds no private key/],
      [{ hostKey: join(scratch, 'open_key') }, /can be read by others/],
      [{ hostKey: '/proc/nowhere/key' }, /neither read nor made/],
    ] as const) {
      await expect(plan(typed)).rejects.toMatchObject({
        name: 'SockscopeError',
        message: expect.stringMatching(says),
      });
    }
  });

  it('make a host key once and keep it, and a new password every time', async () => {
    const [one, two] = [await plan({}), await plan({})];
    expect(two.hostKey).toEqual(one.hostKey);
    expect(two.password).not.toBe(one.password);
    expect(lstatSync(one.hostKey.path).mode & 0o777).toBe(0o600);
    expect(one.password).toMatch(/^[a-z2-9]{4}(-[a-z2-9]{4}){3}$/);
  });
});
