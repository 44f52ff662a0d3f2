/** Conversations that a developer's machine has, made by hand: what the mutations start from where no program is there. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import { client, server, type Turn } from '../../src/wire/app/decoder.contract.ts';

export interface Talk {
  /** The decoder that reads it. */
  readonly protocol: string;
  /** The decoder that hears its beginning, where that is another one. */
  readonly begins?: string;
  readonly transport: 'tcp' | 'udp';
  readonly port: number;
  readonly turns: readonly Turn[];
}

const encoder = new TextEncoder();
const text = (value: string): number[] => [...encoder.encode(value)];
const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value)];
const le24 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255];

function tcp(protocol: string, port: number, ...turns: Turn[]): Talk {
  return { protocol, transport: 'tcp', port, turns };
}

function http1(): Talk[] {
  const zipped = gzipSync('{"ok":true,"list":[1,2,3]}');
  return [
    tcp(
      'http1',
      8080,
      client(
        'POST /users?id=7&token=t0kensecret HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer s3cr3t-bearer-word\r\n',
        'Cookie: session=c00kie-secret\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"name":"An"}',
      ),
      server('HTTP/1.1 100 Continue\r\n\r\n'),
      server(
        'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nSet-Cookie: session=n3w-c00kie-secret; Path=/\r\n',
        `Content-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`,
        zipped,
      ),
      client('GET /chunks HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n\r\nHEAD /x HTTP/1.0\r\n\r\n'),
      server(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n1a\r\n',
        'abcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 7\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n',
      ),
    ),
    tcp(
      'http1',
      8080,
      client('GET /events HTTP/1.1\r\nHost: a.test\r\nAccept: text/event-stream\r\n\r\n'),
      server(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
        '1b\r\nevent: tick\nid: 7\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n',
      ),
    ),
    tcp(
      'http1',
      8080,
      client('CONNECT far.test:443 HTTP/1.1\r\n\r\n'),
      server('HTTP/1.1 200 OK\r\n\r\n'),
      ...tls(),
    ),
    tcp(
      'http1',
      8080,
      client('GET / HTTP/1.0\r\n\r\n'),
      server('HTTP/1.0 200 OK\r\n\r\n<p>until the end</p>'),
    ),
  ];
}

/** A frame of WebSocket, masked where it is a client's. */
function frame(first: number, payload: Uint8Array | number[], mask?: number[]): number[] {
  const length = payload.length < 126 ? [payload.length] : [126, ...be16(payload.length)];
  if (mask === undefined) {
    return [first, ...length, ...payload];
  }
  length[0]! |= 128;
  return [first, ...length, ...mask, ...Array.from(payload, (byte, i) => byte ^ mask[i % 4]!)];
}

function websocket(): Talk {
  const squeezed = (value: string) => deflateRawSync(value, { finishFlush: 2 }).subarray(0, -4);
  const mask = [1, 2, 3, 4];
  const talk = tcp(
    'websocket',
    8080,
    client(
      'GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
    ),
    server(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
    ),
    client(frame(0x81, text('hello'), mask), frame(0xc1, squeezed('{"squeezed":[1,2,3,1,2,3,1,2,3]}'), mask)),
    server(frame(0xc1, squeezed('and back')), frame(0x89, text('ping'))),
    client(frame(0x8a, text('ping'), mask), frame(0x01, text('one '), mask), frame(0x80, text('two'), mask)),
    server(frame(0x82, Array(300).fill(7)), frame(0x88, [...be16(1000), ...text('bye')])),
    client(frame(0x88, be16(1000), mask)),
  );
  return { ...talk, begins: 'http1' };
}

function http2Frame(type: number, flags: number, stream: number, payload: number[]): number[] {
  return [...be16(payload.length >>> 8), payload.length & 255, type, flags, ...be32(stream), ...payload];
}

function http2(): Talk {
  const literal = (name: string, value: string) => [
    0x40,
    name.length,
    ...text(name),
    value.length,
    ...text(value),
  ];
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const asking = [
    0x82,
    0x86,
    0x84,
    ...literal(':authority', 'a.test'),
    ...literal('authorization', 'h2-s3cr3t-word'),
  ];
  const grpc = [
    0x83,
    0x86,
    ...literal(':path', '/shop.Cart/Add'),
    ...literal('content-type', 'application/grpc'),
  ];
  const settings = http2Frame(4, 0, 0, [...be16(3), ...be32(100), ...be16(4), ...be32(65_535)]);
  return tcp(
    'http2',
    8081,
    client(preface, settings, http2Frame(1, 5, 1, asking), http2Frame(1, 4, 3, grpc)),
    server(settings, http2Frame(4, 1, 0, []), http2Frame(8, 0, 0, be32(1000))),
    client(http2Frame(0, 1, 3, [0, ...be32(5), ...text('hello')]), http2Frame(6, 0, 0, text('pingping'))),
    server(
      http2Frame(1, 4, 1, [0x88, ...literal('content-type', 'text/plain')]),
      http2Frame(0, 1, 1, text('hi')),
    ),
    server(
      http2Frame(1, 0, 3, [0x88, ...literal('content-type', 'application/grpc')]),
      http2Frame(9, 4, 3, literal('x', 'y')),
      http2Frame(0, 0, 3, [0, ...be32(2), 8, 1]),
      http2Frame(1, 5, 3, [...literal('grpc-status', '0')]),
      http2Frame(5, 4, 1, [...be32(2), 0x82, 0x87, 0x84]),
      http2Frame(3, 0, 2, be32(8)),
      http2Frame(7, 0, 0, [...be32(3), ...be32(0), ...text('enough')]),
    ),
  );
}

function redis(): Talk[] {
  const command = (...words: string[]) =>
    `*${words.length}\r\n${words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`).join('')}`;
  return [
    tcp(
      'redis',
      6379,
      client(command('AUTH', 'user', 'r3dis-passw0rd'), command('HELLO', '3')),
      server('+OK\r\n%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n'),
      client(command('SET', 'user:7', 'a value\r\nof lines'), command('GET', 'nothing'), 'PING inline\r\n'),
      server('+OK\r\n$-1\r\n_\r\n+PONG\r\n'),
      client(command('MULTI'), command('INCR', 'a'), command('LRANGE', 'l', '0', '-1'), command('EXEC')),
      server('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n*3\r\n$1\r\na\r\n,1.5\r\n#t\r\n'),
      client(command('SUBSCRIBE', 'news')),
      server(
        '>3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n-ERR no\r\n',
      ),
      server(
        '=15\r\ntxt:Some string\r\n(3492890328409238509324850943850943825024385\r\n~2\r\n+a\r\n|1\r\n+k\r\n+v\r\n:1\r\n',
      ),
    ),
  ];
}

function postgres(): Talk {
  const packet = (type: string, ...parts: number[][]) => {
    const body = parts.flat();
    return [...text(type), ...be32(body.length + 4), ...body];
  };
  const startup = [...be32(196_608), ...text('user\0ann\0database\0shop\0\0')];
  const column = [
    ...text('id\0'),
    ...be32(0),
    ...be16(0),
    ...be32(23),
    ...be16(4),
    ...be32(0xffffffff),
    ...be16(0),
  ];
  const row = packet('D', be16(2), be32(2), text('42'), be32(0xffffffff));
  return tcp(
    'postgres',
    5432,
    client(be32(8), be32(80_877_103)),
    server('N'),
    client(be32(startup.length + 4), startup),
    server(packet('R', be32(3))),
    client(packet('p', text('pg-passw0rd-word\0'))),
    server(
      packet('R', be32(0)),
      packet('S', text('server_version\x0016.2\0')),
      packet('K', be32(7), be32(9)),
    ),
    server(packet('Z', text('I'))),
    client(packet('Q', text("SELECT id, 'x' FROM t\0"))),
    server(
      packet('T', be16(2), column, column),
      row,
      row,
      packet('C', text('SELECT 2\0')),
      packet('Z', text('I')),
    ),
    client(
      packet('P', text('s\0SELECT $1\0'), be16(1), be32(23)),
      packet('B', text('\0s\0'), be16(0), be16(1), be32(1), text('7'), be16(0)),
    ),
    client(packet('D', text('P\0')), packet('E', text('\0'), be32(0)), packet('S')),
    server(
      packet('1'),
      packet('2'),
      packet('n'),
      row,
      packet('C', text('SELECT 1\0')),
      packet('Z', text('T')),
    ),
    client(packet('Q', text('COPY t FROM STDIN\0'))),
    server(packet('G', [0], be16(1), be16(0))),
    client(packet('d', text('1\n')), packet('c')),
    server(
      packet('E', text('SERROR\0C42P01\0Mno table\0\0')),
      packet('N', text('SNOTICE\0Mx\0\0')),
      packet('Z', text('E')),
    ),
    client(packet('X')),
  );
}

function mysql(): Talk {
  const packet = (sequence: number, ...parts: number[][]) => {
    const body = parts.flat();
    return [...le24(body.length), sequence, ...body];
  };
  const word = (value: string) => [value.length, ...text(value)];
  const greeting = [
    10,
    ...text('8.0.36\0'),
    42,
    0,
    0,
    0,
    ...text('saltsalt\0'),
    0x8d,
    0xa6,
    45,
    2,
    0,
    0x0a,
    0,
    21,
  ];
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
    ...text('ann\0'),
    ...word('p4ss'),
  ];
  const column = [
    ...word('def'),
    ...word('shop'),
    ...word('t'),
    ...word('t'),
    ...word('id'),
    ...word('id'),
    12,
  ];
  const eof = [0xfe, 0, 0, 2, 0];
  return tcp(
    'mysql',
    3306,
    server(packet(0, greeting, Array(10).fill(0), text('moresaltmore\0mysql_native_password\0'))),
    client(packet(1, login, text('shop\0mysql_native_password\0'))),
    server(packet(2, [0, 0, 0, 2, 0, 0, 0])),
    client(packet(0, [3], text('SELECT id FROM t'))),
    server(
      packet(1, [1]),
      packet(2, column, [63, 0, 11, 0, 0, 0, 3, 3, 66, 0, 0, 0]),
      packet(3, eof),
      packet(4, word('7')),
      packet(5, [0xfb]),
      packet(6, eof),
    ),
    client(packet(0, [22], text('SELECT ?'))),
    server(
      packet(1, [0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
      packet(2, column),
      packet(3, eof),
      packet(4, column),
      packet(5, eof),
    ),
    client(packet(0, [23, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 253, 0], word('v4lue'))),
    server(packet(1, [0xff, 0x28, 4], text('#42000You have an error'))),
    client(packet(0, [14]), packet(0, [1])),
  );
}

function dns(): Talk[] {
  const name = [...[3, ...text('www')], ...[4, ...text('test')], 0];
  const question = [...name, 0, 1, 0, 1];
  const head = (flags: number, answers: number, more: number) => [
    ...[0x12, 0x34, ...be16(flags), 0, 1, ...be16(answers), 0, 0, ...be16(more)],
  ];
  const opt = [0, 0, 41, 16, 0, 0, 0, 128, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
  const record = (type: number, data: number[]) => [
    0xc0,
    12,
    ...be16(type),
    0,
    1,
    ...be32(300),
    ...be16(data.length),
    ...data,
  ];
  const records = [
    ...[
      record(5, [5, ...text('alias'), 0xc0, 12]),
      record(1, [192, 0, 2, 7]),
      record(28, [32, 1, ...Array(14).fill(7)]),
    ],
    ...[record(16, [5, ...text('words'), 1, 32]), record(15, [0, 10, 4, ...text('mail'), 0xc0, 12])],
    ...[record(33, [0, 1, 0, 2, 31, 144, 0xc0, 12]), record(6, [0xc0, 12, 0xc0, 16, ...Array(20).fill(1)])],
    ...[record(48, [1, 1, 3, 8, 1, 2, 3]), record(46, [0, 1, 8, 2, ...Array(14).fill(3), 0xc0, 12, 1, 2, 3])],
    ...[
      record(47, [0xc0, 12, 0, 2, 64, 1]),
      record(65, [0, 1, 0, 0, 1, 0, 3, 2, ...text('h2')]),
      record(257, [0, 5, ...text('issueca')]),
    ],
  ];
  const query = [...head(0x0120, 0, 1), ...question, ...opt];
  const reply = [...head(0x8180, records.length, 1), ...question, ...records.flat(), ...opt];
  const counted = (bytes: number[]) => [...be16(bytes.length), ...bytes];
  return [
    { protocol: 'dns', transport: 'udp', port: 53, turns: [client(query), server(reply)] },
    tcp(
      'dns',
      53,
      client(counted(query)),
      server(counted(reply)),
      client(counted(query), counted(query)),
      server(counted(reply)),
    ),
    { protocol: 'dns', transport: 'udp', port: 5353, turns: [server(reply), client(query), client(reply)] },
  ];
}

function jsonrpc(): Talk[] {
  const lsp = (body: string) => `Content-Length: ${encoder.encode(body).length}\r\n\r\n${body}`;
  const ask =
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"token":"x","list":[1,[2,{"a":"\\u00e9"}]]}}';
  const answer = '{"jsonrpc":"2.0","id":1,"result":{"capabilities":{"hover":true},"n":-1.5e3}}';
  const no = '{"jsonrpc":"2.0","id":"two","error":{"code":-32601,"message":"no method"}}';
  return [
    tcp(
      'jsonrpc',
      9999,
      client(lsp(ask)),
      server(lsp(answer)),
      client(lsp('{"jsonrpc":"2.0","method":"exit"}')),
      server(lsp(no)),
    ),
    tcp(
      'jsonrpc',
      9998,
      client(`${ask}\n${ask.replace('1', '2')}\n`),
      server(`${answer}\n[${answer},${no}]\n`),
    ),
  ];
}

function gorpc(): Talk {
  const string = (value: string) => [value.length, ...text(value)];
  const message = (...parts: number[][]) => {
    const bytes = parts.flat();
    return bytes.length < 128 ? [bytes.length, ...bytes] : [0xfe, ...be16(bytes.length), ...bytes];
  };
  const id = (value: number) => [0xff, 2 * value];
  const type = (number: number, name: string, fields: [string, number][]) =>
    message(
      ...[[0xff, 2 * number - 1, 3, 1, 1], string(name), [1], id(number), [0, 1, fields.length]],
      fields.flatMap(([field, of]) => [1, ...string(field), 1, 2 * of, 0]),
      [0, 0],
    );
  const args = type(67, 'Args', [
    ['A', 2],
    ['Password', 6],
  ]);
  return tcp(
    'gorpc',
    1234,
    client(
      type(65, 'Request', [
        ['ServiceMethod', 6],
        ['Seq', 3],
      ]),
      message(id(65), [1], string('Calc.Add'), [0]),
    ),
    client(args, message(id(67), [1, 14, 1], string('g0b-passw0rd'), [0])),
    server(
      type(66, 'Response', [
        ['ServiceMethod', 6],
        ['Seq', 3],
        ['Error', 6],
      ]),
    ),
    server(message(id(66), [1], string('Calc.Add'), [0]), message([4, 0, 18])),
    client(
      message(id(65), [1], string('Calc.Div'), [1, 1, 0]),
      message(id(67), [1, 2, 1], string('again-passw0rd'), [0]),
    ),
    server(
      message(id(66), [1], string('Calc.Div'), [1, 1, 1], string('divide by zero'), [0]),
      message([2, 0, 0]),
    ),
  );
}

/** A client hello with the usual extensions, the server's, and what follows under encryption. */
function tls(): Turn[] {
  const extension = (type: number, body: number[]) => [...be16(type), ...be16(body.length), ...body];
  const counted = (body: number[]) => [...be16(body.length), ...body];
  const name = extension(0, counted([0, ...counted(text('scene.test'))]));
  const alpn = extension(16, counted([2, ...text('h2'), 8, ...text('http/1.1')]));
  const groups = extension(10, counted([0, 29, 0, 23]));
  const versions = extension(43, [4, 3, 4, 3, 3]);
  const share = extension(51, counted([0, 29, ...counted(Array(32).fill(5))]));
  const hello = [
    3,
    3,
    ...Array(32).fill(9),
    32,
    ...Array(32).fill(8),
    ...counted([19, 1, 192, 43, 0, 47]),
    1,
    0,
  ];
  const handshake = (type: number, body: number[]) => [type, 0, ...be16(body.length), ...body];
  const record = (type: number, body: number[]) => [type, 3, 3, ...counted(body)];
  const answer = [3, 3, ...Array(32).fill(7), 32, ...Array(32).fill(8), 19, 1, 0];
  const last = counted([...extension(43, [3, 4]), ...extension(51, [0, 29, ...counted(Array(32).fill(6))])]);
  const sni = [...name, ...alpn, ...groups, ...versions, ...share, ...extension(13, counted([4, 3, 8, 4]))];
  return [
    client(record(22, handshake(1, [...hello, ...counted(sni)]))),
    server(record(22, handshake(2, [...answer, ...last])), record(20, [1]), record(23, Array(500).fill(3))),
    client(record(20, [1]), record(23, Array(60).fill(3)), record(21, [1, 0])),
    server(record(21, [2, 40])),
  ];
}

function line(): Talk {
  return tcp(
    'line',
    7777,
    client('SET name the world\r\nGET name\r\nKEYS *\r\nSUBSCRIBE news\nSETEX a 5 b\nFROB\r\nQUIT\r\n'),
    server('OK\r\nVALUE the world\r\nLIST 2\r\n- a\r\n- name\r\nOK 1\r\nEVENT news it rains\r\n'),
    server('OK\r\nERR unknown FROB; HELP lists what there is\r\nBYE\r\n'),
  );
}

function memcached(): Talk[] {
  const binary = (magic: number, opcode: number, key: string, value: string) => [
    ...[
      magic,
      opcode,
      ...be16(key.length),
      0,
      0,
      0,
      0,
      ...be32(key.length + value.length),
      ...be32(1),
      ...be32(0),
      ...be32(0),
    ],
    ...text(key + value),
  ];
  return [
    tcp(
      'memcached',
      11_211,
      client('set user:7 0 60 5\r\nhello\r\nget user:7 nothing\r\n'),
      server('STORED\r\nVALUE user:7 0 5\r\nhello\r\nEND\r\n'),
      client('gets a\r\nincr n 5\r\nmg k t f v\r\nms k 2\r\nhi\r\nstats\r\n'),
      server('END\r\nNOT_FOUND\r\nVA 2 t1 f0\r\nhi\r\nHD\r\nSTAT pid 1\r\nEND\r\nCLIENT_ERROR bad\r\n'),
    ),
    tcp(
      'memcached in binary',
      11_211,
      client(binary(0x80, 0, 'key', ''), binary(0x80, 1, 'k', 'v')),
      server(binary(0x81, 0, '', 'value')),
    ),
  ];
}

function mqtt(): Talk {
  const word = (value: string) => [...be16(value.length), ...text(value)];
  const packet = (first: number, ...parts: number[][]) => [first, parts.flat().length, ...parts.flat()];
  return tcp(
    'mqtt',
    1883,
    client(packet(0x10, word('MQTT'), [4, 0xc2], be16(60), word('me'), word('ann'), word('mqtt-passw0rd'))),
    server(packet(0x20, [0, 0])),
    client(
      packet(0x82, be16(1), word('news/#'), [1]),
      packet(0x32, word('news/a'), be16(2), text('payload')),
    ),
    server(packet(0x90, be16(1), [1]), packet(0x40, be16(2)), packet(0x30, word('news/a'), text('back'))),
    client(
      packet(0x10, word('MQTT'), [5, 2], be16(60), [5, 17], be32(9), word('v5')),
      [0xc0, 0],
      packet(0xe0),
    ),
    server([0xd0, 0], packet(0x20, [0, 0x87, 3, 0x21, 0, 9])),
  );
}

function ssh(): Talk {
  const list = (value: string) => [...be32(value.length), ...text(value)];
  const lists = ['curve25519-sha256,ext-info-c', 'ssh-ed25519', 'aes128-ctr', 'aes128-ctr', 'hmac-sha2-256'];
  const offer = [
    20,
    ...Array(16).fill(1),
    ...[...lists, 'hmac-sha2-256', 'none', 'none', '', ''].flatMap(list),
    0,
    ...be32(0),
  ];
  const packet = (body: number[]) => {
    const padding = 4 + ((8 - ((5 + body.length + 4) % 8)) % 8);
    return [...be32(1 + body.length + padding), padding, ...body, ...Array(padding).fill(0)];
  };
  const key = [...be32(51), ...list('ssh-ed25519'), ...be32(32), ...Array(32).fill(4)];
  return tcp(
    'ssh',
    22,
    server('SSH-2.0-OpenSSH_9.6 Debian\r\n', packet(offer)),
    client('SSH-2.0-OpenSSH_9.6\r\n', packet(offer), packet([30, ...be32(32), ...Array(32).fill(2)])),
    server(packet([31, ...key, ...be32(32), ...Array(32).fill(3), ...list('signature')]), packet([21])),
    client(packet([21]), Array(64).fill(0x9a)),
  );
}

function others(): Talk[] {
  return [
    tcp(
      'socks',
      1080,
      client([5, 2, 0, 2]),
      server([5, 2]),
      client([1, 3, ...text('ann'), 11, ...text('s0cks-passw')]),
      server([1, 0]),
      client([5, 1, 0, 3, 6, ...text('a.test'), 0, 80]),
      server([5, 0, 0, 1, 127, 0, 0, 1, 4, 0]),
      client('GET / HTTP/1.1\r\n\r\n'),
    ),
    tcp(
      'socks',
      1080,
      client([4, 1, 0, 80, 0, 0, 0, 1, ...text('ann\0a.test\0')]),
      server([0, 90, 0, 0, 0, 0, 0, 0]),
    ),
    tcp(
      'proxy',
      8080,
      client('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    ),
    tcp(
      'proxy',
      8080,
      client(
        [
          13,
          10,
          13,
          10,
          0,
          13,
          10,
          0x51,
          0x55,
          0x49,
          0x54,
          10,
          0x21,
          0x11,
          0,
          19,
          ...Array(8).fill(10),
          ...be16(1),
          ...be16(2),
          4,
          0,
          4,
          1,
          2,
          3,
          4,
        ],
        'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      ),
    ),
    tcp(
      'lines',
      25,
      server('220 mail.test ESMTP\r\n'),
      client('EHLO me\r\nAUTH PLAIN AGFubgBzM2NyM3Q=\r\n'),
      server('250 OK\r\n'),
    ),
    tcp('hex', 7777, client([1, 2, 3, 0, 255, 254]), server([0, 0, 0, 9, 1, 0, 0, 0, 0])),
  ];
}

export function craftedTalks(): Talk[] {
  return [
    ...[...http1(), websocket(), http2(), ...redis(), postgres(), mysql(), ...dns(), ...jsonrpc(), gorpc()],
    ...[tcp('tls', 443, ...tls()), ...memcached(), line(), mqtt(), ssh(), ...others()],
  ];
}
