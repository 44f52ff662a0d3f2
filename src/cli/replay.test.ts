import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import type { SockscopeError } from '../errors.ts';
import type { Observation } from '../tap/observation.ts';
import { createTapRecorder } from '../tap/record/recorder.ts';

let printed = '';
let warned = '';
vi.mock('./output.ts', async (original) => ({
  ...(await original<typeof import('./output.ts')>()),
  paint: (await import('../view/colour.ts')).painter(false),
  print: (text: string) => {
    printed += text;
  },
  warn: (text: string) => {
    warned += `${text}\n`;
  },
}));
const { runReplay } = await import('./replay-run.ts');
const { define } = await import('./replay.ts');

const folder = mkdtempSync(join(tmpdir(), 'sockscope-replay-cli-'));
const servers: Server[] = [];
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
  }
  printed = '';
  warned = '';
  process.exitCode = 0;
});

type Step =
  | readonly [from: 'client' | 'server', text: string]
  | 'client ends'
  | 'server ends'
  | 'server resets';

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

/** Sessions one after the other, a millisecond between two steps. */
function recorded(
  name: string,
  sessions: readonly (readonly Step[])[],
  ports: readonly number[] = [],
): string {
  const parts: Uint8Array[] = [];
  const recorder = createTapRecorder({
    version: '0',
    write: (bytes) => parts.push(bytes.slice()),
    startedAt: { seconds: 1_700_000_000, nanoseconds: 0 },
    reveal: true,
  });
  let at = 0;
  for (const [index, steps] of sessions.entries()) {
    const on = (): { at: number; tap: string; connection: number } => {
      at += 1e6;
      return { at, tap: 'one', connection: index + 1 };
    };
    const place = (port: number) => ({ kind: 'tcp', host: '127.0.0.1', port }) as const;
    const tell = (one: Observation): void => recorder.observe(one);
    tell({ type: 'opened', ...on(), client: place(40_000 + index), entered: place(ports[index] ?? 7778) });
    tell({ type: 'dialled', ...on(), source: place(1), target: place(2), took: 1 });
    let how: 'fin' | 'reset' = 'fin';
    let by: 'client' | 'server' = 'client';
    for (const step of steps) {
      if (typeof step === 'string') {
        by = step === 'client ends' ? 'client' : 'server';
        how = step === 'server resets' ? 'reset' : 'fin';
      } else {
        tell({ type: 'bytes', ...on(), from: step[0], bytes: latin1(step[1]) });
      }
    }
    tell({ type: 'ended', ...on(), how, by, fromClient: 0, fromServer: 0, took: 1 });
  }
  recorder.finish();
  const file = join(folder, name);
  writeFileSync(file, Buffer.concat(parts));
  return file;
}

function listening(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

/** What a client of the replayed server gets; it says its words one after the other, each when it was answered. */
async function visit(words: readonly string[], greeted = false): Promise<string> {
  const port = await vi.waitFor(() => {
    const found = /127\.0\.0\.1:(\d+)/.exec(printed);
    expect(found).not.toBeNull();
    return Number(found![1]);
  });
  return new Promise((resolve) => {
    let got = '';
    const left = [...words];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const next = (): void => {
      const word = left.shift();
      if (word === undefined) {
        socket.end();
      } else {
        socket.write(word);
      }
    };
    socket.on('connect', () => (greeted ? undefined : next()));
    socket.on('data', (data) => {
      got += data.toString('latin1');
      next();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      got += `[${error.code}]`;
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(got));
  });
}

async function serving<T>(
  file: string,
  flags: Partial<Parameters<typeof runReplay>[2]>,
  use: () => Promise<T>,
): Promise<T> {
  const running = runReplay(file, '127.0.0.1:0', { as: 'server', speed: 0, ...flags });
  const result = await use();
  process.emit('SIGINT');
  await running;
  return result;
}

async function refused(run: () => Promise<void>): Promise<{ code: string; message: string; exit: number }> {
  try {
    await run();
  } catch (error) {
    const { code, message, exit } = error as SockscopeError;
    return { code, message, exit };
  }
  throw new Error('it was not refused');
}

const PING = '*1\r\n$4\r\nPING\r\n';
const SECRET_TALK: readonly Step[] = [
  ['server', '\x01\x02hi'],
  ['client', '\x03\x04\x05one'],
  ['server', '\x06\x07ok'],
  ['client', '\x08two'],
  ['server', '\x09bye'],
  'server ends',
];

describe('as the server', () => {
  test('bytes that nobody understands are answered as they were, and the server speaks first and hangs up', async () => {
    const file = recorded('bytes.pcapng', [SECRET_TALK]);
    const got = await serving(file, {}, () => visit(['\x03\x04\x05one', '\x08two'], true));
    expect(got).toBe('\x01\x02hi\x06\x07ok\x09bye');
    expect(printed).toContain('#1 6 B  ...one  answered from #0');
  });

  test('other bytes are told, and the connection is closed', async () => {
    const file = recorded('bytes.pcapng', [SECRET_TALK]);
    const got = await serving(file, {}, () => visit(['wrong'], true));
    expect(got).toBe('\x01\x02hi');
    expect(printed).toContain('#1 5 B  wrong  not in the recording: connection closed');
    expect(warned).toContain('1 request had no reply in the recording.');
  });

  test('a JSON-RPC reply carries the id of who asks', async () => {
    const file = recorded('rpc.pcapng', [
      [
        ['client', '{"method":"A.B","params":[{"id":5}],"id":7}\n'],
        ['server', '{"result":{"id":7},"id":7,"error":null}\n'],
        'client ends',
      ],
    ]);
    const got = await serving(file, {}, () => visit(['{"method":"A.B","params":[{"id":5}],"id":123}\n']));
    expect(got).toBe('{"result":{"id":7},"id":123,"error":null}\n');
    expect(printed).toContain('asked alike');
  });

  test('each new client is the client of the next recorded connection', async () => {
    const file = recorded('two.pcapng', [
      [['client', PING], ['server', '+ONE\r\n'], 'client ends'],
      [['client', PING], ['server', '+TWO\r\n'], 'client ends'],
    ]);
    const got = await serving(file, {}, async () => [
      await visit([PING]),
      await visit([PING]),
      await visit([PING, PING, PING]),
    ]);
    expect(got).toEqual(['+ONE\r\n', '+TWO\r\n', '+ONE\r\n+ONE\r\n+ONE\r\n']);
  });

  test('an RST is an RST', async () => {
    const file = recorded('reset.pcapng', [[['client', PING], 'server resets']]);
    expect(await serving(file, {}, () => visit([PING]))).toBe('[ECONNRESET]');
  });

  test('--json is one event per line', async () => {
    const file = recorded('json.pcapng', [[['client', PING], ['server', '+PONG\r\n'], 'client ends']]);
    await serving(file, { json: true }, () => visit([PING]));
    const types = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(types).toEqual(['replay-listening', 'replay-accepted', 'replay-answered', 'replay-ended']);
  });
});

describe('as the client', () => {
  test('each exchange stands beside the recorded one; exit code 1 when one differs', async () => {
    const file = recorded('client.pcapng', [
      [
        ['client', 'GET a\r\nGET b\r\n'],
        ['server', '$1\r\n1\r\n$1\r\n2\r\n'],
        ['client', 'AUTH s3cret\r\n'],
        ['server', '+OK\r\n'],
        'client ends',
      ],
    ]);
    const port = await listening((socket) => {
      socket.on('data', (data) => {
        socket.write(data.toString().startsWith('GET') ? '$1\r\n1\r\n$1\r\n3\r\n' : '+OK\r\n');
      });
      socket.on('end', () => socket.end());
    });
    await runReplay(file, `127.0.0.1:${port}`, { as: 'client' });
    expect(process.exitCode).toBe(1);
    expect(printed.replace(/\d+(\.\d+)? [µm]s/g, 'TIME')).toMatch(
      /^#0 {2}127\.0\.0\.1:40000 → 127\.0\.0\.1:7778 {2}redis\n {2}REQUEST +REPLY +THEN +NOW\n {2}GET a +same +TIME +TIME\n {2}GET b +differs +TIME +TIME\n {6}redis\.reply\n {8}then {2}2\n {8}now {3}3\n {2}AUTH \*+ +same +TIME +TIME\n\n1 exchange of 3 differs\.\n$/,
    );
  });

  test('a server that goes silent is waited for and told, bytes are compared as bytes', async () => {
    const file = recorded('raw.pcapng', [SECRET_TALK]);
    const port = await listening((socket) => {
      socket.on('error', () => {});
      socket.write('\x01\x02hi');
      socket.once('data', () => socket.write('\x06\x07no')).on('end', () => socket.end());
    });
    await runReplay(file, `127.0.0.1:${port}`, { as: 'client', json: true });
    const all = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(all.map(({ same, differences }) => [same, differences])).toEqual([
      [true, []],
      [false, [{ field: 'bytes', recorded: '4 B, from 2: ..ok', now: '4 B, from 2: ..no' }]],
      [
        false,
        [
          { field: 'bytes', recorded: '4 B, from 0: .bye', now: 'nothing' },
          { field: 'connection', recorded: 'closed by the server', now: 'stays open' },
        ],
      ],
    ]);
  });

  test('nobody there is said, with what to do', async () => {
    const file = recorded('client.pcapng', [[['client', PING], ['server', '+PONG\r\n'], 'client ends']]);
    const port = await listening(() => {});
    servers.splice(0).map((server) => server.close());
    expect(await refused(() => runReplay(file, `127.0.0.1:${port}`, { as: 'client' }))).toEqual({
      code: 'REPLAY_UNREACHED',
      message: `127.0.0.1:${port} cannot be reached: ECONNREFUSED, nobody listens there: the peer answered with RST or port unreachable.`,
      exit: 3,
    });
  });
});

test('the words of the command line reach the run', async () => {
  const parse = (...words: string[]): Promise<void> =>
    define(new Command())
      .parseAsync(words, { from: 'user' })
      .then(() => {});
  const file = recorded('words.pcapng', [[['client', PING], 'client ends']]);
  expect(await refused(() => parse(file, '--as', 'client'))).toMatchObject({ code: 'REPLAY_TARGET' });
  expect(await refused(() => parse(file, '1', '--as', 'client', '--stream', '#3'))).toMatchObject({
    code: 'REPLAY_STREAM',
  });
  expect(await refused(() => parse(file, '1', '--as', 'client', '--in-order'))).toMatchObject({
    code: 'REPLAY_OPTION',
  });
});

describe('what cannot be played is said', () => {
  const client = { as: 'client' } as const;

  test('no capture, no TCP, a stream that is not there', async () => {
    const text = join(folder, 'notes.txt');
    writeFileSync(text, 'just some words\n');
    expect(await refused(() => runReplay(text, '1', client))).toMatchObject({
      code: 'REPLAY_FORMAT',
      exit: 2,
    });
    const none = recorded('none.pcapng', []);
    expect(await refused(() => runReplay(none, '1', client))).toMatchObject({ code: 'REPLAY_NO_TCP' });
    const one = recorded('one.pcapng', [[['client', PING], 'client ends']]);
    expect(await refused(() => runReplay(one, '1', { as: 'client', stream: [3] }))).toMatchObject({
      code: 'REPLAY_STREAM',
    });
    expect(await refused(() => runReplay(one, null, client))).toMatchObject({ code: 'REPLAY_TARGET' });
  });

  test('a connection whose beginning is missing', async () => {
    const whole = recorded('whole.pcapng', [[['client', PING], ['server', '+PONG\r\n'], 'client ends']]);
    const { readFileSync } = await import('node:fs');
    const file = readFileSync(whole);
    // Without its first two packets: the blocks of type 6.
    const kept: Buffer[] = [];
    let packets = 0;
    for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
      const packet = file.readUInt32LE(at) === 6;
      packets += packet ? 1 : 0;
      if (!packet || packets > 2) {
        kept.push(file.subarray(at, at + file.readUInt32LE(at + 4)));
      }
    }
    const cut = join(folder, 'cut.pcapng');
    writeFileSync(cut, Buffer.concat(kept));
    expect(await refused(() => runReplay(cut, '1', client))).toMatchObject({
      code: 'REPLAY_NOTHING',
      message: 'No connection in the recording can be played: of #0, it began before the recording did.',
    });
  });

  test('several servers at once', async () => {
    const file = recorded(
      'servers.pcapng',
      [
        [['client', PING], 'client ends'],
        [['client', PING], 'client ends'],
      ],
      [7001, 7002],
    );
    expect(await refused(() => runReplay(file, '1', client))).toMatchObject({ code: 'REPLAY_SERVERS' });
  });

  test('stars where a password was', async () => {
    const file = recorded('stars.pcapng', [
      [['client', '*2\r\n$4\r\nAUTH\r\n$6\r\n******\r\n'], ['server', '+OK\r\n'], 'client ends'],
    ]);
    const port = await listening((socket) => {
      socket.on('data', () => socket.write('-WRONGPASS no\r\n')).on('end', () => socket.end());
    });
    await runReplay(file, `127.0.0.1:${port}`, client);
    expect(warned).toContain('Secrets in the recording are stars');
    expect(process.exitCode).toBe(1);
  });
});
