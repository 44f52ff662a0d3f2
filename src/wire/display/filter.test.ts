import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Flow } from '../flow.ts';
import { emptyHeaders } from '../headers.ts';
import type { Heard } from '../heard.ts';
import type { Lane } from '../lane.ts';
import { NOTE } from '../notes.ts';
import { displayFilter } from './filter.ts';
import type { Vocabulary } from './parse.ts';
import type { Subject } from './subject.ts';

const vocabulary: Vocabulary = new Map([
  ['redis', ['command', 'args', 'key', 'error.code', 'reply']],
  ['http', ['method', 'path', 'status', 'request.header.*', 'ok']],
]);

function heard(protocol: string, fields: Heard['fields'], more: Partial<Heard> = {}): Heard {
  return {
    protocol,
    decoder: protocol,
    side: 'client',
    kind: 'request',
    name: '',
    summary: '',
    fields,
    bytes: 1,
    at: 0,
    began: 0,
    failed: false,
    asked: null,
    askedAt: -1,
    latency: -1,
    firstByte: -1,
    ...more,
  };
}

function flow(): Flow {
  const h = emptyHeaders();
  h.bytes = Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2);
  h.sourceAt = 0;
  h.destinationAt = 4;
  h.net = 4;
  h.protocol = 6;
  h.flags = 2;
  h.sourcePort = 40000;
  h.destinationPort = 443;
  return new Flow(0, 3, 0, h);
}

function packet(payload: string, notes = 0): Lane {
  const h = emptyHeaders();
  h.bytes = new TextEncoder().encode(payload);
  h.net = 4;
  h.protocol = 6;
  h.flags = 18;
  h.payloadAt = 0;
  h.payloadEnd = h.bytes.length;
  h.payloadLength = h.bytes.length;
  h.wireLength = 60;
  return {
    headers: h,
    notes,
    count: 7,
    streams: { sender: 0, relativeSeq: 1, relativeAck: 2, window: 500 },
  } as unknown as Lane;
}

function subject(parts: Partial<Subject>): Subject {
  return {
    lane: null,
    flow: null,
    messages: [],
    message: null,
    owners: () => [{ pid: 123, program: 'node' }],
    ...parts,
  };
}

function matches(text: string, parts: Partial<Subject>): boolean {
  const filter = displayFilter(text, vocabulary);
  if (!('matches' in filter)) {
    throw new Error(`${text}: ${filter.message}`);
  }
  return filter.matches(subject(parts));
}

describe('in short', () => {
  const set = { messages: [heard('redis', { command: 'SET', key: 'user:7' })] };
  const pay = { messages: [heard('http', { method: 'GET', path: '/pay/9?x=1' })] };
  test.each([
    ['redis.command == "SET" and key ~ "user:*"', set, true],
    ['redis.command == "SET" and key ~ "use:*"', set, false],
    ['redis.command == "SET" and key ~ "ser:*"', set, false],
    ['redis.command == "SET" and key:"user:7"', set, true],
    ['redis.key ~ "*:?"', set, true],
    ['redis.key ~ "^user:"', set, true],
    ['redis.key ~ "r:.*"', set, true],
    ['redis.key ~ /ser:*/', set, true],
    ['http.path ~ "/pay*"', pay, true],
    ['http.path ~ "/pa*/8*"', pay, false],
    ['http.path ~ "pay*"', pay, false],
    ['http.method == GET and path ~ "/PAY/*"', pay, true],
  ])('%s', (text, parts, holds) => {
    expect(matches(text, parts)).toBe(holds);
  });
});

describe('of packets', () => {
  const here = { lane: packet('GET /secret', NOTE.retransmission), flow: flow() };
  const holding = [
    'tcp',
    'ip',
    'tcp.port == 443',
    'tcp.port eq 443',
    'tcp.port==443',
    'port:443',
    ':443',
    'tcp.srcport == 40000 and tcp.dstport == 443',
    'ip.addr == 10.0.0.2',
    'ip.src == 10.0.0.0/24',
    'ip.dst != 10.0.0.1',
    'host:10.0.0.1',
    'not udp',
    '!udp && tcp',
    'udp or tcp',
    'udp || (tcp and ip)',
    'tcp tcp.len > 0',
    'tcp.len == 11',
    'tcp.flags.syn == 1',
    'tcp.flags.syn',
    '!tcp.flags.fin',
    'tcp.flags == 0x12',
    'tcp.stream == 3',
    'stream:3',
    'frame.number >= 7',
    'frame.len < 0.1kB',
    'note:retransmission',
    'note.retransmission',
    'tcp.analysis.retransmission',
    'contains "secret"',
    '"secret"',
    'pid:123',
    'program == "node"',
    'program ~ "^NO"',
    'program matches /od/',
    '',
  ];
  test.each(holding)('%s holds', (text) => {
    expect(matches(text, here)).toBe(true);
  });
  const failing = [
    'udp',
    'arp',
    'tcp.port == 80',
    'tcp.port != 443',
    'ip.addr == 10.0.1.0/24',
    'ipv6.addr == ::1',
    'ip.src == 10.0.0.2',
    'tcp.srcport == 443',
    'tcp.len > 11',
    'note:zero-window',
    'contains "absent"',
    'redis',
    'http.status >= 500',
    'latency > 0',
    'pid:7',
  ];
  test.each(failing)('%s does not', (text) => {
    expect(matches(text, here)).toBe(false);
  });
});

describe('of messages', () => {
  const get = heard('redis', { command: 'GET', args: ['user:7'] });
  const slow = heard(
    'http',
    { status: 503, 'request.header.host': 'example.test', ok: false },
    { kind: 'reply', latency: 21e6, failed: true, summary: '503 Service Unavailable' },
  );
  test.each([
    ['redis.command == "GET"', get],
    ['redis.command == GET', get],
    ['redis.args == "user:7"', get],
    ['redis.args contains "user"', get],
    ['redis', get],
    ['request', get],
    ['http.status >= 500', slow],
    ['http.status == 503', slow],
    ['http.status', slow],
    ['http.request.header.host == example.test', slow],
    ['http.ok == false', slow],
    ['latency > 20ms', slow],
    ['latency >= 0.021s and latency <= 21000us', slow],
    ['failed and reply', slow],
    ['"Unavailable"', slow],
  ])('%s holds', (text, message) => {
    expect(matches(text, { flow: flow(), messages: [message] })).toBe(true);
  });
  test('all conditions must hold for one and the same message', () => {
    const messages = [get, slow];
    expect(matches('redis and latency > 20ms', { messages })).toBe(false);
    expect(matches('http and latency > 20ms', { messages })).toBe(true);
  });
  test('a field that a message does not have equals nothing and differs from nothing', () => {
    expect(matches('redis.reply == "x"', { messages: [get] })).toBe(false);
    expect(matches('redis.reply != "x"', { messages: [get] })).toBe(false);
    expect(matches('not redis.reply == "x"', { messages: [get] })).toBe(true);
  });
});

describe('what cannot be read is pointed at', () => {
  test.each([
    ['tcp.prot == 80', 0, 8, /no field 'tcp.prot'/],
    ['tcp.port == eighty', 12, 6, /not a value/],
    ['tcp.port ==', 11, 1, /missing after ==/],
    ['tcp and', 7, 1, /missing at the end/],
    ['(tcp', 4, 1, /not closed/],
    ['tcp)', 3, 1, /does not belong/],
    ['note:retrans', 5, 7, /no note/],
    ['"open', 0, 5, /no end/],
    ['redis.comand == 1', 0, 12, /no field/],
    ['latency > fast', 10, 4, /not a value/],
    ['program ~ "["', 10, 3, /not a value/],
    ['ip.addr == 10.0.0.300', 11, 10, /not a value/],
    ['== 5', 0, 2, /cannot stand here/],
  ])('%s', (text, at, length, message) => {
    const fault = displayFilter(text, vocabulary);
    expect('matches' in fault ? null : fault).toMatchObject({ at, length });
    expect('matches' in fault ? '' : fault.message).toMatch(message);
  });

  test('the nearest names are offered first', () => {
    const fault = displayFilter('tcp.prot == 80', vocabulary);
    expect('matches' in fault ? [] : fault.expected).toContain('tcp.port');
  });

  test('whatever is typed, it is read or pointed at, and never throws', () => {
    const words = fc.constantFrom(
      ...'tcp tcp.port == 80 ( ) and or not ! "x" /a/ note:reset redis.command contains : 10.0.0.1 ~ > latency 20ms'.split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words).map((all) => all.join(' ')),
        ),
        (text) => {
          const result = displayFilter(text, vocabulary);
          if (!('matches' in result)) {
            expect(result.at).toBeGreaterThanOrEqual(0);
            expect(result.at).toBeLessThanOrEqual(text.length);
            expect(result.length).toBeGreaterThan(0);
          } else {
            result.matches(subject({ lane: packet('x'), flow: flow(), messages: [heard('redis', {})] }));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a name alone is a field of no protocol until one was named', () => {
    expect(displayFilter('key == "a"', vocabulary)).toMatchObject({ at: 0, length: 3 });
  });

  test('nesting has a bound', () => {
    const fault = displayFilter('('.repeat(1000), vocabulary);
    expect('matches' in fault ? '' : fault.message).toMatch(/Nested deeper/);
  });
});
