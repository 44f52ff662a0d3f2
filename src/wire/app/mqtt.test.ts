import { describe, expect, test } from 'vitest';
import {
  anySplitGivesTheSame,
  client,
  hear,
  server,
  survivesAnything,
  type Turn,
} from './decoder.contract.ts';
import { decoder } from './mqtt.ts';

const encoder = new TextEncoder();

/** A string with its length before it. */
function text(value: string): number[] {
  const bytes = encoder.encode(value);
  return [bytes.length >> 8, bytes.length & 255, ...bytes];
}

/** A packet: the first byte, and the body, whose length goes between them. */
function packet(first: number, ...body: (number | number[])[]): Uint8Array {
  const bytes = body.flat();
  const length: number[] = [];
  let rest = bytes.length;
  do {
    length.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  const whole = new Uint8Array(1 + length.length + bytes.length);
  whole.set([first, ...length]);
  whole.set(bytes, 1 + length.length);
  return whole;
}

const connect4 = client(packet(0x10, text('MQTT'), 4, 0xc2, [0, 60], text('me'), text('ann'), text('pw')));
const connack4 = server(packet(0x20, 0, 0));
const connect5 = client(packet(0x10, text('MQTT'), 5, 2, [0, 60], [5, 17, 0, 0, 1, 0], text('')));
const connack5 = server(packet(0x20, 0, 0, [6, 18, 0, 3, 97, 98, 99]));

const session4: Turn[] = [
  connect4,
  connack4,
  client(packet(0x82, [0, 1], text('a/#'), 1, text('b'), 0)),
  server(packet(0x90, [0, 1], 1, 0x80)),
  client(packet(0x30, text('t'), [...encoder.encode('hi ö')])),
  client(packet(0x32, text('t'), [0, 2], 49)),
  server(packet(0x40, [0, 2])),
  client(packet(0x3d, text('t'), [0, 3], 50)),
  server(packet(0x50, [0, 3])),
  client(packet(0x62, [0, 3])),
  server(packet(0x70, [0, 3])),
  server(packet(0x32, text('a/b'), [0, 2], 51)),
  client(packet(0x40, [0, 2])),
  client(packet(0xa2, [0, 4], text('a/#'))),
  server(packet(0xb0, [0, 4])),
  client(packet(0xc0)),
  server(packet(0xd0)),
  client(packet(0xe0)),
];

const session5: Turn[] = [
  connect5,
  connack5,
  client(packet(0x82, [0, 1], [2, 11, 7], text('a'), 0x2d)),
  server(packet(0x90, [0, 1], [0], 1)),
  client(packet(0x32, text('long/topic'), [0, 2], [3, 35, 0, 9], 49)),
  server(packet(0x40, [0, 2], 0x87, [6, 31, 0, 3, 110, 111, 33])),
  client(packet(0x30, text(''), [3, 35, 0, 9], 50)),
  client(packet(0x34, text('q'), [0, 3], [0], 51)),
  server(packet(0x50, [0, 3], 0x97)),
  client(packet(0x30, text('u'), [9, 38, ...text('k'), ...text('v'), 1, 1])),
  client(packet(0xf0, 0x18, [7, 21, ...text('X'), 22, ...text('')])),
  server(packet(0xe0, 0x8e, [0])),
];

describe('a session', () => {
  test('of version 3.1.1, each flow paired', () => {
    const { said, troubles } = hear(decoder, session4);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.kind, one.name, one.asked, one.failed, one.summary])).toEqual([
      ['request', 'CONNECT', null, false, 'CONNECT me as ann, MQTT 3.1.1'],
      ['reply', 'CONNACK', 'CONNECT', false, 'CONNACK accepted'],
      ['request', 'SUBSCRIBE', null, false, 'SUBSCRIBE a/# qos 1; b qos 0'],
      ['reply', 'SUBACK', 'SUBSCRIBE', true, 'SUBACK #1 granted QoS 1; failure'],
      ['notice', 'PUBLISH', null, false, 'PUBLISH t "hi ö"'],
      ['request', 'PUBLISH', null, false, 'PUBLISH t qos 1 "1"'],
      ['reply', 'PUBACK', 'PUBLISH', false, 'PUBACK #2'],
      ['request', 'PUBLISH', null, false, 'PUBLISH t qos 2 retain dup "2"'],
      ['reply', 'PUBREC', 'PUBLISH', false, 'PUBREC #3'],
      ['notice', 'PUBREL', null, false, 'PUBREL #3'],
      ['reply', 'PUBCOMP', 'PUBLISH', false, 'PUBCOMP #3'],
      ['request', 'PUBLISH', null, false, 'PUBLISH a/b qos 1 "3"'],
      ['reply', 'PUBACK', 'PUBLISH', false, 'PUBACK #2'],
      ['request', 'UNSUBSCRIBE', null, false, 'UNSUBSCRIBE a/#'],
      ['reply', 'UNSUBACK', 'UNSUBSCRIBE', false, 'UNSUBACK #4'],
      ['request', 'PINGREQ', null, false, 'PINGREQ'],
      ['reply', 'PINGRESP', 'PINGREQ', false, 'PINGRESP'],
      ['notice', 'DISCONNECT', null, false, 'DISCONNECT'],
    ]);
    expect(said.map(({ bytes }) => bytes)).toEqual(session4.map(({ bytes }) => bytes.length));
    expect(said[0]!.fields).toEqual({
      packet: 'CONNECT',
      version: '3.1.1',
      clean: true,
      keep_alive: 60,
      client_id: 'me',
      user: 'ann',
      password: 'pw',
    });
    expect(said[7]!.fields).toEqual({
      packet: 'PUBLISH',
      topic: 't',
      qos: 2,
      id: 3,
      retain: true,
      dup: true,
      size: 1,
      payload: '2',
    });
    anySplitGivesTheSame(decoder, session4);
    survivesAnything(decoder, session4);
  });

  test('of version 5, with properties, reasons and a topic alias', () => {
    const { said, troubles } = hear(decoder, session5);
    expect(troubles).toEqual([]);
    expect(said.map((one) => [one.name, one.asked, one.failed, one.summary])).toEqual([
      ['CONNECT', null, false, 'CONNECT (no id), MQTT 5'],
      ['CONNACK', 'CONNECT', false, 'CONNACK'],
      ['SUBSCRIBE', null, false, 'SUBSCRIBE a qos 1, no local, retain as published, nothing retained'],
      ['SUBACK', 'SUBSCRIBE', false, 'SUBACK #1 granted QoS 1'],
      ['PUBLISH', null, false, 'PUBLISH long/topic qos 1 "1"'],
      ['PUBACK', 'PUBLISH', true, 'PUBACK #2 not authorized: no!'],
      ['PUBLISH', null, false, 'PUBLISH long/topic "2"'],
      ['PUBLISH', null, false, 'PUBLISH q qos 2 "3"'],
      ['PUBREC', 'PUBLISH', true, 'PUBREC #3 quota exceeded'],
      ['PUBLISH', null, false, 'PUBLISH u ""'],
      ['AUTH', null, false, 'AUTH continue authentication'],
      ['DISCONNECT', null, true, 'DISCONNECT session taken over'],
    ]);
    expect(said[0]!.fields['property.session_expiry']).toBe(256);
    expect(said[1]!.fields['property.assigned_client_identifier']).toBe('abc');
    expect(said[2]!.fields['property.subscription_identifier']).toBe(7);
    expect(said[9]!.fields).toMatchObject({ 'property.user': ['k=v'], 'property.payload_format': 1 });
    anySplitGivesTheSame(decoder, session5);
    survivesAnything(decoder, session5);
  });
});

test('a will is shown, a password only as a field of its own', () => {
  const turn = client(
    packet(
      0x10,
      text('MQTT'),
      5,
      0xf4,
      [0, 9],
      [0],
      text('id'),
      [5, 24, 0, 0, 0, 9],
      text('w/t'),
      text('gone'),
      text('ann'),
      text('geheim'),
    ),
  );
  const { said, troubles } = hear(decoder, [turn]);
  expect(troubles).toEqual([]);
  expect(said[0]!.fields).toMatchObject({
    'will.topic': 'w/t',
    'will.payload': 'gone',
    'will.qos': 2,
    'will.retain': true,
    'will.property.will_delay': 9,
    user: 'ann',
    password: 'geheim',
  });
  expect(decoder.secrets).toContain('password');
  expect(said[0]!.summary).not.toContain('geheim');
});

test.each([
  [0, false, 'accepted'],
  [4, true, 'bad user name or password'],
  [5, true, 'not authorized'],
])('CONNACK with code %d', (code, failed, reason) => {
  const { said } = hear(decoder, [connect4, server(packet(0x20, 0, code))]);
  expect(said[1]).toMatchObject({ failed, fields: { reason } });
});

test('of a large payload 16 KiB are shown, whatever the pieces', () => {
  const large = Array.from({ length: 200_000 }, () => 120);
  const middle = Array.from({ length: 40_000 }, () => 121);
  const turns = [
    connect4,
    client(packet(0x32, text('big'), [0, 1], large), packet(0x30, text('x'), middle)),
    server(packet(0x40, [0, 1])),
  ];
  const { said, troubles } = hear(decoder, turns);
  expect(troubles).toEqual([]);
  expect(said.map(({ name, bytes }) => [name, bytes])).toEqual([
    ['CONNECT', connect4.bytes.length],
    ['PUBLISH', 200_000 + 7 + 4],
    ['PUBLISH', 40_000 + 3 + 4],
    ['PUBACK', 4],
  ]);
  expect(said[1]!.fields).toMatchObject({ size: 200_000, payload: `${'x'.repeat(16_384)}…` });
  expect(said[2]!.fields).toMatchObject({ size: 40_000, payload: `${'y'.repeat(16_384)}…` });
  expect(said[3]!.asked).toBe('PUBLISH');
  anySplitGivesTheSame(decoder, turns, {}, 6);
});

test('MQTT 5 refused in the old form of CONNACK', () => {
  const { said } = hear(decoder, [connect5, server(packet(0x20, 0, 1))]);
  expect(said[1]).toMatchObject({
    asked: 'CONNECT',
    failed: true,
    fields: { reason: 'unacceptable protocol version' },
  });
  const accepted = hear(decoder, [connect5, server(packet(0x20, 0, 1, 0))]).said[1]!;
  expect(accepted.fields.reason).toBe('reason 1');
});

describe('the version without CONNECT', () => {
  const midStream = { midStream: true };
  const payload = [...encoder.encode('21.5')];
  const v5publish = server(packet(0x32, text('a/b'), [0, 7], [5, 2, 0, 0, 0, 9], payload));

  test('a PUBLISH with properties is of MQTT 5, and so is what follows', () => {
    const turns = [
      v5publish,
      client(packet(0x40, 0, 7)),
      server(packet(0x30, text('c'), [0], payload)),
      client(packet(0xe0)),
    ];
    const { said, troubles } = hear(decoder, turns, midStream);
    expect(troubles).toEqual([]);
    expect(said.map(({ summary, asked }) => [summary, asked])).toEqual([
      ['PUBLISH a/b qos 1 "21.5"', null],
      ['PUBACK #7', 'PUBLISH'],
      ['PUBLISH c "21.5"', null],
      ['DISCONNECT normal', null],
    ]);
    expect(said[0]!.fields).toMatchObject({ size: 4, 'property.message_expiry': 9 });
    anySplitGivesTheSame(decoder, turns, midStream);
    survivesAnything(decoder, turns, midStream);
  });

  test.each([
    ['text', payload],
    ['JSON', [...encoder.encode('{"temperature":21.5}')]],
    ['nothing', []],
    ['what cannot be properties of PUBLISH', [5, 17, 0, 0, 0, 9]],
  ])('a PUBLISH of %s is older', (_, bytes) => {
    const turns = [server(packet(0x30, text('a'), bytes)), server(packet(0x30, text('a'), [0, 1, 2]))];
    const { said } = hear(decoder, turns, midStream);
    expect(said.map(({ fields }) => fields.size)).toEqual([bytes.length, 3]);
    expect(Object.keys(said[0]!.fields).filter((name) => name.startsWith('property.'))).toEqual([]);
  });

  test('one zero settles nothing: without properties it is, until others tell', () => {
    const zero = server(packet(0x30, text('a'), [0, 49]));
    const older = hear(decoder, [zero, server(packet(0x30, text('a'), payload)), zero], midStream);
    expect(older.said.map(({ fields }) => fields.size)).toEqual([1, 4, 2]);
  });

  test.each([
    [5, packet(0x82, [0, 1], [0], text('a/#'), 1), packet(0x90, [0, 1], [0], 1)],
    [5, packet(0x82, [0, 1], [2, 11, 7], text('a/#'), 1), packet(0x90, [0, 1], [0], 1)],
    [5, packet(0xa2, [0, 1], [0], text('a/#')), packet(0xb0, [0, 1], [0], 17)],
    [4, packet(0x82, [0, 1], text('a/#'), 1, text('b'), 0), packet(0x90, [0, 1], 1, 0)],
    [4, packet(0xa2, [0, 1], text('a/#')), packet(0xb0, [0, 1])],
  ])('by the filters it is %d', (version, asks, answer) => {
    const zero = server(packet(0x30, text('a'), [0, 49]));
    const { said, troubles } = hear(decoder, [client(asks), server(answer), zero], midStream);
    expect(troubles).toEqual([]);
    expect(String((said[0]!.fields.topics as string[])[0])).toMatch(/^a\/#/);
    expect(said[1]).toMatchObject({ asked: said[0]!.name, failed: false });
    expect(said[2]!.fields.size).toBe(version === 5 ? 1 : 2);
  });

  test.each([
    ['an answer with a reason', packet(0x40, [0, 1], 16)],
    ['AUTH', packet(0xf0, 0)],
    ['DISCONNECT from the server', packet(0xe0)],
    ['a code of SUBACK', packet(0x90, [0, 1], [0], 0x87)],
  ])('%s is only in MQTT 5, whatever seemed', (_, bytes) => {
    const turns = [
      server(packet(0x30, text('a'), payload)),
      server(bytes),
      server(packet(0x30, text('a'), [0, 49])),
    ];
    const { said, troubles } = hear(decoder, turns, midStream);
    expect(troubles).toEqual([]);
    expect(said[2]!.fields.size).toBe(1);
  });
});

test('PUBREL of a session that goes on asks for PUBCOMP itself', () => {
  const turns = [
    connect4,
    connack4,
    client(packet(0x62, [0, 9])),
    server(packet(0x70, [0, 9])),
    server(packet(0x62, [0, 9])),
    client(packet(0x70, [0, 9])),
  ];
  expect(
    hear(decoder, turns)
      .said.slice(2)
      .map(({ kind, name, asked }) => [kind, name, asked]),
  ).toEqual([
    ['request', 'PUBREL', null],
    ['reply', 'PUBCOMP', 'PUBREL'],
    ['request', 'PUBREL', null],
    ['reply', 'PUBCOMP', 'PUBREL'],
  ]);
});

test('AUTH answers CONNECT for the time being, and re-authentication in the end', () => {
  const auth = (code: number) => packet(0xf0, code, [3, 21, 0, 0]);
  const turns = [
    connect5,
    server(auth(0x18)),
    client(auth(0x18)),
    connack5,
    client(auth(0x19)),
    server(auth(0x18)),
    client(auth(0x18)),
    server(auth(0)),
  ];
  const { said, troubles } = hear(decoder, turns);
  expect(troubles).toEqual([]);
  expect(said.map(({ kind, name, asked }) => [kind, name, asked])).toEqual([
    ['request', 'CONNECT', null],
    ['reply', 'AUTH', 'CONNECT'],
    ['notice', 'AUTH', null],
    ['reply', 'CONNACK', 'CONNECT'],
    ['request', 'AUTH', null],
    ['reply', 'AUTH', 'AUTH'],
    ['notice', 'AUTH', null],
    ['reply', 'AUTH', 'AUTH'],
  ]);
});

test('each PINGRESP answers a PINGREQ of its own', () => {
  const ping = client(packet(0xc0));
  const pong = server(packet(0xd0));
  const { said } = hear(decoder, [ping, ping, pong, pong, pong]);
  expect(said.map(({ asked }) => asked)).toEqual([null, null, 'PINGREQ', 'PINGREQ', null]);
});

test('tokens in a user name and in user properties are hidden', () => {
  const properties = [
    ...[38, ...text('Authorization'), ...text('Bearer s3cret')],
    ...[38, ...text('unit'), ...text('C')],
  ];
  const turns = [
    client(
      packet(
        0x10,
        text('MQTT'),
        [5, 0xc6, 0, 60, 0],
        text('c'),
        [properties.length, ...properties],
        [...text('w'), ...text(''), ...text('ann?token=s3cret&x=1'), ...text('s3cret')],
      ),
    ),
    client(packet(0x30, text('t'), [properties.length, ...properties], 120)),
  ];
  const { said, troubles } = hear(decoder, turns);
  expect(troubles).toEqual([]);
  expect(said[0]!.summary).toBe('CONNECT c as ann?token=******&x=1, MQTT 5');
  expect(said[0]!.fields).toMatchObject({ user: 'ann?token=******&x=1', 'user.raw': 'ann?token=s3cret&x=1' });
  expect(said[1]!.fields['property.user']).toEqual(['Authorization=******', 'unit=C']);
  expect(said[1]!.fields['property.user.raw']).toEqual(['Authorization=Bearer s3cret', 'unit=C']);
  for (const { fields } of said) {
    const shown = Object.entries(fields).filter(([name]) => !decoder.secrets.includes(name));
    expect(JSON.stringify(shown)).not.toContain('s3cret');
  }
});

test('of a large PUBLISH no more is waited for than what is kept', () => {
  const state = decoder.begin({
    transport: 'tcp',
    clientPort: 1,
    serverPort: 2,
    side: 'client',
    midStream: false,
  });
  const topic = text('t'.repeat(300));
  const whole = packet(0x32, topic, [0, 1], Array(1_000_000).fill(120));
  const wants: number[] = [];
  let at = 0;
  for (let to = 1; at < whole.length; ) {
    const step = decoder.client(whole, at, to, state);
    if (step.step === 'need') {
      wants.push(step.bytes);
      to = at + step.bytes;
    } else if (step.step === 'skip') {
      expect(at).toBe(4 + topic.length + 2 + 16_384);
      at += step.bytes;
      to = at;
    } else if (step.step === 'ok') {
      at += step.consumed;
    } else {
      expect.unreachable(step.step);
    }
  }
  expect(wants.at(-1)).toBe(4 + topic.length + 2 + 16_384);
});

describe('what cannot be', () => {
  test.each([
    ['type 0', 'client', [0, 0]],
    ['QoS 3', 'client', [0x36, 3, 0, 1, 97]],
    ['flags of SUBSCRIBE', 'client', [0x80, 6, 0, 1, 0, 1, 97, 0]],
    ['a length of five bytes', 'client', [0x30, 0x80, 0x80, 0x80, 0x80, 1]],
    ['CONNACK from a client', 'client', [0x20, 2, 0, 0]],
    ['CONNECT from a server', 'server', [0x10, 0]],
    ['another protocol', 'client', [...packet(0x10, text('HTTP/1.1'), 4, 2, 0, 0)]],
    ['a short PUBACK', 'server', [0x40, 1, 0]],
    ['a topic longer than its packet', 'client', [0x30, 4, 0, 9, 97, 98]],
    ['a filter longer than its packet', 'client', packet(0x82, [0, 1], [0, 90, 97], 0)],
    ['a filter without options', 'client', packet(0x82, [0, 1], text('a'))],
    ['an UNSUBSCRIBE of nothing', 'client', packet(0xa2, [0, 1], text(''))],
  ] as const)('%s is malformed', (_, side, bytes) => {
    const turn = { side, bytes: Uint8Array.from(bytes) };
    expect(hear(decoder, [turn]).troubles).toHaveLength(1);
  });
});

describe('recognised', () => {
  const sure = ({ side, bytes }: Turn, serverPort = 9, midStream = false) =>
    decoder.recognises(
      { transport: 'tcp', clientPort: 1, serverPort, side, midStream },
      bytes,
      0,
      bytes.length,
    );

  test('by CONNECT, in any version and however little of it there is', () => {
    expect(sure(connect4)).toBeGreaterThanOrEqual(0.8);
    expect(sure(connect5)).toBeGreaterThanOrEqual(0.8);
    expect(sure(client(packet(0x10, text('MQIsdp'), 3, 2, 0, 0, text('a'))))).toBeGreaterThanOrEqual(0.8);
    for (let length = 1; length < 8; length++) {
      const score = sure({ side: 'client', bytes: connect4.bytes.subarray(0, length) });
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThan(0.8);
    }
  });

  test('by CONNACK on its port', () => {
    expect(sure(connack4, 1883)).toBe(0.8);
    expect(sure(connack5, 1883)).toBe(0.8);
    expect(sure(server([0x20, 5, 9, 9]))).toBe(0);
  });

  test('again after a loss', () => {
    expect(sure(server(packet(0x30, text('a/b'), 1)), 1883, true)).toBe(0.8);
    expect(sure(server(packet(0x30, [9, 9, 9])), 1883, true)).toBe(0);
  });

  test.each([
    'GET / HTTP/1.1\r\n',
    '*1\r\n$4\r\nPING\r\n',
    '\x16\x03\x01\x00',
    ' \x00\x00\x00',
    'SSH-2.0-x\r\n',
  ])('not by %j', (line) => {
    expect(sure(client(line))).toBe(0);
    expect(sure(server(line))).toBe(0);
  });
});

test('every field is one the decoder speaks of', () => {
  for (const one of [...hear(decoder, session4).said, ...hear(decoder, session5).said]) {
    for (const name of Object.keys(one.fields)) {
      expect(decoder.speaks.mqtt).toContain(name);
    }
  }
});
