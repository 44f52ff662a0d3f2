import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { needs } from '../../test/needs.ts';
import { call, closeWaitEvents, header, packet } from '../cli/lab-fixture.ts';
import { someEvent } from '../session/events.contract.ts';
import type { Event } from '../session/events.ts';
import { eventWords } from '../view/lab/event-words.ts';
import { type Heard, hear } from '../wire/pcapng-fixture.ts';
import { createSessionFile, MOST_WAITING } from './session-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-session-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MS = 1e6;

function recorded(batches: readonly (readonly Event[])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const file = createSessionFile({
    version: '0',
    about: 'sockscope lab close-wait',
    write: (bytes) => parts.push(bytes.slice()),
    words: eventWords,
  });
  file.begins(header);
  batches.forEach(file.events);
  const { packets, entries } = file.finish();
  const whole = Buffer.concat(parts);
  const heard = hear(whole);
  expect({ packets, entries }).toEqual({ packets: heard.packets.length, entries: heard.journal.length });
  return whole;
}

function messages({ journal }: Heard): string[] {
  return journal.map((entry) => /^MESSAGE=(.*)$/m.exec(entry)?.[1] ?? '');
}

describe('a session becomes a file', () => {
  test('in which each host has its own interface, and packets have their times', () => {
    const { interfaces, packets } = hear(recorded([closeWaitEvents]));
    expect(interfaces.map(({ name }) => name)).toEqual(['client lan', 'server lan']);
    expect(packets.map(({ interfaceIndex }) => interfaceIndex)).toEqual([0, 1, 0, 1, 1, 0, 1, 0]);
    expect(packets[0]).toMatchObject({ seconds: 1_700_000_000, nanoseconds: 300_000 });
  });

  test('in which a dropped packet says why although its fate was told later', () => {
    const { packets } = hear(recorded(closeWaitEvents.map((event) => [event])));
    expect(packets.map(({ comments }) => comments).filter((one) => one.length > 0)).toEqual([
      ['dropped: the first packet with data'],
    ]);
  });

  test('in which a packet that was held, changed and doubled says so', () => {
    const fate = (what: 'held' | 'delivered', why?: string): Event => ({
      type: 'fate',
      at: 9,
      packet: 1,
      host: 'server',
      what,
      ...(why === undefined ? {} : { why }),
    });
    const { packets } = hear(
      recorded([
        [packet(1, 'client', 1, ['SYN'], 1, 0)],
        [fate('held', 'rule 1'), fate('delivered', 'one bit flipped'), fate('delivered')],
      ]),
    );
    expect(packets[0]!.comments).toEqual([
      'held: rule 1',
      'delivered to server: one bit flipped',
      'arrived at server once more (2 times)',
    ]);
  });

  test('in which a call that waited begins before and returns after what it waited for', () => {
    const waits = call(1 * MS, 'client', 'recv', [5, 10], -1, { took: 4 * MS, errno: 'ECONNRESET' });
    const begun = call(1 * MS, 'client', 'recv', [5, 10], 0) as Extract<Event, { type: 'syscall' }>;
    const step: Event = { type: 'step', at: 3 * MS, text: 'It is reset.' };
    const told = [
      'client: recv(5, 10) …',
      'It is reset.',
      'client: recv(5, 10) = -1 ECONNRESET, after 4.0 ms',
    ];
    expect(messages(hear(recorded([[step, waits]])))).toEqual(told);
    // The same when its beginning was told before.
    expect(messages(hear(recorded([[{ ...begun, took: null, result: null }], [step], [waits]])))).toEqual(
      told,
    );
  });

  test('in which samples of queues are left out', () => {
    const info: Event = { type: 'info', at: 1, host: 'client', recvQueue: 1, sendQueue: 2 };
    expect(hear(recorded([[info]])).journal).toEqual([]);
  });

  test('of a bounded wait: a fate that comes too late for its packet has an entry of its own', () => {
    const many = Array.from(
      { length: MOST_WAITING },
      (_, i): Event => ({ type: 'step', at: i + 2, text: 's' }),
    );
    const heard = hear(
      recorded([
        [packet(1, 'client', 1, ['SYN'], 1, 0), ...many],
        [{ type: 'fate', at: MOST_WAITING + 5, packet: 1, host: 'server', what: 'dropped', why: 'late' }],
      ]),
    );
    expect(heard.packets[0]!.comments).toEqual([]);
    expect(messages(heard).at(-1)).toBe('server: packet 1 was dropped: late');
    expect(heard.journal).toHaveLength(MOST_WAITING + 1);
  });

  test('whatever the events are', () => {
    fc.assert(
      fc.property(fc.array(fc.array(someEvent, { maxLength: 5 }), { maxLength: 8 }), (batches) => {
        expect(hear(recorded(batches)).trouble).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('of nothing when it never began', () => {
    const file = createSessionFile({
      version: '0',
      about: 'x',
      write: () => expect.unreachable(),
      words: eventWords,
    });
    expect(file.finish()).toEqual({ packets: 0, entries: 0 });
  });
});

describe.skipIf(needs('tshark', 'capinfos').missing !== null)('Wireshark', () => {
  const run = (program: string, ...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync(program, words, {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    expect({ status, stderr: stderr.replace(/^Running as user "root".*\n/m, '') }).toEqual({
      status: 0,
      stderr: '',
    });
    return stdout;
  };

  test('lists calls, states and packets in the order of their moments, each in words', () => {
    const path = join(folder, 'close-wait.pcapng');
    writeFileSync(path, recorded([closeWaitEvents]));
    const lines = run('tshark', '-n', '-r', path)
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().replace(/ +/g, ' '));
    expect(lines).toHaveLength(27);
    const at = (words: string): number => lines.findIndex((line) => line.includes(words));
    const order = [
      'The client connects.',
      'client: connect(5, 10.9.0.2:80) …',
      '40000 → 80 [SYN]',
      "client's kernel: CLOSED → SYN-SENT (sampled)",
      'client: connect(5, 10.9.0.2:80) = 0',
      '[TCP Retransmission] 80 → 40000',
      'client: recv(5, 4096) = 4, after 350 ms',
      "client's kernel: ESTABLISHED → CLOSE-WAIT",
      'client: send(5, hello) = -1 EPIPE',
    ].map(at);
    expect(order.every((row, index) => row >= 0 && (index === 0 || row > order[index - 1]!))).toBe(true);
    const fields = run('tshark', '-r', path, '-Y', 'frame.comment', '-T', 'fields', '-e', 'frame.comment');
    expect(fields.trim()).toBe('dropped: the first packet with data');
    const odd = 'tcp.checksum.status == 0 or _ws.malformed or _ws.expert.severity == "Error"';
    expect(run('tshark', '-r', path, '-o', 'tcp.check_checksum:TRUE', '-Y', odd)).toBe('');
    const about = run('capinfos', path);
    expect(about).toMatch(/File type:\s+Wireshark\/\.\.\. - pcapng/);
    expect(about).toMatch(/Strict time order:\s+True/);
    expect(about).toMatch(/Number of interfaces in file: 2/);
  });
});
