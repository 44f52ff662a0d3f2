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
import { decoder } from './postgres.ts';

type Part = string | number[] | Uint8Array;
const encoder = new TextEncoder();

function flat(parts: Part[]): number[] {
  return parts.flatMap((part) => (typeof part === 'string' ? [...encoder.encode(part)] : [...part]));
}

function int16(...values: number[]): number[] {
  return values.flatMap((value) => [(value >> 8) & 255, value & 255]);
}

function int32(value: number): number[] {
  return [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function message(type: string, ...parts: Part[]): number[] {
  const body = flat(parts);
  return [type.charCodeAt(0), ...int32(body.length + 4), ...body];
}

function startup(...parts: Part[]): number[] {
  const body = flat([int32(196608), ...parts]);
  return [...int32(body.length + 4), ...body];
}

const Z = (status = 'I') => message('Z', status);
const C = (tag: string) => message('C', `${tag}\0`);
const error = (severity: string, code: string, text: string, more = '') =>
  message('E', `S${severity}\0V${severity}\0C${code}\0M${text}\0${more}\0`);
const column = (name: string, oid: number, format = 0) => [
  ...flat([`${name}\0`]),
  ...int32(0),
  ...int16(0),
  ...int32(oid),
  ...int16(4),
  ...int32(-1),
  ...int16(format),
];
const T = (...columns: number[][]) => message('T', int16(columns.length), columns.flat());
const D = (...values: (Part | null)[]) =>
  message(
    'D',
    int16(values.length),
    ...values.map((value) => (value === null ? int32(-1) : flat([int32(flat([value]).length), value]))),
  );
const P = (name: string, sql: string, ...types: number[]) =>
  message('P', `${name}\0${sql}\0`, int16(types.length), types.flatMap(int32));
const B = (
  portal: string,
  name: string,
  formats: number[],
  values: (Part | null)[],
  results: number[] = [],
) =>
  message(
    'B',
    `${portal}\0${name}\0`,
    int16(formats.length, ...formats),
    int16(values.length),
    ...values.map((value) => (value === null ? int32(-1) : flat([int32(flat([value]).length), value]))),
    int16(results.length, ...results),
  );
const E = (portal = '', limit = 0) => message('E', `${portal}\0`, int32(limit));
const S = message('S');

const setting = { serverPort: 5432 };
const listen = (...turns: Turn[]) => hear(decoder, turns, setting);
const open: Turn[] = [
  client(startup('user\0ann\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0\0')),
  server(message('R', int32(10), 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0')),
  client(message('p', 'SCRAM-SHA-256\0', int32(8), 'n,,n=,r=')),
  server(message('R', int32(11), 'r=abc,s=QQ==,i=4096')),
  client(message('p', 'c=biws,r=abc,p=proof')),
  server(message('R', int32(12), 'v=signature'), message('R', int32(0))),
  server(message('S', 'server_version\x0015.18\0'), message('K', int32(77), [1, 2, 3, 4]), Z()),
];

/** Everything the decoder knows, in one conversation. */
const rich: Turn[] = [
  ...open,
  client(message('Q', 'SELECT id, name FROM users; UPDATE users SET x = 1; -- end\0')),
  server(
    T(column('id', 23), column('name', 25)),
    D('1', 'ann'),
    D('2', null),
    D('3', 'ü'),
    D('4', 'dan'),
    C('SELECT 4'),
    message('N', 'SNOTICE\0VNOTICE\0C00000\0Mmind this\0\0'),
    C('UPDATE 4'),
    Z('T'),
  ),
  client(message('Q', "ALTER ROLE ann PASSWORD 'hunter2'\0")),
  server(error('ERROR', '42501', 'permission denied', 'Hask the owner\0P7\0'), Z('E')),
  client(message('Q', '\0')),
  server(message('I'), Z()),
  client(P('s1', 'SELECT $1::int + $2, $3', 23), message('D', 'Ss1\0'), S),
  server(
    message('1'),
    message('t', int16(3), int32(23), int32(20), int32(25)),
    T(column('sum', 20), column('b', 16)),
    Z(),
  ),
  client(B('', 's1', [1, 1, 0], [int32(40), [0, 0, 0, 0, 0, 0, 0, 2], 'x'], [1]), E(), S),
  server(message('2'), D([0, 0, 0, 0, 0, 0, 0, 42], [1]), C('SELECT 1'), Z()),
  client(P('', 'COPY t FROM STDIN'), B('', '', [], []), E(), S),
  server(message('1'), message('2'), message('G', [0], int16(1, 0))),
  client(message('d', '1\n'), message('d', '2\n'), message('c'), S),
  server(C('COPY 2'), Z()),
  client(message('Q', 'COPY t TO STDOUT\0')),
  server(
    message('H', [0], int16(1, 0)),
    message('d', '1\n'),
    message('d', '22\n'),
    message('c'),
    C('COPY 2'),
    Z(),
  ),
  client(message('F', int32(1234), int16(0), int16(0), int16(0))),
  server(message('V', int32(-1)), Z()),
  client(message('C', 'Ss1\0'), S),
  server(message('3'), message('A', int32(9), 'jobs\0{"id":1}\0'), Z()),
  client(message('X')),
];

describe('opening a connection', () => {
  it('names who connects, the ways to prove it, and what the server says of itself; secrets are apart', () => {
    const { said, troubles } = listen(...open);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.kind, one.name, one.asked])).toEqual([
      ['request', 'Startup', null],
      ['reply', 'Authentication', 'Startup'],
      ['request', 'SASLInitialResponse', null],
      ['reply', 'Authentication', 'SASLInitialResponse'],
      ['request', 'SASLResponse', null],
      ['reply', 'Authentication', 'SASLResponse'],
      ['reply', 'Ready', 'SASLResponse'],
    ]);
    expect(said[0]?.fields).toEqual({
      protocol: '3.0',
      user: 'ann',
      database: 'shop',
      application_name: 'psql',
      'parameter.client_encoding': 'UTF8',
    });
    expect(said[0]?.summary).toBe('Startup user=ann database=shop application_name=psql');
    expect(said[1]?.fields.mechanisms).toEqual(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']);
    expect(said[4]?.fields).toEqual({ 'sasl.data': 'c=biws,r=abc,p=proof' });
    expect(said[6]?.fields).toMatchObject({ 'backend.pid': 77, 'backend.key': '01020304' });
    expect(said[6]?.summary).toBe('Ready: PostgreSQL 15.18, process 77');
  });

  it('a password is asked for, sent apart, and refused', () => {
    const { said } = listen(
      client(startup('user\0ann\0\0')),
      server(message('R', int32(5), [1, 2, 3, 4])),
      client(message('p', 'md5abc\0')),
      server(error('FATAL', '28P01', 'password authentication failed for user "ann"')),
    );
    expect(said[2]).toMatchObject({ name: 'Password', fields: { password: 'md5abc' }, summary: 'Password' });
    expect(said[3]).toMatchObject({
      kind: 'reply',
      failed: true,
      asked: 'Password',
      summary: 'FATAL 28P01 password authentication failed for user "ann"',
    });
  });

  it('a no to encryption goes on in clear, a yes to GSSAPI is passed over', () => {
    const { said, troubles } = listen(
      client(int32(8), int32(80877104)),
      server('N'),
      client(int32(8), int32(80877103)),
      server('N'),
      ...open,
    );
    expect(troubles).toEqual([]);
    expect(said.slice(0, 5).map((one) => [one.name, one.asked])).toEqual([
      ['GSSENCRequest', null],
      ['Refused', 'GSSENCRequest'],
      ['SSLRequest', null],
      ['Refused', 'SSLRequest'],
      ['Startup', null],
    ]);
    const sealed = listen(client(int32(8), int32(80877104)), server('G'), client('whatever'), server('else'));
    expect(sealed).toMatchObject({ troubles: [], said: [{ name: 'GSSENCRequest' }, { name: 'Accepted' }] });
  });

  it('a yes to SSLRequest makes both sides TLS', () => {
    const tls = { ...decoder, name: 'tls', client: decoder.client, server: decoder.server };
    const seen: string[] = [];
    const spy = {
      ...tls,
      begin: () => null,
      client: (bytes: Uint8Array, from: number, to: number) => {
        seen.push(`client ${bytes.slice(from, to)}`);
        return { step: 'ok' as const, messages: [], consumed: to - from };
      },
      end: () => [],
    };
    const { said } = hear(decoder, [client(int32(8), int32(80877103)), server('S'), client([22, 3])], {
      others: [spy],
    });
    expect(said.map((one) => one.name)).toEqual(['SSLRequest', 'Accepted']);
    expect(seen).toEqual(['client 22,3']);
  });

  it('a cancellation hides its key', () => {
    const { said } = listen(client(int32(16), int32(80877102), int32(77), [1, 2, 3, 4]));
    expect(said).toMatchObject([
      { kind: 'notice', summary: 'CancelRequest for process 77', fields: { 'backend.key': '01020304' } },
    ]);
  });
});

describe('simple queries', () => {
  it('each statement has its reply, the first rows are kept and all are counted', () => {
    const { said } = listen(...rich.slice(0, open.length + 2));
    const [asked, notice, first, last] = said.slice(open.length);
    expect(asked).toMatchObject({ kind: 'request', name: 'SELECT' });
    expect(first).toMatchObject({ name: 'SELECT', asked: 'SELECT', failed: false });
    expect(first?.fields).toEqual({
      tag: 'SELECT 4',
      columns: ['id', 'name'],
      types: ['int4', 'text'],
      count: 4,
      rows: [
        ['1', 'ann'],
        ['2', null],
        ['3', 'ü'],
      ],
    });
    expect(first?.summary).toBe("SELECT 4 (id='1' name='ann', …)");
    expect(notice?.summary).toBe('NOTICE 00000 mind this');
    expect(last).toMatchObject({
      asked: 'SELECT',
      fields: { tag: 'UPDATE 4', transaction: 'in transaction' },
    });
  });

  it('an error says what and where, and a password in the statement is masked', () => {
    const { said } = listen(...open, ...rich.slice(open.length + 2, open.length + 4));
    expect(said.at(-2)?.fields).toEqual({
      query: "ALTER ROLE ann PASSWORD '******'",
      'query.raw': "ALTER ROLE ann PASSWORD 'hunter2'",
    });
    expect(JSON.stringify({ ...said.at(-2), fields: {} })).not.toContain('hunter2');
    expect(said.at(-1)).toMatchObject({
      failed: true,
      asked: 'ALTER',
      summary: 'ERROR 42501 permission denied',
      fields: {
        'error.severity': 'ERROR',
        'error.hint': 'ask the owner',
        'error.position': 7,
        transaction: 'failed',
      },
    });
  });

  it('a statement longer than what is kept is told when all of it is there', () => {
    const sql = `SELECT '${'x'.repeat(40_000)}'`;
    const turns = [...open, client(message('Q', `${sql}\0`), S), server(C('SELECT 0'), Z(), Z())];
    const { said, troubles } = listen(...turns);
    expect(troubles).toEqual([]);
    const query = said.at(-2)?.fields.query as string;
    expect(query.length).toBe(16 * 1024 + 1);
    expect(query.endsWith('x…')).toBe(true);
    expect(said.at(-2)?.bytes).toBe(sql.length + 6);
    expect(said.at(-1)?.asked).toBe('SELECT');
    anySplitGivesTheSame(decoder, turns, setting, 5);
  });

  it('bytes of all messages together are the bytes of the stream but for the last Sync or ReadyForQuery', () => {
    const { said } = listen(...open, ...rich.slice(open.length, open.length + 2));
    const sum = (side: string) =>
      said.filter((one) => one.side === side).reduce((all, one) => all + one.bytes, 0);
    const turns = [...open, ...rich.slice(open.length, open.length + 2)];
    const sent = (side: string) =>
      turns.filter((one) => one.side === side).reduce((all, one) => all + one.bytes.length, 0);
    expect(sum('client')).toBe(sent('client'));
    expect(sum('server')).toBe(sent('server'));
  });
});

describe('the extended protocol', () => {
  it('Parse with Describe is a request; Execute later shows the statement, its parameters and typed rows', () => {
    const { said, troubles } = listen(...rich);
    expect(troubles).toEqual([]);
    const parse = said.find((one) => one.name === 'Parse' && one.kind === 'request');
    expect(parse).toMatchObject({ summary: 'Parse: SELECT $1::int + $2, $3', fields: { statement: 's1' } });
    const at = said.indexOf(parse!);
    expect(said[at + 1]).toMatchObject({
      kind: 'reply',
      asked: 'Parse',
      fields: { columns: ['sum', 'b'], 'parameter.types': ['int4', 'int8', 'text'] },
    });
    expect(said[at + 2]).toMatchObject({
      kind: 'request',
      name: 'SELECT',
      fields: { parameters: [40, 2, 'x'], statement: 's1' },
      summary: "SELECT $1::int + $2, $3 [$1=40, $2=2, $3='x']",
    });
    expect(said[at + 3]).toMatchObject({
      asked: 'SELECT',
      fields: { tag: 'SELECT 1', count: 1, rows: [[42, true]] },
    });
  });

  it('COPY passes its Sync over, counts what is copied, and the replies behind it still pair', () => {
    const { said } = listen(...rich);
    const copies = said.filter((one) => one.name.startsWith('COPY') || one.name === 'CopyDone');
    expect(copies.map((one) => [one.kind, one.name, one.asked, one.fields['copy.bytes'] ?? null])).toEqual([
      ['request', 'COPY', null, null],
      ['notice', 'CopyDone', null, 4],
      ['reply', 'COPY', 'COPY', 4],
      ['request', 'COPY', null, null],
      ['reply', 'COPY', 'COPY', 5],
    ]);
    expect(said.slice(-6).map((one) => [one.name, one.asked])).toEqual([
      ['FunctionCall', null],
      ['FunctionCall', 'FunctionCall'],
      ['Close', null],
      ['Close', 'Close'],
      ['Notification', null],
      ['Terminate', null],
    ]);
    expect(said.at(-2)?.summary).toBe(`Notification jobs '{"id":1}' from process 9`);
  });

  it('after an error the rest of the group is skipped, the next group is not', () => {
    const insert = (value: string) => [
      ...P('', 'INSERT INTO t VALUES ($1)'),
      ...B('', '', [], [value]),
      ...E(),
    ];
    const { said } = listen(
      ...open,
      client(insert('1'), insert('bad'), insert('3'), S, insert('4'), S),
      server(
        message('1'),
        message('2'),
        C('INSERT 0 1'),
        message('1'),
        message('2'),
        error('ERROR', '22P02', 'invalid input'),
        Z('E'),
        message('1'),
        message('2'),
        C('INSERT 0 1'),
        Z(),
      ),
    );
    expect(said.slice(-9).map((one) => [one.kind, one.failed, one.summary])).toEqual([
      ['request', false, "INSERT INTO t VALUES ($1) [$1='1']"],
      ['request', false, "INSERT INTO t VALUES ($1) [$1='bad']"],
      ['request', false, "INSERT INTO t VALUES ($1) [$1='3']"],
      ['request', false, "INSERT INTO t VALUES ($1) [$1='4']"],
      ['reply', false, 'INSERT 0 1'],
      ['reply', true, 'ERROR 22P02 invalid input'],
      ['reply', true, 'skipped: an earlier request of the group failed'],
      ['notice', false, 'the transaction has failed: only ROLLBACK is obeyed'],
      ['reply', false, 'INSERT 0 1'],
    ]);
    expect(said.slice(-5).every((one) => one.kind === 'notice' || one.asked === 'INSERT')).toBe(true);
  });

  it('a portal is suspended and gone on with', () => {
    const { said } = listen(
      ...open,
      client(P('', 'SELECT g'), B('c', '', [], []), E('c', 2), message('H')),
      server(message('1'), message('2'), D('1'), D('2'), message('s')),
      client(E('c', 2), S),
      server(D('3'), C('SELECT 1'), Z()),
    );
    expect(said.slice(-4).map((one) => [one.name, one.asked, one.fields.count ?? null])).toEqual([
      ['SELECT', null, null],
      ['Suspended', 'SELECT', 2],
      ['SELECT', null, null],
      ['SELECT', 'SELECT', 1],
    ]);
    expect(said.at(-4)?.fields).toMatchObject({ portal: 'c', limit: 2 });
  });

  it.each([
    [16, [1], true],
    [21, [255, 254], -2],
    [20, [0x7f, 255, 255, 255, 255, 255, 255, 255], 9223372036854775807n],
    [701, [0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18], Math.PI],
    [1082, [0, 0, 0x25, 0x19], '2026-01-01'],
    [1184, [0, 0, 0, 0, 0, 0, 0, 0], '2000-01-01T00:00:00.000Z'],
    [1114, [0x7f, 255, 255, 255, 255, 255, 255, 255], '\\x7fffffffffffffff'],
    [3802, [1, 0x7b, 0x7d], '{}'],
    [2950, Array(16).fill(0x11) as number[], '11111111-1111-1111-1111-111111111111'],
    [600, [1, 2], '\\x0102'],
    [600, Array(17).fill(1) as number[], '(17 bytes)'],
    [23, [1, 2], '\\x0102'],
  ])('a binary parameter of type %i is read: %j', (oid, bytes, value) => {
    const { said } = listen(...open, client(P('', 'SELECT $1', oid), B('', '', [1], [bytes]), E(), S));
    expect(said.at(-1)?.fields.parameters).toEqual([value]);
  });
});

describe('any bytes', () => {
  it('splits do not matter', () => {
    anySplitGivesTheSame(decoder, rich, setting);
  });

  it('every field is one of those a filter may name', () => {
    const known = decoder.speaks.postgres!;
    const { said } = listen(...rich);
    const names = new Set(said.flatMap((one) => Object.keys(one.fields)));
    const spoken = (name: string) =>
      known.some((one) => one === name || (one.endsWith('*') && name.startsWith(one.slice(0, -1))));
    expect([...names].filter((name) => !spoken(name))).toEqual([]);
  });

  it('wild bytes do no harm', () => {
    survivesAnything(decoder, rich, setting);
    survivesAnything(decoder, rich.slice(open.length), { ...setting, midStream: true });
  });

  it('in the middle of a stream, replies without their request are still told', () => {
    const { said, troubles } = hear(decoder, rich.slice(open.length + 1), { ...setting, midStream: true });
    expect(troubles).toEqual([]);
    expect(said[0]).toMatchObject({ kind: 'reply', name: 'SELECT', asked: null, fields: { count: 4 } });
    expect(said.at(-1)?.name).toBe('Terminate');
  });

  it('what is not PostgreSQL is said to be malformed', () => {
    expect(listen(client('GET / HTTP/1.1\r\n\r\n')).troubles).toEqual([
      'client: no PostgreSQL startup packet',
    ]);
    expect(listen(client([0, 0, 0, 9, 0, 2, 0, 0, 0])).troubles).toEqual([
      'client: protocol version 2 of PostgreSQL is not read',
    ]);
    expect(listen(...open, server('hello there')).troubles).toEqual([
      'server: no message of PostgreSQL begins with byte 104',
    ]);
  });

  it('recognises its own first bytes and no others', () => {
    const hint = (side: Hint['side'], midStream = false, serverPort = 9): Hint => ({
      transport: 'tcp',
      clientPort: 1,
      serverPort,
      side,
      midStream,
    });
    const score = (bytes: Uint8Array, given: Hint) => decoder.recognises(given, bytes, 0, bytes.length);
    expect(score(open[0]!.bytes, hint('client'))).toBeGreaterThanOrEqual(0.8);
    expect(score(open[1]!.bytes, hint('server'))).toBeGreaterThanOrEqual(0.8);
    expect(score(client(message('Q', 'SELECT 1\0')).bytes, hint('client', true))).toBeGreaterThanOrEqual(0.8);
    expect(score(client([22, 3, 1, 2, 0, 1, 0, 1, 0]).bytes, hint('client', true))).toBe(0);
    expect(score(client('GET / HTTP/1.1\r\n').bytes, hint('client', true))).toBe(0);
    expect(score(client('').bytes, hint('client', false, 5432))).toBe(0.3);
    expect(score(server('HTTP/1.1 200 OK\r\n').bytes, hint('server'))).toBe(0);
  });
});
