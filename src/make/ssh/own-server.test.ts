/** Our client and our own server: `ssh run` and `serve ssh` without anybody else. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { keygen } from '../../../test/sshd.ts';
import { type Served, serveForTest } from '../serve/fixture.ts';
import type { AnyKind } from '../serve/kind.ts';
import type { SshPlan } from '../serve/ssh/plan.ts';
import { kind } from '../serve/ssh.ts';
import { connectTo } from './connect.ts';
import type { Ask, SshConnection, SshSettings } from './connection.ts';
import { type CommandWish, type RunningCommand, startCommand, statusOf } from './run.ts';

const { missing } = needs('linux', 'ssh-keygen');

interface Person extends Ask {
  readonly asked: string[];
}

function person(...answers: string[]): Person {
  const asked: string[] = [];
  const next = async (prompt: string): Promise<string | null> => {
    asked.push(prompt);
    return answers.shift() ?? null;
  };
  return { possible: true, asked, password: next, line: next, say: () => {} };
}

describe.skipIf(missing)('our client and our server', () => {
  let folder = '';
  let plan: SshPlan;
  let served: Served;
  let target = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-own-'));
    // Or the shells would read ~/.bashrc: what the owner of this machine keeps there is slow, or speaks.
    vi.stubEnv('HOME', folder);
    writeFileSync(join(folder, 'keys'), `${keygen(join(folder, 'id'), 'ed25519')}\n`);
    keygen(join(folder, 'stranger'), 'ed25519');
    mkdirSync(join(folder, 'served'));
    plan = (await kind.plan({
      words: [],
      options: {
        dir: join(folder, 'served'),
        hostKey: join(folder, 'host'),
        authorizedKeys: join(folder, 'keys'),
        password: 'correct horse',
        user: 'anna',
      },
    })) as SshPlan;
    served = await serveForTest(kind as unknown as AnyKind, { plan });
    target = `anna@127.0.0.1:${served.port}`;
    await (await connectTo(target, settings('id'), person(plan.hostKey.fingerprint))).end();
  });
  afterAll(async () => {
    await served?.close();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    served.lines.length = 0;
  });

  const settings = (key?: string, ...options: string[]): SshSettings => ({
    configFile: 'none',
    knownHosts: join(folder, 'known'),
    options: ['IdentityAgent=none', 'IdentityFile=none', ...options],
    ...(key === undefined ? {} : { identities: [join(folder, key)] }),
  });
  const logins = (): string[] =>
    served.lines
      .map(({ what, result }) => `${what.replace(/SHA256:\S+/, 'SHA256:…')}: ${result}`)
      .filter((line) => line.includes('by password'));

  describe('a login', () => {
    test('by key asks nothing; the host is known by the fingerprint that the server showed', async () => {
      const ask = person();
      const connection = await connectTo(target, settings('id'), ask);
      expect(connection).toMatchObject({ user: 'anna', hostKey: plan.hostKey.fingerprint });
      expect(connection.software).toMatch(/^sockscope/);
      await connection.end();
      expect(ask.asked).toEqual([]);
      expect(readFileSync(join(folder, 'known'), 'utf8').trim().split('\n')).toHaveLength(1);
    });

    test('with a key that is not taken goes on to the password, which is asked for until it is right', async () => {
      const ask = person('wrong', 'correct horse');
      await (await connectTo(target, settings('stranger'), ask)).end();
      expect(ask.asked).toEqual(Array(2).fill("anna@127.0.0.1's password: "));
      await vi.waitFor(() =>
        expect(logins()).toEqual(['login anna by password: refused', 'login anna by password: accepted']),
      );
    });

    test('with three wrong passwords is denied, and the sentence has none of them', async () => {
      const ask = person('wrong-1', 'wrong-2', 'wrong-3', 'correct horse');
      const error = await connectTo(target, settings('stranger'), ask).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SSH_DENIED', exit: 1 });
      expect(ask.asked).toHaveLength(3);
      const { message } = error as Error;
      expect(message).toContain(
        `tried ${join(folder, 'stranger')}, password; the server takes publickey, password`,
      );
      expect(message).not.toContain('wrong-');
    });

    test.each([
      ['--no-password', { password: false }, []],
      ['BatchMode', {}, ['BatchMode=yes']],
      ['PasswordAuthentication no', {}, ['PasswordAuthentication=no']],
    ])('with %s asks for no password', async (_name, more, options) => {
      const ask = person('correct horse');
      const login = connectTo(target, { ...settings(undefined, ...options), ...more }, ask);
      await expect(login).rejects.toMatchObject({ code: 'SSH_DENIED' });
      expect(ask.asked).toEqual([]);
    });

    test('by a name that the server does not want is denied, though the password is right', async () => {
      const login = connectTo(
        `bob@127.0.0.1:${served.port}`,
        settings(undefined, 'NumberOfPasswordPrompts=1'),
        person('correct horse'),
      );
      await expect(login).rejects.toMatchObject({ code: 'SSH_DENIED' });
    });
  });

  describe('a command', () => {
    let connection: SshConnection;
    let out = '';
    let err = '';
    beforeAll(async () => {
      connection = await connectTo(target, settings('id'), person());
    });
    afterAll(() => connection?.end());

    const start = (command: string, more: Partial<CommandWish> = {}): Promise<RunningCommand> => {
      out = '';
      err = '';
      return startCommand(connection, {
        command,
        terminal: null,
        deadlineMs: null,
        input: null,
        out: new Writable({
          write(chunk: Buffer, _encoding, done) {
            out += chunk.toString();
            done();
          },
        }),
        err: new Writable({
          write(chunk: Buffer, _encoding, done) {
            err += chunk.toString();
            done();
          },
        }),
        ...more,
      });
    };
    const shows = (text: string): Promise<void> =>
      vi.waitFor(() => expect(out).toContain(text), { interval: 5, timeout: 5000 });

    test('has its outputs apart, its input to the end, and its status', async () => {
      const input = new PassThrough();
      input.end('0123456789abcde\n'.repeat(20_000));
      const running = await start('wc -c; echo oops >&2; exit 7', { input });
      expect(await running.ended).toEqual({ kind: 'exit', status: 7 });
      expect([out.trim(), err]).toEqual(['320000', 'oops\n']);
    });

    test.each(['TERM', 'KILL'])('that SIG%s ended is told as that', async (name) => {
      const ending = await (await start(`kill -${name} $$`)).ended;
      expect(ending).toEqual({ kind: 'signal', signal: `SIG${name}` });
      expect(statusOf(ending)).toBe(name === 'TERM' ? 143 : 137);
    });

    test.each([
      ['is still open', () => new PassThrough()],
      ['has ended', () => null],
    ])('gets our signal when its input %s', async (_name, input) => {
      const running = await start(
        "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.02; done",
        {
          input: input(),
        },
      );
      await shows('ready');
      running.signal('INT');
      expect(await running.ended).toEqual({ kind: 'exit', status: 9 });
      expect(out).toContain('caught');
    });

    test('has a terminal of the size it was given, hears of a new one, and of Ctrl-C', async () => {
      const input = new PassThrough();
      const running = await start(
        "trap 'stty size' WINCH; trap 'exit 130' INT; stty size; while :; do sleep 0.02; done",
        {
          terminal: { term: 'vt100', rows: 33, columns: 111 },
          input,
        },
      );
      await shows('33 111');
      running.resize(44, 122);
      await shows('44 122');
      input.write('\x03');
      expect(statusOf(await running.ended)).toBe(130);
    });

    test('hears of a new size also when its input has ended', async () => {
      const running = await start("trap 'stty size; exit 3' WINCH; stty size; while :; do sleep 0.02; done", {
        terminal: { term: 'vt100', rows: 11, columns: 22 },
      });
      await shows('11 22');
      running.resize(12, 23);
      expect(statusOf(await running.ended)).toBe(3);
      expect(out).toContain('12 23');
    });

    test('is told of its deadline by SIGTERM, and may tidy up', async () => {
      const running = await start("trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.02; done", {
        deadlineMs: 150,
      });
      const ending = await running.ended;
      expect(ending).toEqual({ kind: 'deadline', gone: true });
      expect(statusOf(ending)).toBe(124);
      expect(out).toBe('ready\ntidy\n');
    });

    test('that does not want to end at its deadline is killed, and the others of the server are not', async () => {
      const stubborn = await start("trap '' TERM; echo $$; while :; do sleep 0.02; done", {
        deadlineMs: 150,
      });
      await shows('\n');
      const pid = Number(out);
      const other = await connectTo(target, settings('id'), person());
      const input = new PassThrough();
      let heard = '';
      const bystander = await startCommand(other, {
        command: 'cat; exit 4',
        terminal: null,
        deadlineMs: null,
        input,
        out: new Writable({
          write(chunk: Buffer, _encoding, done) {
            heard += chunk.toString();
            done();
          },
        }),
        err: new PassThrough(),
      });
      expect(await stubborn.ended).toEqual({ kind: 'deadline', gone: true });
      expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
      // As long as one more command takes that looks for others.
      await (await start('ps -A -o pid=; sleep 0.1')).ended;
      input.end('still here');
      expect(await bystander.ended).toEqual({ kind: 'exit', status: 4 });
      expect(heard).toBe('still here');
      await vi.waitFor(() => expect(served.lines.map(({ what }) => what)).toContain('exec cat; exit 4'));
      expect(served.lines.filter(({ what }) => what.includes('kill -s'))).toEqual([]);
      await other.end();
    });
  });
});
