/** The built `sockscope ssh run` as people start it, against our own server: pipes, several hosts, JSON, a real terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openPty } from '../src/kernel/pty.ts';
import { spawnShell } from '../src/kernel/spawn-shell.ts';
import { type Served, serveForTest } from '../src/make/serve/fixture.ts';
import type { AnyKind } from '../src/make/serve/kind.ts';
import type { SshPlan } from '../src/make/serve/ssh/plan.ts';
import { kind } from '../src/make/serve/ssh.ts';
import { needs } from './needs.ts';
import { keygen } from './sshd.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const { missing } = needs('linux', 'ssh-keygen', 'stty');

let folder = '';
let plan: SshPlan;
let served: Served;
const at = (name: string): string => join(folder, name);

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  out(): string;
}

const left: (() => void)[] = [];

const environment = () => ({ PATH: process.env.PATH ?? '', HOME: folder, LC_ALL: 'C.UTF-8' });

/** In a session of its own: nobody can be asked, also where the tests have a terminal. */
function started(words: readonly string[], input: string | null = ''): Started {
  const child = spawn(process.execPath, [cli, 'ssh', 'run', '-F', at('config'), ...words], {
    env: environment(),
    detached: true,
  });
  left.push(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin.on('error', () => {});
  if (input !== null) {
    child.stdin.end(input);
  }
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject).on('close', (status) => resolve({ status, out, err }));
  });
  return { child, ended, out: () => out };
}

const ran = (words: readonly string[], input = ''): Promise<Ran> => started(words, input).ended;
const soon = (look: () => void): Promise<void> => vi.waitFor(look, { interval: 10, timeout: 10_000 });
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

beforeAll(async () => {
  if (missing !== null) {
    return;
  }
  folder = mkdtempSync(join(tmpdir(), 'sockscope-ssh-program-'));
  // Or the shells would read ~/.bashrc: what the owner of this machine keeps there is slow, or speaks.
  vi.stubEnv('HOME', folder);
  writeFileSync(at('keys'), `${keygen(at('id'), 'ed25519')}\n`);
  mkdirSync(at('served'));
  plan = (await kind.plan({
    words: [],
    options: {
      dir: at('served'),
      hostKey: at('host'),
      authorizedKeys: at('keys'),
      password: 'correct horse',
    },
  })) as SshPlan;
  served = await serveForTest(kind as unknown as AnyKind, { plan });
  const common = [
    'Host nowhere',
    '  Port 1',
    'Host stranger',
    `  UserKnownHostsFile ${at('empty')}`,
    'Host *',
    '  HostName 127.0.0.1',
    `  Port ${served.port}`,
    '  User anna',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${at('known')}`,
    '  GlobalKnownHostsFile none',
  ];
  writeFileSync(at('password'), [...common, '  IdentityFile none', ''].join('\n'));
  writeFileSync(at('config'), [...common, `  IdentityFile ${at('id')}`, ''].join('\n'));
  expect((await ran(['any', '--accept-new', '--', 'true'])).status).toBe(0);
});
afterEach(() => {
  for (const end of left.splice(0)) {
    end();
  }
});
afterAll(async () => {
  await served?.close();
  vi.unstubAllEnvs();
  rmSync(folder === '' ? '/nonexistent' : folder, { recursive: true, force: true });
});

describe.skipIf(missing)('ssh run on one host', () => {
  test('passes input, both outputs and the status on, and says nothing itself', async () => {
    const [one, signal] = await Promise.all([
      ran(['any', '--', 'cat; echo oops >&2; exit 1'], 'hello\n'),
      ran(['any', '--', 'kill -TERM $$']),
    ]);
    expect(one).toEqual({ status: 1, out: 'hello\n', err: 'oops\n' });
    expect(signal).toEqual({
      status: 143,
      out: '',
      err: 'sockscope: any: the command was ended by SIGTERM.\n',
    });
  });

  test('that cannot be reached, is not known or does not let us in: a sentence, and 255 as with ssh', async () => {
    const [nowhere, stranger, denied, json, usage] = await Promise.all([
      ran(['nowhere', '--', 'true']),
      ran(['stranger', '--', 'true']),
      ran(['any', '-o', 'PubkeyAuthentication=no', '--', 'true']),
      ran(['nowhere', '--json', '--', 'true']),
      ran(['any', '-i', at('absent'), '--', 'true']),
    ]);
    expect(nowhere).toMatchObject({ status: 255, out: '' });
    expect(nowhere.err).toMatch(/^sockscope: 127\.0\.0\.1:1 refused the connection: .*\n.*\n$/);
    expect(stranger.status).toBe(255);
    expect(stranger.err).toContain(plan.hostKey.fingerprint);
    expect(denied.status).toBe(255);
    expect(denied.err).toContain('does not let anna in');
    expect(json.status).toBe(255);
    expect(JSON.parse(json.out)).toMatchObject({
      v: 1,
      type: 'failed',
      host: 'nowhere',
      code: 'SSH_REFUSED',
    });
    expect(usage).toMatchObject({ status: 2, err: expect.stringContaining('There is no key file') });
  });

  test('with a deadline ends the command, and says so with 124', async () => {
    const { status, out, err } = await ran(['any', '--deadline', '200ms', '--', 'echo begun; sleep 1000']);
    expect([status, out]).toEqual([124, 'begun\n']);
    expect(err).toBe('sockscope: any: the command did not end within 200ms and was ended.\n');
  });

  test('sends the first Ctrl-C on; the second leaves', async () => {
    const loop = "trap 'echo caught' INT; echo ready; while :; do sleep 0.02; done";
    const running = started(['any', '--', loop], null);
    await soon(() => expect(running.out()).toBe('ready\n'));
    running.child.kill('SIGINT');
    await soon(() => expect(running.out()).toBe('ready\ncaught\n'));
    running.child.kill('SIGINT');
    const { status, err } = await running.ended;
    expect([status, err]).toEqual([130, 'sockscope: SIGINT was sent on; once more leaves.\n']);
  });
});

describe.skipIf(missing)('ssh run on several hosts', () => {
  test('puts the name before each line, keeps the outputs apart, and ends with a summary and the highest status', async () => {
    const command = 'read word; echo "out $word"; printf "no end"; echo err >&2; exit 3';
    const { status, out, err } = await ran(['alpha,beta', '--host', 'gamma', '--', command], 'from stdin\n');
    expect(status).toBe(3);
    const names = ['alpha', 'beta', 'gamma'];
    expect(lines(out).sort()).toEqual(
      names.flatMap((name) => [`${name}: no end`, `${name}: out from stdin`]),
    );
    const said = lines(err);
    expect(said.slice(0, 3).sort()).toEqual(names.map((name) => `${name}: err`));
    expect(said.slice(3)).toEqual(
      names.map((name) => expect.stringMatching(new RegExp(`^${name} +exit 3 +\\d\\.\\d s$`))),
    );
  });

  test('all of stdin reaches each of them, also beside one that is not there', async () => {
    const input = '0123456789abcde\n'.repeat(40_000);
    const counting = await ran(['alpha,beta', '--', 'wc -c'], input);
    expect(lines(counting.out).map((line) => line.replace(/ +/, ' '))).toEqual(
      expect.arrayContaining(['alpha: 640000', 'beta: 640000']),
    );
    const beside = await ran(['alpha,nowhere', '--', 'wc -c'], input);
    expect(lines(beside.out)).toEqual(['alpha: 640000']);
    expect(beside.status).toBe(255);
    expect(beside.err).toContain('nowhere: 127.0.0.1:1 refused the connection');
    expect(beside.err).toMatch(/\nnowhere +SSH_REFUSED +\d\.\d s\n$/);
  });

  test('with --json every line is an object that names its host', async () => {
    const command = "echo text; printf '\\377'; echo err >&2; exit 4";
    const { status, out, err } = await ran(['alpha,beta,nowhere', '--json', '--', command]);
    expect([status, err]).toEqual([255, '']);
    const all = lines(out).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(all.every(({ v }) => v === 1)).toBe(true);
    for (const host of ['alpha', 'beta']) {
      const mine = all.filter((line) => line.host === host);
      const { fingerprint: hostKey } = plan.hostKey;
      const ms = expect.any(Number);
      expect(mine[0]).toEqual({
        v: 1,
        type: 'connected',
        host,
        address: '127.0.0.1',
        port: served.port,
        user: 'anna',
        hostKey,
        ms,
      });
      expect(mine.filter(({ stream }) => stream === 'stdout')).toMatchObject([
        { type: 'output', text: 'text\n' },
        { type: 'output', base64: '/w==' },
      ]);
      expect(mine.filter(({ stream }) => stream === 'stderr')).toMatchObject([{ text: 'err\n' }]);
      expect(mine.at(-1)).toEqual({ v: 1, type: 'end', host, how: 'exit', status: 4, ms });
    }
    expect(all.filter(({ host }) => host === 'nowhere')).toMatchObject([
      { type: 'failed', code: 'SSH_REFUSED' },
    ]);
  });
});

describe.skipIf(missing)('ssh run on a terminal', () => {
  interface Screen {
    text(): string;
    type(text: string): void;
    resize(rows: number, columns: number): void;
    shows(what: string | RegExp): Promise<void>;
  }

  /** A shell on a terminal of its own runs it, and compares the terminal's settings before and after. */
  function onTerminal(words: string, config = 'config'): Screen {
    const pty = openPty({ rows: 31, columns: 99 });
    if (typeof pty === 'number') {
      throw new Error(`no terminal: ${pty}`);
    }
    const command = `before=$(stty -g); "${process.execPath}" "${cli}" ssh run -F "${at(config)}" ${words}; echo "status $?"; [ "$before" = "$(stty -g)" ] && echo same settings`;
    const shell = spawnShell({
      shell: '/bin/sh',
      command,
      directory: folder,
      environment: { ...environment(), TERM: 'xterm' },
      terminal: pty,
    });
    left.push(() => {
      shell.signal('SIGKILL');
      pty.close();
    });
    let text = '';
    pty.output.on('data', (bytes: Buffer) => {
      // A raw terminal of libuv's puts one more CR before the LF.
      text = `${text}${bytes.toString()}`.replace(/\r+\n/g, '\n');
    });
    pty.output.on('error', () => {});
    return {
      text: () => text,
      type: (typed) => void pty.write(Buffer.from(typed)),
      resize: (rows, columns) => pty.resize({ rows, columns }),
      shows: (what) =>
        soon(() => (typeof what === 'string' ? expect(text).toContain(what) : expect(text).toMatch(what))),
    };
  }

  test('-t gives the other side a terminal of our size, the keys go there raw, and ours is as before', async () => {
    const loop = "trap 'stty size' WINCH; trap 'exit 130' INT; tty; stty size; while :; do sleep 0.02; done";
    const screen = onTerminal(`any -t -- "${loop}"`);
    await screen.shows(/\/dev\/pts\/\d+\n31 99\n/);
    screen.resize(20, 60);
    await screen.shows('20 60\n');
    screen.type('\x03');
    await screen.shows('status 130\nsame settings');
  });

  test('the terminal is as before also when the connection is lost', async () => {
    const doomed = await serveForTest(kind as unknown as AnyKind, { plan });
    const screen = onTerminal(`any:${doomed.port} --accept-new -t -- "echo ready; sleep 1000"`);
    await screen.shows('ready\n');
    await doomed.close();
    await screen.shows('the connection was lost');
    await screen.shows('status 255\nsame settings');
  });

  test('a password is not shown while it is typed, and is asked for again when it is wrong', async () => {
    const prompt = "anna@any's password: ";
    const screen = onTerminal('any -- echo in', 'password');
    await screen.shows(prompt);
    screen.type('wrong-secret\r');
    await soon(() => expect(screen.text().split(prompt)).toHaveLength(3));
    screen.type('correct hoX\x7frse\r');
    await screen.shows('in\nstatus 0\nsame settings');
    expect(screen.text()).not.toContain('secret');
    expect(screen.text()).not.toContain('correct');
  });

  test('Ctrl-C at the password leaves with 130, Ctrl-D gives up, and the terminal is as before', async () => {
    const [one, two] = [onTerminal('any -- echo in', 'password'), onTerminal('any -- echo in', 'password')];
    await Promise.all([one.shows('password: '), two.shows('password: ')]);
    one.type('half\x03');
    two.type('\x04');
    await one.shows('status 130\nsame settings');
    await two.shows('status 255\nsame settings');
    expect(one.text()).not.toContain('half');
    expect(two.text()).not.toContain('in\nstatus');
  });

  test('an unknown host is asked about, with its fingerprint, and remembered', async () => {
    const screen = onTerminal('stranger -- echo in');
    await screen.shows('the fingerprint you expect) ');
    expect(screen.text()).toContain(plan.hostKey.fingerprint);
    screen.type('yes\r');
    await screen.shows('in\nstatus 0\nsame settings');
    expect(readFileSync(at('empty'), 'utf8')).toContain(`[127.0.0.1]:${served.port} ssh-ed25519 `);
  });
});
