import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import { type Sshd, startSshd } from '../../../test/sshd.ts';
import { connectTo } from './connect.ts';
import type { Ask, SshConnection } from './connection.ts';
import { type CommandWish, type Ending, type RunningCommand, startCommand, statusOf } from './run.ts';

const { missing } = needs('sshd', 'ssh-keygen');

const nobody: Ask = { possible: false, password: async () => null, line: async () => null, say: () => {} };

interface Kept {
  readonly stream: Writable;
  text(): string;
  /** Resolves when the text has been written. */
  has(text: string): Promise<void>;
}

function kept(): Kept {
  let all = '';
  let look = (): void => {};
  return {
    stream: new Writable({
      write(chunk: Buffer, _encoding, done) {
        all += chunk.toString();
        look();
        done();
      },
    }),
    text: () => all,
    has: (text) =>
      new Promise((resolve) => {
        look = () => {
          if (all.includes(text)) {
            resolve();
          }
        };
        look();
      }),
  };
}

describe.skipIf(missing)('a command on a host', () => {
  let sshd: Sshd;
  let connection: SshConnection;
  const out = { now: kept() };
  const err = { now: kept() };

  beforeAll(async () => {
    sshd = await startSshd();
    connection = await connectTo(
      'here',
      { configFile: sshd.config, options: ['SetEnv="SOCK_A=b c"'] },
      nobody,
    );
  });
  afterAll(async () => {
    await connection?.end();
    await sshd?.stop();
  });

  const start = (
    command: string,
    more: Partial<CommandWish> = {},
    on = connection,
  ): Promise<RunningCommand> => {
    out.now = kept();
    err.now = kept();
    return startCommand(on, {
      command,
      terminal: null,
      deadlineMs: null,
      input: null,
      out: out.now.stream,
      err: err.now.stream,
      ...more,
    });
  };
  const ran = async (command: string, more: Partial<CommandWish> = {}): Promise<Ending> =>
    (await start(command, more)).ended;

  test('its two outputs stay apart, and its exit status is told', async () => {
    expect(await ran('echo one; echo two >&2; exit 7')).toEqual({ kind: 'exit', status: 7 });
    expect([out.now.text(), err.now.text()]).toEqual(['one\n', 'two\n']);
  });

  test('a megabyte each way loses nothing, and the output ends after the last byte', async () => {
    const input = new PassThrough();
    const ended = ran('tee /dev/stderr', { input });
    input.end('0123456789abcde\n'.repeat(65_536));
    expect(await ended).toEqual({ kind: 'exit', status: 0 });
    expect(out.now.text()).toHaveLength(1_048_576);
    expect(err.now.text()).toBe(out.now.text());
  });

  test('without input it finds the end of its input at once', async () => {
    expect(await ran('wc -c')).toEqual({ kind: 'exit', status: 0 });
    expect(out.now.text().trim()).toBe('0');
  });

  test('a signal that ended it is told by its name', async () => {
    const ending = await ran('kill -9 $$');
    expect(ending).toEqual({ kind: 'signal', signal: 'SIGKILL' });
    expect(statusOf(ending)).toBe(137);
  });

  test('a signal of ours reaches it', async () => {
    const running = await start("trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done");
    await out.now.has('ready');
    running.signal('INT');
    expect(await running.ended).toEqual({ kind: 'exit', status: 9 });
    expect(out.now.text()).toContain('caught');
  });

  test('with a terminal it has one, of the size it was given, and hears of a new size', async () => {
    const input = new PassThrough();
    const running = await start('tty; stty size; read line; stty size; exit 3', {
      terminal: { term: 'xterm-256color', rows: 33, columns: 111 },
      input,
    });
    await out.now.has('33 111');
    running.resize(44, 122);
    input.write('\n');
    expect(await running.ended).toEqual({ kind: 'exit', status: 3 });
    expect(out.now.text()).toMatch(/^\/dev\/pts\/\d+\r\n/);
    expect(out.now.text()).toContain('44 122');
  });

  test('the byte of Ctrl-C interrupts it on a terminal', async () => {
    const input = new PassThrough();
    const running = await start('echo ready; sleep 30', {
      terminal: { term: 'xterm', rows: 24, columns: 80 },
      input,
    });
    await out.now.has('ready');
    input.write('\x03');
    expect(statusOf(await running.ended)).toBe(130);
  });

  test('after the deadline it is ended, also when it does not want to, and the status is 124', async () => {
    const running = await start("trap '' TERM; echo $$; while :; do sleep 0.05; done", { deadlineMs: 200 });
    const ending = await running.ended;
    expect(ending).toEqual({ kind: 'deadline', gone: true });
    expect(statusOf(ending)).toBe(124);
    const pid = Number(out.now.text());
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  test('what ends before its deadline ends as it would have', async () => {
    expect(await ran('exit 5', { deadlineMs: 5000 })).toEqual({ kind: 'exit', status: 5 });
  });

  test('SetEnv goes along where the server takes it', async () => {
    await ran('echo "$SOCK_A"');
    expect(out.now.text()).toBe('b c\n');
  });

  test('when the connection is lost, that is what is said, with status 255', async () => {
    const doomed = await connectTo('here', { configFile: sshd.config }, nobody);
    const running = await start('echo ready; kill -9 $PPID; sleep 5', {}, doomed);
    const ending = await running.ended;
    expect(ending).toMatchObject({ kind: 'lost' });
    expect(statusOf(ending)).toBe(255);
    expect(doomed.lost).not.toBeNull();
    await doomed.end();
    await expect(start('true', {}, doomed)).rejects.toMatchObject({ code: 'SSH_EXEC', exit: 1 });
  });
});

describe('the status of an ending', () => {
  test('a signal without a number here still counts as one', () => {
    expect(statusOf({ kind: 'signal', signal: 'SIGODD' })).toBe(128);
    expect(statusOf({ kind: 'lost', why: '' })).toBe(255);
  });
});
