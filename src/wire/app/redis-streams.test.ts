/** Redis where one request has many answers, or none: subscriptions, MONITOR, replication. */
import { describe, expect, test } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  type Heard,
  hear,
  server,
  survivesAnything,
} from './decoder.contract.ts';
import { decoder } from './redis.ts';

const encoder = new TextEncoder();

/** A command as clients send it. */
function ask(...words: string[]) {
  return client(
    `*${words.length}\r\n${words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`).join('')}`,
  );
}

const fields = (heard: Heard) => heard.said.map((one) => one.fields);
const summaries = (heard: Heard) => heard.said.map((one) => one.summary);

describe('subscriptions', () => {
  test('RESP2: one reply per channel, then messages', () => {
    const confirm = (word: string, channel: string, count: number) =>
      `*3\r\n$${word.length}\r\n${word}\r\n$${channel.length}\r\n${channel}\r\n:${count}\r\n`;
    const turns = [
      ask('SUBSCRIBE', 'a', 'b'),
      server(
        confirm('subscribe', 'a', 1),
        '*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n',
        confirm('subscribe', 'b', 2),
      ),
      ask('PSUBSCRIBE', 'n*'),
      server(
        confirm('psubscribe', 'n*', 3),
        '*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$2\r\nyo\r\n',
      ),
      ask('PING'),
      server('*2\r\n$4\r\npong\r\n$0\r\n\r\n'),
      ask('UNSUBSCRIBE'),
      server(confirm('unsubscribe', 'a', 2), confirm('unsubscribe', 'b', 1)),
      ask('PUNSUBSCRIBE', 'n*'),
      server(confirm('punsubscribe', 'n*', 0)),
      ask('LRANGE', 'k', '0', '1'),
      server('*1\r\n$7\r\nmessage\r\n'),
    ];
    const heard = hear(decoder, turns);
    expect(heard.troubles).toEqual([]);
    expect(
      heard.said.filter(({ side }) => side === 'server').map((one) => [one.kind, one.name, one.asked]),
    ).toEqual([
      ['reply', 'subscribe', 'SUBSCRIBE'],
      ['notice', 'message', null],
      ['reply', 'subscribe', 'SUBSCRIBE'],
      ['reply', 'psubscribe', 'PSUBSCRIBE'],
      ['notice', 'pmessage', null],
      ['reply', 'array', 'PING'],
      ['reply', 'unsubscribe', 'UNSUBSCRIBE'],
      ['reply', 'unsubscribe', 'UNSUBSCRIBE'],
      ['reply', 'punsubscribe', 'PUNSUBSCRIBE'],
      ['reply', 'array', 'LRANGE'],
    ]);
    expect(fields(heard)[2]).toEqual({ type: 'message', channel: 'a', payload: 'hi' });
    expect(summaries(heard)[2]).toBe('message a "hi"');
    anySplitGivesTheSame(decoder, turns);
  });

  test('RESP3: pushes between replies', () => {
    const turns = [
      ask('HELLO', '3'),
      server('%1\r\n$5\r\nproto\r\n:3\r\n'),
      ask('SUBSCRIBE', 'a'),
      ask('GET', 'k'),
      server(
        '>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n$1\r\nv\r\n',
      ),
      server('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n'),
    ];
    const heard = hear(decoder, turns);
    expect(heard.said.slice(1).map((one) => [one.name, one.asked])).toEqual([
      ['map', 'HELLO'],
      ['SUBSCRIBE', null],
      ['GET', null],
      ['subscribe', 'SUBSCRIBE'],
      ['message', null],
      ['bulk', 'GET'],
      ['invalidate', null],
    ]);
    expect(fields(heard).at(-1)).toEqual({ type: 'invalidate', keys: ['k'] });
  });

  test('a refused SUBSCRIBE is answered once', () => {
    const { said } = hear(decoder, [
      ask('SUBSCRIBE', 'a', 'b'),
      ask('PING'),
      server('-NOPERM no\r\n+PONG\r\n'),
    ]);
    expect(said.slice(2).map(({ asked }) => asked)).toEqual(['SUBSCRIBE', 'PING']);
  });
});

describe('feeds', () => {
  test('MONITOR is answered, then commands of others pass by', () => {
    const turns = [
      ask('MONITOR'),
      server('+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] "auth" "geheim"\r\n'),
      ask('PING'),
      server('+PONG\r\n'),
    ];
    const { said } = hear(decoder, turns);
    expect(said.map((one) => [one.kind, one.name, one.asked])).toEqual([
      ['request', 'MONITOR', null],
      ['reply', 'simple', 'MONITOR'],
      ['notice', 'monitor', null],
      ['request', 'PING', null],
      ['reply', 'simple', 'PING'],
    ]);
    expect(said[2]!.fields).toEqual({
      command: 'AUTH',
      args: ['******'],
      password: 'geheim',
      time: 1339518083.107412,
      database: 0,
      from: '127.0.0.1:60866',
    });
    expect(said[2]!.summary).toBe('AUTH ******');
  });

  const stream = '*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n';
  test.each([
    ['of known length', `\n\n$5\r\nREDIS${stream}`],
    [
      'with a mark',
      `\n$EOF:${'0123456789'.repeat(4)}\r\nRED${'0'.repeat(50)}${'0123456789'.repeat(4)}${stream}`,
    ],
  ])('a replica gets a snapshot %s and then commands', (_, snapshot) => {
    const turns = [
      ask('PSYNC', '?', '-1'),
      server('+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 0\r\n'),
      server(snapshot),
      ask('REPLCONF', 'ACK', '0'),
      server(stream),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.side, one.kind, one.name, one.asked])).toEqual([
      ['client', 'request', 'PSYNC', null],
      ['server', 'reply', 'simple', 'PSYNC'],
      ['server', 'reply', 'rdb', 'PSYNC'],
      ['server', 'notice', 'PING', null],
      ['server', 'notice', 'SET', null],
      ['client', 'notice', 'REPLCONF', null],
      ['server', 'notice', 'PING', null],
      ['server', 'notice', 'SET', null],
    ]);
    expect(said[4]!.fields).toEqual({ command: 'SET', args: ['a', '1'], key: 'a' });
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns, {}, 40);
  });
});
