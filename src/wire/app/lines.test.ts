import { describe, expect, test } from 'vitest';
import { Conversation } from '../conversation.ts';
import { anySplitGivesTheSame, client, hear, server, survivesAnything } from './decoder.contract.ts';
import { decoders } from './decoders.ts';
import { decoder as hex } from './hex.ts';
import { decoder } from './lines.ts';
import { escapedBytes, oneLine, shown } from './lines-shown.ts';

const encoder = new TextEncoder();

describe('lines', () => {
  test('each line is a notice, with CR LF or LF', () => {
    const turns = [
      server('220 mail.example ESMTP\r\n'),
      client('EHLO me\r\n\nmail from:<a@b>\n'),
      server('250-größe 10\r\n250 ok\r\nx'),
    ];
    const { said, troubles } = hear(decoder, turns);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.side, one.kind, one.name, one.bytes, one.fields])).toEqual([
      ['server', 'notice', 'line', 24, { text: '220 mail.example ESMTP' }],
      ['client', 'notice', 'EHLO', 9, { text: 'EHLO me' }],
      ['client', 'notice', 'line', 1, { text: '' }],
      ['client', 'notice', 'MAIL', 16, { text: 'mail from:<a@b>' }],
      ['server', 'notice', 'line', 16, { text: '250-größe 10' }],
      ['server', 'notice', 'line', 8, { text: '250 ok' }],
      ['server', 'notice', 'X', 1, { text: 'x', unfinished: true }],
    ]);
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns);
  });

  test('among all decoders a talk in lines is one notice per line, each way, and nothing else', () => {
    const talk = [
      ...[
        server('220 mail.example ESMTP\r\n'),
        client('EHLO me\r\n'),
        server('250-SIZE 9\r\n250 8BITMIME\r\n'),
      ],
      ...[client('MAIL FROM:<a@b>\r\n'), server('250 ok\r\n'), client('QUIT\r\n'), server('221 bye\r\n')],
    ];
    const said: string[] = [];
    const conversation = new Conversation(
      { transport: 'tcp', clientPort: 40000, serverPort: 2525, midStream: false },
      decoders,
      {
        message: ({ decoder: { name }, message }) => said.push(`${name} ${String(message.fields().text)}`),
        trouble: ({ why }) => said.push(why),
      },
    );
    talk.forEach(({ side, bytes }, at) => {
      conversation.feed(side, bytes, 0, bytes.length, at);
    });
    conversation.end('client', 9);
    conversation.end('server', 9);
    expect(said.toSorted()).toEqual(
      [
        ...['220 mail.example ESMTP', 'EHLO me', '250-SIZE 9', '250 8BITMIME', 'MAIL FROM:<a@b>', '250 ok'],
        ...['QUIT', '221 bye'],
      ]
        .map((line) => `lines ${line}`)
        .toSorted(),
    );
  });

  test('of a long line 16 KiB are kept, and the next line is whole', () => {
    const turns = [client(`${'ö'.repeat(50_000)}\r\nnext\n`)];
    const { said } = hear(decoder, turns);
    expect(said.map(({ bytes }) => bytes)).toEqual([100_002, 5]);
    expect(said[0]!.fields.text).toBe(`${'ö'.repeat(8192)}…`);
    expect(said[1]!.fields.text).toBe('next');
    anySplitGivesTheSame(decoder, turns, {}, 3);
  });

  test('what has no line feed for 128 KiB is bytes, not lines', () => {
    const turns = [client(`one\n${'x'.repeat(200_000)}\ntwo\n`), server('ok\n')];
    const { said } = hear(decoder, turns, { others: [hex] });
    expect(said.map(({ protocol, bytes }) => [protocol, bytes])).toEqual([
      ['lines', 4],
      ['lines', 131_072],
      ['hex', 64],
      ['hex', 200_005 - 131_072 - 64],
      ['hex', 3],
    ]);
    anySplitGivesTheSame(decoder, turns, { others: [hex] }, 3);
  });

  test('bytes that are not text end it, after the lines before them', () => {
    const turns = [client('one\ntwo\nth', [0, 1]), client('more\n')];
    const { said, troubles } = hear(decoder, turns);
    expect(said.map(({ name }) => name)).toEqual(['ONE', 'TWO']);
    expect(troubles).toEqual(['client: not text']);
    anySplitGivesTheSame(decoder, turns);
  });

  test('a datagram ends its last line', () => {
    const { said } = hear(decoder, [client('a.b:1|c'), client('a.c:2|g\nx')], { transport: 'udp' });
    expect(said.map(({ fields }) => fields.text)).toEqual(['a.b:1|c', 'a.c:2|g', 'x']);
  });

  test('names are of letters, and short', () => {
    const { said } = hear(decoder, [client(`abcdefghijklmnopqrst\nr2d2\nQUIT\nétude\n`)]);
    expect(said.map(({ name }) => name)).toEqual(['ABCDEFGHIJKLMNOP', 'line', 'QUIT', 'line']);
  });

  test('the summary is one line without control characters', () => {
    const { said } = hear(decoder, [client('a\tb\x1b[31m\rc\n')]);
    expect(said[0]!.summary).toBe('a\\tb\\x1b[31m\\rc');
  });

  test('only text is recognised, and never surely', () => {
    const hint = {
      transport: 'tcp',
      clientPort: 1,
      serverPort: 2,
      side: 'client',
      midStream: false,
    } as const;
    const sure = (bytes: Uint8Array) => decoder.recognises(hint, bytes, 0, bytes.length);
    expect(sure(encoder.encode('hello'))).toBe(0.15);
    expect(sure(encoder.encode('größe').subarray(0, 3))).toBe(0.15);
    expect(sure(Uint8Array.of(0x16, 3, 1))).toBe(0);
    expect(sure(Uint8Array.of(0xc3, 0x28))).toBe(0);
    expect(sure(new Uint8Array(0))).toBe(0);
  });
});

describe('bytes as text', () => {
  const both = (bytes: number[], limit?: number) => shown(Uint8Array.from(bytes), 0, bytes.length, limit);

  test('UTF-8 is text, everything else is escaped', () => {
    expect(shown(encoder.encode('größe 😀'), 0, 12)).toBe('größe 😀');
    expect(both([97, 0xff, 0])).toBe('a\\xff\\x00');
    expect(escapedBytes(Uint8Array.of(92, 10), 0, 2)).toBe('\\\\\\x0a');
  });

  test('a cut never halves a character', () => {
    for (let limit = 1; limit < 6; limit++) {
      expect(shown(encoder.encode('aöß😀'), 0, 9, limit)).toMatch(/^aö?ß?…$/u);
    }
  });

  test('one line is at most as long as asked', () => {
    expect(oneLine('x'.repeat(300))).toHaveLength(200);
    expect(oneLine('\u2028\u200e')).toBe('\\u{2028}\\u{200e}');
  });
});
