/** Real programs through a tap that records: the recording is opened by tshark, served back, and played again. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTapHar } from '../src/cli/tap-har.ts';
import { createNodeReactor, type NodeReactor } from '../src/reactor/node.ts';
import { createTapRecorder } from '../src/tap/record/recorder.ts';
import { type Compared, compare, ignoresOf, USUAL_IGNORES } from '../src/tap/replay/compare.ts';
import { play } from '../src/tap/replay/play.ts';
import { type Recording, readRecording } from '../src/tap/replay/recording.ts';
import { serve } from '../src/tap/replay/serve.ts';
import type { ServeEvent } from '../src/tap/replay/stage.ts';
import { openCapture, pieces } from '../src/watch/capture-file.ts';
import { driven } from './fixtures/engine.ts';
import { findProgram, needs } from './needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-replay-'));
const ends: (() => void | Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) {
    await end();
  }
  rmSync(folder, { recursive: true, force: true });
});

const STARTED = { seconds: 1_700_000_000, nanoseconds: 0 };

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

function run(program: string, words: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      findProgram(program)!,
      words,
      { timeout: 15_000, env: { ...process.env, LC_ALL: 'C', PGCONNECT_TIMEOUT: '10' } },
      (error, stdout, stderr) =>
        resolve({
          stdout,
          stderr,
          code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        }),
    );
    child.stdin?.end(input);
  });
}

/** What a program says through a tap, and the recording of it. */
async function through(
  name: string,
  targetPort: number,
  use: (port: number) => Promise<Ran>,
): Promise<{ ran: Ran; file: string; har: string }> {
  const taps = driven({ bytes: true, messages: true });
  const port = taps.open(targetPort);
  let ran: Ran | null = null;
  void use(port).then((done) => {
    ran = done;
  });
  await taps.until(() => ran !== null && opened(taps.told) === ended(taps.told), name);
  await taps.close();
  const parts: Uint8Array[] = [];
  const har: Uint8Array[] = [];
  const recorder = createTapRecorder({
    version: '0',
    write: (bytes) => parts.push(bytes.slice()),
    startedAt: STARTED,
    reveal: false,
  });
  const archive = createTapHar({
    write: (bytes) => har.push(bytes.slice()),
    startedAt: STARTED,
    reveal: false,
  });
  for (const one of taps.told) {
    recorder.observe(one);
    archive.observe(one);
  }
  recorder.finish();
  archive.finish();
  const file = join(folder, `${name}.pcapng`);
  writeFileSync(file, Buffer.concat(parts));
  return { ran: ran!, file, har: Buffer.concat(har).toString() };
}

const opened = (told: readonly { type: string }[]): number =>
  told.filter(({ type }) => type === 'opened').length;
const ended = (told: readonly { type: string }[]): number =>
  told.filter(({ type }) => type === 'ended').length;

function recording(file: string, streams: readonly number[] = []): Recording {
  return readRecording({
    name: file,
    feed(reader) {
      for (const _ of pieces(openCapture(file), reader)) {
        // The reader has called its sink.
      }
    },
    streams,
    reveal: false,
  });
}

async function served<T>(
  file: string,
  options: { inOrder?: boolean; speed?: number },
  use: (port: number) => Promise<T>,
): Promise<{ result: T; told: ServeEvent[] }> {
  const reactor = createNodeReactor();
  const told: ServeEvent[] = [];
  const serving = serve(reactor, {
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    conversations: recording(file).conversations,
    inOrder: options.inOrder ?? false,
    speed: options.speed ?? 0,
    reveal: false,
    tell: (event) => told.push(event),
  });
  if (typeof serving === 'number' || serving.address.kind === 'unix') {
    throw new Error(`cannot listen: ${serving}`);
  }
  try {
    return { result: await use(serving.address.port), told };
  } finally {
    serving.close();
    await reactor.close();
  }
}

async function played(file: string, port: number, ignores: readonly string[] = []): Promise<Compared[]> {
  const reactor: NodeReactor = createNodeReactor();
  try {
    const all = await play(reactor, {
      target: [{ kind: 'tcp', host: '127.0.0.1', port }],
      conversations: recording(file).conversations,
      speed: 0,
      reveal: false,
    });
    return all.flatMap((one) => compare(one, ignoresOf([...USUAL_IGNORES, ...ignores])));
  } finally {
    await reactor.close();
  }
}

/** But for COMMAND DOCS, whose reply is Redis' hash table in the order of the moment: it changes while the table grows. */
function differences(compared: readonly Compared[]): object[] {
  return compared
    .filter((one) => one.differences.length > 0 && one.request !== 'COMMAND DOCS')
    .map(({ request, differences: found }) => ({ request, found }));
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function answers(port: number): Promise<void> {
  for (;;) {
    const stands = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      }).on('error', () => resolve(false));
    });
    if (stands) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function redis(): Promise<number> {
  const port = await freePort();
  const child = spawn(
    findProgram('redis-server')!,
    ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder],
    { stdio: 'ignore' },
  );
  ends.push(
    () =>
      new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  );
  await answers(port);
  return port;
}

const SESSION = [
  'SET a 1',
  'INCR a',
  'INCR a',
  'GET a',
  'LPUSH l x y z',
  'LRANGE l 0 -1',
  'MULTI',
  'GET a',
  'EXEC',
  'NOSUCH',
].join('\n');

describe.skipIf(needs('linux', 'redis-server', 'redis-cli').missing !== null)(
  'a recorded Redis session',
  () => {
    let target = 0;
    let file = '';
    let direct = '';
    const cli = (port: number, input = SESSION): Promise<Ran> => run('redis-cli', ['-p', `${port}`], input);

    /** With what redis-cli asks by itself. */
    const asked = (): number => recording(file).conversations[0]!.exchanges.length - 1;

    beforeAll(async () => {
      target = await redis();
      const one = await through('redis', target, cli);
      file = one.file;
      direct = one.ran.stdout;
      expect(direct).toContain('ERR unknown command');
    });

    test('is served back: redis-cli prints the same, twice', async () => {
      const { result, told } = await served(file, {}, async (port) => [
        (await cli(port)).stdout,
        (await cli(port)).stdout,
      ]);
      expect(result).toEqual([direct, direct]);
      expect(told.filter(({ type }) => type === 'answered')).toHaveLength(2 * asked());
      expect(told.filter(({ type }) => type === 'unmatched')).toEqual([]);
    });

    test('is served by message: other commands in between are told, and answered with an error', async () => {
      const { result, told } = await served(file, {}, (port) =>
        cli(port, 'GET a\nDEL a\nINCR a\nINCR a\nINCR a'),
      );
      expect(result.stdout).toBe('3\nERR not in the recording\n\n2\n3\n3\n');
      expect(told.filter(({ type }) => type === 'unmatched')).toMatchObject([
        { shown: 'DEL a', told: 'error' },
      ]);
    });

    test('is served in order: whatever is asked, the recording goes on', async () => {
      const { result, told } = await served(file, { inOrder: true }, (port) =>
        cli(port, 'SET a 1\nINCR b\nINCR a'),
      );
      expect(result.stdout).toBe('OK\n2\n3\n');
      expect(told.filter(({ type }) => type === 'differs')).toMatchObject([
        { shown: 'INCR b', recorded: 'INCR a' },
      ]);
    });

    test('keeps its time', async () => {
      const began = process.hrtime.bigint();
      const { result } = await served(file, { speed: 0.01 }, (port) => cli(port, 'SET a 1'));
      const took = Number(process.hrtime.bigint() - began);
      const [first] = recording(file).conversations[0]!.exchanges.slice(1);
      const recorded = first!.parts.at(-1)!.at - first!.at;
      expect(result.stdout).toBe('OK\n');
      expect(took).toBeGreaterThan(100 * recorded);
    });

    test('is played to the real server without a difference, and told from one that has changed', async () => {
      expect(differences(await played(file, target, []))).toEqual([
        // The list is longer now than when it was recorded.
        expect.objectContaining({ request: 'LPUSH l x y z' }),
        expect.objectContaining({ request: 'LRANGE l 0 -1' }),
      ]);
      expect((await cli(target, 'DEL l')).stdout).toBe('1\n');
      const again = await played(file, target);
      expect(differences(again)).toEqual([]);
      expect(again).toHaveLength(asked());
      expect(again.every(({ latencyThen, latencyNow }) => latencyThen! > 0 && latencyNow! > 0)).toBe(true);
      expect((await cli(target, 'DEL l a\nSET l text')).code).toBe(0);
      const changed = differences(await played(file, target));
      expect(changed).toEqual([
        expect.objectContaining({ request: 'LPUSH l x y z' }),
        expect.objectContaining({ request: 'LRANGE l 0 -1' }),
      ]);
      expect(differences(await played(file, target, ['redis.*']))).toEqual([]);
      expect((await cli(target, 'DEL l')).stdout).toBe('1\n');
    });
  },
);

describe.skipIf(needs('linux', 'curl').missing !== null)('a recorded HTTP session', () => {
  let file = '';
  let har = '';
  let target = 0;
  let visits = 0;
  let changed = false;

  const curl = (port: number): Promise<Ran> =>
    run('curl', [
      '-sS',
      '-i',
      `http://127.0.0.1:${port}/one`,
      `http://127.0.0.1:${port}/two?x=1`,
      '-d',
      'posted',
      '-b',
      'sid=s3cret',
    ]);
  /** The recorded port is in no header of the reply. */
  let direct = '';

  beforeAll(async () => {
    const server = createServer((request, response) => {
      visits++;
      request.resume().on('end', () => {
        response.setHeader('X-Visit', String(visits));
        response.writeHead(request.url === '/one' ? 200 : 201, { 'Content-Type': 'text/plain' });
        response.end(`${changed ? 'other' : 'hello'} ${request.url} ${'x'.repeat(100_000)}\n`);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    ends.push(() => {
      server.closeAllConnections();
      server.close();
    });
    target = (server.address() as AddressInfo).port;
    const one = await through('http', target, curl);
    file = one.file;
    har = one.har;
    direct = one.ran.stdout;
    expect(direct).toContain('201 Created');
  });

  test('is an archive with both requests', () => {
    const { entries } = JSON.parse(har).log;
    expect(
      entries.map((one: { request: { url: string }; response: { status: number } }) => [
        one.request.url.replace(/:\d+/, ''),
        one.response.status,
      ]),
    ).toEqual([
      ['http://127.0.0.1/one', 200],
      ['http://127.0.0.1/two?x=1', 201],
    ]);
  });

  test('is served back over one connection kept alive, although the Host is another', async () => {
    const { result, told } = await served(file, {}, curl);
    expect(result.stdout).toBe(direct);
    expect(told.map(({ type }) => type)).toEqual(['accepted', 'answered', 'answered', 'ended']);
  });

  test('answers what was not recorded with 404', async () => {
    const { result } = await served(file, {}, (port) =>
      run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', `http://127.0.0.1:${port}/three`]),
    );
    expect(result.stdout).toBe('404');
  });

  test('is played to the real server: its date may differ, its visit counter may not unless told', async () => {
    const visit = { field: 'http.response.header.x-visit' };
    expect(differences(await played(file, target))).toMatchObject([{ found: [visit] }, { found: [visit] }]);
    expect(differences(await played(file, target, ['http.reply.header.x-visit']))).toEqual([]);
    changed = true;
    const found = differences(await played(file, target, ['http.response.header.x-*']));
    expect(found).toHaveLength(2);
  });
});

const POSTGRES = ['initdb', 'postgres', 'psql', 'runuser'];

describe.skipIf(needs('linux', 'root', ...POSTGRES).missing !== null)('a recorded PostgreSQL session', () => {
  let target = 0;
  let file = '';
  let direct = '';
  const sql =
    'CREATE TEMP TABLE t(n int); INSERT INTO t SELECT generate_series(1,3); SELECT n + 1 FROM t; SELECT 1/0;';
  const psql = (port: number): Promise<Ran> =>
    run(
      'psql',
      ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'postgres', '-X', 'sslmode=disable dbname=postgres'],
      sql,
    );

  beforeAll(async () => {
    const data = join(folder, 'pg');
    mkdirSync(data);
    spawnSync('chown', ['postgres', folder, data]);
    const as = (program: string, ...words: string[]): string[] => [
      '-u',
      'postgres',
      '--',
      findProgram(program)!,
      ...words,
    ];
    const made = spawnSync('runuser', as('initdb', '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync'));
    expect(made.status).toBe(0);
    target = await freePort();
    const words = ['-D', data, '-p', `${target}`, '-h', '127.0.0.1', '-k', data, '-F'];
    const child = spawn(findProgram('postgres')!, words, {
      stdio: 'ignore',
      uid: Number(spawnSync('id', ['-u', 'postgres']).stdout),
      gid: Number(spawnSync('id', ['-g', 'postgres']).stdout),
    });
    ends.push(
      () =>
        new Promise<void>((resolve) => {
          child.once('exit', () => resolve());
          child.kill('SIGINT');
        }),
    );
    await answers(target);
    expect(
      existsSync(join(data, 'postmaster.pid')) && readFileSync(join(data, 'postmaster.pid')).length > 0,
    ).toBe(true);
    let one = await through('postgres', target, psql);
    while (/starting up/.test(one.ran.stderr)) {
      one = await through('postgres', target, psql);
    }
    file = one.file;
    direct = one.ran.stdout + one.ran.stderr;
    expect(direct).toContain('division by zero');
  });

  test('is served back: psql prints the same', async () => {
    const { result } = await served(file, {}, psql);
    expect(result.stdout + result.stderr).toBe(direct);
  });

  test('is played to the real server without a difference', async () => {
    expect(differences(await played(file, target))).toEqual([]);
  });
});
