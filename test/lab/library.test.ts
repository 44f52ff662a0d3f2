/** `sockscope/lab` as a stranger uses it, through the built files. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { stage as Build, RemoteStage } from '../../src/lab/index.ts';
import { needs } from '../needs.ts';
import { eventually, MARK, marked } from './host.ts';

const { missing } = needs('namespace');
const LIBRARY = pathToFileURL(resolve('dist/lab.mjs')).href;
const stage: typeof Build = (...wish) =>
  import(LIBRARY).then((library: { stage: typeof Build }) => library.stage(...wish));

/** Code and sentence of what a call rejects with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    return `none: ${JSON.stringify(await call)}`;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

describe.skipIf(missing !== null)('a stage', () => {
  let lab: RemoteStage;
  beforeAll(async () => {
    lab = await stage();
  });
  afterAll(() => lab?.close());

  it('carries bytes between programs, and what was seen of it can be asked', async () => {
    const [client, server] = [lab.host('client'), lab.host('server')];
    const listener = await server.listening('*:80');
    await lab.reached('server', 'LISTEN');
    const socket = await client.connected('server:80');
    const accepted = await server.accepted(listener);
    await client.send(socket, Uint8Array.of(0, 255, 10));
    const { bytes, errno } = await server.received(accepted, 3);
    expect({ bytes: [...bytes], errno }).toEqual({ bytes: [0, 255, 10], errno: null });
    await client.close(socket);
    await lab.until('a FIN', (seen) => seen.packets({ from: 'client', flags: 'FA' }).length > 0);
    await lab.settled();
    expect(lab.seen.packets({ from: 'client', flags: 'S' })).toHaveLength(1);
    expect(lab.seen.states('client').slice(0, 3)).toEqual(['CLOSED', 'SYN-SENT', 'ESTABLISHED']);
    expect(lab.seen.calls({ host: 'client', name: 'connect' }).map(({ result }) => result)).toEqual([0]);
    expect((await client.sockets()).length).toBeGreaterThan(0);
  });

  it('a call that waits stops nobody else, and its errno is an answer', async () => {
    const client = lab.host('client');
    const waits = client.recv(Number((await client.socket('udp')).result));
    expect(await client.getsockname(9999)).toMatchObject({ result: -1, errno: 'EBADF' });
    const other = await client.program();
    expect(other).toMatchObject({ host: 'client' });
    await other.kill('SIGKILL');
    expect(await other.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await refusal(other.socket())).toMatch(/^LAB_PROGRAM_ENDED: .*\(SIGKILL\)/);
    expect(await Promise.race([waits.then(() => 'ended'), lab.pass(50)])).toBe(undefined);
  });

  it('a rule counts, holds, releases and goes', async () => {
    const [client, server] = [lab.host('client'), lab.host('server')];
    const receiver = Number((await server.socket('udp')).result);
    await server.bind(receiver, '*:5000');
    const sender = Number((await client.socket('udp')).result);
    const rule = await lab.wire.hold({ from: 'client', filter: 'udp port 5000' });
    await client.sendto(sender, 'one', 'server:5000');
    await client.sendto(sender, 'two', 'server:5000');
    await lab.until('two are held', (seen) => seen.fates('held').length === 2);
    expect(await rule.hits()).toBe(2);
    expect(await rule.release(1)).toBe(1);
    expect((await server.recv(receiver)).text).toBe('one');
    await rule.remove();
    expect(await refusal(rule.hits())).toMatch(/^LAB_WIRE: .*no rule/);
  });

  it('a foreign program is written to and read from, and how it ends is known', async () => {
    const child = await lab.host('server').start('cat');
    await child.write('good morning\n');
    const pattern = /mor+ning/g;
    expect(await child.prints(pattern)).toBe('good morning\n');
    expect(await child.prints(pattern), 'a second time').toBe('good morning\n');
    await child.end();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(await refusal(child.prints(/evening/))).toMatch(/^LAB_WAITED: .*before it ended \(exit 0\)/);
    expect(await refusal(lab.host('server').start('no-such-program'))).toBe(
      'NO_PROGRAM: There is no program no-such-program.',
    );
  });

  it('what is asked wrongly is refused in words, and nothing breaks', async () => {
    const client = lab.host('client');
    expect(() => lab.host('nobody')).toThrow('There is no host nobody on this stage.');
    const socket = Number((await client.socket()).result);
    const wrong = [
      [() => client.connect(socket, 'nowhere:80'), /^LAB_CALL: nowhere:80 is no address/],
      [() => client.bind('x' as never, '*:1'), /^LAB_CALL: a descriptor is a whole number/],
      [() => client.send(socket, (() => 1) as never), /^LAB_ARGUMENT: That cannot be sent/],
      [() => client.route('banana', 'unreachable'), /^LAB_HOST: banana is no address/],
      [() => client.setSysctl('tcp_retries2', 'banana'), /^LAB_HOST: .*EINVAL/],
      [() => client.boot(), /^LAB_HOST: client is running already/],
      [() => lab.wire.cut('nobody'), /^LAB_HOST: There is no host nobody/],
      [() => lab.wire.drop({ frm: 'client' } as never), /^STAGE_WISH: A match has no "frm"/],
      [() => lab.wire.drop({ filter: 'tcp prt 80' }), /^LAB_WIRE: .*Did you mean port\?/],
      [() => lab.wire.rule({ do: 'explode' } as never), /^STAGE_WISH: An act has no "explode"/],
      [() => lab.wire.path({ delayMs: -1 }), /^LAB_WIRE: .*delayMs is a number/],
      [() => lab.until('rain', () => false, 50), /^LAB_WAITED: Waited 50 ms in vain for rain/],
      [() => lab.reached('nobody', 'LISTEN'), /^LAB_HOST: /],
    ] as const;
    for (const [call, words] of wrong) {
      expect(await refusal(call())).toMatch(words);
    }
    expect(await client.sysctl('tcp_no_such_thing')).toBeNull();
    expect(await client.setSysctl('tcp_no_such_thing', 1)).toBe(false);
    const broken = (): boolean => {
      throw new TypeError('my own mistake');
    };
    await expect(lab.until('anything', broken)).rejects.toThrow('my own mistake');
  });

  it('a host that is switched off says so, and comes back with nothing remembered', async () => {
    const server = lab.host('server');
    await server.powerOff();
    for (const call of [
      server.socket(),
      server.sockets(),
      server.sysctl('tcp_retries2'),
      server.powerOff(),
    ]) {
      expect(await refusal(call)).toBe('LAB_HOST: server is switched off.');
    }
    await server.boot();
    expect(await server.listening('*:80')).toBeGreaterThan(2);
  });
});

describe.skipIf(missing !== null)('a stage and its end', () => {
  it('two at once, with the same addresses, see nothing of each other', async () => {
    const one = async (): Promise<unknown> => {
      const lab = await stage();
      try {
        const [client, server] = [lab.host('client'), lab.host('server')];
        const listener = await server.listening('*:80');
        for (let times = 0; times < 5; times++) {
          const socket = await client.connected('server:80');
          await client.close(socket);
          await server.close(await server.accepted(listener));
        }
        await lab.settled();
        const opened = lab.seen.states('client').filter((state) => state === 'SYN-SENT');
        return [opened.length, lab.seen.packets({ from: 'client', flags: 'S' }).length];
      } finally {
        await lab.close();
      }
    };
    expect(await Promise.all([one(), one(), one()])).toEqual([
      [5, 5],
      [5, 5],
      [5, 5],
    ]);
  });

  it('is closed as often as one likes; what is asked later, or waits, is told so', async () => {
    const lab = await stage();
    const client = lab.host('client');
    const waiting = refusal(lab.until('never', () => false));
    const socket = Number((await client.socket('udp')).result);
    // Nobody looks at these: they must not end the process either.
    void client.recv(socket);
    void client.recv(socket);
    await Promise.all([lab.close(), lab.close()]);
    await lab.close();
    const closed = 'LAB_CLOSED: The stage has been closed.';
    expect(await waiting).toBe(closed);
    expect(await refusal(client.socket())).toBe(closed);
    expect(await refusal(lab.say('hello'))).toBe(closed);
    expect(await refusal(lab.wire.cut('client'))).toBe(closed);
    expect(lab.seen.calls({ name: 'socket' }).length, 'what was seen stays').toBe(1);
  });

  it('a wish that cannot be is refused before anything is built', async () => {
    const wrong = [
      [{ hosts: {} }, /^STAGE_WISH: A stage without hosts/],
      [{ hosts: { Big: {} } }, /^STAGE_WISH: A host cannot be called "Big"/],
      [{ hosts: { a: { on: [] } } }, /^STAGE_WISH: The host a is on no segment/],
      [{ hosts: { a: { mtu: 1 } } }, /^STAGE_WISH: The MTU of a is a whole number from 1280/],
      [{ wire: { loss: 7 } }, /^STAGE_WISH: .*loss is a number from 0 to 1, not 7/],
      [{ host: {} }, /^STAGE_WISH: The stage has no "host"/],
      [{ sysctl: { tcp_retries2: 'banana' } }, /^LAB_SETTING: .*tcp_retries2 = banana of client .*EINVAL/],
      [null, /^STAGE_WISH: /],
    ] as const;
    expect(
      await Promise.all(wrong.map(async ([wish, words]) => words.test(await refusal(stage(wish as never))))),
    ).toEqual(wrong.map(() => true));
  });

  it('a setting that this kernel lacks is named', async () => {
    const lab = await stage({ sysctl: { tcp_no_such_thing: 1 } });
    expect(lab.missing).toEqual(['tcp_no_such_thing']);
    await lab.close();
  });
});

describe.skipIf(missing !== null)('whoever forgets to close it', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-library-'));
    mkdirSync(join(folder, 'node_modules/sockscope'), { recursive: true });
    cpSync('package.json', join(folder, 'node_modules/sockscope/package.json'));
    symlinkSync(resolve('dist'), join(folder, 'node_modules/sockscope/dist'));
    symlinkSync(resolve('node_modules/vitest'), join(folder, 'node_modules/vitest'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function left(mark: string) {
    return eventually(
      () => marked(mark),
      (found) => found.length === 0,
    );
  }

  async function vitest(...words: string[]): Promise<{ readonly output: string; readonly left: unknown }> {
    const mark = randomUUID();
    const env = { ...process.env, [MARK]: mark };
    const args = [resolve('node_modules/vitest/vitest.mjs'), 'run', '--root', folder, ...words];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      env,
      timeout: 60_000,
    }).catch((error: { stdout: string; stderr: string }) => error);
    return { output: stdout + stderr, left: await left(mark) };
  }

  it('the example passes as it stands', async () => {
    cpSync('docs/examples/lab-http', folder, { recursive: true });
    const { output, left: found } = await vitest('lab.test.mjs');
    expect(output).toMatch(/Tests .*3 passed/);
    expect(found).toEqual([]);
  }, 60_000);

  it('a test that throws, and whose stage is never closed, leaves nothing when its worker ends', async () => {
    writeFileSync(
      join(folder, 'forgets.test.mjs'),
      `import { stage } from 'sockscope/lab'; import { it } from 'vitest';
       it('forgets', async () => { const lab = await stage(); await lab.host('client').listening('*:80'); throw new Error('oh'); });`,
    );
    const { output, left: found } = await vitest('forgets.test.mjs');
    expect(output).toMatch(/Tests .*1 failed/);
    expect(output).not.toMatch(/Unhandled/);
    expect(found).toEqual([]);
  }, 60_000);

  it('a program that is killed leaves nothing either', async () => {
    const mark = randomUUID();
    writeFileSync(
      join(folder, 'waits.mjs'),
      `import { stage } from 'sockscope/lab'; const lab = await stage(); await lab.host('client').start('sleep', ['1000']); console.log('up');`,
    );
    const child: ChildProcess = spawn(process.execPath, [join(folder, 'waits.mjs')], {
      env: { ...process.env, [MARK]: mark },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((up) => child.stdout!.once('data', up));
    expect(marked(mark).length).toBeGreaterThan(2);
    child.kill('SIGKILL');
    expect(await left(mark)).toEqual([]);
  });
});

describe('docs/lab-library.md', () => {
  it('shows the example as it stands', () => {
    const page = readFileSync('docs/lab-library.md', 'utf8');
    for (const name of ['server.mjs', 'client.mjs', 'lab.test.mjs']) {
      expect(page).toContain(readFileSync(`docs/examples/lab-http/${name}`, 'utf8').trim());
    }
  });
});
