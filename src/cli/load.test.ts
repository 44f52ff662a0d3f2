import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../test/needs.ts';
import { SockscopeError } from '../errors.ts';
import { kindNamed } from '../make/load/kinds.ts';
import { type Built, buildLoad } from '../make/load/run-fixture.ts';
import { type LoadFlags, readKind, readPlan } from './load-flags.ts';
import { allowed, OWN, readTarget } from './load-target.ts';

const USUAL: LoadFlags = {
  connections: '10',
  threads: '1',
  pipeline: '1',
  method: 'GET',
  header: [],
  size: '64',
  closeBy: 'client',
  keepalive: true,
  timeout: '5s',
  live: true,
};

function refused(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(SockscopeError);
    expect((error as SockscopeError).exit).toBe(2);
    return (error as SockscopeError).message;
  }
  return 'nothing was refused';
}

describe('what is typed', () => {
  const http = kindNamed('http')!;

  it('becomes a plan', async () => {
    const target = await readTarget(http, 'http://127.0.0.1:8080/a%20b?q=1#part');
    expect(target).toEqual({
      address: { kind: 'tcp', host: '127.0.0.1', port: 8080 },
      shown: '127.0.0.1:8080',
      authority: '127.0.0.1:8080',
      path: '/a%20b?q=1',
    });
    expect((await readTarget(http, '[::1]/x')).authority).toBe('[::1]');
    expect(readPlan(http, target, USUAL)).toMatchObject({ durationNs: 10e9, requests: 0 });
    expect(readPlan(http, target, { ...USUAL, requests: '5', duration: '3' })).toMatchObject({
      durationNs: 3e9,
      requests: 5,
    });
    expect(readPlan(http, target, { ...USUAL, requests: '5' }).durationNs).toBe(0);
  });

  it('makes a request with every header once, the typed one before ours', async () => {
    const target = await readTarget(http, 'http://127.0.0.1:8080');
    const { wishes } = readPlan(http, target, {
      ...USUAL,
      method: 'POST',
      header: ['host: example', 'X-A:  b '],
      body: 'hé',
      keepalive: false,
    });
    expect(Buffer.from(http.request(wishes)).toString()).toBe(
      'POST / HTTP/1.1\r\nUser-Agent: sockscope\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 3\r\nhost: example\r\nX-A: b\r\n\r\nhé',
    );
  });

  it('is refused in one sentence when it makes no sense', async () => {
    expect(refused(() => readKind('htpp'))).toContain("'htpp'");
    for (const wrong of [
      { connections: '0' },
      { connections: '1e9' },
      { duration: '3x' },
      { requests: '-1' },
      { rate: '0' },
      { rate: 'fast' },
      { threads: '99' },
      { pipeline: '0' },
      { timeout: 'never' },
      { size: '0' },
      { closeBy: 'both' },
      { header: ['nothing'] },
      { header: ['a b: c'] },
      { method: 'GE T' },
      { body: 'a', bodyFile: 'b' },
      { bodyFile: '/does/not/exist' },
      { pipeline: '4', keepalive: false },
    ] satisfies Partial<LoadFlags>[]) {
      expect(
        refused(() => readPlan(http, OWN, { ...USUAL, ...wrong })),
        JSON.stringify(wrong),
      ).toMatch(/\.$|: |means/);
    }
    const hold = kindNamed('hold')!;
    expect(refused(() => readPlan(hold, OWN, { ...USUAL, requests: '4' }))).toContain('-n');
    expect(refused(() => readPlan(hold, OWN, { ...USUAL, compare: true }))).toContain('kept');
    for (const target of [undefined, 'https://localhost/', 'udp://localhost:1', 'a b', 'localhost:99999']) {
      await expect(readTarget(http, target)).rejects.toBeInstanceOf(SockscopeError);
    }
  });

  it('spares machines that are not ours', async () => {
    const far = await readTarget(http, '192.0.2.1:80');
    expect(refused(() => allowed(http, far, {}))).toContain('192.0.2.1');
    expect(refused(() => allowed(kindNamed('hold')!, far, { yes: true }))).toContain('hold');
    allowed(http, far, { yes: true });
    allowed(kindNamed('hold')!, far, { really: true });
    for (const near of [
      '127.9.9.9:80',
      '10.1.2.3:80',
      '172.31.0.1:80',
      '192.168.1.1:80',
      '[::1]:80',
      '[fd00::1]:80',
    ]) {
      allowed(http, await readTarget(http, near), {});
    }
    expect(
      refused(() => allowed(http, { ...far, address: { kind: 'tcp', host: '172.32.0.1', port: 1 } }, {})),
    ).toContain('not on');
  });
});

describe.skipIf(needs('linux').missing)('the program', () => {
  let built: Built;

  beforeAll(async () => {
    built = await buildLoad({ main: 'src/cli/load-fixture.ts' });
  });

  afterAll(() => built.remove());

  function program(
    words: readonly string[],
    before: readonly string[] = [],
  ): Promise<{ code: number | null; out: string; err: string }> {
    const [command, ...args] = [...before, process.execPath, join(built.folder, 'main.js'), ...words];
    const child = spawn(command!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
  }

  async function withServer(run: (port: number) => Promise<void>): Promise<void> {
    const server = createServer((socket) => void socket.on('error', () => {}).pipe(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await run((server.address() as { port: number }).port);
    } finally {
      server.close();
    }
  }

  it.skipIf(needs('namespace').missing)(
    'runs out of ports in a namespace of its own, and names the reason',
    async () => {
      const { code, out } = await program(['connect', '-c', '32', '--json']);
      const result = JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, unknown>;
      expect(out.startsWith('{"v":1,')).toBe(true);
      expect(result.why).toMatchObject({ code: 'ports', from: 32768, to: 36863 });
      const { timeWait, established, other } = result.why as Record<string, number>;
      expect(timeWait! + established! + other!).toBe(4096);
      expect(timeWait).toBeGreaterThan(4000);
      expect(result.errors).toEqual([{ what: 'connect EADDRNOTAVAIL', count: 1 }]);
      expect(code, 'that is what it was for').toBe(0);
    },
  );

  it.skipIf(needs('prlimit').missing)('says at how many descriptors EMFILE came', async () => {
    await withServer(async (port) => {
      const { code, out } = await program(
        ['hold', `127.0.0.1:${port}`, '-c', '400', '--no-live'],
        ['prlimit', '--nofile=120:120', '--'],
      );
      expect(out).toContain('EMFILE at 120 descriptors');
      expect(code).toBe(1);
    });
  });

  it('compares kept connections with one for each request', async () => {
    await withServer(async (port) => {
      const { code, out } = await program([
        'tcp',
        `127.0.0.1:${port}`,
        '--compare',
        '-n',
        '60',
        '-c',
        '3',
        '--no-live',
      ]);
      expect(out).toMatch(/requests +60 +60\n/);
      expect(out).toMatch(/sockets opened +3 +60\n/);
      expect(code).toBe(0);
    });
  });
});
