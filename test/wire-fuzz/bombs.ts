/** Conversations made to cost as much as they can: endless, deep, or far larger than they look. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { Side } from '../../src/wire/app/decoder.ts';

export interface Bomb {
  readonly name: string;
  readonly port: number;
  /** What a packet may cost, where it is more than usual for a reason named here. */
  readonly allowed?: number;
  /** In the order in which they are said; `times` the last of them. */
  readonly turns: readonly (readonly [Side, string | number[] | Uint8Array, number?])[];
}

const zeros = (megabytes: number): Uint8Array => new Uint8Array(megabytes << 20);
const bytesOf = (...parts: (string | number[] | Uint8Array)[]): Uint8Array =>
  new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
const be32 = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];
const repeated = (part: string | number[], times: number): Uint8Array => {
  const one = bytesOf(part);
  const all = new Uint8Array(one.length * times);
  for (let i = 0; i < times; i++) {
    all.set(one, i * one.length);
  }
  return all;
};

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const squeezed = (coding: string, body: Uint8Array): Uint8Array =>
  bytesOf(
    `${OK}Content-Type: text/plain\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`,
    body,
  );

function http1(): Bomb[] {
  const bomb = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `http1: ${name}`,
    port: 8080,
    turns,
  });
  const asked = ['client', GET] as const;
  return [
    bomb('a header without an end', ['client', 'GET / HTTP/1.1\r\nx: '], ['client', 'a', 1 << 20]),
    bomb('headers without an end', ['client', 'GET / HTTP/1.1\r\n'], ['client', 'a: b\r\n', 200_000]),
    bomb('a target without an end', ['client', 'GET /'], ['client', 'a', 1 << 20]),
    bomb('the largest chunk', asked, ['server', `${CHUNKED}ffffffffffffffff\r\n`], ['server', 'x', 1 << 20]),
    bomb('a chunk below nothing', asked, ['server', `${CHUNKED}-1\r\n`], ['server', 'x', 1 << 16]),
    bomb('chunks of one byte', asked, ['server', CHUNKED], ['server', '1\r\nx\r\n', 200_000]),
    bomb('a chunk extension without an end', asked, ['server', `${CHUNKED}1`], ['server', ';a=b', 200_000]),
    bomb('trailers without an end', asked, ['server', `${CHUNKED}0\r\n`], ['server', 'a: b\r\n', 200_000]),
    bomb('requests without replies', ['client', GET, 50_000]),
    bomb('replies without requests', ['server', `${OK}Content-Length: 0\r\n\r\n`, 30_000]),
    bomb('interim replies', asked, ['server', 'HTTP/1.1 100 Continue\r\n\r\n', 40_000]),
    { ...bomb('gzip', asked, ['server', squeezed('gzip', gzipSync(zeros(64)))]), allowed: 400 },
    bomb('gzip in gzip', asked, ['server', squeezed('gzip, gzip', gzipSync(gzipSync(zeros(64))))]),
    bomb('gzip many times', asked, ['server', squeezed(Array(200).fill('gzip').join(), gzipSync('x'))]),
    bomb('deflate', asked, ['server', squeezed('deflate', deflateSync(zeros(64)))]),
    // Node's decoder fills its window, 16 MiB, before it hands anything out, and what was too much is lost with the error.
    { ...bomb('brotli', asked, ['server', squeezed('br', brotliCompressSync(zeros(64)))]), allowed: 400 },
    bomb('many gzip bombs', asked, ['server', squeezed('gzip', gzipSync(zeros(1))), 200]),
    bomb(
      'an event without an end',
      ...[asked, ['server', `${OK}Content-Type: text/event-stream\r\n\r\ndata: `] as const],
      ['server', 'x', 1 << 20],
    ),
    bomb(
      'events',
      asked,
      ['server', `${OK}Content-Type: text/event-stream\r\n\r\n`],
      ['server', 'data: 1\n\n', 100_000],
    ),
  ];
}

function websocket(): Bomb[] {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const extension = 'Sec-WebSocket-Extensions: permessage-deflate\r\n';
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';
  const asks = `GET / HTTP/1.1\r\nHost: a\r\n${upgrade}${key}${extension}\r\n`;
  const says = `HTTP/1.1 101 Switching Protocols\r\n${upgrade}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${extension}\r\n`;
  const bomb = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `websocket: ${name}`,
    port: 8080,
    turns: [['client', asks], ['server', says], ...turns],
  });
  const body = deflateRawSync(zeros(64), { finishFlush: 2 });
  const small = deflateRawSync(zeros(1), { finishFlush: 2 });
  const framed = (payload: Uint8Array) => bytesOf([0xc1, 127, 0, 0, 0, 0, ...be32(payload.length)], payload);
  return [
    bomb('a deflated message', ['server', framed(body)]),
    // Each must be undone, for the next may refer to it: a segment of loopback's size holds sixty of a megabyte.
    { ...bomb('deflated messages', ['server', framed(small), 300]), allowed: 400 },
    bomb('empty frames', ['server', [0x81, 0], 200_000]),
    bomb('a message without an end', ['server', [0x01, 1, 65]], ['server', [0x00, 1, 65], 200_000]),
    bomb(
      'the longest frame',
      ['server', [0x82, 127, 127, 255, 255, 255, 255, 255, 255, 255]],
      ['server', 'x', 1 << 20],
    ),
    bomb('pings', ['server', [0x89, 1, 65], 200_000]),
  ];
}

function http2(): Bomb[] {
  const frame = (type: number, flags: number, stream: number, payload: number[] | Uint8Array): Uint8Array =>
    bytesOf(
      [
        payload.length >>> 16,
        (payload.length >>> 8) & 255,
        payload.length & 255,
        type,
        flags,
        ...be32(stream),
      ],
      payload,
    );
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const settings = frame(4, 0, 0, []);
  const bomb = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `http2: ${name}`,
    port: 8081,
    turns: [['client', bytesOf(preface, settings)], ['server', settings], ...turns],
  });
  const streams = (count: number, flags: number) =>
    bytesOf(...Array.from({ length: count }, (_, i) => frame(1, flags, 2 * i + 1, [0x82, 0x84, 0x86])));
  const large = [0x40, 1, 120, 0x7f, 0x80 | (3800 & 127), 3800 >> 7, ...Array(3927).fill(97)];
  return [
    bomb(
      'continuations without an end',
      ['client', frame(1, 0, 1, [0x82])],
      ['client', frame(9, 0, 1, [0x82]), 100_000],
    ),
    bomb('empty continuations', ['client', frame(1, 0, 1, [])], ['client', frame(9, 0, 1, []), 100_000]),
    bomb(
      'one entry, named again and again',
      ['client', frame(1, 4, 1, large)],
      ['client', frame(1, 4, 3, Array(16_000).fill(0xbe)), 50],
    ),
    bomb('table sizes', ['client', frame(1, 4, 1, Array(16_000).fill(0x20)), 50]),
    bomb('numbers without an end', ['client', frame(1, 4, 1, Array(16_000).fill(0xff)), 20]),
    bomb('small entries', ['client', frame(1, 4, 1, Array(3000).fill([0x40, 1, 97, 1, 98]).flat()), 50]),
    bomb('streams that stay open', ['client', streams(60_000, 4)]),
    bomb('streams that end', ['client', streams(60_000, 5)]),
    bomb('resets', ['client', frame(3, 0, 1, be32(8)), 60_000]),
    bomb('settings', ['client', frame(4, 0, 0, [0, 1, 255, 255, 255, 255]), 60_000]),
    bomb('pings', ['client', frame(6, 0, 0, Array(8).fill(1)), 60_000]),
    bomb('the largest frame', ['client', [255, 255, 255, 0, 0, 0, 0, 0, 1]], ['client', 'x', 1 << 20]),
    bomb('padding longer than the frame', ['client', frame(0, 8, 1, [255, 1]), 10_000]),
  ];
}

function texts(): Bomb[] {
  const redis = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `redis: ${name}`,
    port: 6379,
    turns,
  });
  const json = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `jsonrpc: ${name}`,
    port: 9998,
    turns,
  });
  const ping = ['client', '*1\r\n$4\r\nPING\r\n'] as const;
  return [
    redis('arrays in arrays', ping, ['server', '*1\r\n', 100_000]),
    redis('maps in maps', ping, ['server', '%1\r\n', 100_000]),
    redis('attributes', ping, ['server', '|1\r\n', 100_000]),
    redis('arrays that a client nests', ping, ['client', '*1\r\n', 100_000]),
    redis('the longest array', ping, ['server', '*2147483647\r\n'], ['server', ':1\r\n', 300_000]),
    redis('the longest text', ping, ['server', '$9007199254740993\r\n'], ['server', 'x', 1 << 20]),
    redis('a number without an end', ping, ['server', ':'], ['server', '1', 1 << 20]),
    redis('a simple text without an end', ping, ['server', '+'], ['server', 'a', 1 << 20]),
    redis('streamed pieces', ping, ['server', '$?\r\n'], ['server', ';1\r\nx\r\n', 100_000]),
    redis('requests without replies', [...ping, 100_000]),
    redis('MULTI without EXEC', ['client', '*1\r\n$5\r\nMULTI\r\n'], [...ping, 50_000]),
    redis('a command of many words', ping, ['client', '*1000000\r\n'], ['client', '$1\r\na\r\n', 100_000]),
    json('arrays in arrays', ['client', '{"jsonrpc":"2.0","method":"a","params":'], ['client', '[', 100_000]),
    json(
      'objects in objects',
      ['client', '{"jsonrpc":"2.0","method":"a","params":'],
      ['client', '{"a":', 100_000],
    ),
    json('a text without an end', ['client', '{"jsonrpc":"2.0","method":"'], ['client', 'a', 1 << 20]),
    json('escapes', ['client', '{"jsonrpc":"2.0","method":"'], ['client', '\\u0000', 100_000]),
    json(
      'a batch without an end',
      ['client', '[{"jsonrpc":"2.0","id":1,"method":"a"}'],
      ['client', ',{"id":2,"method":"b"}', 30_000],
    ),
    json('requests without replies', ['client', '{"jsonrpc":"2.0","id":1,"method":"a"}\n', 30_000]),
    json(
      'a length beyond all',
      ['client', 'Content-Length: 99999999999999999999\r\n\r\n{'],
      ['client', 'x', 1 << 20],
    ),
    json('blank lines', ['client', '{"jsonrpc":"2.0","method":"a"}'], ['client', '\n', 1 << 20]),
    { name: 'proxy: headers before headers', port: 8080, turns: [['client', 'PROXY UNKNOWN\r\n', 20_000]] },
    {
      name: 'memcached: many keys',
      port: 11_211,
      turns: [
        ['client', 'get k'],
        ['client', ' k', 500_000],
      ],
    },
    {
      name: 'memcached: a value beyond all',
      port: 11_211,
      turns: [
        ['client', 'set k 0 0 4294967295\r\n'],
        ['client', 'x', 1 << 20],
      ],
    },
    { name: 'memcached: sets', port: 11_211, turns: [['client', 'set k 0 0 1\r\nx\r\n', 60_000]] },
    { name: 'lines: a line without an end', port: 25, turns: [['server', 'a', 1 << 21]] },
    {
      name: 'lines: lines',
      port: 25,
      turns: [
        ['server', '220 a\r\n'],
        ['server', 'a\n', 300_000],
      ],
    },
    { name: 'ssh: lines before the version', port: 22, turns: [['server', 'hello\r\n', 100_000]] },
    {
      name: 'ssh: a version without an end',
      port: 22,
      turns: [
        ['server', 'SSH-2.0-'],
        ['server', 'a', 1 << 20],
      ],
    },
  ];
}

function binaries(): Bomb[] {
  const counted = (type: string, length: number): Uint8Array => bytesOf(type, be32(length));
  const startup: Bomb['turns'] = [
    ['client', bytesOf(be32(17), be32(196_608), 'user\0a\0\0\0')],
    ['server', bytesOf(counted('R', 8), be32(0), counted('Z', 5), 'I')],
  ];
  const postgres = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `postgres: ${name}`,
    port: 5432,
    turns: [...startup, ...turns],
  });
  const statements = bytesOf(
    ...Array.from({ length: 30_000 }, (_, i) =>
      bytesOf(counted('P', 4 + 6 + 10 + 2), String(i).padStart(5, '0'), '\0', 'SELECT $1\0', [0, 0]),
    ),
  );
  const columns = [255, 255, ...Array(65_535).fill([255, 255, 255, 255]).flat()];
  const greeting = [
    10,
    ...bytesOf('8.0.36\0'),
    42,
    0,
    0,
    0,
    ...bytesOf('saltsalt\0'),
    0x8d,
    0xa6,
    45,
    2,
    0,
    0x0a,
    0,
    21,
  ];
  const more = [...Array(10).fill(0), ...bytesOf('moresaltmore\0mysql_native_password\0')];
  const login = [
    0x8d,
    0xa6,
    0x0a,
    0,
    0,
    0,
    0,
    1,
    45,
    ...Array(23).fill(0),
    ...bytesOf('ann\0'),
    0,
    ...bytesOf('a\0mysql_native_password\0'),
  ];
  const packet = (sequence: number, body: number[]): number[] => [
    body.length & 255,
    (body.length >> 8) & 255,
    body.length >> 16,
    sequence,
    ...body,
  ];
  const mysql = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `mysql: ${name}`,
    port: 3306,
    turns: [
      ['server', packet(0, [...greeting, ...more])],
      ['client', packet(1, login)],
      ['server', packet(2, [0, 0, 0, 2, 0, 0, 0])],
      ...turns,
    ],
  });
  const dns = (name: string, ...turns: Bomb['turns']): Bomb => ({ name: `dns: ${name}`, port: 53, turns });
  const asked = [0, 1, 1, 0, 255, 255, 0, 0, 0, 0, 0, 0];
  const loop = [...asked, 0xc0, 12, 0, 1, 0, 1];
  const chain = [
    ...asked,
    ...Array.from({ length: 8000 }, (_, i) => [0xc0 | ((14 + 2 * i) >> 8), (14 + 2 * i) & 255]).flat(),
  ];
  const inTcp = (body: number[]): number[] => [body.length >> 8, body.length & 255, ...body];
  const connect = [0x10, 14, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 2, 109, 101];
  const mqtt = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `mqtt: ${name}`,
    port: 1883,
    turns: [['client', connect], ['server', [0x20, 2, 0, 0]], ...turns],
  });
  const tls = (name: string, ...turns: Bomb['turns']): Bomb => ({ name: `tls: ${name}`, port: 443, turns });
  const gob = (name: string, ...turns: Bomb['turns']): Bomb => ({
    name: `gorpc: ${name}`,
    port: 1234,
    turns,
  });
  // A struct type named Request with ServiceMethod and Seq, then types of one field each, numbered downwards.
  const request = [
    42,
    255,
    129,
    3,
    1,
    1,
    7,
    ...bytesOf('Request'),
    1,
    255,
    130,
    0,
    1,
    2,
    1,
    13,
    ...bytesOf('ServiceMethod'),
    1,
    12,
    0,
    1,
    3,
    ...bytesOf('Seq'),
    1,
    6,
    0,
    0,
    0,
  ];
  const types = Array.from({ length: 20_000 }, (_, i) => {
    const id = [254, (131 + 2 * i) >> 8, (131 + 2 * i) & 255];
    const body = [...id, 2, 1, 2, 255, 132, 1, 254, (134 + 2 * i) >> 8, (134 + 2 * i) & 255, 0, 0];
    return [body.length, ...body];
  }).flat();
  return [
    postgres('the longest message', ['server', counted('D', 0x7fffffff)], ['server', 'x', 1 << 20]),
    postgres('a length below itself', ['server', counted('D', 3), 10_000]),
    postgres(
      'rows of many columns',
      ['client', bytesOf(counted('Q', 6), 'q\0')],
      ['server', bytesOf(counted('D', 4 + columns.length), columns), 4],
    ),
    postgres('Sync', ['client', counted('S', 4), 100_000]),
    postgres('statements', ['client', statements]),
    postgres(
      'rows',
      ['client', bytesOf(counted('Q', 6), 'q\0')],
      ['server', bytesOf(counted('D', 7), [0, 0, 1]), 60_000],
    ),
    mysql('the longest packets', ['client', bytesOf([255, 255, 255, 0], [3], repeated('x', 0xfffffe))]),
    mysql('pings', ['client', packet(0, [14]), 60_000]),
    mysql('statements', ['client', packet(0, [22, 65]), 30_000]),
    mysql(
      'columns without an end',
      ['client', packet(0, [3, 65])],
      ['server', packet(1, [0xfc, 255, 255])],
      ['server', packet(2, Array(20).fill(1)), 60_000],
    ),
    mysql('empty packets', ['client', packet(0, []), 200_000]),
    dns('a name that begins in itself', ['client', inTcp(loop), 20_000]),
    dns('a long chain of pointers', ['client', inTcp(chain), 40]),
    dns('empty messages', ['client', inTcp([...asked])], ['client', [0, 0], 500_000]),
    dns('questions without answers', [
      'client',
      inTcp([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1]),
      40_000,
    ]),
    mqtt('the longest packet', ['client', [0x30, 255, 255, 255, 127]], ['client', 'x', 1 << 20]),
    mqtt('pings', ['client', [0xc0, 0], 300_000]),
    mqtt('many topics', ['client', [0x82, 0xff, 0xff, 3, 0, 1]], ['client', [0, 1, 97, 0], 20_000]),
    mqtt('packets of the same number', ['client', [0x32, 7, 0, 1, 97, 0, 1, 65, 65], 60_000]),
    tls(
      'the longest handshake in single bytes',
      ['client', [22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 3, 255, 255, 255]],
      ['client', [22, 3, 1, 0, 1, 0], 100_000],
    ),
    tls(
      'a handshake in single bytes',
      ['client', [22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 3, 0, 255, 255]],
      ['client', [22, 3, 1, 0, 1, 0], 65_000],
    ),
    tls('empty records', ['client', [22, 3, 1, 0, 0], 200_000]),
    tls('alerts', ['client', [21, 3, 3, 0, 2, 1, 0], 60_000]),
    gob('types without an end', ['client', request], ['client', types]),
    gob(
      'the longest message',
      ['client', request],
      ['client', [252, 127, 255, 255, 255]],
      ['client', 'x', 1 << 20],
    ),
    {
      name: 'ssh: the longest packet',
      port: 22,
      turns: [
        ['server', 'SSH-2.0-x\r\n'],
        ['server', be32(0xffffffff)],
        ['server', 'x', 1 << 20],
      ],
    },
    {
      name: 'ssh: small packets',
      port: 22,
      turns: [
        ['server', 'SSH-2.0-x\r\n'],
        ['server', [0, 0, 0, 12, 10, 2, ...Array(10).fill(0)], 60_000],
      ],
    },
    { name: 'hex: zeros', port: 7777, turns: [['client', [0], 1 << 21]] },
  ];
}

/** What one side says at a stretch. */
export interface Stretch {
  readonly side: Side;
  readonly bytes: Uint8Array;
}

export function stretches(bomb: Bomb): Stretch[] {
  return bomb.turns.map(([side, part, times = 1]) => ({
    side,
    bytes: times === 1 ? bytesOf(part) : repeated(part as number[], times),
  }));
}

export const bombs: readonly Bomb[] = [...http1(), ...websocket(), ...http2(), ...texts(), ...binaries()];
