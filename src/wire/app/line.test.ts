import { describe, expect, it } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  hear,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { decoder } from './line.ts';

const talk: readonly Turn[] = [
  client('SET a the world\r\nKE'),
  client('YS\r\nsubscribe x\n'),
  server('OK\r\nEVENT x hi there\r\nLIST 2\r\n- a\r\n'),
  server('- b\r\nOK 1\r\n'),
  client('GET a\nFROB\n'),
  server('VALUE the world\r\nERR unknown FROB; what\r\n'),
];

describe('the line protocol', () => {
  it('pairs lines with answers, and keeps events out of the count', () => {
    const said = hear(decoder, talk).said.map(
      ({ kind, asked, summary }) => `${kind}${asked === null ? '' : ` to ${asked}`}: ${summary}`,
    );
    expect(said).toEqual([
      'request: SET a the world',
      'request: KEYS',
      'request: SUBSCRIBE x',
      'reply to SET: OK',
      'notice: EVENT x: hi there',
      'reply to KEYS: LIST 2: a b',
      'reply to SUBSCRIBE: OK 1',
      'request: GET a',
      'request: FROB',
      'reply to GET: VALUE the world',
      'reply to other: ERR unknown FROB; what',
    ]);
  });

  it('says the same however it is cut', () => {
    anySplitGivesTheSame(decoder, talk);
  });

  it('survives anything', () => {
    survivesAnything(decoder, talk);
  });

  const sure = (side: 'client' | 'server', serverPort: number, text: string): number => {
    const bytes = Buffer.from(text);
    const hint = { transport: 'tcp', clientPort: 1, serverPort, side, midStream: false } as const;
    return decoder.recognises(hint, bytes, 0, bytes.length);
  };

  it('knows itself at home by its words, and is modest elsewhere', () => {
    expect(sure('client', 7777, 'PING\r\n')).toBeGreaterThan(0.8);
    expect(sure('server', 7777, 'PONG\r\n')).toBeGreaterThan(0.8);
    expect(sure('client', 6379, 'PING\r\n')).toBeLessThan(0.3);
    expect(sure('server', 6379, 'OK\r\n')).toBe(0);
  });

  it.each(['GET / HTTP/1.1\r\n', 'EHLO x\r\n', '*1\r\n$4\r\nPING\r\n', '{"method":"x"}', ''])(
    'leaves %j to others who know it better',
    (text) => {
      expect(sure('client', 80, text)).toBeLessThan(0.3);
    },
  );
});
