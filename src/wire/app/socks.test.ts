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
import { decoder as http1 } from './http1.ts';
import { decoder } from './socks.ts';

const encoder = new TextEncoder();
const bytes = (text: string) => [...encoder.encode(text)];
const sized = (text: string) => [bytes(text).length, ...bytes(text)];
const int16 = (value: number) => [value >> 8, value & 255];

const named = (host: string, port: number) => [3, ...sized(host), ...int16(port)];
const v4 = (port = 0) => [1, 10, 0, 0, 1, ...int16(port)];
const v6 = (port: number) => [4, 0xfd, ...Array(14).fill(0), 1, ...int16(port)];
const connect = [5, 1, 0, ...named('example.com', 443)];
const succeeded = [5, 0, 0, ...v4(4711)];
const old = (command: number, port: number, ip: number[], user: string, host = '') => [
  ...[4, command, ...int16(port), ...ip, ...bytes(user), 0],
  ...(host === '' ? [] : [...bytes(host), 0]),
];
const get = 'GET /inside HTTP/1.1\r\nHost: example.com\r\n\r\n';
const okay = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
const inside = { others: [http1] };

const withPassword: Turn[] = [
  client([5, 2, 0, 2]),
  server([5, 2]),
  client([1, ...sized('ann'), ...sized('hunter2')]),
  server([1, 0]),
  client(connect),
  server(succeeded),
  client(get),
  server(okay),
];

/** A client that waits for nothing, and a target that speaks first would look the same. */
const ahead: Turn[] = [
  client([5, 1, 2], [1, ...sized('ann'), ...sized('hunter2')], connect, get),
  server([5, 2], [1, 0], succeeded, okay),
];

const binding: Turn[] = [
  client(old(2, 21, [192, 0, 2, 7], 'ann')),
  server([0, 90, ...int16(9999), 0, 0, 0, 0]),
  server([0, 90, ...int16(20), 192, 0, 2, 7], okay),
  client(get),
];

const gss: Turn[] = [
  client([5, 2, 0, 1]),
  server([5, 1]),
  client([1, 1, 0, 4, 1, 2, 3, 4]),
  server([1, 1, 0, 2, 9, 9]),
  client([1, 2, 0, 1, 1]),
  server([1, 2, 0, 1, 1]),
  client([1, 3, 0, 3, 7, 7, 7]),
  server([1, 3, 0, 1, 5]),
];

const told = (turns: Turn[]) => {
  const { said, troubles } = hear(decoder, turns, inside);
  expect(troubles).toEqual([]);
  return said;
};

describe('SOCKS 5', () => {
  it('the method, the password and the target are pairs, and what follows is another protocol', () => {
    const said = told(withPassword);
    expect(said.map((one) => [one.protocol, one.kind, one.name, one.asked, one.summary])).toEqual([
      ['socks', 'request', 'Greeting', null, 'SOCKS5 offers none, password'],
      ['socks', 'reply', 'Method', 'Greeting', 'SOCKS5 method password'],
      ['socks', 'request', 'Password', null, 'SOCKS5 password of ann'],
      ['socks', 'reply', 'accepted', 'Password', 'SOCKS5 password accepted'],
      ['socks', 'request', 'CONNECT', null, 'SOCKS5 CONNECT example.com:443'],
      [
        ...['socks', 'reply', 'succeeded', 'CONNECT'],
        'SOCKS5 succeeded: CONNECT example.com:443, from 10.0.0.1:4711',
      ],
      ['http', 'request', 'GET', null, expect.stringContaining('/inside')],
      ['http', 'reply', '200', 'GET', expect.stringContaining('200')],
    ]);
    expect(said[2]!.fields).toEqual({ version: '5', user: 'ann', password: 'hunter2' });
    expect(said[5]!.fields).toEqual({
      version: '5',
      command: 'CONNECT',
      host: 'example.com',
      port: 443,
      reply: 'succeeded',
      'reply.code': 0,
      'bound.host': '10.0.0.1',
      'bound.port': 4711,
    });
    expect(said.slice(0, 6).map((one) => one.bytes)).toEqual([4, 2, 13, 2, 18, 10]);
  });

  it('the password is in its own field and nowhere else', () => {
    expect(decoder.secrets).toContain('password');
    for (const { fields, summary, name } of told(withPassword)) {
      const { password: _, ...rest } = fields;
      expect(JSON.stringify([rest, summary, name])).not.toContain('hunter2');
    }
  });

  it('a client that does not wait says the same', () => {
    const shape = (turns: Turn[]) => told(turns).map((one) => `${one.name} ${one.asked} ${one.summary}`);
    const waiting = [client([5, 1, 2]), ...withPassword.slice(1)];
    expect(shape(ahead).sort()).toEqual(shape(waiting).sort());
  });

  it('addresses are IPv4, IPv6 or names', () => {
    const target = (address: number[]) =>
      told([client([5, 1, 0]), server([5, 0]), client([5, 1, 0, ...address])]).at(-1)!;
    expect(target(v4(80)).summary).toBe('SOCKS5 CONNECT 10.0.0.1:80');
    expect(target(v6(80)).summary).toBe('SOCKS5 CONNECT [fd00::1]:80');
    expect(target(v6(80)).fields).toMatchObject({ host: 'fd00::1', port: 80 });
    expect(target(named('x\n\u001b[31m', 65535)).summary).toBe('SOCKS5 CONNECT x [31m:65535');
  });

  it('every refusal has its name, and failed', () => {
    const refused = (...turns: Turn[]) => {
      const last = told(turns).at(-1)!;
      return [last.failed, last.asked, last.summary];
    };
    const open = [client([5, 1, 0]), server([5, 0]), client(connect)];
    const code = (number: number) => refused(...open, server([5, number, 0, ...v4()]))[2];
    expect(refused(...open, server([5, 4, 0, ...v4()]))).toEqual([
      true,
      'CONNECT',
      'SOCKS5 host unreachable: CONNECT example.com:443, from 10.0.0.1:0',
    ]);
    expect([1, 2, 3, 5, 6, 7, 8, 200].map((one) => String(code(one)).slice(7, 23))).toEqual([
      'general failure:',
      'not allowed by t',
      'network unreacha',
      'connection refus',
      'TTL expired: CON',
      'command not supp',
      'address type not',
      'reply 200: CONNE',
    ]);
    expect(refused(client([5, 1, 0]), server([5, 255]))).toEqual([
      true,
      'Greeting',
      'SOCKS5 method no acceptable method',
    ]);
    expect(refused(...withPassword.slice(0, 3), server([1, 7]))).toEqual([
      true,
      'Password',
      'SOCKS5 password refused',
    ]);
  });

  it('what a client sent ahead of a refusal is passed over, what the proxy says after it is not', () => {
    const open = [client([5, 1, 0], connect, get), server([5, 0], [5, 5, 0, ...v4()])];
    expect(hear(decoder, [...open, client('more')], inside).troubles).toEqual([]);
    expect(hear(decoder, [...open, server('x')], inside).troubles).toEqual([
      'server: bytes of the proxy after its last answer',
    ]);
  });

  it('a UDP association is answered and carries nothing itself', () => {
    const turns = [client([5, 1, 0]), server([5, 0]), client([5, 3, 0, ...v4()]), server(succeeded)];
    expect(told(turns).at(-1)!.summary).toBe(
      'SOCKS5 succeeded: UDP ASSOCIATE 10.0.0.1:0, from 10.0.0.1:4711',
    );
    expect(hear(decoder, [...turns, client([0])]).troubles).toEqual([
      'client: bytes on a connection that only keeps a UDP association open',
    ]);
  });

  it('GSSAPI is followed up to where it encapsulates, and then counted', () => {
    expect(told(gss).map((one) => [one.kind, one.name, one.bytes])).toEqual([
      ['request', 'Greeting', 4],
      ['reply', 'Method', 2],
      ['notice', 'GSSAPI authentication', 8],
      ['notice', 'GSSAPI authentication', 6],
      ['notice', 'GSSAPI protection', 5],
      ['notice', 'GSSAPI protection', 5],
      ['notice', 'Encrypted', 0],
      ['notice', 'Encrypted', 0],
      ['notice', 'EncryptedData', 7],
      ['notice', 'EncryptedData', 5],
    ]);
    const unprotected = told([...gss.slice(0, 6), client(connect), server(succeeded), client(get)]);
    expect(unprotected.at(-1)!.protocol).toBe('http');
    const [aborted] = told([...gss.slice(0, 3), server([1, 255])]).slice(-1);
    expect([aborted!.name, aborted!.failed]).toEqual(['GSSAPI abort', true]);
  });
});

describe('SOCKS 4', () => {
  it('an address, or in 4a a name, and who asks', () => {
    const granted = server([0, 90, 0, 0, 0, 0, 0, 0], okay);
    const said = told([client(old(1, 80, [192, 0, 2, 7], 'ann')), granted]);
    expect(said[0]!.fields).toEqual({
      version: '4',
      command: 'CONNECT',
      host: '192.0.2.7',
      port: 80,
      user: 'ann',
    });
    expect(said.map((one) => [one.asked, one.summary]).slice(0, 2)).toEqual([
      [null, 'SOCKS4 CONNECT 192.0.2.7:80 for ann'],
      ['CONNECT', 'SOCKS4 granted: CONNECT 192.0.2.7:80, from 0.0.0.0:0'],
    ]);
    expect(said[2]!.protocol).toBe('http');
    const byName = told([client(old(1, 80, [0, 0, 0, 1], '', 'example.com')), granted]);
    expect(byName[0]!.summary).toBe('SOCKS4a CONNECT example.com:80');
    expect(byName[0]!.fields).not.toHaveProperty('user');
  });

  it('a refusal has its name', () => {
    const code = (number: number) =>
      told([client(old(1, 80, [192, 0, 2, 7], '')), server([0, number, 0, 0, 0, 0, 0, 0])]).at(-1)!;
    expect([91, 92, 93, 99].map((number) => [code(number).name, code(number).failed])).toEqual([
      ['rejected or failed', true],
      ['no identd on the client', true],
      ['identd says another user', true],
      ['reply 99', true],
    ]);
  });

  it('BIND is answered twice, and the connection is the target’s after the second', () => {
    const said = told(binding);
    expect(said.map((one) => [one.protocol, one.name, one.asked]).slice(0, 3)).toEqual([
      ['socks', 'BIND', null],
      ['socks', 'granted', 'BIND'],
      ['socks', 'granted', 'BIND'],
    ]);
    expect(said.slice(3).every((one) => one.protocol === 'http')).toBe(true);
    expect(said.length).toBeGreaterThan(3);
  });
});

describe('what is not SOCKS', () => {
  const trouble = (...turns: Turn[]) => hear(decoder, turns, inside).troubles;
  const open = [client([5, 1, 0]), server([5, 0])];

  it('is said to be none', () => {
    expect(trouble(client([6, 1]))).toEqual(['client: no version 6 of SOCKS']);
    expect(trouble(client([5, 0]))).toEqual(['client: a greeting that offers no method']);
    expect(trouble(...open, client([5, 1, 0, 9, 1]))).toEqual(['client: address type 9']);
    expect(trouble(...open, client([1, 1]))).toEqual(['client: authentication by none is not read']);
    expect(trouble(...open, client([9]))).toEqual([
      'client: neither a request nor a proof of who asks: byte 9',
    ]);
    expect(trouble(client([5, 1, 0]), server([5, 2]))).toEqual(['server: method password was not offered']);
    expect(trouble(client([5, 1, 3]), server([5, 3], [1]))).toEqual([
      'server: an answer to nothing; authentication is by CHAP',
    ]);
    expect(trouble(server([5, 0]))).toEqual(['server: an answer to a question that was not seen']);
    expect(trouble(...open, client(connect), server([5, 0, 0, 9, 9]))).toEqual(['server: address type 9']);
    expect(trouble(...open, client(connect), server([4]))).toEqual([
      'server: version 4 in answer to SOCKS 5',
    ]);
  });

  it('names without an end are not waited for forever', () => {
    const endless = 'x'.repeat(600);
    expect(trouble(client([4, 1, 0, 80, 1, 2, 3, 4], endless))).toEqual([
      'client: a name of more than 512 bytes',
    ]);
    expect(trouble(client([4, 1, 0, 80, 0, 0, 0, 4, 0], endless))).toEqual([
      'client: a name of more than 255 bytes',
    ]);
  });

  it('a client that sends and sends before it is answered is not kept', () => {
    expect(trouble(...open, client(connect, new Uint8Array(70_000)))).toEqual([
      'client: the client did not wait for the answer of the proxy',
    ]);
  });
});

describe('recognition', () => {
  const score = (parts: number[] | string, more: Partial<Hint> = {}) => {
    const all = typeof parts === 'string' ? encoder.encode(parts) : Uint8Array.from(parts);
    const hint: Hint = {
      transport: 'tcp',
      clientPort: 40000,
      serverPort: 9,
      side: 'client',
      midStream: false,
      ...more,
    };
    return decoder.recognises(hint, all, 0, all.length);
  };

  it('is certain only where every length fits', () => {
    expect(score([5, 2, 0, 2])).toBe(0.9);
    expect(score([5, 1, 0, ...connect, ...bytes(get)])).toBe(0.9);
    expect(score([5, 1, 2, 1, ...sized('ann'), ...sized('x')])).toBe(0.9);
    expect(score(old(1, 80, [192, 0, 2, 7], 'ann'))).toBe(0.9);
    expect(score(old(1, 80, [0, 0, 0, 7], '', 'example.com'))).toBe(0.9);
    for (const part of [[5], [5, 2, 0], [5, 1, 0, 5, 1], [4, 1, 0], [4, 1, 0, 80, 1, 2, 3, 4, 97]]) {
      expect(score(part)).toBe(0.2);
      expect(score(part, { serverPort: 1080 })).toBe(0.5);
    }
    expect(score([], { serverPort: 1080 })).toBe(0.3);
  });

  it('leaves alone what others say', () => {
    const others = [
      [5, 0],
      [5, 2, 0, 0],
      [5, 1, 77],
      [5, 1, 0, 9],
      [5, 1, 0, 5, 9, 0, 1, 1],
      [4, 3, 0, 80],
      [4, 1, 0, 80, 0, 2, 3, 4, 0],
      [4, 1, 0, 80, 1, 2, 3, 4, 1, 0],
      [4, 0, 0, 0, 3],
      [22, 3, 1, 0, 5],
      [0x10, 12, 0, 4],
    ];
    for (const one of others) {
      expect(score(one, { serverPort: 1080 })).toBe(0);
    }
    for (const one of ['GET / HTTP/1.1\r\n', 'PROXY TCP4 ', '*1\r\n$4\r\nPING\r\n', 'SSH-2.0-x\r\n']) {
      expect(score(one, { serverPort: 1080 })).toBe(0);
    }
    expect(score([5, 0], { side: 'server' })).toBe(0);
  });
});

describe('whatever comes', () => {
  it('any split gives the same', () => {
    for (const turns of [withPassword, binding, gss]) {
      anySplitGivesTheSame(decoder, turns, inside, 10);
    }
    // Alone: what both sides sent ahead of the answer is for others to recognise, and how much of it is here varies.
    anySplitGivesTheSame(decoder, ahead, inside, 10);
  });

  it('nothing makes it throw, hang or ask for too much', () => {
    for (const turns of [withPassword, ahead, binding, gss]) {
      survivesAnything(decoder, turns, inside, 100);
    }
  });
});
