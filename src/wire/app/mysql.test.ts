import { describe, expect, it } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  hear,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import type { Hint } from './decoder.ts';
import { decoder } from './mysql.ts';

const encoder = new TextEncoder();
const text = (value: string) => [...encoder.encode(value)];
const int16 = (value: number) => [value & 255, (value >> 8) & 255];
const int24 = (value: number) => [...int16(value), (value >> 16) & 255];
const int32 = (value: number) => [...int24(value), value >>> 24];
const len = (value: string) => [text(value).length, ...text(value)];

function packet(sequence: number, ...parts: (number[] | string)[]): number[] {
  const body = parts.flatMap((part) => (typeof part === 'string' ? text(part) : part));
  return [...int24(body.length), sequence, ...body];
}

/** Packets numbered from `first` on. */
function packets(first: number, ...bodies: (number[] | string)[]): number[] {
  return bodies.flatMap((body, i) => packet(first + i, body));
}

const OLD = 0x000aa68d; // long password, with db, protocol 4.1, secure auth, plugin auth, …
const CAN = {
  attributes: 1 << 20,
  lenencAuth: 1 << 21,
  deprecateEof: 1 << 24,
  queryAttributes: 1 << 27,
  ssl: 1 << 11,
};

function greeting(can: number): number[] {
  return [
    10,
    ...text('8.0.36\0'),
    ...int32(42),
    ...text('saltsalt\0'),
    ...int16(can & 0xffff),
    45,
    ...int16(2),
    ...int16(can >>> 16),
    21,
    ...Array(10).fill(0),
    ...text('moresaltmore\0mysql_native_password\0'),
  ];
}

function login(can: number, attributes: number[] = []): number[] {
  return [
    ...int32(can),
    ...int32(1 << 24),
    45,
    ...Array(23).fill(0),
    ...text('ann\0'),
    4,
    1,
    2,
    3,
    4,
    ...text('shop\0mysql_native_password\0'),
    ...attributes,
  ];
}

const ok = (affected = 0, id = 0, status = 2, warnings = 0, header = 0, info = '') => [
  header,
  affected,
  id,
  ...int16(status),
  ...int16(warnings),
  ...text(info),
];
const eof = (status = 2, warnings = 0) => [0xfe, ...int16(warnings), ...int16(status)];
const err = (code: number, state: string, message: string) => [
  0xff,
  ...int16(code),
  ...text(`#${state}${message}`),
];
const column = (name: string, type: number, flags = 0, charset = 45) => [
  ...len('def'),
  ...len('shop'),
  ...len('t'),
  ...len('t'),
  ...len(name),
  ...len(name),
  0x0c,
  ...int16(charset),
  ...int32(11),
  type,
  ...int16(flags),
  0,
  0,
  0,
];

const setting = { serverPort: 3306 };
const listen = (...turns: Turn[]) => hear(decoder, turns, setting);

const modern = OLD | CAN.attributes | CAN.deprecateEof | CAN.queryAttributes;
const open = (can: number): Turn[] => [
  server(packet(0, greeting(can))),
  client(
    packet(1, login(can, can & CAN.attributes ? [26, ...len('program_name'), ...len('mysqlclient!')] : [])),
  ),
  server(packet(2, ok())),
];

const ask = (...body: (number[] | string)[]) => client(packet(0, ...body));

/** Old and new ways to end things, side by side. */
const oldSession: Turn[] = [
  ...open(OLD),
  ask([3], 'SELECT id, name FROM t'),
  server(
    packets(
      1,
      [2],
      column('id', 3),
      column('name', 253),
      eof(),
      [...len('1'), ...len('ann')],
      [...len('2'), 0xfb],
      eof(2, 1),
    ),
  ),
  ask([3], 'SELECT 1; SELECT nothing'),
  server(
    packets(
      1,
      [1],
      column('1', 8),
      eof(10),
      [...len('1')],
      eof(10),
      err(1054, '42S22', "Unknown column 'nothing'"),
    ),
  ),
  ask([22], 'SELECT ?, ? FROM t WHERE a = ?'),
  server(
    packets(
      1,
      [0, ...int32(7), ...int16(2), ...int16(3), 0, 0, 0],
      column('?', 253),
      column('?', 253),
      column('?', 253),
      eof(),
      column('a', 8),
      column('b', 253),
      eof(),
    ),
  ),
  ask(
    [23],
    int32(7),
    [0],
    int32(1),
    [0b010, 1, 8, 0, 253, 0, 2, 0x80],
    [5, 0, 0, 0, 0, 0, 0, 0],
    int16(0xfffe),
  ),
  server(
    packets(1, [2], column('a', 8), column('b', 253), eof(), [0, 0b1000, 9, 0, 0, 0, 0, 0, 0, 0], eof()),
  ),
  ask([23], int32(7), [1], int32(1), [0b111, 0]),
  server(packets(1, [2], column('a', 8), column('b', 253), eof(66))),
  ask([28], int32(7), int32(10)),
  server(packets(1, [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ...len('x')], eof(128))),
  ask([25], int32(7)),
  ask([4], 't\0%'),
  server(packets(1, column('id', 3), column('name', 253), eof())),
  ask([9]),
  server(packet(1, 'Uptime: 5  Threads: 1')),
  ask([14]),
  server(packet(1, ok())),
  ask([27], int16(0)),
  server(packet(1, eof())),
  ask([3], "LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE t"),
  server(packet(1, [0xfb], '/tmp/x')),
  client(packet(2, '1\n2\n'), packet(3, '3\n'), packet(4)),
  server(packet(5, ok(3, 0, 2, 0, 0, 'Records: 3'))),
  ask([17], 'bob\0', [2, 9, 9], 'other\0', int16(33), 'mysql_native_password\0'),
  server(packet(1, [0xfe], 'caching_sha2_password\0saltsaltsalt\0')),
  client(packet(2, [7, 7])),
  server(packet(3, [1, 3]), packet(4, ok())),
  ask([1]),
];

const modernSession: Turn[] = [
  ...open(modern),
  ask([3, 0, 1], 'SELECT id FROM t'),
  server(
    packets(
      1,
      [1],
      column('id', 3),
      [...len('1')],
      [...len('2')],
      [...len('3')],
      [...len('4')],
      ok(0, 0, 2, 0, 0xfe),
    ),
  ),
  ask([3, 1, 1, 0, 1, 3, 0], len('trace'), int32(99), 'INSERT INTO t VALUES (1)'),
  server(packet(1, ok(1, 5, 3, 1))),
  ask([3, 0, 1], 'SELECT id FROM t WHERE 0'),
  server(packets(1, [1], column('id', 3), ok(0, 0, 2, 0, 0xfe))),
  ask([22], 'SELECT ?'),
  server(
    packets(1, [0, ...int32(1), ...int16(1), ...int16(1), 0, 0, 0, 1], column('?', 12), column('?', 12)),
  ),
  ask([23], int32(1), [8], int32(1), [1, 0, 1, 12, 0], len(''), [
    11,
    ...int16(2026),
    1,
    2,
    3,
    4,
    5,
    ...int32(6),
  ]),
  server(packets(1, [1], column('?', 12), [0, 0, 4, ...int16(2026), 1, 2], ok(0, 0, 2, 0, 0xfe))),
  ask([18], int32(4)),
  server(packets(1, [0, 1, 2, 3], [0, 4, 5], err(1236, 'HY000', 'log is gone'))),
];

describe('opening a connection', () => {
  it('the server greets, the client names itself, the proofs are apart', () => {
    const { said, troubles } = listen(...open(modern));
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.kind, one.name, one.asked, one.summary])).toEqual([
      ['notice', 'Greeting', null, 'Greeting 8.0.36, connection 42'],
      ['request', 'Login', null, 'Login user=ann database=shop program_name=mysqlclient!'],
      ['reply', 'Login', 'Login', 'OK Login'],
    ]);
    expect(said[0]?.fields).toMatchObject({ plugin: 'mysql_native_password', charset: 'utf8mb4' });
    expect(said[1]?.fields).toMatchObject({
      'auth.data': '01020304',
      'attribute.program_name': 'mysqlclient!',
    });
    expect(decoder.secrets).toContain('auth.data');
  });

  it('a refusal before the greeting, and one of the login, say why', () => {
    expect(listen(server(packet(0, [0xff, ...int16(1040)], 'Too many connections'))).said).toMatchObject([
      { kind: 'notice', failed: true, summary: 'ERROR 1040 Too many connections' },
    ]);
    const { said } = listen(...open(OLD).slice(0, 2), server(packet(2, err(1045, '28000', 'Access denied'))));
    expect(said[2]).toMatchObject({
      kind: 'reply',
      asked: 'Login',
      failed: true,
      summary: 'ERROR 1045 (28000) Access denied',
    });
  });

  it('a client that wants TLS makes both sides TLS at once', () => {
    const seen: string[] = [];
    const spy = {
      ...decoder,
      name: 'tls',
      begin: () => null,
      client: (bytes: Uint8Array, from: number, to: number) => {
        seen.push(`${bytes.slice(from, to)}`);
        return { step: 'ok' as const, messages: [], consumed: to - from };
      },
    };
    const can = modern | CAN.ssl;
    const { said } = hear(
      decoder,
      [
        server(packet(0, greeting(can))),
        client(packet(1, int32(can), int32(1 << 24), [45], Array(23).fill(0)), [22, 3, 1]),
      ],
      { others: [spy] },
    );
    expect(said.map((one) => one.name)).toEqual(['Greeting', 'SSLRequest']);
    expect(seen).toEqual(['22,3,1']);
  });

  it('a compressed connection is said to be one', () => {
    const can = OLD | 32;
    const { troubles } = listen(...open(can), client([9, 0, 0, 0, 0, 0, 0]));
    expect(troubles).toEqual(['client: the connection is compressed (CLIENT_COMPRESS), which is not read']);
  });
});

describe('commands', () => {
  const { said, troubles } = listen(...oldSession);
  const since = (name: string, nth = 0) => {
    const request = said.filter((one) => one.kind !== 'reply' && one.name === name)[nth]!;
    return said.slice(said.indexOf(request));
  };

  it('all of them are read without trouble and each reply finds its request', () => {
    expect(troubles).toEqual([]);
    expect(said.filter((one) => one.kind === 'reply' && one.asked === null)).toEqual([]);
  });

  it('rows are counted, the first are kept, warnings are told', () => {
    expect(since('SELECT')[1]).toMatchObject({
      asked: 'SELECT',
      summary: "2 rows (id='1' name='ann', …), 1 warning",
      fields: {
        columns: ['id', 'name'],
        types: ['int', 'varchar'],
        count: 2,
        rows: [
          ['1', 'ann'],
          ['2', null],
        ],
        warnings: 1,
      },
    });
  });

  it('several results answer several statements, the last one may fail', () => {
    expect(since('SELECT', 1).slice(1, 3)).toMatchObject([
      { asked: 'SELECT', failed: false, summary: "1 row (1='1')" },
      { asked: 'SELECT', failed: true, summary: "ERROR 1054 (42S22) Unknown column 'nothing'" },
    ]);
  });

  it('a prepared statement is known again when it is executed, with its parameters by type', () => {
    const [prepare, reply, execute, rows] = since('Prepare');
    expect(prepare?.summary).toBe('Prepare: SELECT ?, ? FROM t WHERE a = ?');
    expect(reply?.summary).toBe('Prepare: statement 7, 3 parameters');
    expect(execute).toMatchObject({
      name: 'SELECT',
      summary: 'SELECT ?, ? FROM t WHERE a = ? [5, NULL, 65534]',
      fields: { command: 'COM_STMT_EXECUTE', statement: 7 },
    });
    expect(rows).toMatchObject({ fields: { rows: [[9, null]], count: 1 } });
    const [again, cursor, fetch, fetched, close] = since('SELECT', 3);
    expect(again?.fields.parameters).toEqual([null, null, null]);
    expect(cursor?.summary).toBe('0 rows (a, b)');
    expect(fetch).toMatchObject({ name: 'Fetch', fields: { statement: 7 } });
    expect(fetched).toMatchObject({ asked: 'Fetch', fields: { rows: [[1, 'x']] } });
    expect(close).toMatchObject({ kind: 'notice', name: 'CloseStatement' });
  });

  it('a local file is asked for, sent and loaded', () => {
    expect(
      since('LOAD')
        .slice(0, 4)
        .map((one) => [one.kind, one.summary, one.asked]),
    ).toEqual([
      ['request', "LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE t", null],
      ['reply', "LocalInfile: the server asks for the file '/tmp/x'", 'LOAD'],
      ['notice', 'LocalData 6 B', null],
      ['reply', 'OK LOAD, 3 affected (Records: 3)', 'LOAD'],
    ]);
  });

  it('the rest: field list, statistics, ping, options, another user', () => {
    expect(since('FieldList')[1]?.fields).toMatchObject({ columns: ['id', 'name'] });
    expect(since('Statistics')[1]?.summary).toBe('Uptime: 5 Threads: 1');
    expect(since('Ping')[1]).toMatchObject({ asked: 'Ping', summary: 'OK Ping' });
    expect(since('SetOption')[1]).toMatchObject({ asked: 'SetOption', failed: false });
    expect(since('ChangeUser').map((one) => [one.name, one.asked, one.summary])).toEqual([
      ['ChangeUser', null, 'ChangeUser user=bob database=other'],
      ['AuthSwitch', 'ChangeUser', 'AuthSwitch to caching_sha2_password'],
      ['AuthResponse', null, 'AuthResponse'],
      ['AuthMore', 'ChangeUser', 'AuthMore'],
      ['ChangeUser', 'ChangeUser', 'OK ChangeUser'],
      ['Quit', null, 'Quit'],
    ]);
  });

  it('the newer way: no EOF, query attributes, names with parameters, a stream of the log', () => {
    const heard = listen(...modernSession);
    expect(heard.troubles).toEqual([]);
    const told = heard.said.slice(3);
    expect(told.map((one) => [one.kind, one.summary, one.asked])).toEqual([
      ['request', 'SELECT id FROM t', null],
      ['reply', "4 rows (id='1', …)", 'SELECT'],
      ['request', 'INSERT INTO t VALUES (1)', null],
      ['reply', 'OK INSERT, 1 affected, id 5, 1 warning', 'INSERT'],
      ['request', 'SELECT id FROM t WHERE 0', null],
      ['reply', '0 rows (id)', 'SELECT'],
      ['request', 'Prepare: SELECT ?', null],
      ['reply', 'Prepare: statement 1, 1 parameters', 'Prepare'],
      ['request', "SELECT ? ['2026-01-02 03:04:05.000006']", null],
      ['reply', "1 row (?='2026-01-02 00:00:00')", 'SELECT'],
      ['request', 'BinlogDump', null],
      ['reply', 'BinlogDump: the log follows', 'BinlogDump'],
      ['reply', 'ERROR 1236 (HY000) log is gone', 'BinlogDump'],
    ]);
    expect(told[2]?.fields['attribute.trace']).toBe(99);
    expect(told[3]?.fields.transaction).toBe('in transaction');
  });

  it('a password in SQL is masked, the raw text is a secret of its own', () => {
    const heard = listen(...open(OLD), ask([3], "CREATE USER bob IDENTIFIED BY 'hunter2'"));
    expect(heard.said.at(-1)?.fields).toMatchObject({
      query: "CREATE USER bob IDENTIFIED BY '******'",
      'query.raw': "CREATE USER bob IDENTIFIED BY 'hunter2'",
    });
    expect(heard.said.at(-1)?.summary).not.toContain('hunter2');
  });

  it.each([
    [1, 0, [0xff], -1],
    [1, 0x80, [0xff], 255],
    [2, 0, [0xfe, 0xff], -2],
    [3, 0, [0, 0, 0, 0x80], -2147483648],
    [4, 0, [0, 0, 0xc0, 0x3f], 1.5],
    [5, 0, [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5],
    [8, 0x80, [255, 255, 255, 255, 255, 255, 255, 255], 18446744073709551615n],
    [10, 0, [4, 0xea, 7, 12, 31], '2026-12-31'],
    [11, 0, [12, 1, 1, 0, 0, 0, 2, 3, 4, 5, 0, 0, 0], '-26:03:04.000005'],
    [12, 0, [0], '0000-00-00 00:00:00'],
    [246, 0, len('1.50'), '1.50'],
    [252, 0, len('blob'), 'blob'],
  ])('a parameter of type %i with flag %i is read: %j', (type, flag, bytes, value) => {
    const heard = listen(
      ...open(modern & ~CAN.queryAttributes),
      ask([22], 'SELECT ?'),
      server(packets(1, [0, ...int32(1), ...int16(0), ...int16(1), 0, 0, 0], column('?', 253))),
      ask([23], int32(1), [0], int32(1), [0, 1, type, flag], bytes),
    );
    expect(heard.said.at(-1)?.fields.parameters).toEqual([value]);
  });

  it('parameters sent ahead are left out of the execution', () => {
    const heard = listen(
      ...open(modern & ~CAN.queryAttributes),
      ask([22], 'SELECT ?, ?'),
      server(
        packets(1, [0, ...int32(1), ...int16(0), ...int16(2), 0, 0, 0], column('?', 253), column('?', 253)),
      ),
      ask([24], int32(1), int16(0), 'long data'),
      ask([23], int32(1), [0], int32(1), [0, 1, 252, 0, 1, 0, 5]),
    );
    expect(heard.said.at(-1)?.fields.parameters).toEqual(['(sent ahead)', 5]);
  });
});

describe('any bytes', () => {
  it('splits do not matter', () => {
    anySplitGivesTheSame(decoder, oldSession, setting);
    anySplitGivesTheSame(decoder, modernSession, setting);
  });

  it('wild bytes do no harm', () => {
    survivesAnything(decoder, oldSession, setting);
    survivesAnything(decoder, modernSession, setting);
    survivesAnything(decoder, oldSession.slice(3), { ...setting, midStream: true });
  });

  it('a row longer than a packet can be goes on in the next one and is one row', () => {
    const length = 0xffffff;
    const head = Uint8Array.from([
      ...packets(1, [1], column('x', 252)),
      ...int24(length),
      3,
      0xfd,
      ...int24(length - 4 + 8),
    ]);
    const body = new Uint8Array(length - 4).fill(120);
    const rest = Uint8Array.from([...packet(4, text('xxxxxxxx')), ...packet(5, ok(0, 0, 2, 0, 0xfe))]);
    const turns = [
      ...open(modern),
      ask([3, 0, 1], 'SELECT x'),
      server(head, body, rest),
      ask([14]),
      server(packet(1, ok())),
    ];
    const { said, troubles } = listen(...turns);
    expect(troubles).toEqual([]);
    expect(said.slice(4).map((one) => [one.name, one.asked])).toEqual([
      ['SELECT', 'SELECT'],
      ['Ping', null],
      ['Ping', 'Ping'],
    ]);
    expect(said[4]?.fields.count).toBe(1);
    expect(said[4]?.bytes).toBe(head.length + body.length + rest.length);
  });

  it('a statement longer than a packet can be is told once, with all its bytes', () => {
    const text16 = new Uint8Array(0xffffff).fill(32);
    text16.set([3, ...text('INSERT INTO t VALUES (1')]);
    const turns = [
      ...open(OLD),
      client(int24(0xffffff), [0], text16, packet(1, text('   )'))),
      server(packet(2, ok(1))),
    ];
    const { said, troubles } = listen(...turns);
    expect(troubles).toEqual([]);
    expect(said.slice(3)).toMatchObject([
      { name: 'INSERT', bytes: 0xffffff + 4 + 8 },
      { name: 'INSERT', asked: 'INSERT' },
    ]);
    const cut = (turn: Turn) =>
      [turn.bytes.subarray(0, 5), turn.bytes.subarray(5, 70_000), turn.bytes.subarray(70_000)].filter(
        (piece) => piece.length > 0,
      );
    expect(hear(decoder, turns, setting, cut)).toEqual({ said, troubles });
  });

  it('every field is one of those a filter may name', () => {
    const known = decoder.speaks.mysql!;
    const said = [...listen(...oldSession).said, ...listen(...modernSession).said];
    const names = new Set(said.flatMap((one) => Object.keys(one.fields)));
    expect([...names].filter((name) => !known.includes(name) && !name.startsWith('attribute.'))).toEqual([]);
  });

  it('in the middle of a stream commands and answers are read all the same', () => {
    const { said, troubles } = hear(decoder, modernSession.slice(3), { ...setting, midStream: true });
    expect(troubles).toEqual([]);
    expect(said[0]).toMatchObject({ name: 'SELECT', summary: 'SELECT id FROM t' });
    expect(said[1]).toMatchObject({ asked: 'SELECT', fields: { count: 4 } });
  });

  it('what is not MySQL is said to be malformed', () => {
    expect(listen(server('HTTP/1.1 200 OK\r\n'.padEnd(6_000_000, 'x'))).troubles).toEqual([
      'server: no greeting of MySQL',
    ]);
    expect(listen(server(packet(0, [9], 'old'))).troubles[0]).toContain('protocol 9');
    expect(listen(...open(OLD), ask([99])).troubles).toEqual(['client: command 99 is unknown']);
    expect(listen(ask([14])).troubles).toEqual(['client: a command before the login']);
  });

  it('recognises its own first bytes and no others', () => {
    const hint = (side: Hint['side'], midStream = false, serverPort = 9): Hint => ({
      transport: 'tcp',
      clientPort: 1,
      serverPort,
      side,
      midStream,
    });
    const score = (turn: Turn, given: Hint) => decoder.recognises(given, turn.bytes, 0, turn.bytes.length);
    expect(score(open(OLD)[0]!, hint('server'))).toBeGreaterThanOrEqual(0.8);
    expect(score(open(OLD)[1]!, hint('client'))).toBeGreaterThanOrEqual(0.8);
    expect(
      score(server(packet(0, [0xff, ...int16(1040)], 'Too many connections')), hint('server')),
    ).toBeGreaterThanOrEqual(0.8);
    expect(score(ask([3], 'SELECT 1'), hint('client', true))).toBeGreaterThanOrEqual(0.8);
    expect(score(ask([3], 'SELECT 1'), hint('client'))).toBe(0);
    expect(score(client(''), hint('client', false, 3306))).toBe(0.3);
    for (const other of ['GET / HTTP/1.1\r\n', 'SSH-2.0-x\r\n', '+OK\r\n', '220 mail ready\r\n']) {
      expect(score(server(other), hint('server'))).toBe(0);
      expect(score(client(other), hint('client', true))).toBe(0);
    }
    expect(score(client([22, 3, 1, 2, 0, 1, 0, 1, 0]), hint('client', true))).toBe(0);
    expect(score(client([0, 0, 0, 8, 4, 210, 22, 47]), hint('client', true))).toBe(0);
  });
});
