import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, client, hear, server, survivesAnything } from './decoder.contract.ts';
import { decoder } from './memcached.ts';

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
      ttl: 60,
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

describe.skipIf(needs('memcached').missing !== null)('real memcached', () => {
  let daemon: ChildProcess;
  let port = 0;

  beforeAll(async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    port = (probe.address() as AddressInfo).port;
    probe.close();
    await once(probe, 'close');
    daemon = spawn('memcached', ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-u', 'nobody', '-vv'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    daemon.stderr!.on('data', (chunk) => {
      log += chunk;
    });
    while (!log.includes('server listening')) {
      await once(daemon.stderr!, 'data');
    }
  });

  afterAll(async () => {
    const gone = once(daemon, 'exit');
    daemon.kill();
    await gone;
  });

  test('what it answers is understood and paired', async () => {
    const big = 'v'.repeat(100_000);
    const said = [
      'version\r\n',
      'set a 1 0 5\r\nhello\r\n',
      'add a 1 0 5\r\nhello\r\n',
      `set big 0 0 ${big.length}\r\n${big}\r\n`,
      'set quiet 0 0 1 noreply\r\n1\r\n',
      'get a big quiet nobody\r\n',
      'gets a\r\n',
      'cas a 0 0 1 999999\r\nx\r\n',
      'append a 0 0 1\r\n!\r\n',
      'gat 100 a\r\n',
      'touch a 100\r\n',
      'incr quiet 41\r\n',
      'incr a 1\r\n',
      'delete nobody\r\n',
      'stats settings\r\n',
      'mg a t s v k Oabc\r\n',
      'mg nobody v q\r\n',
      'ms meta 2 T100\r\nhi\r\n',
      'ma quiet\r\n',
      'me a\r\n',
      'md meta q\r\n',
      'mn\r\n',
      'nonsense\r\n',
      'verbosity 2\r\n',
      'flush_all\r\n',
      'quit\r\n',
    ];
    const [turns] = await recorded(port, async (relay) => {
      const socket = createConnection({ host: '127.0.0.1', port: relay });
      socket.resume();
      socket.write(said.join(''));
      await once(socket, 'close');
    });
    const heard = hear(decoder, turns!, { serverPort: 11211 });
    expect(heard.troubles).toEqual([]);
    const replies = heard.said.filter(({ kind }) => kind === 'reply');
    expect(replies.map(({ asked, name }) => [asked, name])).toEqual([
      ['version', 'VERSION'],
      ['set', 'STORED'],
      ['add', 'NOT_STORED'],
      ['set', 'STORED'],
      ['get', 'VALUE'],
      ['gets', 'VALUE'],
      ['cas', 'EXISTS'],
      ['append', 'STORED'],
      ['gat', 'VALUE'],
      ['touch', 'TOUCHED'],
      ['incr', 'number'],
      ['incr', 'CLIENT_ERROR'],
      ['delete', 'NOT_FOUND'],
      ['stats', 'STAT'],
      ['mg', 'VA'],
      ['ms', 'HD'],
      ['ma', 'HD'],
      ['me', 'ME'],
      ['mn', 'MN'],
      ['nonsense', 'ERROR'],
      ['verbosity', 'OK'],
      ['flush_all', 'OK'],
    ]);
    expect(replies[4]!.fields).toMatchObject({ hits: 3, misses: 1 });
    expect(replies[8]!.fields).toMatchObject({ value: 'hello!' });
    expect(replies[10]!.fields.number).toBe(42);
    for (const one of heard.said) {
      for (const name of Object.keys(one.fields)) {
        expect(decoder.speaks.memcached).toContain(name);
      }
    }
    anySplitGivesTheSame(decoder, turns!, { serverPort: 11211 }, 4);
  });
});
