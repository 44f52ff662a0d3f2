import { describe, expect, it } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  hear,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { decoder } from './gorpc.ts';

/** A number of one byte. */
const int = (value: number) => [2 * value];
const string = (value: string) => [value.length, ...new TextEncoder().encode(value)];
const message = (...parts: number[][]) => {
  const bytes = parts.flat();
  return bytes.length < 128
    ? [bytes.length, ...bytes]
    : [0xfd, bytes.length >> 16, (bytes.length >> 8) & 255, bytes.length & 255, ...bytes];
};

/** Types 64 and up, whose numbers are -128 to 127 apart from one byte: all that is needed here. */
const number = (id: number) => [0xff, 2 * id];
const structType = (id: number, name: string, fields: Record<string, number>) =>
  message(
    [0xff, 2 * id - 1, 3, 1, 1],
    string(name),
    [1],
    number(id),
    [0, 1, Object.keys(fields).length],
    Object.entries(fields).flatMap(([field, type]) => [1, ...string(field), 1, ...int(type), 0]),
    [0, 0],
  );

const requestType = structType(65, 'Request', { ServiceMethod: 6, Seq: 3 });
const responseType = structType(66, 'Response', { ServiceMethod: 6, Seq: 3, Error: 6 });
const argsType = structType(67, 'Args', { A: 2, Password: 6 });
const empty = structType(68, 'InvalidRequest', {});

/** The first call has number 0, which is not sent. */
const head = (id: number, method: string, seq: number, error = '') =>
  message(
    number(id),
    [1, ...string(method)],
    seq === 0 ? [] : [1, seq],
    error === '' ? [] : [seq === 0 ? 2 : 1, ...string(error)],
    [0],
  );
const args = (a: number, password: string) => message(number(67), [1, 2 * a, 1], string(password), [0]);

const turns: Turn[] = [
  client(
    requestType,
    head(65, 'Calc.Add', 0),
    argsType,
    args(7, 's3cret'),
    head(65, 'Calc.Div', 1),
    args(0, 'x'),
  ),
  server(responseType, head(66, 'Calc.Div', 1, 'divide\nby zero'), empty, message(number(68), [0])),
  server(head(66, 'Calc.Add', 0), message(int(2), [0], int(9))),
];

describe('calls of net/rpc', () => {
  it('are paired by their number', () => {
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.kind, one.name, one.asked, one.failed, one.summary])).toEqual([
      ['request', 'Calc.Add', null, false, 'Calc.Add {"A":7,"Password":"******"}'],
      ['request', 'Calc.Div', null, false, 'Calc.Div {"A":0,"Password":"******"}'],
      ['reply', 'Calc.Div', 'Calc.Div', true, 'ERROR divide�by zero'],
      ['reply', 'Calc.Add', 'Calc.Add', false, 'Calc.Add = 9'],
    ]);
    expect(said[0]!.fields).toEqual({
      method: 'Calc.Add',
      seq: 0,
      args: { A: 7, Password: '******' },
      'args.raw': { A: 7, Password: 's3cret' },
    });
    expect(said[2]!.fields).toEqual({ method: 'Calc.Div', seq: 1, error: 'divide\nby zero' });
    expect(said[3]!.fields).toEqual({ method: 'Calc.Add', seq: 0, reply: 9 });
  });

  it('account for every byte, those of types too', () => {
    const { said } = hear(decoder, turns);
    const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
    expect(sum(said.map((one) => one.bytes))).toBe(sum(turns.map((turn) => turn.bytes.length)));
  });

  it('are the same however the bytes are split', () => {
    anySplitGivesTheSame(decoder, turns);
  });

  it('with arguments longer than what is read go on after them', () => {
    const long = message(int(5), [0, 0xfd, 1, 0x11, 0x70], new Array<number>(70_000).fill(97));
    const both = [
      client(requestType, head(65, 'Calc.Put', 0), long, head(65, 'Calc.Put', 1), message(int(2), [0], [2])),
    ];
    const { said, troubles } = hear(decoder, both);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.fields.seq, one.fields.warning])).toEqual([
      [0, 'the value is too long to be read'],
      [1, undefined],
    ]);
    expect(said[0]!.fields.args).toBe('a'.repeat(16_384));
    anySplitGivesTheSame(decoder, both, {}, 5);
  });

  it('with arguments of an unknown type are still calls', () => {
    const { said } = hear(decoder, [client(requestType, head(65, 'Calc.Add', 3), args(1, 'x'))]);
    expect(said.map((one) => one.fields)).toEqual([
      { method: 'Calc.Add', seq: 3, args: null, warning: 'a value of type 67, which was not defined' },
    ]);
  });

  it('survive anything', () => {
    survivesAnything(decoder, turns, {}, 400);
  });

  it.each([
    ['the middle of a stream', head(65, 'Calc.Add', 1), 'a value of type 65, which was not defined'],
    ['another stream of gobs', message(int(2), [0], int(9)), 'a value that is no head of a call'],
    ['something else', [71, 69, 84, 32, ...new Array<number>(80).fill(47)], 'bytes behind a value'],
  ])('are not found in %s', (_, bytes, why) => {
    const { said, troubles } = hear(decoder, [client(bytes)], { midStream: true });
    expect(said).toEqual([]);
    expect(troubles).toHaveLength(1);
    if (why !== 'bytes behind a value') {
      expect(troubles).toEqual([`client: ${why}`]);
    }
  });
});

describe('recognising', () => {
  const score = (side: 'client' | 'server', bytes: Uint8Array) =>
    decoder.recognises(
      { transport: 'tcp', clientPort: 1, serverPort: 1234, side, midStream: false },
      bytes,
      0,
      bytes.length,
    );

  it('is certain of the type that comes first', () => {
    expect(score('client', turns[0]!.bytes)).toBe(0.95);
    expect(score('server', turns[1]!.bytes)).toBe(0.95);
    expect(score('server', turns[0]!.bytes)).toBe(0);
    expect(score('client', client(structType(65, 'Point', { X: 2, Y: 2 })).bytes)).toBe(0);
  });

  it.each([
    'GET / HTTP/1.1\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'SSH-2.0-OpenSSH_9\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c',
    '{"method":"Calc.Add","params":[]}',
    '\x2c\xff',
    '\x2c',
    '',
  ])('leaves %j to others', (text) => {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    expect([score('client', bytes), score('server', bytes)]).toEqual([0, 0]);
  });
});
