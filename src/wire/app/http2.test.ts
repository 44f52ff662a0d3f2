import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  type Heard,
  hear,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import type { Hint, Step } from './decoder.ts';
import { decoder } from './http2.ts';
import { encoded, framed, header, newEncoder } from './http2-crafted.ts';
import { PREFACE } from './http2-frame.ts';
import { MAX_STREAMS } from './http2-stream.ts';

const [
  DATA,
  HEADERS,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  PUSH_PROMISE,
  PING,
  GOAWAY,
  WINDOW_UPDATE,
  CONTINUATION,
] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const END = 1;
const WHOLE = 4;
const PADDED = 8;

type Pairs = Record<string, string>;

/** Two encoders, as the two sides of one connection have them. */
function connection() {
  const encoders = { client: newEncoder(), server: newEncoder() };
  const block = (side: 'client' | 'server', pairs: Pairs) =>
    encoded(
      encoders[side],
      Object.entries(pairs).map(([name, value]) => header(name, value)),
    );
  return {
    asks: (stream: number, flags: number, pairs: Pairs) =>
      framed(HEADERS, flags, stream, block('client', pairs)),
    says: (stream: number, flags: number, pairs: Pairs) =>
      framed(HEADERS, flags, stream, block('server', pairs)),
    block,
  };
}

const noSettings = framed(SETTINGS, 0, 0, []);
const get = (path: string, more: Pairs = {}): Pairs => ({
  ':method': 'GET',
  ':scheme': 'http',
  ':path': path,
  ':authority': 'example.org',
  ...more,
});
const text = (value: string) => [...new TextEncoder().encode(value)];
const reset = (stream: number, error: number) => framed(RST_STREAM, 0, stream, [0, 0, 0, error]);

function opened(...frames: number[][]): Turn {
  return client(PREFACE, noSettings, ...frames);
}

function announced(protocol: string, name: string): boolean {
  return decoder.speaks[protocol]!.some((one) =>
    one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name,
  );
}

/** Only what belongs to streams. */
function exchanges(heard: Heard) {
  expect(heard.troubles).toEqual([]);
  return heard.said.filter((one) => 'stream' in one.fields);
}

function simple(): Turn[] {
  const { asks, says } = connection();
  return [
    opened(
      asks(1, END | WHOLE, get('/users?id=7&token=t0p', { accept: '*/*', authorization: 'Basic abc' })),
      asks(3, WHOLE, { ...get('/log'), ':method': 'POST', 'content-type': 'text/plain' }),
    ),
    server(noSettings, framed(SETTINGS, 1, 0, [])),
    client(framed(SETTINGS, 1, 0, []), framed(DATA, 0, 3, text('hello '))),
    server(says(1, WHOLE, { ':status': '200', 'content-type': 'application/json' })),
    client(framed(DATA, END | PADDED, 3, [2, ...text('world'), 0, 0])),
    server(framed(DATA, 0, 1, text('{"id"')), says(3, WHOLE, { ':status': '500', 'set-cookie': 'a=b' })),
    server(framed(DATA, END, 1, text(':7}')), framed(DATA, 0, 3, text('no'))),
    server(says(3, END | WHOLE, { 'x-checksum': 'ab12' })),
  ];
}

describe('requests and replies', () => {
  it('are told apart on streams that interleave', () => {
    const said = exchanges(hear(decoder, simple()));
    expect(said.map((one) => [one.kind, one.name, one.asked, one.failed, one.summary])).toEqual([
      ['request', 'GET', null, false, 'GET /users?id=7&token=******'],
      ['request', 'POST', null, false, 'POST /log text/plain 11 B'],
      ['reply', '200', 'GET', false, '200 application/json 8 B'],
      ['reply', '500', 'POST', true, '500 2 B'],
    ]);
    expect(said[0]!.fields).toEqual({
      method: 'GET',
      path: '/users?id=7&token=******',
      'path.raw': '/users?id=7&token=t0p',
      host: 'example.org',
      version: '2',
      stream: 1,
      'request.header.accept': '*/*',
      'request.header.authorization': 'Basic abc',
      length: 0,
    });
    expect(said[1]!.fields).toMatchObject({ method: 'POST', body: 'hello world', length: 11, stream: 3 });
    expect(said[2]!.fields).toMatchObject({
      status: 200,
      method: 'GET',
      host: 'example.org',
      body: '{"id":7}',
    });
    expect(said[3]!.fields).toMatchObject({
      status: 500,
      path: '/log',
      'response.header.set-cookie': 'a=b',
      'trailer.x-checksum': 'ab12',
    });
  });

  it('give the same messages however their bytes are split', () => {
    anySplitGivesTheSame(decoder, simple());
  });

  it('never show a secret outside its field', () => {
    for (const { name, summary, fields } of hear(decoder, simple()).said) {
      const shown = Object.entries(fields).filter(([key]) => !decoder.secrets.includes(key));
      expect(JSON.stringify([name, summary, shown])).not.toMatch(/t0p|Basic abc|a=b/);
    }
  });

  it('have no field that is not announced', () => {
    for (const { protocol, fields } of hear(decoder, simple()).said) {
      expect(Object.keys(fields).filter((name) => !announced(protocol, name))).toEqual([]);
    }
  });

  it('account for every byte of their frames', () => {
    const turns = simple();
    const { said } = hear(decoder, turns);
    for (const side of ['client', 'server'] as const) {
      const sent = turns.reduce((sum, turn) => sum + (turn.side === side ? turn.bytes.length : 0), 0);
      const counted = said.reduce((sum, one) => sum + (one.side === side ? one.bytes : 0), 0);
      expect(counted).toBe(side === 'client' ? sent - PREFACE.length : sent);
    }
  });

  it('have headers in several frames, with padding and priority', () => {
    const { block, says } = connection();
    const bytes = block('client', get('/long', { 'x-long': 'v'.repeat(300) }));
    const turns = [
      opened(
        framed(HEADERS, END | PADDED | 0x20, 1, [3, 0x80, 0, 0, 0, 15, ...bytes.slice(0, 40), 0, 0, 0]),
        framed(CONTINUATION, 0, 1, bytes.slice(40, 41)),
        framed(CONTINUATION, 0, 1, []),
        framed(CONTINUATION, WHOLE, 1, bytes.slice(41)),
      ),
      server(noSettings, says(1, WHOLE | END, { ':status': '204' })),
    ];
    const said = exchanges(hear(decoder, turns));
    expect(said.map((one) => one.summary)).toEqual(['GET /long', '204']);
    expect(said[0]!.fields['request.header.x-long']).toBe('v'.repeat(300));
    expect(said[0]!.bytes).toBe(4 * 9 + 9 + bytes.length);
    anySplitGivesTheSame(decoder, turns);
  });

  it('have informational replies before the true one', () => {
    const { asks, says } = connection();
    const said = exchanges(
      hear(decoder, [
        opened(asks(1, END | WHOLE, get('/'))),
        server(noSettings, says(1, WHOLE, { ':status': '103', link: '</a.css>' })),
        server(says(1, WHOLE | END, { ':status': '200' })),
      ]),
    );
    expect(said.map((one) => [one.name, one.asked])).toEqual([
      ['GET', null],
      ['103', 'GET'],
      ['200', 'GET'],
    ]);
    expect(said[1]!.fields).toMatchObject({ status: 103, 'response.header.link': '</a.css>', path: '/' });
    expect(said[2]!.fields).not.toHaveProperty('response.header.link');
  });

  it('may be compressed', () => {
    const { asks, says } = connection();
    const packed = [...gzipSync('some text '.repeat(50))];
    const said = exchanges(
      hear(decoder, [
        opened(asks(1, END | WHOLE, get('/'))),
        server(
          says(1, WHOLE, { ':status': '200', 'content-type': 'text/plain', 'content-encoding': 'gzip' }),
        ),
        server(framed(DATA, END, 1, packed)),
      ]),
    );
    expect(said[1]!.fields).toMatchObject({ body: 'some text '.repeat(50), length: packed.length });
  });

  it('show the beginning of a body that is longer than what is kept', () => {
    const { asks, says } = connection();
    const part = framed(DATA, 0, 1, text('0123456789'.repeat(1000)));
    const turns = [
      opened(asks(1, END | WHOLE, get('/big'))),
      server(says(1, WHOLE, { ':status': '200', 'content-type': 'text/plain' }), part, part, part),
      server(part, framed(DATA, END | PADDED, 1, [1, 0])),
    ];
    const said = exchanges(hear(decoder, turns));
    expect(said[1]!.fields).toMatchObject({ length: 40_000, 'body.bytes': 40_000 });
    expect((said[1]!.fields.body as string).length).toBe(16_384);
    anySplitGivesTheSame(decoder, turns, {}, 5);
  });

  it('may be promised by the server', () => {
    const { asks, says, block } = connection();
    const turns = [
      opened(asks(1, END | WHOLE, get('/'))),
      server(
        noSettings,
        framed(PUSH_PROMISE, WHOLE, 1, [0, 0, 0, 2, ...block('server', get('/style.css'))]),
        says(1, END | WHOLE, { ':status': '200' }),
        says(2, WHOLE, { ':status': '200' }),
        framed(DATA, END, 2, text('a{}')),
      ),
    ];
    const said = exchanges(hear(decoder, turns));
    expect(said.map((one) => [one.side, one.kind, one.summary, one.asked])).toEqual([
      ['client', 'request', 'GET /', null],
      ['server', 'request', 'push GET /style.css', null],
      ['server', 'reply', '200', 'GET'],
      ['server', 'reply', '200 3 B', 'GET'],
    ]);
    expect(said[3]!.fields).toMatchObject({ path: '/style.css', stream: 2, pushed: true });
  });

  it('that are reset have failed, whoever did it', () => {
    const { asks, says } = connection();
    const said = exchanges(
      hear(decoder, [
        opened(asks(1, END | WHOLE, get('/a')), asks(3, END | WHOLE, get('/b')), asks(5, WHOLE, get('/c'))),
        server(
          noSettings,
          says(1, WHOLE, { ':status': '200' }),
          framed(DATA, 0, 1, text('part')),
          reset(1, 7),
        ),
        client(reset(3, 8)),
        server(says(5, WHOLE | END, { ':status': '413' }), reset(5, 0), reset(9, 1)),
      ]),
    );
    expect(said.map((one) => [one.side, one.kind, one.name, one.failed, one.asked, one.summary])).toEqual([
      ['client', 'request', 'GET', false, null, 'GET /a'],
      ['client', 'request', 'GET', false, null, 'GET /b'],
      ['server', 'reply', 'RST_STREAM', true, 'GET', 'RST_STREAM REFUSED_STREAM GET /a'],
      ['client', 'reply', 'RST_STREAM', true, 'GET', 'RST_STREAM CANCEL GET /b'],
      ['server', 'reply', '413', true, null, '413'],
      ['server', 'notice', 'RST_STREAM', false, null, 'RST_STREAM NO_ERROR stream 5'],
      ['server', 'notice', 'RST_STREAM', true, null, 'RST_STREAM PROTOCOL_ERROR stream 9'],
    ]);
    expect(said[2]!.fields).toMatchObject({ status: 200, reset: 'REFUSED_STREAM', body: 'part' });
  });

  it('that are cut off by the end of the connection have failed', () => {
    const { asks, says } = connection();
    const turns = [
      opened(asks(1, END | WHOLE, get('/a'))),
      server(says(1, WHOLE, { ':status': '200' }), framed(DATA, END, 1, text('0123456789')).slice(0, -3)),
    ];
    const said = exchanges(hear(decoder, turns));
    expect(said[1]).toMatchObject({ kind: 'reply', failed: true, asked: 'GET', summary: 'cut off GET /a' });
    expect(said[1]!.fields).toMatchObject({
      status: 200,
      warning: 'the connection ended inside the message',
    });
    anySplitGivesTheSame(decoder, turns);
  });

  it('through CONNECT are complete when the tunnel is there', () => {
    const { asks, says } = connection();
    const said = exchanges(
      hear(decoder, [
        opened(asks(1, WHOLE, { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' })),
        server(says(1, WHOLE, { ':status': '200' })),
        client(framed(DATA, 0, 1, text('frames'))),
        server(framed(DATA, END, 1, text('frames'))),
        client(framed(DATA, END, 1, [])),
      ]),
    );
    expect(said.map((one) => one.summary)).toEqual(['CONNECT /chat', '200']);
    expect(said[0]!.fields).toMatchObject({ protocol: 'websocket' });
  });
});

describe('the connection', () => {
  const turns = [
    client(
      PREFACE,
      framed(SETTINGS, 0, 0, [0, 1, 0, 1, 0, 0, 0, 3, 0, 0, 0, 100, 0x1a, 0x1a, 0, 0, 0, 5]),
      framed(WINDOW_UPDATE, 0, 0, [0, 0, 255, 0]),
      framed(PRIORITY, 0, 3, [0, 0, 0, 0, 200]),
      framed(PING, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
      framed(0xbe, 0xff, 7, text('GREASE')),
    ),
    server(noSettings, framed(SETTINGS, 1, 0, []), framed(PING, 1, 0, [1, 2, 3, 4, 5, 6, 7, 8])),
    server(framed(GOAWAY, 0, 0, [0, 0, 0, 5, 0, 0, 0, 11, ...text('too\nmany "pings"')])),
    server(framed(GOAWAY, 0, 0, [0x7f, 255, 255, 255, 0, 0, 0, 0, ...text('x'.repeat(3000))])),
    server(framed(PING, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0])),
  ];

  it('says its settings, pings and goodbye', () => {
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.side, one.kind, one.asked, one.failed, one.summary.slice(0, 70)])).toEqual([
      [
        'client',
        'notice',
        null,
        false,
        'SETTINGS header_table_size=65536 max_concurrent_streams=100 0x1a1a=5',
      ],
      ['client', 'request', null, false, 'PING'],
      ['server', 'notice', null, false, 'SETTINGS'],
      ['server', 'notice', null, false, 'SETTINGS ack'],
      ['server', 'reply', 'PING', false, 'PING ack'],
      ['server', 'notice', null, true, 'GOAWAY ENHANCE_YOUR_CALM last stream 5 "too\\nmany \\"pings\\""'],
      ['server', 'notice', null, false, `GOAWAY NO_ERROR last stream 2147483647 "${'x'.repeat(30)}`],
      ['server', 'request', null, false, 'PING'],
    ]);
    expect(said[5]!.fields).toEqual({
      last_stream: 5,
      error: 'ENHANCE_YOUR_CALM',
      debug: 'too\nmany "pings"',
    });
    expect(said[6]!.bytes).toBe(9 + 8 + 3000);
    expect(said[0]!.fields).toMatchObject({ 'settings.header_table_size': 65536, 'settings.0x1a1a': 5 });
  });

  it('says the same however its bytes are split', () => {
    anySplitGivesTheSame(decoder, turns, {}, 10);
  });

  it.each([
    [
      'a frame larger than allowed',
      framed(DATA, 0, 1, []).with(0, 1),
      'a frame of 65536 bytes where 16384 are allowed',
    ],
    ['a PING of 7 bytes', framed(PING, 0, 0, [0, 0, 0, 0, 0, 0, 0]), 'a frame of type 6 with 7 bytes'],
    ['SETTINGS on a stream', framed(SETTINGS, 0, 1, []), 'a frame of type 4 on stream 1'],
    ['DATA on none', framed(DATA, 0, 0, []), 'a frame of type 0 on stream 0'],
    ['padding only', framed(DATA, PADDED, 1, [1]), 'more padding than DATA'],
    ['a lone CONTINUATION', framed(CONTINUATION, WHOLE, 1, []), 'CONTINUATION of no header block'],
    ['a push by the client', framed(PUSH_PROMISE, WHOLE, 1, [0, 0, 0, 2]), 'a push that cannot be'],
    [
      'headers of padding',
      framed(HEADERS, WHOLE | PADDED, 1, [9, 0]),
      'headers shorter than their own fields',
    ],
    [
      'an interrupted block',
      [...framed(HEADERS, 0, 1, [0x82]), ...framed(DATA, 0, 1, [])],
      'another frame inside a header block',
    ],
    ['a broken block', framed(HEADERS, WHOLE, 1, [0xff]), 'the header block ends inside a number'],
  ])('does not survive %s', (_, bytes, why) => {
    expect(hear(decoder, [opened(bytes)]).troubles).toEqual([`client: ${why}`]);
  });

  it('allows frames as large as the other side said', () => {
    const { asks } = connection();
    const large = framed(DATA, END, 1, new Array<number>(70_000).fill(120));
    const turns = [
      server(framed(SETTINGS, 0, 0, [0, 5, 0, 1, 0x11, 0x70])),
      opened(asks(1, WHOLE, get('/')), large),
    ];
    expect(exchanges(hear(decoder, turns))[0]!.fields.length).toBe(70_000);
  });

  it('goes on after a header block that is too large to be read', () => {
    const { asks } = connection();
    const part = new Array<number>(16_000).fill(0);
    const turns = [
      opened(
        framed(HEADERS, END, 1, part),
        ...[1, 2, 3, 4].map(() => framed(CONTINUATION, 0, 1, part)),
        framed(CONTINUATION, WHOLE, 1, part),
        asks(3, WHOLE | END, get('/next', { 'x-a': 'b' })),
        asks(5, WHOLE | END, get('/next', { 'x-a': 'b' })),
      ),
    ];
    const said = exchanges(hear(decoder, turns));
    expect(said.map((one) => one.summary)).toEqual(['GET /next', 'GET /next']);
    expect(said[1]!.fields['request.header.x-a']).toBe('b');
  });
});

describe('an upgrade from HTTP/1.1', () => {
  it('answers the request of HTTP/1.1 on stream 1', () => {
    const { asks, says } = connection();
    const given = { upgrade: 'h2c', method: 'GET', path: '/first', host: 'example.org' };
    const hint: Hint = { transport: 'tcp', clientPort: 1, serverPort: 2, side: 'server', midStream: false };
    const state = decoder.begin(hint, given);
    const steps = (side: 'client' | 'server', bytes: Uint8Array) => {
      const said: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const step: Step = decoder[side](bytes, at, bytes.length, state);
        expect(step.step).toBe('ok');
        if (step.step === 'ok') {
          said.push(...step.messages.map((one) => `${one.pair} ${decoder.summary(one, one.fields())}`));
          at += step.consumed;
        }
      }
      return said;
    };
    const replies = server(
      noSettings,
      says(1, WHOLE, { ':status': '200' }),
      framed(DATA, END, 1, text('one')),
    );
    expect(steps('server', replies.bytes)).toEqual(['undefined SETTINGS', '1 200 3 B']);
    expect(steps('client', opened(asks(3, WHOLE | END, get('/second'))).bytes)).toEqual([
      'undefined SETTINGS',
      '3 GET /second',
    ]);
  });
});

describe('gRPC', () => {
  const call = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/pets.v1.Store/Find',
    ':authority': 'localhost:50051',
    'content-type': 'application/grpc+proto',
    te: 'trailers',
  };
  const prefixed = (length: number, compressed = 0) => [
    compressed,
    0,
    0,
    length >> 8,
    length & 255,
    ...new Array<number>(length).fill(9),
  ];
  const { asks, says } = connection();
  const stream = [...prefixed(3), ...prefixed(300, 1), ...prefixed(0)];
  const turns = [
    opened(asks(1, WHOLE, call), framed(DATA, END, 1, prefixed(5))),
    server(
      noSettings,
      says(1, WHOLE, { ':status': '200', 'content-type': 'application/grpc' }),
      framed(DATA, 0, 1, stream.slice(0, 7)),
      framed(DATA, 0, 1, stream.slice(7, 100)),
      framed(DATA, 0, 1, stream.slice(100)),
      says(1, WHOLE | END, { 'grpc-status': '0', 'grpc-message': '' }),
    ),
    client(asks(3, WHOLE, call), framed(DATA, END, 3, prefixed(2))),
    server(
      says(3, WHOLE | END, {
        ':status': '200',
        'content-type': 'application/grpc',
        'grpc-status': '16',
        'grpc-message': 'token expired%2C s%C3%AD 100%',
      }),
    ),
    client(asks(5, WHOLE, call), framed(DATA, END, 5, prefixed(2))),
    server(
      says(5, WHOLE, { ':status': '502', 'content-type': 'text/html' }),
      framed(DATA, END, 5, text('<h1>Bad Gateway</h1>')),
    ),
    client(asks(7, WHOLE, call), framed(DATA, 0, 7, prefixed(2)), reset(7, 8)),
  ];

  it('has calls with a status, and counts their messages', () => {
    const said = exchanges(hear(decoder, turns));
    expect(said.map((one) => [one.protocol, one.name, one.asked, one.failed, one.summary])).toEqual([
      ['grpc', 'pets.v1.Store/Find', null, false, 'pets.v1.Store/Find 1 message 5 B'],
      ['grpc', 'OK', 'pets.v1.Store/Find', false, 'OK 3 messages 303 B'],
      ['grpc', 'pets.v1.Store/Find', null, false, 'pets.v1.Store/Find 1 message 2 B'],
      ['grpc', 'UNAUTHENTICATED', 'pets.v1.Store/Find', true, 'UNAUTHENTICATED token expired, sí 100%'],
      ['grpc', 'pets.v1.Store/Find', null, false, 'pets.v1.Store/Find 1 message 2 B'],
      ['grpc', 'HTTP 502', 'pets.v1.Store/Find', true, 'HTTP 502'],
      ['grpc', 'RST_STREAM', null, true, 'RST_STREAM CANCEL pets.v1.Store/Find'],
    ]);
    expect(said[1]!.fields).toMatchObject({
      service: 'pets.v1.Store',
      method: 'Find',
      path: '/pets.v1.Store/Find',
      status: 0,
      'status.name': 'OK',
      'http.status': 200,
      'request.messages': 1,
      'response.messages': 3,
      'response.bytes': 303,
      'response.sizes': [3, 300, 0],
      'response.compressed': 1,
    });
    for (const { protocol, fields } of said) {
      expect(Object.keys(fields).filter((name) => !announced(protocol, name))).toEqual([]);
    }
    expect(said[3]!.fields).toMatchObject({ status: 16, message: 'token expired, sí 100%' });
    expect(said[5]!.fields).toMatchObject({ 'http.status': 502, body: '<h1>Bad Gateway</h1>' });
  });

  it('has the same calls however the bytes are split', () => {
    anySplitGivesTheSame(decoder, turns);
    // Long messages are skipped, and the next call follows in the same turn.
    const { asks, says } = connection();
    const long = [1, 3, 5].flatMap((id) => [asks(id, WHOLE, call), framed(DATA, END, id, prefixed(900))]);
    const answers = [1, 3, 5].flatMap((id) => [
      says(id, WHOLE, { ':status': '200', 'content-type': 'application/grpc' }),
      framed(DATA, PADDED, id, [3, ...prefixed(700), 0, 0, 0]),
      says(id, WHOLE | END, { 'grpc-status': '0' }),
    ]);
    anySplitGivesTheSame(decoder, [opened(...long), server(noSettings, ...answers)], {}, 60);
  });

  it('survives anything', () => {
    survivesAnything(decoder, turns);
  });
});

describe('a capture that begins in the middle', () => {
  it('reads what it can, and says what it cannot know', () => {
    const { asks, says } = connection();
    asks(1, END | WHOLE, get('/a', { 'x-old': '1' }));
    says(1, END | WHOLE, { ':status': '200', etag: 'old' });
    const turns = [
      client(asks(3, END | WHOLE, get('/a', { 'x-old': '1', 'x-new': '2' }))),
      server(
        says(3, WHOLE, { ':status': '200', etag: 'old', age: '9' }),
        framed(DATA, END, 3, text('x')),
        framed(DATA, END, 77, text('of a stream we do not know')),
        says(9, END | WHOLE, { ':status': '404' }),
      ),
    ];
    const said = exchanges(hear(decoder, turns, { midStream: true }));
    expect(said.map((one) => one.summary)).toEqual([
      'GET (headers named ? were sent before the capture began)',
      '200 1 B (headers named ? were sent before the capture began)',
      '404',
    ]);
    expect(said[0]!.fields).toMatchObject({ method: 'GET', 'request.header.x-new': '2' });
    expect(said[1]!.fields).toMatchObject({
      status: 200,
      'response.header.?': '?',
      'response.header.age': '9',
    });
    anySplitGivesTheSame(decoder, turns, { midStream: true }, 10);
  });

  it('says so when no frame begins there', () => {
    const { troubles } = hear(decoder, [client('some other bytes')], { midStream: true });
    expect(troubles).toEqual(['client: no HTTP/2 frame begins here']);
  });

  it('may begin right at the preface, and then knows all', () => {
    const said = exchanges(hear(decoder, simple(), { midStream: true }));
    expect(said.map((one) => one.fields.warning)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe('recognising', () => {
  const score = (side: 'client' | 'server', bytes: Turn, midStream = false) =>
    decoder.recognises(
      { transport: 'tcp', clientPort: 1, serverPort: 2, side, midStream },
      bytes.bytes,
      0,
      bytes.bytes.length,
    );

  it('is certain of the preface and of a first SETTINGS', () => {
    expect(score('client', client(PREFACE))).toBe(1);
    expect(score('client', client('PRI *'))).toBe(1);
    expect(score('server', server(framed(SETTINGS, 0, 0, [0, 3, 0, 0, 0, 100])))).toBe(0.9);
    expect(score('server', server(noSettings))).toBe(0.9);
    expect(score('client', client(noSettings, framed(PING, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8])), true)).toBe(
      0.85,
    );
    expect(score('client', client(framed(DATA, 1, 3, text('hello')).slice(0, 12)), true)).toBe(0.6);
  });

  it.each([
    'GET / HTTP/1.1\r\n',
    'POST /x HTTP/1.1\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'SSH-2.0-OpenSSH_9\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01',
    '\x00\x1d\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00',
    '\x00\x00\x00\x08\x04\xd2\x16\x2f',
    '{"jsonrpc":"2.0","id":1}',
    '\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c',
    '\x05\x01\x00',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n',
    '',
  ])('leaves %j to others', (bytes) => {
    const turn = client(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
    expect(score('client', turn)).toBeLessThanOrEqual(0.1);
    expect(score('server', turn)).toBe(0);
    expect(score('client', turn, true)).toBeLessThanOrEqual(0.1);
  });
});

describe('hostile input', () => {
  it('survives anything', () => {
    survivesAnything(decoder, simple());
    survivesAnything(decoder, simple().slice(2), { midStream: true }, 100);
  });

  it('is refused at once when it is no preface', () => {
    expect(hear(decoder, [client('GET / HTTP/1.1\r\n\r\n')]).troubles).toEqual(['client: no HTTP/2 preface']);
  });

  it('forgets the oldest of too many open streams', () => {
    const { asks, says } = connection();
    const turns = [opened()];
    for (let id = 1; id <= 2 * MAX_STREAMS + 21; id += 2) {
      turns.push(client(asks(id, END | WHOLE, get('/'))));
    }
    turns.push(
      server(says(1, END | WHOLE, { ':status': '200' }), says(99, END | WHOLE, { ':status': '200' })),
    );
    const replies = exchanges(hear(decoder, turns)).filter((one) => one.kind === 'reply');
    expect(replies.map((one) => one.fields.path)).toEqual([undefined, '/']);
  });

  it('holds a bounded amount of bodies that never end', () => {
    const turns = [opened()];
    const part = framed(DATA, 0, 1, new Array<number>(16_384).fill(120));
    const { asks } = connection();
    const hint: Hint = { transport: 'tcp', clientPort: 1, serverPort: 2, side: 'client', midStream: false };
    const state = decoder.begin(hint) as { streams: { held: number; open: Map<number, unknown> } };
    const feed = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) {
        const step = decoder.client(bytes, at, bytes.length, state);
        at += step.step === 'ok' ? step.consumed : Number.NaN;
      }
    };
    feed(turns[0]!.bytes);
    for (let id = 1; id < 1000; id += 2) {
      feed(client(asks(id, WHOLE, get('/')), part.with(7, id >> 8).with(8, id & 255)).bytes);
    }
    expect(state.streams.held).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(state.streams.open.size).toBeGreaterThan(200);
    expect(state.streams.open.size).toBeLessThan(260);
  });

  it('loses its headers but not its frames when one table entry is unknown, at any place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 62, max: 126 }), (index) => {
        const turns = [client(framed(HEADERS, END | WHOLE, 1, [0x82, 0x80 | index, 0x84]))];
        const { said, troubles } = hear(decoder, turns, { midStream: true });
        expect(troubles).toEqual([]);
        expect(said[0]!.fields).toMatchObject({ method: 'GET', path: '/', 'request.header.?': '?' });
      }),
    );
  });
});
