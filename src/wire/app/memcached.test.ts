import { describe, expect, test } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  type Heard,
  hear,
  server,
  survivesAnything,
} from './decoder.contract.ts';
import { decoder } from './memcached.ts';

/** What each reply says, and the summary of the request that it answers. */
function answered({ said }: Heard): string[][] {
  return said.filter(({ side }) => side === 'server').map(({ name, asked }) => [name, asked ?? '']);
}

describe('commands and replies', () => {
  test('a value is what its length says, line ends and all', () => {
    const turns = [
      client('set user:7 5 60 8\r\nAnn\r\nÖ!\r\n'),
      server('STORED\r\n'),
      client('gets user:7\r\n'),
      server('VALUE user:7 5 3 42\r\nAnn\r\nEND\r\n'),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.kind, one.name, one.asked, one.summary])).toEqual([
      ['request', 'set', null, 'set user:7 8 B "Ann\\r\\nÖ!"'],
      ['reply', 'STORED', 'set', 'STORED'],
      ['request', 'gets', null, 'gets user:7'],
      ['reply', 'VALUE', 'gets', 'user:7 3 B "Ann"'],
    ]);
    expect(said[0]!.fields).toEqual({
      command: 'set',
      key: 'user:7',
      flags: 5,
      expiry: 60,
      size: 8,
      value: 'Ann\r\nÖ!',
    });
    expect(said[3]!.fields).toEqual({
      command: 'gets',
      status: 'END',
      hits: 1,
      misses: 0,
      key: 'user:7',
      flags: 5,
      size: 3,
      cas: '42',
      value: 'Ann',
    });
    expect(said.map(({ bytes }) => bytes)).toEqual(turns.map(({ bytes }) => bytes.length));
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns);
  });

  test('several keys, some missing', () => {
    const { said } = hear(decoder, [
      client('gat 10 a b c\r\n'),
      server('VALUE a 0 1\r\n1\r\nVALUE c 0 1\r\n3\r\nEND\r\n'),
      client('get d\r\n'),
      server('END\r\n'),
    ]);
    expect(said.map(({ summary }) => summary)).toEqual([
      'gat a b c',
      '2 values, 1 not found: a c',
      'get d',
      'not found',
    ]);
  });

  test('noreply takes no reply', () => {
    const { said } = hear(decoder, [
      client(
        'set a 0 0 1 noreply\r\n1\r\ndelete b noreply\r\nincr a 5\r\nflush_all 0 noreply\r\nversion\r\n',
      ),
      server('6\r\nVERSION 1.6.18\r\n'),
    ]);
    expect(said.slice(5).map(({ asked, fields }) => [asked, fields])).toEqual([
      ['incr', { command: 'incr', status: 'number', number: 6 }],
      ['version', { command: 'version', status: 'VERSION', version: '1.6.18' }],
    ]);
    expect(said[0]!.fields.noreply).toBe(true);
  });

  test('cas carries its token', () => {
    const { said } = hear(decoder, [client('cas a 0 0 1 99\r\n1\r\n'), server('EXISTS\r\n')]);
    expect(said[0]!.fields).toMatchObject({ cas: '99', value: '1' });
    expect(said[1]).toMatchObject({ asked: 'cas', failed: false });
  });

  test('statistics are one reply', () => {
    const { said } = hear(decoder, [
      client('stats\r\n'),
      server('STAT pid 1\r\nSTAT version 1.6 x\r\nEND\r\n'),
    ]);
    expect(said[1]).toMatchObject({
      name: 'STAT',
      bytes: 37,
      fields: { stats: { pid: '1', version: '1.6 x' } },
    });
  });

  test.each([
    ['ERROR\r\n', 'ERROR', 'ERROR'],
    ['CLIENT_ERROR bad data chunk\r\n', 'bad data chunk', 'CLIENT_ERROR bad data chunk'],
    ['SERVER_ERROR out of memory\r\n', 'out of memory', 'SERVER_ERROR out of memory'],
  ])('%j failed', (line, error, summary) => {
    const { said } = hear(decoder, [client('nonsense\r\n'), server(line)]);
    expect(said[1]).toMatchObject({ failed: true, fields: { error }, summary, asked: 'nonsense' });
  });

  test('meta commands; quiet ones are answered only when there is something to say', () => {
    const turns = [
      client('mg a v q Oone\r\nmg b v q Otwo\r\nms c 2 q T60\r\nhi\r\nmg d t v\r\nmn\r\n'),
      server('VA 1 Otwo\r\n2\r\nEN\r\nMN\r\n'),
      client('me a\r\nmd a q\r\nma n\r\n'),
      server('ME a exp=-1 la=2\r\nHD\r\n'),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.filter(({ side }) => side === 'server').map(({ name, asked }) => [name, asked])).toEqual([
      ['VA', 'mg'],
      ['EN', 'mg'],
      ['MN', 'mn'],
      ['ME', 'me'],
      ['HD', 'ma'],
    ]);
    expect(said[2]!.fields).toEqual({ command: 'ms', key: 'c', meta: ['q', 'T60'], size: 2, value: 'hi' });
    expect(said[5]!.fields).toEqual({ command: 'mg', status: 'VA', size: 1, meta: ['Otwo'], value: '2' });
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns);
  });

  test('of a large value 16 KiB are kept, whatever the pieces', () => {
    const turns = [
      client(`set big 0 0 50000\r\n${'x'.repeat(50_000)}\r\n`),
      server('STORED\r\n'),
      client('get big big2\r\n'),
      server(
        `VALUE big 0 50000\r\n${'x'.repeat(50_000)}\r\nVALUE big2 0 50000\r\n${'y'.repeat(50_000)}\r\nEND\r\n`,
      ),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map(({ bytes }) => bytes)).toEqual(turns.map(({ bytes }) => bytes.length));
    expect(said[0]!.fields.value).toBe(`${'x'.repeat(16_384)}…`);
    anySplitGivesTheSame(decoder, turns, {}, 8);
  });

  test('the binary protocol is said not to be decoded', () => {
    const { troubles } = hear(decoder, [client([0x80, 0, 0, 1, 0, 0, 0, 0])]);
    expect(troubles).toEqual(['client: memcached binary protocol is not decoded']);
  });

  test.each(['hello world\r\n', 'VALUE a 0 x\r\n'])('%j from a server is malformed', (line) => {
    expect(hear(decoder, [server(line)]).troubles).toHaveLength(1);
  });
});

describe('what the server refuses', () => {
  test('a blank line is a request: the server answers it', () => {
    const turns = [client('\r\nversion\r\n\nget a\r\n'), server('ERROR\r\nVERSION 1\r\nERROR\r\nEND\r\n')];
    const heard = hear(decoder, turns);
    expect(heard.troubles).toEqual([]);
    expect(heard.said[0]).toMatchObject({ name: 'blank', bytes: 2, summary: 'blank line' });
    expect(answered(heard)).toEqual([
      ['ERROR', 'blank'],
      ['VERSION', 'version'],
      ['ERROR', 'blank'],
      ['END', 'get'],
    ]);
    anySplitGivesTheSame(decoder, turns);
  });

  test('of a value that is longer than its length the rest is a command', () => {
    const turns = [
      client('set k 0 0 2\r\nabcdef\r\nset k 0 0 2 noreply\r\nabcd\r\nms k 2 q\r\nabcd\r\nversion\r\n'),
      server(
        'CLIENT_ERROR bad data chunk\r\nERROR\r\nERROR\r\nCLIENT_ERROR bad data chunk\r\nERROR\r\nVERSION 1\r\n',
      ),
    ];
    const heard = hear(decoder, turns);
    expect(heard.troubles).toEqual([]);
    expect(answered(heard)).toEqual([
      ['CLIENT_ERROR', 'set'],
      ['ERROR', 'ef'],
      ['ERROR', 'blank'],
      ['CLIENT_ERROR', 'ms'],
      ['ERROR', 'blank'],
      ['VERSION', 'version'],
    ]);
    expect(heard.said.slice(0, 7).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(turns[0]!.bytes.length);
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns);
  });

  test('what is left of a binary value is a command too', () => {
    const heard = hear(decoder, [
      client('set k 0 0 1\r\n', [1, 2, 3, 0x80, 0, 10], 'version\r\n'),
      server('CLIENT_ERROR bad data chunk\r\nERROR\r\nVERSION 1\r\n'),
    ]);
    expect(heard.troubles).toEqual([]);
    expect(answered(heard).at(-1)).toEqual(['VERSION', 'version']);
  });

  test.each([
    ['a key of 251 bytes', `set ${'k'.repeat(251)} 0 0 2`],
    ['a key of 126 characters and 252 bytes', `set ${'ö'.repeat(126)} 0 0 2`],
    ['flags that are no number', 'set k x 0 2'],
    ['flags below zero', 'set k -1 0 2'],
    ['flags of 65 bits', 'set k 18446744073709551616 0 2'],
    ['an expiry that is no number', 'set k 0 soon 2'],
    ['an expiry of 65 bits', 'set k 0 9223372036854775808 2'],
    ['a length below zero', 'set k 0 0 -1'],
    ['a length beyond 2 GiB', 'set k 0 0 2147483646'],
    ['a length that is no number', 'ms k S2'],
    ['a token that is no number', 'cas k 0 0 2 x'],
  ])('%s: no body is read', (_, line) => {
    const heard = hear(decoder, [
      client(`${line}\r\nab\r\nversion\r\n`),
      server('CLIENT_ERROR bad command line format\r\nERROR\r\nVERSION 1\r\n'),
    ]);
    expect(heard.troubles).toEqual([]);
    expect(answered(heard)).toEqual([
      ['CLIENT_ERROR', line.split(' ')[0]],
      ['ERROR', 'ab'],
      ['VERSION', 'version'],
    ]);
    expect(JSON.stringify(heard.said[0]!.fields)).not.toContain('null');
  });

  test.each([
    'set k 4294967296 -1 2',
    'set k +1 2147483648 +2',
    'set k 0 0 4294967298',
    `set ${'k'.repeat(250)} 0 0 2`,
    `set ${'ö'.repeat(125)} 0 0 02 word`,
  ])('%s: odd, but the server takes it', (line) => {
    const heard = hear(decoder, [client(`${line}\r\nab\r\n`), server('STORED\r\n')]);
    expect(heard.said[0]!.fields).toMatchObject({ size: 2, value: 'ab' });
    expect(answered(heard)).toEqual([['STORED', 'set']]);
  });

  test('noreply counts only with the right number of words', () => {
    const heard = hear(decoder, [
      client('set k 0 0 2 x noreply\r\nset k 0 0 noreply\r\nlru mode flat noreply\r\nversion\r\n'),
      server('ERROR\r\nVERSION 1\r\n'),
    ]);
    expect(answered(heard)).toEqual([
      ['ERROR', 'set'],
      ['VERSION', 'version'],
    ]);
  });

  test('an error with a colon, and an error in the place of END', () => {
    const turns = [
      client('shutdown\r\nget a b\r\nget c\r\n'),
      server(
        'ERROR: shutdown not enabled\r\nVALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory writing get response\r\n',
        'VALUE c 0 1\r\ny\r\nEND\r\n',
      ),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.slice(3).map((one) => [one.name, one.asked, one.failed, one.summary])).toEqual([
      ['ERROR', 'shutdown', true, 'ERROR shutdown not enabled'],
      ['SERVER_ERROR', 'get', true, 'SERVER_ERROR out of memory writing get response'],
      ['VALUE', 'get', false, 'c 1 B "y"'],
    ]);
    expect(said.slice(3).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(turns[1]!.bytes.length);
    anySplitGivesTheSame(decoder, turns);
  });
});

test('quiet meta commands hide only what is usual', () => {
  const heard = hear(decoder, [
    client('md a k q\r\nmd b k q\r\nma a k q\r\nma b k q\r\nma a q v\r\nma new q N0\r\nmn\r\n'),
    server('NF kb\r\nNF ka\r\nHD\r\nMN\r\n'),
  ]);
  const requests = heard.said.filter(({ side }) => side === 'client');
  expect(requests).toHaveLength(7);
  expect(answered(heard)).toEqual([
    ['NF', 'md'],
    ['NF', 'ma'],
    ['HD', 'ma'],
    ['MN', 'mn'],
  ]);
  // Whether the quiet one made something nobody knows: one that must be answered comes first.
  const both = hear(decoder, [client('ma new q N0\r\nma a\r\n'), server('HD\r\n')]);
  expect(both.said.at(-1)).toMatchObject({ asked: 'ma' });
});

describe('a login', () => {
  const login = 'set x 0 0 10\r\nann geheim\r\n';

  test('is certain once the server has asked for one, and its password is a secret', () => {
    const turns = [
      client('get a\r\n'),
      server('CLIENT_ERROR unauthenticated\r\n'),
      client('add x 0 0 1\r\n'),
      server('CLIENT_ERROR unauthenticated\r\n'),
      client('set x y z 7 noreply\r\nann a b\r\n'),
      server('CLIENT_ERROR authentication failure\r\n'),
      client(login),
      server('STORED\r\n'),
      client('set b 0 0 3\r\na b\r\n'),
      server('STORED\r\n'),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map(({ name, asked }) => [name, asked])).toEqual([
      ['get', null],
      ['CLIENT_ERROR', 'get'],
      ['add', null],
      ['CLIENT_ERROR', 'add'],
      ['set', null],
      ['CLIENT_ERROR', 'set'],
      ['set', null],
      ['STORED', 'set'],
      ['set', null],
      ['STORED', 'set'],
    ]);
    expect(said[4]!.fields).toMatchObject({ user: 'ann', password: 'a b' });
    expect(said[6]!.fields).toEqual({
      ...{ command: 'set', key: 'x', flags: 0, expiry: 0, size: 10 },
      ...{ user: 'ann', password: 'geheim' },
    });
    expect(said[6]!.summary).toBe('set x as ann');
    expect(said[8]!.fields.value).toBe('a b');
    expect(decoder.secrets).toEqual(['password']);
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns);
  });

  test('is assumed of the first command with such a value, and of no other', () => {
    const first = (...lines: string[]) => hear(decoder, [client(lines.join(''))]).said.at(-1)!.fields;
    expect(first(login).password).toBe('geheim');
    expect(first('version\r\n', login).value).toBe('ann geheim');
    expect(first('set x 0 0 8\r\n{"a": 1}\r\n').value).toBe('{"a": 1}');
    expect(first('set x 0 60 10\r\nann geheim\r\n').value).toBe('ann geheim');
    const midway = hear(decoder, [client(login)], { midStream: true });
    expect(midway.said[0]!.fields.value).toBe('ann geheim');
  });
});

describe('recognised', () => {
  const sure = (side: 'client' | 'server', line: string, serverPort = 9) => {
    const bytes = new TextEncoder().encode(line);
    const hint = { transport: 'tcp', clientPort: 1, serverPort, side, midStream: false } as const;
    return decoder.recognises(hint, bytes, 0, bytes.length);
  };

  test('by its own words', () => {
    expect(sure('client', 'set a 0 0 5\r\nhello\r\n')).toBeGreaterThanOrEqual(0.8);
    expect(sure('client', 'get a\r\n', 11211)).toBeGreaterThanOrEqual(0.8);
    expect(sure('client', 'get a\r\n')).toBeLessThan(0.8);
    expect(sure('server', 'VALUE a 0 5\r\nhello\r\n')).toBeGreaterThanOrEqual(0.8);
  });

  test.each([
    'GET / HTTP/1.1\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'SSH-2.0-x\r\n',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n',
    '{"jsonrpc":"2.0"}\n',
    'SET a b\r\n',
  ])('not by %j', (line) => {
    expect(sure('client', line)).toBe(0);
    expect(sure('server', line)).toBe(0);
  });
});
