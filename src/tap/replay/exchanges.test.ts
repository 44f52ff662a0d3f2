import { describe, expect, test } from 'vitest';
import { decoders } from '../../wire/app/decoders.ts';
import { Conversation } from '../../wire/conversation.ts';
import { type Exchange, exchangesOf, latencyOf, replyBytes } from './exchanges.ts';
import { createLog, type Log } from './log.ts';

type Step = readonly [from: 'client' | 'server', text: string];

/** Each step a millisecond after the one before. */
function logOf(decoder: string | null, steps: readonly Step[], ends: 'client' | 'server' | null = null): Log {
  const log = createLog(0, true);
  const talk = new Conversation(
    { transport: 'tcp', clientPort: 40_000, serverPort: 1, midStream: false },
    decoders,
    { message: (spoken) => log.message(spoken), trouble: () => log.trouble() },
    decoders.find(({ name }) => name === decoder),
  );
  let at = 0;
  for (const [side, text] of steps) {
    at += 1e6;
    const bytes = new Uint8Array(Buffer.from(text, 'latin1'));
    log.bytes(side, bytes, 0, bytes.length, at);
    if (decoder !== null) {
      talk.feed(side, bytes, 0, bytes.length, at);
    }
  }
  if (ends !== null) {
    log.ended({ at, by: ends, how: 'fin' });
  }
  return log.finish();
}

function texts(log: Log): [string, string][] {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  return exchangesOf(log).map((one: Exchange) => [
    text(log.client.subarray(one.from, one.to)),
    text(replyBytes(one, log.server)),
  ]);
}

describe('a reply belongs to', () => {
  test('its own request, in a pipeline cut anywhere', () => {
    const client = '*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nTIME\r\n';
    const server = '+PONG\r\n$3\r\none\r\n*2\r\n:1\r\n:2\r\n';
    const expected = [
      ['', ''],
      ['*1\r\n$4\r\nPING\r\n', '+PONG\r\n'],
      ['*2\r\n$3\r\nGET\r\n$1\r\na\r\n', '$3\r\none\r\n'],
      ['*1\r\n$4\r\nTIME\r\n', '*2\r\n:1\r\n:2\r\n'],
    ];
    for (let cut = 1; cut < server.length; cut++) {
      const steps: Step[] = [
        ['client', client.slice(0, cut)],
        ['client', client.slice(cut)],
        ['server', server.slice(0, cut)],
        ['server', server.slice(cut)],
      ];
      expect(texts(logOf('redis', steps))).toEqual(expected);
    }
  });

  test('what the client said last, when nobody asked for it', () => {
    const subscribe = '*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n';
    const subscribed = '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n';
    const push = '*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n';
    const log = logOf('redis', [
      ['client', subscribe],
      ['server', subscribed],
      ['server', push],
      ['server', push],
    ]);
    expect(texts(log)).toEqual([
      ['', ''],
      [subscribe, subscribed + push + push],
    ]);
    expect(exchangesOf(log)[1]!.parts.map(({ at }) => at)).toEqual([2e6, 3e6, 4e6]);
  });

  test('the password, where one was asked for after the first request', () => {
    const message = (type: string, body: string): string => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(4 + body.length);
      return type + length.toString('latin1') + body;
    };
    const startup = message('', '\x00\x03\x00\x00user\0bob\0\0');
    const wants = message('R', '\x00\x00\x00\x03');
    const password = message('p', 's3cret\0');
    const welcome = message('R', '\x00\x00\x00\x00') + message('Z', 'I');
    expect(
      texts(
        logOf('postgres', [
          ['client', startup],
          ['server', wants],
          ['client', password],
          ['server', welcome],
        ]),
      ),
    ).toEqual([
      ['', ''],
      [startup, wants],
      [password, welcome],
    ]);
  });
});

test('bytes that nobody understands are exchanged in turns, and a greeting has no request', () => {
  const log = logOf(
    null,
    [
      ['server', 'hello'],
      ['client', 'a'],
      ['client', 'b'],
      ['server', 'c'],
      ['server', 'd'],
      ['client', 'e'],
    ],
    'server',
  );
  expect(texts(log)).toEqual([
    ['', 'hello'],
    ['ab', 'cd'],
    ['e', ''],
  ]);
  const exchanges = exchangesOf(log);
  expect(exchanges.map(latencyOf)).toEqual([1e6, 2e6, null]);
  expect(exchanges.map(({ closes }) => closes)).toEqual([null, null, 'fin']);
});

test('a connection that ends inside a message keeps its last bytes', () => {
  const log = logOf('redis', [
    ['client', '*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nTI'],
    ['server', '+PONG\r\n$10\r\nhal'],
  ]);
  expect(texts(log)).toEqual([
    ['', ''],
    ['*1\r\n$4\r\nPING\r\n', '+PONG\r\n$10\r\nhal'],
    ['*1\r\n$4\r\nTI', ''],
  ]);
});
