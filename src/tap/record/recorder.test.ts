import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { needs } from '../../../test/needs.ts';
import type { Address } from '../../reactor/reactor.ts';
import { decoders } from '../../wire/app/decoders.ts';
import type { Heard } from '../../wire/heard.ts';
import { createLane } from '../../wire/lane.ts';
import { NOTE } from '../../wire/notes.ts';
import { createReader } from '../../wire/pcapng.ts';
import { hear } from '../../wire/pcapng-fixture.ts';
import type { Observation } from '../observation.ts';
import { createTapRecorder, type TapRecorder } from './recorder.ts';
import { createSynthesis, MAX_TALKS } from './synthesis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-tap-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

const STARTED = { seconds: 1_700_000_000, nanoseconds: 999_999_000 };

function record(
  use: (recorder: TapRecorder) => void,
  ownerOf: (address: string) => string = () => '',
): Uint8Array {
  const parts: Uint8Array[] = [];
  const recorder = createTapRecorder({
    version: '0',
    write: (bytes) => parts.push(bytes.slice()),
    startedAt: STARTED,
    reveal: true,
    ownerOf,
  });
  use(recorder);
  recorder.finish();
  return Buffer.concat(parts);
}

function recorded(observations: readonly Observation[]): Uint8Array {
  return record((recorder) => {
    for (const one of observations) {
      recorder.observe(one);
    }
  });
}

interface Stream {
  client: string;
  server: string;
  how: string;
  clientEnd: string;
}

/** What our own reassembly finds, and what it has to say against it. */
function reassembled(file: Uint8Array): { streams: Stream[]; notes: number; trouble: string | null } {
  const streams: Stream[] = [];
  let notes = 0;
  let trouble: string | null = null;
  const lane = createLane(
    {
      packet(at) {
        // An RST is no fault of the recording.
        notes |= at.notes & ~NOTE.reset;
        const { flow } = at;
        if (flow !== null) {
          const end = flow.ends[flow.clientEnd].text;
          streams[flow.id] ??= { client: '', server: '', how: '', clientEnd: end };
        }
      },
      message() {},
      trouble() {},
      closed(flow, how) {
        streams[flow.id]!.how = how;
      },
      bytes(flow, side, bytes, from, to) {
        streams[flow.id] ??= { client: '', server: '', how: '', clientEnd: flow.ends[flow.clientEnd].text };
        streams[flow.id]![side] += Buffer.from(bytes.subarray(from, to)).toString('latin1');
      },
    },
    { decoders, messages: false, checksums: true },
  );
  const reader = createReader({
    packet: (bytes, from, to, wire, seconds, nanoseconds) =>
      lane.frame(
        bytes,
        from,
        to,
        wire,
        (seconds - STARTED.seconds) * 1e9 + nanoseconds - STARTED.nanoseconds,
        101,
      ),
    trouble(_, sentence) {
      trouble = sentence;
    },
  });
  const consumed = reader.push(file, 0, file.length);
  reader.end(file.length - consumed);
  lane.finish();
  return { streams, notes, trouble };
}

const tcp = (host: string, port: number): Address => ({ kind: 'tcp', host, port });
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

interface Script {
  readonly v6: boolean;
  readonly near: boolean;
  readonly steps: readonly {
    readonly from: 'client' | 'server';
    readonly what: 'bytes' | 'fin';
    readonly size: number;
  }[];
  readonly ending: 'fin' | 'reset client' | 'reset server' | 'fault' | 'refused' | 'open' | 'tap closed';
}

interface Told {
  readonly observations: Observation[];
  readonly streams: { client: string; server: string; clientEnd: string; how: string }[];
}

/** 0x9e3779b1's inverse: the connection of this number begins at a chosen sequence number. */
const INVERSE = (() => {
  let inverse = 1;
  for (let i = 0; i < 6; i++) {
    inverse = Math.imul(inverse, 2 - Math.imul(0x9e3779b1, inverse));
  }
  return inverse;
})();

/** What the engine would tell of these connections, in any order that keeps each one's own. */
function tell(scripts: readonly Script[], order: readonly number[]): Told {
  const streams: Told['streams'] = [];
  const queues = scripts.map(({ v6, near, steps, ending }, index) => {
    const connection = near ? Math.imul(INVERSE, 0xffffffff - 700 * index) >>> 0 : index + 1;
    const host = v6 ? '::1' : '127.0.0.1';
    const client = tcp(host, 40_000 + index);
    const stream = { client: '', server: '', clientEnd: `${v6 ? '[::1]' : host}:${40_000 + index}`, how: '' };
    streams.push(stream);
    const on = { at: 0, tap: 'one', connection };
    const queue: Observation[] = [{ type: 'opened', ...on, client, entered: tcp(host, 16_379) }];
    const done = { client: false, server: false };
    const over = (how: 'fin' | 'reset' | 'fault' | 'dial' | 'tap closed', by: 'client' | 'server' | null) =>
      queue.push({ type: 'ended', ...on, how, by, fromClient: 0, fromServer: 0, took: 1 });
    if (ending === 'refused') {
      queue.push({
        type: 'dial-failed',
        ...on,
        target: 'localhost:1',
        errno: -111,
        took: 1e6,
        told: 'reset',
      });
      over('dial', null);
      stream.how = 'reset';
      return queue;
    }
    queue.push({ type: 'dialled', ...on, source: tcp(host, 1), target: tcp(host, 6379), took: 1e6 });
    for (const { from, what, size } of steps) {
      if (what === 'bytes' && !done[from]) {
        const text = `${from} ${index} `.repeat(size).slice(0, size);
        stream[from] += text;
        queue.push({ type: 'bytes', ...on, from, bytes: bytesOf(text) });
      } else if (what === 'fin' && !done.client && !done.server) {
        done[from] = true;
        queue.push({ type: 'half-closed', ...on, from });
      }
    }
    if (ending === 'open') {
      stream.how = 'end of capture';
    } else if (ending === 'reset client' || ending === 'reset server') {
      over('reset', ending === 'reset client' ? 'client' : 'server');
      stream.how = 'reset';
    } else {
      over(ending, 'client');
      stream.how = 'fin';
    }
    return queue;
  });
  const observations: Observation[] = [];
  for (let turn = 0; queues.some((queue) => queue.length > 0); turn++) {
    const choice = order[turn % order.length]! % queues.length;
    const queue = queues
      .slice(choice)
      .concat(queues)
      .find((one) => one.length > 0)!;
    observations.push({ ...queue.shift()!, at: turn * 1234 } as Observation);
  }
  return { observations, streams };
}

const script = fc.record({
  v6: fc.boolean(),
  near: fc.boolean(),
  steps: fc.array(
    fc.record({
      from: fc.constantFrom('client', 'server'),
      what: fc.constantFrom('bytes', 'bytes', 'bytes', 'fin'),
      size: fc.oneof(fc.nat(200), fc.integer({ min: 60_000, max: 200_000 })),
    }),
    { maxLength: 8 },
  ),
  ending: fc.constantFrom('fin', 'reset client', 'reset server', 'fault', 'refused', 'open', 'tap closed'),
}) as fc.Arbitrary<Script>;

const sessions = fc
  .tuple(
    fc.array(script, { minLength: 1, maxLength: 6 }),
    fc.array(fc.nat(5), { minLength: 1, maxLength: 40 }),
  )
  .map(([scripts, order]) => tell(scripts, order));

function byClient<T extends { clientEnd: string }>(streams: readonly T[]): T[] {
  return [...streams].sort((a, b) => (a.clientEnd < b.clientEnd ? -1 : 1));
}

/** A handshake, one request, one reply and FINs, as the engine tells them. */
function session(on = { at: 1000, tap: 'redis', connection: 1 }): Observation[] {
  const heard = (side: 'client' | 'server', summary: string): Heard => ({
    protocol: 'redis',
    decoder: 'redis',
    side,
    kind: side === 'client' ? 'request' : 'reply',
    name: 'GET',
    summary,
    fields: {},
    bytes: 1,
    at: 0,
    began: 0,
    failed: false,
    asked: side === 'client' ? null : 'GET',
    askedAt: 0,
    latency: side === 'client' ? -1 : 183_000,
    firstByte: 0,
  });
  return [
    {
      type: 'opened',
      ...on,
      client: tcp('127.0.0.1', 40_000),
      entered: tcp('127.0.0.1', 16_379),
    },
    {
      type: 'dialled',
      ...on,
      source: tcp('127.0.0.1', 5),
      target: tcp('127.0.0.1', 6379),
      took: 250_000,
    },
    { type: 'bytes', ...on, from: 'client', bytes: bytesOf('GET a\r\n') },
    { type: 'message', ...on, heard: heard('client', 'GET a') },
    { type: 'bytes', ...on, from: 'server', bytes: bytesOf('$1\r\n1\r\n') },
    { type: 'message', ...on, heard: heard('server', '"1"') },
    { type: 'half-closed', ...on, from: 'client' },
    { type: 'ended', ...on, how: 'fin', by: 'client', fromClient: 7, fromServer: 7, took: 1 },
  ];
}

describe('any connections, in any order, become a file', () => {
  test('in which our own reassembly finds the same bytes and endings, and nothing odd', () => {
    fc.assert(
      fc.property(sessions, ({ observations, streams }) => {
        const found = reassembled(recorded(observations));
        expect({ notes: found.notes, trouble: found.trouble }).toEqual({ notes: 0, trouble: null });
        expect(byClient(found.streams)).toEqual(byClient(streams));
      }),
      { numRuns: 60 },
    );
  });

  test('that can be cut anywhere: what stands before the cut is read', () => {
    fc.assert(
      fc.property(sessions, fc.nat(), ({ observations, streams }, cut) => {
        const file = recorded(observations);
        const found = reassembled(file.subarray(0, cut % file.length));
        const whole = new Map(streams.map((one) => [one.clientEnd, one]));
        for (const { clientEnd, client, server } of found.streams) {
          expect(whole.get(clientEnd)!.client.startsWith(client)).toBe(true);
          expect(whole.get(clientEnd)!.server.startsWith(server)).toBe(true);
        }
        expect(found.notes).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});

describe.skipIf(needs('tshark', 'capinfos').missing !== null)('tshark', () => {
  const run = (program: string, ...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 64 << 20 });
    expect({ status, stderr: stderr.replace(/^Running as user "root".*\n/m, '') }).toEqual({
      status: 0,
      stderr: '',
    });
    return stdout;
  };

  test('finds the same bytes in each direction, right checksums and nothing to complain about', () => {
    const scripts = fc.sample(script, { numRuns: 24, seed: 7 });
    const order = fc.sample(fc.nat(50), { numRuns: 97, seed: 8 });
    const { observations, streams } = tell(scripts, order);
    const path = join(folder, 'many.pcapng');
    writeFileSync(path, recorded(observations));
    const odd = 'tcp.analysis.flags or tcp.checksum.status != 1 or ip.checksum.status == 0 or _ws.malformed';
    const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
    expect(run('tshark', '-n', '-r', path, ...checks, '-Y', odd)).toBe('');
    const follows = streams.flatMap((_, i) => ['-z', `follow,tcp,raw,${i}`]);
    const parts = run('tshark', '-n', '-q', '-r', path, ...follows).split(/={30,}\n/);
    const found = parts.filter((part) => part.includes('Node 0')).map(followed);
    expect(found.length).toBe(streams.length);
    expect(byClient(found)).toEqual(byClient(streams.map(({ how: _, ...rest }) => rest)));
    expect(run('capinfos', path)).toMatch(/File type:\s+Wireshark\/\.\.\. - pcapng/);
  });
});

/** One stream of `follow`: the server's lines are indented. */
function followed(part: string): { client: string; server: string; clientEnd: string } {
  const lines = part.trimEnd().split('\n');
  const clientEnd = lines.find((line) => line.startsWith('Node 0: '))!.slice(8);
  const hex = lines.filter((line) => /^\t?[0-9a-f]+$/.test(line));
  const text = (of: readonly string[]): string => Buffer.from(of.join(''), 'hex').toString('latin1');
  return {
    client: text(hex.filter((line) => !line.startsWith('\t'))),
    server: text(hex.filter((line) => line.startsWith('\t')).map((line) => line.slice(1))),
    clientEnd,
  };
}

test('memory is bounded: the connection opened longest ago is given up, and that is counted', () => {
  let seen = 0;
  const synthesis = createSynthesis(
    { frame: () => {}, lost: () => seen++ },
    { ownerOf: () => '', errnoText: () => '' },
  );
  const entered = tcp('127.0.0.1', 1);
  const on = { at: 0, tap: 'many' };
  for (let connection = 1; connection <= MAX_TALKS + 1000; connection++) {
    const client = tcp('127.0.0.1', connection & 0xffff);
    synthesis.observe({ type: 'opened', ...on, connection, client, entered });
  }
  expect({ size: synthesis.size, seen }).toEqual({ size: MAX_TALKS, seen: 1000 });
  synthesis.observe({ type: 'bytes', ...on, connection: 1000, from: 'client', bytes: bytesOf('gone') });
  expect(seen).toBe(1001);
  synthesis.observe({ type: 'bytes', ...on, connection: 1001, from: 'client', bytes: bytesOf('here') });
  expect(seen).toBe(1001);
});

describe('a recording says', () => {
  test('when it happened, to the nanosecond, across the second', () => {
    const { packets } = hear(recorded(session()));
    expect(packets[0]).toMatchObject({ seconds: 1_700_000_001, nanoseconds: 0 });
  });

  test('who holds the ends, where it led, and beside a packet the message that it completed', () => {
    const owners = new Map([
      ['127.0.0.1:40000', 'redis-cli pid 77'],
      ['127.0.0.1:6379', 'redis-server pid 9'],
    ]);
    const file = record(
      (recorder) => session().forEach(recorder.observe),
      (address) => owners.get(address) ?? '',
    );
    expect(
      hear(file)
        .packets.map(({ comments }) => comments)
        .filter((one) => one.length > 0),
    ).toEqual([
      ['client 127.0.0.1:40000 is redis-cli pid 77'],
      ['led on to 127.0.0.1:6379, which is redis-server pid 9, from 127.0.0.1:5 in 0.250 ms'],
      ['→ redis GET a'],
      ['← redis "1"  0.183 ms after GET'],
    ]);
  });

  test('faults, held messages and losses as journal entries, and counts what it lost', () => {
    const on = { at: 5, tap: 'redis', connection: 1 };
    const file = recorded([
      ...session().slice(0, 3),
      { type: 'fault', ...on, what: 'latency 200ms', from: 'server' },
      { type: 'lost', at: 6, count: 3, why: 'the ring was full' },
      { type: 'bytes', at: 7, tap: 'redis', connection: 99, from: 'client', bytes: bytesOf('late') },
    ]);
    const { journal, statistics } = hear(file);
    expect(journal.map((entry) => /^MESSAGE=(.*)$/m.exec(entry)?.[1])).toEqual([
      'tap redis #1: broken on purpose: latency 200ms',
      '3 observations were lost: the ring was full',
      '4 bytes of a connection that began before the recording',
    ]);
    expect(journal[0]).toContain('"what":"latency 200ms"');
    expect(statistics).toMatchObject([[0, { received: 5, dropped: 1 }]]);
  });

  test('a fault that resets as RST, and one that closes as FIN', () => {
    for (const [what, how] of [
      ['reset', 'reset'],
      ['closed: timeout', 'fin'],
    ] as const) {
      const on = { at: 5, tap: 'redis', connection: 1 };
      const found = reassembled(
        recorded([
          ...session().slice(0, 3),
          { type: 'fault', ...on, what, from: 'client' },
          { type: 'ended', ...on, how: 'fault', by: null, fromClient: 1, fromServer: 1, took: 1 },
        ]),
      );
      expect(found.streams.map((one) => one.how)).toEqual([how]);
    }
  });

  test('a target that refused as SYN and RST, with the reason', () => {
    const on = { at: 5, tap: 'redis', connection: 1 };
    const file = recorded([
      session()[0]!,
      { type: 'dial-failed', ...on, target: 'localhost:1', errno: -111, took: 1e6, told: 'reset' },
      { type: 'ended', ...on, how: 'dial', by: null, fromClient: 0, fromServer: 0, took: 1 },
    ]);
    const { packets } = hear(file);
    // The flags stand 13 bytes into the TCP header.
    expect(packets.map(({ data }) => data.slice(66, 68))).toEqual(['02', '14']);
    expect(packets[1]!.comments[0]).toMatch(
      /^localhost:1 was not reached: ECONNREFUSED, .* after 1\.000 ms$/,
    );
  });

  test('which paths a UNIX socket has, with addresses that tell its clients apart', () => {
    const file = recorded(
      [1, 2].flatMap((connection): Observation[] => [
        {
          type: 'opened',
          at: 1,
          tap: 'pg',
          connection,
          client: { kind: 'unix', path: '' },
          entered: { kind: 'unix', path: '/tmp/.s.PGSQL.5432' },
        },
        { type: 'bytes', at: 2, tap: 'pg', connection, from: 'client', bytes: bytesOf(`${connection}`) },
      ]),
    );
    expect(reassembled(file).streams).toMatchObject([
      { client: '1', clientEnd: '127.83.0.0:1024' },
      { client: '2', clientEnd: '127.83.0.0:1025' },
    ]);
    expect(hear(file).packets[0]!.comments).toEqual([
      'UNIX socket /tmp/.s.PGSQL.5432; these addresses are made up',
    ]);
  });

  test('datagrams as datagrams', () => {
    const on = { at: 5, tap: 'dns', connection: 1 };
    const udp = (port: number): Address => ({ kind: 'udp', host: '::1', port });
    const found = reassembled(
      recorded([
        { type: 'opened', ...on, client: udp(5000), entered: udp(53) },
        { type: 'bytes', ...on, from: 'client', bytes: bytesOf('question') },
        { type: 'bytes', ...on, from: 'server', bytes: new Uint8Array(0) },
        { type: 'bytes', ...on, from: 'server', bytes: bytesOf('odd') },
        { type: 'ended', ...on, how: 'timeout', by: null, fromClient: 8, fromServer: 3, took: 1 },
      ]),
    );
    expect(found).toMatchObject({ notes: 0, streams: [{ client: 'question', server: 'odd' }] });
  });

  test('TLS keys in front of the packets that they open', () => {
    const file = record((recorder) => {
      recorder.secrets('CLIENT_RANDOM aa bb');
      session().forEach(recorder.observe);
    });
    expect(hear(file).secrets).toEqual([[0x544c534b, 'CLIENT_RANDOM aa bb\n']]);
  });
});
