import { describe, expect, test } from 'vitest';
import { anySplitGivesTheSame, client, hear, server, survivesAnything } from './decoder.contract.ts';
import { decoder } from './redis.ts';
import { commandOf, known } from './redis-commands.ts';
import { KEPT_MAX } from './redis-scan.ts';

const encoder = new TextEncoder();

/** A command as clients send it. */
function ask(...words: string[]) {
  return client(
    `*${words.length}\r\n${words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`).join('')}`,
  );
}

describe('requests', () => {
  test('a command is its name, arguments and key', () => {
    const { said, troubles } = hear(decoder, [
      ask('set', 'user:7', 'Ann "x"', 'EX', '60'),
      server('+OK\r\n'),
    ]);
    expect(troubles).toEqual([]);
    expect(said).toEqual([
      {
        side: 'client',
        protocol: 'redis',
        kind: 'request',
        name: 'SET',
        bytes: 54,
        failed: false,
        fields: { command: 'SET', args: ['user:7', 'Ann "x"', 'EX', '60'], key: 'user:7' },
        summary: 'SET user:7 "Ann \\"x\\"" EX 60',
        asked: null,
      },
      {
        side: 'server',
        protocol: 'redis',
        kind: 'reply',
        name: 'simple',
        bytes: 5,
        failed: false,
        fields: { command: 'SET', type: 'simple', reply: 'OK' },
        summary: 'OK',
        asked: 'SET',
      },
    ]);
  });

  test('families carry their second word, unknown names are bounded', () => {
    const long = 'x'.repeat(100);
    const heard = hear(decoder, [
      ask('config', 'get', 'maxmemory'),
      ask('XGROUP', 'CREATE', 'stream', 'group', '$'),
      ask(long, 'a'),
      ask('CONFIG'),
    ]);
    expect(heard.said.map(({ name }) => name)).toEqual([
      'CONFIG GET',
      'XGROUP CREATE',
      'X'.repeat(32),
      'CONFIG',
    ]);
    expect(heard.said[0]!.fields).toEqual({ command: 'CONFIG GET', args: ['maxmemory'] });
    expect(heard.said[1]!.fields).toMatchObject({ key: 'stream' });
  });

  test.each([
    [['GET', 'k'], 'k'],
    [['EVAL', 'return 1', '1', 'k', 'x'], 'k'],
    [['EVAL', 'return 1', '0', 'x'], undefined],
    [['XREAD', 'COUNT', '2', 'STREAMS', 's', '0'], 's'],
    [['BITOP', 'AND', 'dest', 'a'], 'dest'],
    [['OBJECT', 'ENCODING', 'k'], 'k'],
    [['LMPOP', '2', 'a', 'b', 'LEFT'], 'a'],
    [['MIGRATE', 'h', '1', '', '0', '9', 'KEYS', 'a'], 'a'],
    [['PING', 'k'], undefined],
  ])('the first key of %j', (words, key) => {
    expect(hear(decoder, [ask(...words)]).said[0]!.fields.key).toBe(key);
  });

  test('a line typed by hand is a command too', () => {
    const { said, troubles } = hear(decoder, [
      client('set "a b" \'c d\' \r\nping\n\r\nINFO\r\n'),
      server('+OK\r\n+PONG\r\n$0\r\n\r\n'),
    ]);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.name, one.summary, one.asked])).toEqual([
      ['SET', 'SET "a b" "c d"', null],
      ['PING', 'PING', null],
      ['INFO', 'INFO', null],
      ['simple', 'OK', 'SET'],
      ['simple', 'PONG', 'PING'],
      ['bulk', '""', 'INFO'],
    ]);
    expect(said[0]!.fields.args).toEqual(['a b', 'c d']);
  });

  test('empty arrays are passed over, as the server does', () => {
    const { said } = hear(decoder, [client('*0\r\n*-1\r\n'), ask('PING'), server('+PONG\r\n')]);
    expect(said.map(({ name }) => name)).toEqual(['PING', 'simple']);
  });

  test('bytes that are not text are escaped', () => {
    const { said } = hear(decoder, [client('*2\r\n$3\r\nGET\r\n$4\r\n', [0, 255, 97, 10], '\r\n')]);
    expect(said[0]!.fields.key).toBe('\\x00\\xffa\\x0a');
  });
});

describe('replies', () => {
  const reply = (text: string, request: string[] = ['GET', 'k']) =>
    hear(decoder, [ask(...request), server(text)]).said[1]!;

  test.each<[string, string, unknown, string]>([
    [':12\r\n', 'integer', 12, '12'],
    [':-9223372036854775808\r\n', 'integer', -9223372036854775808n, '-9223372036854775808'],
    ['$5\r\nhello\r\n', 'bulk', 'hello', '"hello"'],
    ['$-1\r\n', 'null', null, 'nil'],
    ['*-1\r\n', 'null', null, 'nil'],
    ['_\r\n', 'null', null, 'nil'],
    ['#t\r\n', 'boolean', true, 'true'],
    [',3.25\r\n', 'double', 3.25, '3.25'],
    [',inf\r\n', 'double', 'inf', '"inf"'],
    [
      '(3492890328409238509324850943850943825024385\r\n',
      'bignumber',
      3492890328409238509324850943850943825024385n,
      '3492890328409238509324850943850943825024385',
    ],
    ['=7\r\ntxt:abc\r\n', 'verbatim', 'abc', '"abc"'],
    ['*2\r\n:1\r\n*1\r\n+x\r\n', 'array', [1, ['x']], '[2] 1, [1] "x"'],
    [
      '%2\r\n+a\r\n:1\r\n$9\r\n__proto__\r\n_\r\n',
      'map',
      Object.fromEntries([
        ['a', 1],
        ['__proto__', null],
      ]),
      '{2} a: 1, __proto__: nil',
    ],
    ['~1\r\n:1\r\n', 'set', [1], '[1] 1'],
    ['*0\r\n', 'array', [], '[0]'],
    ['$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n', 'bulk', 'Hello', '"Hello"'],
    ['*?\r\n:1\r\n%?\r\n+a\r\n:2\r\n.\r\n.\r\n', 'array', [1, { a: 2 }], '[2] 1, {1} a: 2'],
    ['*2\r\n-ERR no\r\n+ok\r\n', 'array', ['(error) ERR no', 'ok'], '[2] "(error) ERR no", "ok"'],
  ])('%j is a %s', (text, type, value, summary) => {
    const said = reply(text);
    expect(said.fields).toEqual({ command: 'GET', type, reply: value });
    expect(said.name).toBe(type);
    expect(said.summary).toBe(summary);
    expect(said.bytes).toBe(text.length);
    anySplitGivesTheSame(decoder, [ask('GET', 'k'), server(text, text)], {}, 5);
  });

  test('attributes stand before the value they speak of', () => {
    const said = reply('|1\r\n+ttl\r\n:3600\r\n*1\r\n:1\r\n');
    expect(said.fields).toEqual({ command: 'GET', type: 'array', reply: [1], attributes: { ttl: 3600 } });
  });

  test.each([
    ['-WRONGTYPE Operation against a key\r\n', 'WRONGTYPE', 'error'],
    ['-MOVED 3999 127.0.0.1:6381\r\n', 'MOVED', 'error'],
    ['!10\r\nNOAUTH abc\r\n', 'NOAUTH', 'bulkerror'],
  ])('%j failed', (text, code, type) => {
    const said = reply(text);
    expect(said.failed).toBe(true);
    expect(said.fields).toMatchObject({ command: 'GET', type, 'error.code': code });
    expect(said.summary.startsWith(code)).toBe(true);
  });

  test('requests in a row are answered in their order', () => {
    const { said } = hear(decoder, [
      ask('GET', 'a'),
      ask('INCR', 'b'),
      ask('PING'),
      server('$1\r\nx\r\n:1\r\n+PONG\r\n'),
    ]);
    expect(said.slice(3).map(({ asked }) => asked)).toEqual(['GET', 'INCR', 'PING']);
  });

  test('a reply nobody is known to have asked for is paired with nothing', () => {
    const { said, troubles } = hear(decoder, [server('+OK\r\n'), ask('PING'), server('+PONG\r\n')]);
    expect(troubles).toEqual([]);
    expect(said.map(({ asked }) => asked)).toEqual([null, null, 'PING']);
  });

  test('100000 requests may wait, and all are paired', () => {
    const count = 100_000;
    const { said } = hear(decoder, [
      client('*1\r\n$4\r\nPING\r\n'.repeat(count)),
      server('+PONG\r\n'.repeat(count)),
      ask('GET', 'x'),
      server('_\r\n'),
    ]);
    expect(said).toHaveLength(2 * count + 2);
    expect(said.at(-1)).toMatchObject({ asked: 'GET', fields: { command: 'GET' } });
    expect(said.at(-3)!.asked).toBe('PING');
  });
});

describe('large values', () => {
  test('of a long string 16 KiB are kept', () => {
    const size = 1_000_000;
    const turns = [ask('GET', 'big'), server(`$${size}\r\n${'é'.repeat(size / 2)}\r\n:1\r\n`)];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map(({ bytes }) => bytes)).toEqual([22, size + 12, 4]);
    expect(said[1]!.fields.reply).toBe(`${'é'.repeat(8192)}…`);
    expect(said[2]!.summary).toBe('1');
  });

  test('any split of large values gives the same', () => {
    const blob = (size: number) => `$${size}\r\n${'v'.repeat(size)}\r\n`;
    const many = Array.from({ length: 900 }, (_, i) => blob(90 + (i % 7))).join('');
    const turns = [
      client(`*4\r\n$4\r\nMSET\r\n${blob(20_000)}${blob(3)}${blob(40_000)}`),
      client(`*901\r\n$5\r\nRPUSH\r\n${many}`),
      server(`+${'x'.repeat(20_000)}\r\n`),
      server(`*3\r\n+${'y'.repeat(70_000)}\r\n+${'z'.repeat(17_000)}\r\n${blob(50)}`),
      server(`$?\r\n;17000\r\n${'c'.repeat(17_000)}\r\n;3\r\nabc\r\n;0\r\n`),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map(({ bytes }) => bytes)).toEqual(turns.map(({ bytes }) => bytes.length));
    const args = said[1]!.fields.args as string[];
    expect(args.length).toBeGreaterThan(600);
    expect(args.join('').length).toBeLessThan(KEPT_MAX);
    expect(args.at(-1)).toBe('…');
    anySplitGivesTheSame(decoder, turns, {}, 8);
  });
});

describe('modes', () => {
  test('within MULTI replies say queued, and EXEC tells of what', () => {
    const { said } = hear(decoder, [
      ask('MULTI'),
      ask('SET', 'a', '1'),
      ask('INCR', 'a'),
      ask('EXEC'),
      server('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n'),
    ]);
    expect(
      said.slice(4).map((one) => [one.asked, one.fields.queued ?? null, one.fields.commands ?? null]),
    ).toEqual([
      ['MULTI', null, null],
      ['SET', true, null],
      ['INCR', true, null],
      ['EXEC', null, ['SET', 'INCR']],
    ]);
  });

  test('CLIENT REPLY SKIP and OFF: who gets no reply takes none', () => {
    const { said } = hear(decoder, [
      ask('CLIENT', 'REPLY', 'SKIP'),
      ask('SET', 'a', '1'),
      ask('GET', 'a'),
      ask('CLIENT', 'REPLY', 'OFF'),
      ask('SET', 'b', '1'),
      ask('CLIENT', 'REPLY', 'ON'),
      ask('PING'),
      server('$1\r\n1\r\n+OK\r\n+PONG\r\n'),
    ]);
    expect(said.slice(7).map(({ asked }) => asked)).toEqual(['GET', 'CLIENT REPLY', 'PING']);
  });
});

describe('secrets', () => {
  test.each<[string[], string[], string | string[]]>([
    [['AUTH', 'pw'], ['******'], 'pw'],
    [['AUTH', 'ann', 'pw'], ['ann', '******'], 'pw'],
    [
      ['HELLO', '3', 'AUTH', 'ann', 'pw', 'SETNAME', 'x'],
      ['3', 'AUTH', 'ann', '******', 'SETNAME', 'x'],
      'pw',
    ],
    [
      ['CONFIG', 'SET', 'maxmemory', '1', 'requirepass', 'pw'],
      ['maxmemory', '1', 'requirepass', '******'],
      'pw',
    ],
    [['ACL', 'SETUSER', 'ann', 'on', '>pw', '~*'], ['ann', 'on', '>******', '~*'], 'pw'],
    [
      ['MIGRATE', 'h', '1', 'k', '0', '9', 'AUTH2', 'ann', 'pw'],
      ['h', '1', 'k', '0', '9', 'AUTH2', 'ann', '******'],
      'pw',
    ],
  ])('%j hides its password', (words, args, password) => {
    for (const turn of [ask(...words), client(`${words.join(' ')}\r\n`)]) {
      const { said } = hear(decoder, [turn]);
      expect(said[0]!.fields).toMatchObject({ args, password });
      expect(said[0]!.summary).not.toContain('pw');
      expect(said[0]!.name).not.toContain('pw');
    }
  });

  test('CONFIG GET does not tell the password', () => {
    for (const reply of [
      '*2\r\n$11\r\nrequirepass\r\n$2\r\npw\r\n',
      '%1\r\n$11\r\nrequirepass\r\n$2\r\npw\r\n',
    ]) {
      const { said } = hear(decoder, [ask('CONFIG', 'GET', 'requirepass'), server(reply)]);
      const { password, ...rest } = said[1]!.fields;
      expect(password).toBe('pw');
      expect(JSON.stringify(rest)).not.toContain('pw');
      expect(said[1]!.summary).not.toContain('pw');
    }
  });
});

describe('what is not Redis', () => {
  test.each([
    ['client', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 0.3],
    ['client', '\x16\x03\x01\x02\x00', 0],
    ['client', '*3\r\nabc', 0],
    ['client', 'EHLO x\r\n', 0],
    ['server', 'SSH-2.0-x\r\n', 0],
    ['server', '220 mail ESMTP\r\n', 0],
    ['server', '+OK POP3 ready\r\n', 0.1],
    ['client', 'QUIT\r\n', 0.1],
  ] as const)('%s %j is given at most %d', (side, text, most) => {
    const bytes = encoder.encode(text);
    const hint = { transport: 'tcp', clientPort: 1, serverPort: 9, side, midStream: false } as const;
    expect(decoder.recognises(hint, bytes, 0, bytes.length)).toBeLessThanOrEqual(most);
  });

  test('the first bytes of a command are certain, a prefix of them never too little', () => {
    const { bytes } = ask('GET', 'k');
    const hint = {
      transport: 'tcp',
      clientPort: 1,
      serverPort: 9,
      side: 'client',
      midStream: false,
    } as const;
    expect(decoder.recognises(hint, bytes, 0, bytes.length)).toBeGreaterThan(0.8);
    for (let to = 1; to < bytes.length; to++) {
      expect(decoder.recognises(hint, bytes, 0, to)).toBeGreaterThan(0.4);
    }
  });

  test.each([
    ['*1\r\n:1\r\n'],
    ['*1\r\n$3\r\nGETxx'],
    ['*9999999999999999\r\n'],
    ['\x00\x01\x02'],
    ['GET \x01\r\n'],
  ])('%j from a client is malformed', (text) => {
    expect(hear(decoder, [client(text)]).troubles).toHaveLength(1);
  });

  test.each([
    ['abc\r\n'],
    ['$3\r\nabcd\r\n'],
    [':1x\r\n'],
    [`${'*1\r\n'.repeat(200)}:1\r\n`],
    ['.\r\n'],
    ['$?\r\n:1\r\n'],
    [`:${'1'.repeat(5000)}\r\n`],
  ])('%j from a server is malformed', (text) => {
    expect(hear(decoder, [server(text)]).troubles).toHaveLength(1);
  });
});

test('names are found in any case without making a string', () => {
  const bytes = encoder.encode('..hGeTaLl..');
  expect(commandOf(bytes, 2, 9).name).toBe('HGETALL');
  expect(known(bytes, 2, 9)).toBe(true);
  expect(known(bytes, 2, 8)).toBe(false);
});

test('nothing makes it throw, and any split is the same', () => {
  const turns = [
    ask('HELLO', '3', 'AUTH', 'default', 'pw'),
    server('%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n'),
    client('PING\r\nset a "b c"\r\n'),
    ask('SET', 'k', 'värde'),
    server('+PONG\r\n+OK\r\n|1\r\n+a\r\n:1\r\n+OK\r\n>2\r\n+invalidate\r\n_\r\n'),
    ask('EVAL', 'return {1,{2,3}}', '0'),
    server('*2\r\n:1\r\n*2\r\n:2\r\n,3.5\r\n'),
    ask('GET', 'nope'),
    server('-WRONGTYPE x\r\n'),
  ];
  expect(hear(decoder, turns).troubles).toEqual([]);
  anySplitGivesTheSame(decoder, turns);
  survivesAnything(decoder, turns);
});

test('every field is one the decoder speaks of', () => {
  const turns = [
    ask('HELLO', '3', 'AUTH', 'default', 'pw'),
    server('-NOAUTH x\r\n'),
    ask('MONITOR'),
    server('+OK\r\n+1.2 [0 lua] "GET" "a"\r\n>4\r\n+pmessage\r\n+a\r\n+b\r\n+c\r\n>2\r\n+x\r\n+y\r\n'),
  ];
  for (const one of hear(decoder, turns).said) {
    for (const name of Object.keys(one.fields)) {
      expect(decoder.speaks.redis).toContain(name);
    }
  }
});
