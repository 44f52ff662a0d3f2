/** `sockscope kill` on real processes with real connections, in a network namespace of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kill } from '../src/see/kill-run.ts';
import { needs } from './needs.ts';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const ENTER = ['-U', '-n', '--preserve-credentials'];
const SERVER_PORT = 8080;

/** A server that says every connection and every error; a client that does the same. */
const SERVER = `
const { createServer } = require('node:net');
const { spawn } = require('node:child_process');
if (process.env.STUBBORN) process.on('SIGTERM', () => console.log('got SIGTERM'));
let id = 0;
const server = createServer((c) => {
  const name = 'connection ' + ++id;
  console.log(name);
  c.on('error', (e) => console.log(name, e.code)).on('close', () => console.log(name, 'closed')).resume();
});
server.on('error', (e) => console.log('server', e.code));
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  if (process.env.LEAK) {
    const child = spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', server._handle.fd] });
    console.log('child', child.pid);
  }
  console.log('ready');
});
`;
const CLIENT = `
const c = require('node:net').connect(Number(process.env.PORT), '127.0.0.1');
c.on('connect', () => console.log('connected', c.localPort));
c.on('error', (e) => console.log('error', e.code)).on('end', () => console.log('end')).on('close', () => console.log('closed')).resume();
setInterval(() => {}, 1000);
`;
/** Closes first, so the TIME-WAIT is on its side. */
const BRIEF_CLIENT = `
const c = require('node:net').connect(Number(process.env.PORT), '127.0.0.1', () => { console.log(c.localPort); c.end(); }).resume();
`;

interface Ran {
  stdout: string;
  stderr: string;
  status: number | null;
}

interface Running {
  pid: number;
  said: () => string;
  says: (what: string | RegExp) => Promise<string>;
  alive: () => boolean;
  child: ChildProcess;
}

const lab = needs('linux', 'namespace', 'nsenter', 'ip', 'setpriv', 'script');

describe.skipIf(lab.missing)('sockscope kill', () => {
  const running: Running[] = [];
  let stage: ChildProcess;

  beforeAll(async () => {
    stage = spawn('unshare', ['-Urn', 'sh', '-c', 'ip link set lo up && echo up && exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(stage.stdout!, 'data');
  });

  afterAll(async () => {
    const gone = once(stage, 'exit');
    stage.stdin?.end();
    await gone;
  });

  afterEach(async () => {
    for (const { child, alive } of running.splice(0)) {
      if (alive()) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
    }
  });

  function inside(command: string[], environment: Record<string, string> = {}): ChildProcess {
    return spawn('nsenter', ['-t', String(stage.pid), ...ENTER, '--', ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', PORT: String(SERVER_PORT), ...environment },
    });
  }

  /** nsenter turns into the program, so the child's pid is the program's. */
  async function start(
    script: string,
    ready: string,
    environment: Record<string, string> = {},
  ): Promise<Running> {
    const child = inside([process.execPath, '-e', script], environment);
    let text = '';
    child.stdout?.on('data', (bytes) => {
      text += bytes;
    });
    child.stderr?.on('data', (bytes) => {
      text += bytes;
    });
    const one: Running = {
      pid: child.pid!,
      said: () => text,
      says: async (what) => {
        await expect.poll(() => text, { timeout: 10_000 }).toMatch(what);
        return text;
      },
      alive: () => child.exitCode === null && child.signalCode === null,
      child,
    };
    running.push(one);
    await one.says(ready);
    return one;
  }

  const server = (environment?: Record<string, string>): Promise<Running> =>
    start(SERVER, 'ready', environment);
  const client = (environment?: Record<string, string>): Promise<Running> =>
    start(CLIENT, 'connected', environment);
  const portOf = (one: Running): number => Number(/connected (\d+)/.exec(one.said())?.[1]);

  async function run(command: string[], input = ''): Promise<Ran> {
    const child = inside(command);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (bytes) => {
      stdout += bytes;
    });
    child.stderr?.on('data', (bytes) => {
      stderr += bytes;
    });
    child.stdin?.end(input);
    const [status] = await once(child, 'close');
    return { stdout, stderr, status };
  }

  const sockscope = (...words: string[]): Promise<Ran> => run([process.execPath, cli, 'kill', ...words]);

  async function lines(...words: string[]): Promise<Record<string, unknown>[]> {
    const { stdout } = await sockscope(...words, '--json');
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  it('--dry-run shows program, folder, parents, clients — and touches nothing', async () => {
    const one = await server();
    const other = await client();
    const { stdout, stderr, status } = await sockscope(':8080', '--dry-run');
    expect(stdout).toContain(`(${one.pid})  in ${process.cwd()} · user `);
    expect(stdout).toContain('listens on tcp 127.0.0.1:8080');
    expect(stdout).toMatch(new RegExp(`started by .*\\(${process.pid}\\)`));
    expect(stdout).toMatch(new RegExp(`1 client connection would be lost: \\S+ \\(${other.pid}\\)`));
    expect(stdout).toContain(`(${one.pid}) would get SIGTERM`);
    expect(stderr).toContain('left alone, as they only have connections with :8080');
    expect(status).toBe(0);
    expect([one.alive(), other.alive()]).toEqual([true, true]);
    await client();
    await one.says('connection 2');
  });

  it('the server goes, the client is spared and sees the end, the port is free', async () => {
    const one = await server();
    const other = await client();
    const { stdout, status } = await sockscope(':8080', '--yes');
    expect(stdout).toMatch(new RegExp(`ended  .*\\(${one.pid}\\) after SIGTERM`));
    expect(stdout).toContain('free  tcp 127.0.0.1:8080');
    expect(status).toBe(0);
    expect(one.child.signalCode).toBe('SIGTERM');
    await other.says('closed');
    expect(other.alive()).toBe(true);
    await server();
  });

  it('with only clients there nobody is hit, and --clients is named; with it they go', async () => {
    await server();
    const other = await client();
    const port = `:${portOf(other)}`;
    const spared = await sockscope(port, '--yes');
    expect(spared.status).toBe(1);
    expect(spared.stderr).toContain(`nothing listens on ${port}; `);
    expect(spared.stderr).toContain('--clients would hit them too');
    expect(other.alive()).toBe(true);
    expect((await sockscope(port, '--clients', '--yes')).status).toBe(0);
    await expect.poll(() => running.map(({ alive }) => alive())).toEqual([false, false]);
  });

  it('nothing there is said in one sentence, with exit 1', async () => {
    expect(await sockscope(':9', '--yes')).toEqual({
      stdout: '',
      stderr: 'nothing listens on :9\n',
      status: 1,
    });
  });

  it('without a terminal and without --yes it refuses, with exit 2', async () => {
    const one = await server();
    const { stderr, status } = await sockscope(':8080');
    expect(status).toBe(2);
    expect(stderr).toContain('there is no terminal to ask on');
    expect(stderr).toContain('--yes');
    expect(one.alive()).toBe(true);
  });

  it.each([['8080'], [':0'], ['pid:0'], [':8080', '--signal', 'NOPE'], [':8080', '--force-after', '3'], []])(
    'kill %s %s %s is a usage error',
    async (...words: string[]) => {
      expect((await sockscope(...words.filter((word) => word !== undefined), '--yes')).status).toBe(2);
    },
  );

  it('a child that inherited the listener is named as who holds the port still, and then hit by the port', async () => {
    const one = await server({ LEAK: '1' });
    const child = Number(/child (\d+)/.exec(one.said())?.[1]);
    const first = await sockscope(`pid:${one.pid}`, '--yes');
    expect(first.stdout).toContain(`still taken  tcp 127.0.0.1:8080 by sleep (${child})`);
    expect(first.status).toBe(1);
    const second = await sockscope(':8080', '--yes');
    expect(second.stdout).toContain(`ended  sleep (${child}) after SIGTERM`);
    expect(second.stdout).toContain('free  tcp 127.0.0.1:8080');
    expect(second.status).toBe(0);
  });

  it('by port, parent and heir go together, the parent first', async () => {
    const one = await server({ LEAK: '1' });
    const child = Number(/child (\d+)/.exec(one.said())?.[1]);
    const told = await lines(':8080', '--yes');
    const victims = told.filter(({ kind }) => kind === 'process');
    expect(victims.map(({ pid, outcome }) => [pid, outcome])).toEqual([
      [one.pid, 'ended'],
      [child, 'ended'],
    ]);
    expect(victims[1]?.sharesWith).toMatchObject({ pid: one.pid });
    expect(told.filter(({ kind }) => kind === 'port')).toMatchObject([
      { v: 1, port: 8080, free: true, holders: [] },
    ]);
  });

  it('who ignores SIGTERM survives it, and is told why; --force-after ends it', async () => {
    const one = await server({ STUBBORN: '1' });
    const first = await sockscope(':8080', '--yes', '--wait', '300ms');
    expect(first.stdout).toContain('after SIGTERM: it handles SIGTERM itself and has not ended');
    expect(first.stdout).toContain('still taken  tcp 127.0.0.1:8080');
    expect(first.status).toBe(1);
    expect(one.said()).toContain('got SIGTERM');
    expect(one.alive()).toBe(true);
    const second = await sockscope(':8080', '--yes', '--force-after', '300ms');
    expect(second.stdout).toContain('with SIGKILL: it outlived SIGTERM');
    expect(second.stdout).toContain('free  tcp 127.0.0.1:8080');
    expect(second.status).toBe(0);
    expect(one.child.signalCode).toBe('SIGKILL');
  });

  it('--signal 9 is SIGKILL', async () => {
    const one = await server({ STUBBORN: '1' });
    expect((await sockscope(':8080', '--yes', '--signal', '9')).status).toBe(0);
    expect(one.child.signalCode).toBe('SIGKILL');
  });

  it('pid 1 and the shell it runs in are refused without --force', async () => {
    const { stdout, stderr, status } = await run([
      'sh',
      '-c',
      `"$0" "$1" kill pid:1 pid:$$ --yes --dry-run; echo "shell lives, exit $?"`,
      process.execPath,
      cli,
    ]);
    expect(stderr).toContain('pid:1: ');
    expect(stderr).toContain('is not touched: it is pid 1');
    expect(stderr).toContain('is not touched: this program runs inside it');
    expect(stdout).toContain('shell lives, exit 1');
    expect(status).toBe(0);
    const real = await run([
      'sh',
      '-c',
      `"$0" "$1" kill pid:$$ --yes; echo "shell lives, exit $?"`,
      process.execPath,
      cli,
    ]);
    expect(real.stdout).toBe('shell lives, exit 1\n');
  });

  it('--connection ends one of two connections, both programs live, each side sees what was said', async () => {
    const one = await server();
    const [first, second] = [await client(), await client()];
    await one.says('connection 2');
    const ends = [`127.0.0.1:${portOf(first)}`, '127.0.0.1:8080'];
    const { stdout, status } = await sockscope('--yes', '--connection', ...ends);
    expect(status).toBe(0);
    expect(stdout).toContain('then gets ECONNABORTED once');
    expect(stdout).toContain('gets RST: its next call fails with ECONNRESET');
    expect(stdout).toContain(`destroyed  tcp ${ends[0]} → ${ends[1]}`);
    await first.says('error ECONNABORTED');
    await one.says('connection 1 ECONNRESET');
    expect(running.map(({ alive }) => alive())).toEqual([true, true, true]);
    expect(second.said()).not.toContain('closed');
    const again = await sockscope('--yes', '--connection', ...ends);
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('no connection matches') });
  });

  it('--connections takes a filter, spares the listener, and --dry-run touches nothing', async () => {
    const one = await server();
    const clients = [await client(), await client()];
    await one.says('connection 2');
    const dry = await sockscope(
      '--connections',
      'state',
      'all',
      'exclude',
      'time-wait',
      ':8080',
      '--dry-run',
    );
    expect(dry.status).toBe(0);
    expect(dry.stdout.match(/would be destroyed/g)).toHaveLength(2);
    expect(dry.stderr).toContain('left alone: 1 listening socket; --listeners');
    expect(clients.some((each) => each.said().includes('closed'))).toBe(false);
    expect((await sockscope('--connections', ':8080')).status).toBe(2);
    const told = await lines('--connections', 'not', 'time-wait', ':8080', '--yes');
    expect(told.filter(({ kind }) => kind === 'connection').map(({ outcome }) => outcome)).toEqual([
      'destroyed',
      'destroyed',
    ]);
    for (const each of clients) {
      await each.says('closed');
    }
    expect(one.alive()).toBe(true);
    await client();
    await one.says('connection 3');
  });

  it('TIME-WAIT just vanishes', async () => {
    const one = await server();
    const first = await client();
    const brief = await run([process.execPath, '-e', BRIEF_CLIENT]);
    await one.says('connection 2 closed');
    const ended = ['--connections', 'state', 'time-wait', `:${brief.stdout.trim()}`, '--yes'];
    const gone = await sockscope(...ended);
    expect(gone.stdout).toContain('its pair of ports is free at once');
    expect(gone.stdout).toContain('destroyed');
    expect(gone.status).toBe(0);
    expect((await sockscope(...ended)).status).toBe(1);
    expect(first.said()).not.toContain('closed');
  });

  it('destroying a listener ends no program: it lives, its clients are refused, and one with SO_REUSEADDR can take the port over', async () => {
    const one = await server();
    const { stdout, status } = await sockscope('--connections', 'state', 'listening', '--listeners', '--yes');
    expect(status).toBe(0);
    expect(stdout).toContain('accept() fails with EINVAL');
    const late = await start(CLIENT, 'error ECONNREFUSED');
    expect(late.said()).not.toContain('connected');
    await server();
    expect(one.alive()).toBe(true);
  });

  it('without CAP_NET_ADMIN a socket is not destroyed: exit 3 and one sentence', async () => {
    await server();
    const other = await client();
    const weak = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', process.execPath, cli, 'kill'];
    const { stdout, status } = await run([...weak, '--connections', ':8080', '--yes']);
    expect(status).toBe(3);
    expect(stdout).toContain('not permitted');
    expect(stdout).toContain('needs CAP_NET_ADMIN');
    expect(other.said()).not.toContain('closed');
  });

  it('a bad filter is a usage error with a caret', async () => {
    const { stderr, status } = await sockscope('--connections', 'dport', '=', '--yes');
    expect(status).toBe(2);
    expect(stderr).toContain('^');
  });

  describe('on a terminal', () => {
    /** `script` gives the program a terminal; what we type is sent when its question has appeared. */
    async function typed(
      answers: string[],
      ...words: string[]
    ): Promise<{ text: string; status: number | null }> {
      const command = [process.execPath, cli, 'kill', ...words].join(' ');
      const child = inside(['script', '-qec', command, '/dev/null'], { TERM: 'dumb' });
      let text = '';
      let asked = 0;
      child.stdout?.on('data', (bytes) => {
        text += bytes;
        while (asked < answers.length && (text.match(/\[y\/N[^\]]*\] /g)?.length ?? 0) > asked) {
          child.stdin?.write(`${answers[asked++]}\n`);
        }
      });
      const [status] = await once(child, 'exit');
      child.stdin?.end();
      return { text, status };
    }

    it('no means no, yes means yes', async () => {
      const one = await server();
      const no = await typed(['n'], ':8080');
      expect(no.text).toMatch(new RegExp(`Send SIGTERM to .*\\(${one.pid}\\)\\? \\[y/N\\]`));
      expect(no.text).toContain('left alone');
      expect(no.status).toBe(1);
      expect(one.alive()).toBe(true);
      const yes = await typed(['y'], ':8080');
      expect(yes.status).toBe(0);
      expect(one.child.signalCode).toBe('SIGTERM');
    });

    it('of several each can be asked for', async () => {
      const one = await server();
      const two = await server({ PORT: '8081' });
      const { text, status } = await typed(['e', 'n', 'y'], ':8080', ':8081');
      expect(text).toContain('Send SIGTERM to all 2?');
      expect(status).toBe(1);
      expect([one.alive(), two.alive()].sort()).toEqual([false, true]);
    });

    it('who still holds the port is offered next', async () => {
      const one = await server({ LEAK: '1' });
      const { text, status } = await typed(['y', 'y'], `pid:${one.pid}`);
      expect(text).toContain('still taken  tcp 127.0.0.1:8080 by sleep');
      expect(text).toMatch(/Send SIGTERM to sleep \(\d+\)\?/);
      expect(text).toContain('free  tcp 127.0.0.1:8080');
      expect(status).toBe(0);
    });
  });
});

const linux = needs('linux');

describe.skipIf(linux.missing)('kill() for programs', () => {
  it('looks, lets the caller choose, ends it, and says that the port is free', async () => {
    const child = spawn(
      process.execPath,
      ['-e', SERVER.replace("'ready'", "'ready', server.address().port")],
      {
        env: { ...process.env, PORT: '0' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const gone = once(child, 'exit');
    try {
      const [bytes] = await once(child.stdout, 'data');
      const port = Number(/ready (\d+)/.exec(String(bytes))?.[1]);
      const dry = await kill({ targets: [`:${port}`], dryRun: true });
      expect(dry).toMatchObject({ exit: 0, results: [{ outcome: 'would be signalled' }], places: [] });
      const none = await kill({ targets: [`:${port}`], choose: async () => [] });
      expect(none).toMatchObject({ exit: 1, results: [{ outcome: 'left alone' }] });
      const done = await kill({ targets: [`127.0.0.1:${port}`] });
      expect(done).toMatchObject({
        exit: 0,
        results: [{ outcome: 'ended' }],
        places: [{ port, free: true }],
      });
      expect(await gone).toEqual([null, 'SIGTERM']);
    } finally {
      child.kill('SIGKILL');
      await gone;
    }
  });

  it('itself and its ancestors are refused', async () => {
    const report = await kill({ targets: [`pid:${process.pid}`, `pid:${process.ppid}`] });
    expect(report.exit).toBe(1);
    expect(report.plan.refusals.map(({ pid }) => pid)).toEqual([process.pid, process.ppid]);
  });
});

const root = needs('linux', 'root', 'setpriv');

it.skipIf(root.missing)("another user's process is not permitted: exit 3 and whose it is", () => {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  try {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, cli];
    const { stdout, status } = spawnSync('setpriv', [...nobody, 'kill', `pid:${child.pid}`, '--yes'], {
      encoding: 'utf8',
    });
    expect(stdout).toContain('not permitted');
    expect(stdout).toContain('it belongs to root: run as root or as that user');
    expect(status).toBe(3);
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill('SIGKILL');
  }
});
