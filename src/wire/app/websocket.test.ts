import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { constants, createDeflateRaw, type DeflateRaw } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import {
  anySplitGivesTheSame,
  client,
  hear,
  type Said,
  type Setting,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { decoder as http1 } from './http1.ts';
import { decoder } from './websocket.ts';
import { newLane, PAYLOAD_KEPT, take } from './websocket-frame.ts';

const utf8 = new TextEncoder();

interface Frame {
  final?: boolean;
  reserved?: number;
  opcode: number;
  payload?: string | Uint8Array;
  /** Write the length in this many bytes, whatever it is. */
  lengthBytes?: 2 | 8;
  masked?: boolean;
}

function frame({
  final = true,
  reserved = 0,
  opcode,
  payload = '',
  lengthBytes,
  masked = false,
}: Frame): Uint8Array {
  const body = typeof payload === 'string' ? utf8.encode(payload) : payload;
  const wide = lengthBytes ?? (body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8);
  const head = new Uint8Array(2 + wide + (masked ? 4 : 0));
  const view = new DataView(head.buffer);
  head[0] = (final ? 128 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 128 : 0) | (wide === 0 ? body.length : wide === 2 ? 126 : 127);
  if (wide === 2) {
    view.setUint16(2, body.length);
  } else if (wide === 8) {
    view.setBigUint64(2, BigInt(body.length));
  }
  const mask = [0x37, 0xfa, 0x21, 0x3d];
  if (masked) {
    head.set(mask, 2 + wide);
  }
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(masked ? body.map((byte, i) => byte ^ mask[i & 3]!) : body, head.length);
  return whole;
}

const sent = (...frames: Frame[]) => client(...frames.map((one) => frame({ masked: true, ...one })));
const got = (...frames: Frame[]) => server(...frames.map((one) => frame(one)));

function heard(turns: Turn[], setting: Setting = {}): Said[] {
  const { said, troubles } = hear(decoder, turns, setting);
  expect(troubles).toEqual([]);
  anySplitGivesTheSame(decoder, turns, setting, 5);
  spoken(said);
  return said;
}

/** What a filter may ask for is all there is. */
function spoken(all: Said[]): void {
  const known = decoder.speaks.websocket!;
  for (const name of all.flatMap((one) => Object.keys(one.fields))) {
    expect(
      known.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one)),
      name,
    ).toBe(true);
  }
}

function last(...turns: Turn[]): Said {
  return heard(turns).at(-1)!;
}

describe('messages', () => {
  it('are read masked and plain (RFC 6455 5.7)', () => {
    const hello = client([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    const all = heard([hello, server([0x81, 0x05], 'Hello')]);
    expect(all.map((one) => [one.side, one.kind, one.name, one.bytes, one.fields])).toEqual([
      ['client', 'notice', 'text', 11, { opcode: 'text', length: 5, text: 'Hello' }],
      ['server', 'notice', 'text', 7, { opcode: 'text', length: 5, text: 'Hello' }],
    ]);
    expect(all[0]!.summary).toBe('text Hello');
  });

  it('are put together from fragments, with control frames in between', () => {
    const all = heard([
      got(
        { final: false, opcode: 1, payload: 'Hel' },
        { opcode: 9, payload: 'now' },
        { final: false, opcode: 0 },
        { opcode: 0, payload: 'lo' },
      ),
    ]);
    expect(all.map((one) => [one.name, one.bytes, one.fields.text])).toEqual([
      ['ping', 5, 'now'],
      ['text', 11, 'Hello'],
    ]);
    expect(all[1]!.fields.frames).toBe(3);
  });

  it('of every width of length', () => {
    for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
      const [one, next] = hear(decoder, [
        sent({ opcode: 2, payload: new Uint8Array(length) }, { opcode: 1, payload: 'n' }),
      ]).said;
      expect(one).toMatchObject({ name: 'binary', fields: { length } });
      expect(next!.fields.text).toBe('n');
    }
    expect(last(got({ opcode: 2, payload: new Uint8Array(512) })).summary).toBe('binary 512 B');
  });

  it('longer than what is shown are passed by', () => {
    const turns = [sent({ opcode: 1, payload: 'äb'.repeat(100_000) }, { opcode: 1, payload: 'next' })];
    const whole = hear(decoder, turns);
    expect(whole.said.map((one) => one.fields.length)).toEqual([300_000, 4]);
    expect(whole.said[0]!.fields.text).toBe('äb'.repeat(5461));
    const cut = (turn: Turn) =>
      Array.from({ length: Math.ceil(turn.bytes.length / 999) }, (_, i) =>
        turn.bytes.subarray(i * 999, (i + 1) * 999),
      );
    expect(hear(decoder, turns, {}, cut)).toEqual(whole);
  });

  it('that are cut short are told as far as they came', () => {
    const one = last(server(frame({ opcode: 1, payload: 'Hello' }).subarray(0, 5)));
    expect(one.fields).toEqual({
      opcode: 'text',
      text: 'Hel',
      warning: 'the connection ended inside the message',
    });
  });

  it('say so when text is not UTF-8', () => {
    expect(last(got({ opcode: 1, payload: Uint8Array.of(0x61, 0xff) })).fields).toMatchObject({
      text: 'a\ufffd',
      warning: 'the text is not UTF-8',
    });
  });

  it('note what a peer would close the connection for, and go on', () => {
    expect(last(client(frame({ opcode: 1, payload: 'x' }))).fields.warning).toBe(
      'a client must mask its frames',
    );
    expect(last(server(frame({ opcode: 1, masked: true }))).fields.warning).toBe(
      'a server must not mask its frames',
    );
    for (const lengthBytes of [2, 8] as const) {
      expect(last(got({ opcode: 1, payload: 'x', lengthBytes })).fields.warning).toBe(
        'the length is not written in the shortest way',
      );
    }
  });

  it('in JSON keep passwords to themselves', () => {
    const one = last(sent({ opcode: 1, payload: '{"type":"auth","token":"hunter2"}' }));
    expect(one.fields).toMatchObject({
      text: '{"type":"auth","token":"******"}',
      'text.raw': '{"type":"auth","token":"hunter2"}',
    });
    expect(one.summary).not.toContain('hunter2');
  });
});

describe('control frames', () => {
  it('pair a pong with the ping whose payload it repeats', () => {
    const all = heard([
      sent({ opcode: 9, payload: 'a' }, { opcode: 9, payload: 'b' }),
      got({ opcode: 9, payload: 'b' }, { opcode: 10, payload: 'b' }, { opcode: 10, payload: 'a' }),
      sent({ opcode: 10, payload: 'b' }),
    ]);
    expect(all.map((one) => [one.side, one.kind, one.name, one.asked])).toEqual([
      ['client', 'request', 'ping', null],
      ['client', 'request', 'ping', null],
      ['server', 'request', 'ping', null],
      ['server', 'reply', 'pong', 'ping'],
      ['server', 'notice', 'pong', null],
      ['client', 'reply', 'pong', 'ping'],
    ]);
  });

  it.each([
    [[0x03, 0xe8], 'close 1000 normal', false],
    [[0x03, 0xe9, 0x62, 0x79, 0x65], 'close 1001 going away bye', false],
    [[], 'close 1005 no status', false],
    [[0x03, 0xf3], 'close 1011 internal error', true],
    [[0x0b, 0xb8], 'close 3000 registered', false],
    [[0x0f, 0xa0], 'close 4000 private', false],
    [[0x03, 0xec], 'close 1004 reserved (a close code that must not be sent)', true],
    [[0x03, 0xee], 'close 1006 abnormal (a close code that must not be sent)', true],
    [[0x03], 'close 1005 no status (a close code that must not be sent)', false],
    [[0x03, 0xe8, 0xff], 'close 1000 normal \ufffd (the reason is not UTF-8)', false],
  ])('name the close code in %j', (payload, summary, failed) => {
    expect(last(got({ opcode: 8, payload: Uint8Array.from(payload) }))).toMatchObject({
      name: 'close',
      summary,
      failed,
    });
  });
});

describe('what is no WebSocket', () => {
  it.each<[string, Frame[], string]>([
    ['a reserved opcode', [{ opcode: 3 }], 'the reserved opcode 3'],
    ['a reserved control opcode', [{ opcode: 11 }], 'the reserved opcode 11'],
    ['RSV2', [{ opcode: 1, reserved: 2 }], 'reserved bits are set'],
    ['RSV1 on a control frame', [{ opcode: 9, reserved: 4 }], 'reserved bits are set'],
    [
      'a control frame in fragments',
      [{ opcode: 9, final: false }],
      'a control frame that is long or in fragments',
    ],
    [
      'a long ping',
      [{ opcode: 9, payload: 'x'.repeat(126) }],
      'a control frame that is long or in fragments',
    ],
    ['a continuation of nothing', [{ opcode: 0 }], 'a continuation of nothing'],
    [
      'a message inside a message',
      [{ opcode: 1, final: false }, { opcode: 2 }],
      'a new message before the one under way is over',
    ],
    ['a frame after close', [{ opcode: 8 }, { opcode: 1 }], 'a frame after the close frame'],
  ])('%s', (_, frames, why) => {
    expect(hear(decoder, [got(...frames)]).troubles).toEqual([`server: ${why}`]);
    anySplitGivesTheSame(decoder, [got(...frames)], {}, 5);
  });

  it('a length of 2^63', () => {
    expect(hear(decoder, [server([0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0])]).troubles).toEqual([
      'server: a length that is no number of bytes',
    ]);
  });

  it('is claimed only midway, and then not with certainty', () => {
    const score = (midStream: boolean, side: 'client' | 'server', bytes: Uint8Array) =>
      decoder.recognises(
        { transport: 'tcp', clientPort: 1, serverPort: 2, side, midStream },
        bytes,
        0,
        bytes.length,
      );
    const text = frame({ opcode: 1, payload: 'x' });
    expect(score(false, 'server', text)).toBe(0);
    expect(score(true, 'server', text)).toBe(0.3);
    expect(score(true, 'client', text)).toBe(0);
    expect(score(true, 'server', utf8.encode('HTTP/1.1 200 OK'))).toBe(0);
  });

  it('midway a continuation may come first', () => {
    const [one] = heard([got({ opcode: 0, payload: 'rest' })], { midStream: true });
    expect(one).toMatchObject({ name: 'continuation', fields: { length: 4 } });
  });
});

describe('permessage-deflate', () => {
  /** One after the other, as a peer compresses them: with its context, or from nothing each time. */
  async function packed(texts: string[], takeover: boolean): Promise<Uint8Array[]> {
    const packages: Uint8Array[] = [];
    let deflate = createDeflateRaw();
    for (const text of texts) {
      packages.push(await pack(deflate, text));
      deflate = takeover ? deflate : createDeflateRaw();
    }
    return packages;
  }

  async function pack(deflate: DeflateRaw, text: string): Promise<Uint8Array> {
    const pieces: Buffer[] = [];
    const take = (piece: Buffer) => pieces.push(piece);
    deflate.on('data', take);
    deflate.write(text);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    deflate.off('data', take);
    const whole = Buffer.concat(pieces);
    expect(whole.subarray(-4)).toEqual(Buffer.from([0, 0, 255, 255]));
    return Uint8Array.from(whole.subarray(0, -4));
  }

  const upgraded = (parameters: string) => [
    client('GET /ws?token=abc HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'),
    server(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v2\r\nSec-WebSocket-Extensions: permessage-deflate${parameters}\r\n\r\n`,
    ),
  ];
  const setting = { others: [decoder] };
  const text = 'a sentence that is long enough to be worth a reference to it';

  function through(turns: Turn[]): Said[] {
    const { said, troubles } = hear(http1, turns, setting);
    expect(troubles).toEqual([]);
    anySplitGivesTheSame(http1, turns, setting, 5);
    spoken(said.slice(2));
    return said.slice(2);
  }

  it.each([
    ['', true],
    ['; server_no_context_takeover', false],
  ])('is undone with the context that was agreed on: %j', async (parameters, takeover) => {
    const messages = await packed([text, `${text} and again`, ''], takeover);
    const all = through([
      ...upgraded(parameters),
      ...messages.map((payload) => got({ opcode: 1, reserved: 4, payload })),
      got({ opcode: 1, payload: 'plain' }),
    ]);
    expect(all.map((one) => one.fields.text)).toEqual([text, `${text} and again`, '', 'plain']);
    expect(all[1]!.fields).toMatchObject({
      path: '/ws?token=******',
      protocol: 'v2',
      length: text.length + 10,
      'length.compressed': messages[1]!.length,
    });
    expect(messages[1]!.length < 25).toBe(takeover);
  });

  it('is undone for the client, in fragments, with a window that has moved on', async () => {
    const texts = [text, 'x'.repeat(40_000) + text, text];
    const messages = await packed(texts, true);
    const all = through([
      ...upgraded('; client_max_window_bits=15'),
      ...messages.map((payload) =>
        sent(
          { opcode: 1, reserved: 4, final: false, payload: payload.subarray(0, 3) },
          { opcode: 9 },
          { opcode: 0, payload: payload.subarray(3) },
        ),
      ),
    ]).filter((one) => one.name === 'text');
    expect(all.map((one) => one.fields.length)).toEqual(texts.map((one) => one.length));
    expect(all[2]!.fields.text).toBe(text);
  });

  it('says why a message cannot be undone, and goes on', async () => {
    const [first, second] = await packed([text, text], true);
    const all = through([
      ...upgraded(''),
      got({ opcode: 1, reserved: 4, payload: second! }, { opcode: 1, reserved: 4, payload: first! }),
      got(
        { opcode: 1, reserved: 4, payload: second! },
        { opcode: 1, reserved: 4, payload: Uint8Array.of(0xff) },
      ),
    ]);
    expect(all.map((one) => one.fields.text ?? one.fields.warning)).toEqual([
      'the message cannot be shown: an earlier message that it refers to is missing',
      text,
      text,
      'the message cannot be shown: invalid block type',
    ]);
  });

  it('does not undo a bomb', async () => {
    const [bomb] = await packed(['\0'.repeat(20_000_000)], true);
    const [one] = through([...upgraded(''), got({ opcode: 2, reserved: 4, payload: bomb! })]);
    expect(one!.fields.warning).toBe('the message cannot be shown: more than 4194304 bytes');
  });

  it('is not expected where nobody agreed on it', () => {
    const turns = [
      client('GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n'),
      server(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
        frame({ opcode: 1, reserved: 4 }),
      ),
    ];
    expect(hear(http1, turns, setting).troubles).toEqual(['server: reserved bits are set']);
  });
});

it('follows a real handshake, to the close', async () => {
  const origin = createServer();
  origin.on('upgrade', (asked, socket: Socket) => {
    const key = `${asked.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`,
    );
    socket.once('data', () => {
      socket.write(frame({ opcode: 1, payload: 'hello back' }));
      socket.end(frame({ opcode: 8, payload: Uint8Array.of(3, 232) }));
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const [turns] = await recorded((origin.address() as AddressInfo).port, async (port) => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const asking = request({ host: '127.0.0.1', port, path: '/chat', headers }).end();
    const [, socket] = (await once(asking, 'upgrade')) as [unknown, Socket];
    socket.write(frame({ opcode: 1, payload: 'hello', masked: true }));
    socket.on('end', () => socket.end(frame({ opcode: 8, payload: Uint8Array.of(3, 232), masked: true })));
    socket.resume();
    await once(socket, 'close');
  });
  await new Promise((resolve) => origin.close(resolve));
  const { said, troubles } = hear(http1, turns!, { others: [decoder] });
  expect(troubles).toEqual([]);
  expect(said.map((one) => [one.side, one.summary])).toEqual([
    ['client', 'GET /chat'],
    ['server', '101 Switching Protocols'],
    ['client', 'text hello'],
    ['server', 'text hello back'],
    ['server', 'close 1000 normal'],
    ['client', 'close 1000 normal'],
  ]);
  anySplitGivesTheSame(http1, turns!, { others: [decoder] });
});

it('a message of many small frames is not copied for each of them', () => {
  const lane = newLane(false);
  const copies = new Set<Uint8Array>();
  for (let i = 0; i < PAYLOAD_KEPT; i++) {
    lane.remaining = 1;
    take(lane, Uint8Array.of(i), 0, 1);
    copies.add(lane.into.kept);
  }
  expect(lane.into.kept.length).toBe(PAYLOAD_KEPT);
  expect(copies.size).toBeLessThan(20);
});

it('survives anything', () => {
  survivesAnything(decoder, [
    sent(
      { opcode: 1, payload: 'text' },
      { opcode: 9, payload: 'p' },
      { opcode: 2, lengthBytes: 8, payload: 'abc' },
    ),
    got(
      { opcode: 1, reserved: 4, final: false, payload: Uint8Array.of(0xca, 0x48) },
      { opcode: 10, payload: 'p' },
    ),
    got({ opcode: 0, payload: Uint8Array.of(0xcd, 0xc9, 0xc9, 0x07, 0) }, { opcode: 8, payload: 'by' }),
  ]);
});
