import { createHash } from 'node:crypto';
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
import { decoder } from './tls.ts';

const encoder = new TextEncoder();

function int16(...values: number[]): number[] {
  return values.flatMap((value) => [(value >> 8) & 255, value & 255]);
}

function sized(size: 1 | 2 | 3, ...parts: number[][]): number[] {
  const body = parts.flat();
  return [
    ...(size === 3 ? [body.length >> 16] : []),
    ...(size > 1 ? [(body.length >> 8) & 255] : []),
    body.length & 255,
    ...body,
  ];
}

const text = (value: string) => [...encoder.encode(value)];
const record = (type: number, ...body: number[][]) => [type, 3, 3, ...sized(2, ...body)];
const handshake = (type: number, ...body: number[][]) => [type, ...sized(3, ...body)];
const extension = (type: number, ...body: number[][]) => [...int16(type), ...sized(2, ...body)];
const random = Array.from({ length: 32 }, (_, i) => i);

function clientHello(ciphers: number[], extensions: number[][], version = 0x0303): number[] {
  const rest = extensions.length === 0 ? [] : sized(2, ...extensions);
  return handshake(
    1,
    int16(version),
    random,
    sized(1, [9, 9]),
    sized(2, int16(...ciphers)),
    sized(1, [0]),
    rest,
  );
}

function serverHello(cipher: number, extensions: number[][], chosen = random): number[] {
  return handshake(2, int16(0x0303), chosen, sized(1, []), int16(cipher), [0], sized(2, ...extensions));
}

const retryRandom = [...createHash('sha256').update('HelloRetryRequest').digest()];

/** The published example: a browser's hello, with the meaningless values (GREASE) that do not count. */
const browser = clientHello(
  [
    0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
    0x009d, 0x002f, 0x0035,
  ],
  [
    extension(0x3a3a),
    extension(0x001b),
    extension(0x0000, sized(2, [0], sized(2, text('example.com')))),
    extension(0x0033, sized(2, int16(0x1a1a), sized(2, [0]), int16(29), sized(2, random))),
    extension(0x0010, sized(2, sized(1, text('h2')), sized(1, text('http/1.1')))),
    extension(0x4469),
    extension(0x0017),
    extension(0x002d),
    extension(0x000d, sized(2, int16(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601))),
    extension(0x0005),
    extension(0x0023),
    extension(0x0012),
    extension(0x002b, sized(1, int16(0x6a6a, 0x0304, 0x0303))),
    extension(0xff01, [0]),
    extension(0x000b),
    extension(0x000a, sized(2, int16(0x1a1a, 29, 23, 24))),
    extension(0x0015),
    extension(0xdada),
  ],
);

const listen = (...turns: Turn[]) => hear(decoder, turns);
const said = (...turns: Turn[]) => listen(...turns).said;
const ja4 = (hello: number[]) => said(client(record(22, hello)))[0]?.fields.ja4;

describe('JA4', () => {
  it('is the published fingerprint for the published lists', () => {
    expect(ja4(browser)).toBe('t13d1516h2_8daaf6152771_e5627efa2ab1');
  });

  it('without signature algorithms ends without them: the other published value', () => {
    const types = [0x1b, 0, 0x33, 0x10, 0x4469, 0x17, 0x2d, 0xd, 5, 0x23, 0x12, 0x2b, 0xff01, 0xb, 0xa, 0x15];
    expect(
      ja4(
        clientHello(
          [],
          types.map((type) => extension(type)),
        ),
      ),
    ).toBe('t12d001600_000000000000_6d807ffa2a79');
  });

  it.each([
    ['nothing at all', [], [], 0x0301, 't10i000000_000000000000_000000000000'],
    ['an unknown version', [], [], 0x0309, 't00i000000_000000000000_000000000000'],
    [
      'a hundred ciphers',
      Array.from({ length: 100 }, (_, i) => i),
      [],
      0x0303,
      /^t12i990000_[0-9a-f]{12}_000000000000$/,
    ],
  ])('%s', (_, ciphers, extensions, version, wanted) => {
    expect(ja4(clientHello(ciphers, extensions, version))).toEqual(
      typeof wanted === 'string' ? wanted : expect.stringMatching(wanted),
    );
  });

  it.each([
    [[0xab], 'ab'],
    [[0xab, 0xcd], 'ad'],
    [[0x30, 0xab], '3b'],
    [[0x30, 0x31, 0xab, 0xcd], '3d'],
    [[0x30, 0xab, 0xcd, 0x31], '01'],
    [text('x'), 'xx'],
    [text('http/1.1'), 'h1'],
    [[], '00'],
  ])('a first protocol of bytes %j shows as %s', (name, shown) => {
    const hello = clientHello([], [extension(16, sized(2, sized(1, name)))]);
    expect((ja4(hello) as string).slice(8, 10)).toBe(shown);
  });
});

describe('hellos', () => {
  it('a client says whom it wants, what it speaks and what it can', () => {
    const [hello] = said(client(record(22, browser)));
    expect(hello).toMatchObject({
      kind: 'request',
      name: 'ClientHello',
      bytes: browser.length + 5,
      summary: 'ClientHello example.com TLS 1.3 h2,http/1.1 t13d1516h2_8daaf6152771_e5627efa2ab1',
    });
    expect(hello?.fields).toMatchObject({
      version: 'TLS 1.3',
      'version.legacy': 'TLS 1.2',
      versions: ['TLS 1.3', 'TLS 1.2'],
      sni: 'example.com',
      alpn: ['h2', 'http/1.1'],
      groups: ['x25519', 'secp256r1', 'secp384r1'],
      key_shares: ['x25519'],
      session: '0909',
      session_ticket: true,
      extended_master_secret: true,
      grease: true,
    });
    expect((hello!.fields.ciphers as string[]).slice(0, 4)).toEqual([
      'TLS_AES_128_GCM_SHA256',
      'TLS_AES_256_GCM_SHA384',
      'TLS_CHACHA20_POLY1305_SHA256',
      'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    ]);
    expect((hello!.fields.signature_algorithms as string[])[0]).toBe('ecdsa_secp256r1_sha256');
    expect(hello?.fields.extensions).toContain('application_settings');
  });

  it('a hello in pieces over records, and several messages in one, are read', () => {
    const pieces = [browser.slice(0, 2), browser.slice(2, 3), browser.slice(3, 100), browser.slice(100)];
    const done = handshake(14);
    const heard = listen(
      client(...pieces.map((piece) => record(22, piece))),
      server(
        record(
          22,
          serverHello(0xc02f, [extension(16, sized(2, sized(1, text('h2'))))]),
          handshake(12, [3, 0, 29]),
          done,
        ),
      ),
    );
    expect(heard.troubles).toEqual([]);
    expect(heard.said.map((one) => [one.name, one.asked, one.bytes])).toEqual([
      ['ClientHello', null, browser.length + 20],
      ['ServerHello', 'ClientHello', expect.any(Number)],
      ['ServerKeyExchange', null, 7],
      ['ServerHelloDone', null, 4],
    ]);
    expect(heard.said[1]?.summary).toBe('ServerHello TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 h2');
    expect(heard.said[2]?.summary).toBe('ServerKeyExchange x25519');
  });

  const version13 = extension(43, int16(0x0304));

  it('a retry is told from a hello by its random, and each answers its own', () => {
    const turns = [
      client(record(22, browser)),
      server(
        record(22, serverHello(0x1301, [version13, extension(51, int16(24))], retryRandom)),
        record(20, [1]),
      ),
      client(record(20, [1]), record(22, browser)),
      server(
        record(22, serverHello(0x1301, [version13, extension(51, int16(24), sized(2, random))])),
        record(20, [1]),
        record(23, random),
      ),
      client(record(23, random), record(23, random)),
      server(record(23, random)),
    ];
    const heard = listen(...turns);
    expect(heard.troubles).toEqual([]);
    expect(heard.said.map((one) => [one.kind, one.name, one.asked])).toEqual([
      ['request', 'ClientHello', null],
      ['reply', 'HelloRetryRequest', 'ClientHello'],
      ['request', 'ClientHello', null],
      ['reply', 'ServerHello', 'ClientHello'],
      ['notice', 'Encrypted', null],
      ['notice', 'ApplicationData', null],
      ['notice', 'ApplicationData', null],
    ]);
    expect(heard.said[1]?.summary).toBe('HelloRetryRequest: the client is to send a share for secp384r1');
    expect(heard.said[4]?.summary).toBe('encrypted from here: TLS 1.3 TLS_AES_128_GCM_SHA256');
    expect(heard.said[5]?.fields).toEqual({ records: 2, bytes: 64 });
    anySplitGivesTheSame(decoder, turns);
    survivesAnything(decoder, turns);
  });

  it('a server that could do more says so in its random', () => {
    const [, hello] = said(
      client(record(22, browser)),
      server(record(22, serverHello(0xc02f, [], [...random.slice(8), ...text('DOWNGRD'), 1]))),
    );
    expect(hello?.fields).toMatchObject({ downgraded: true, resumed: false });
  });

  it('meaningless versions, ECH and early data show', () => {
    const [hello] = said(
      client(record(22, clientHello([0x1301], [extension(0xfe0d), extension(42), extension(41)]))),
    );
    expect(hello?.fields).toMatchObject({ ech: true, early_data: true, psk: true });
  });
});

describe('alerts', () => {
  it('a fatal one answers the hello and is a failure', () => {
    const heard = said(client(record(22, browser)), server(record(21, [2, 40])));
    expect(heard[1]).toMatchObject({
      kind: 'reply',
      failed: true,
      asked: 'ClientHello',
      summary: 'alert: fatal handshake_failure',
      fields: { level: 'fatal', alert: 'handshake_failure' },
    });
  });

  it('a farewell is none, and an encrypted one says no more than that', () => {
    expect(said(client(record(21, [1, 0])))[0]).toMatchObject({
      failed: false,
      summary: 'alert: warning close_notify',
    });
    expect(said(client(record(21, random)))[0]).toMatchObject({ summary: 'encrypted alert' });
    expect(said(server(record(21, [2, 200])))[0]?.summary).toBe('alert: fatal alert 200');
  });
});

describe('any bytes', () => {
  it('a certificate longer than what is kept is cut, and what follows is read', () => {
    const huge = handshake(11, sized(3, sized(3, Array(80_000).fill(7))));
    const parts = Array.from({ length: Math.ceil(huge.length / 16_384) }, (_, i) =>
      record(22, huge.slice(i * 16_384, (i + 1) * 16_384)),
    );
    const turns = [client(record(22, browser)), server(...parts, record(22, handshake(14)))];
    const heard = listen(...turns);
    expect(heard.troubles).toEqual([]);
    expect(heard.said.map((one) => one.name)).toEqual(['ClientHello', 'Certificate', 'ServerHelloDone']);
    expect(heard.said[1]?.bytes).toBe(huge.length + 5 * parts.length);
  });

  it('what is broken is said once, after what came before it', () => {
    const good = record(22, browser);
    const cases: [number[], string][] = [
      [[0x80, 46, 1, 3, 1, 0, 0], 'an SSL 2.0 hello: no server of today answers it, and it is not read'],
      [[71, 69, 84, 32, 47], 'no TLS record begins with bytes 71 69 84'],
      [[22, 3, 1, 0xff, 0xff], 'a TLS record of 65535 bytes'],
      [[22, 3, 1, 0, 0], 'a TLS record of 0 bytes'],
      [record(22, handshake(99)), 'handshake message 99 is unknown'],
      [record(22, handshake(2, random)), 'a ServerHello from the client'],
      [record(22, handshake(1, random)), 'the lengths in a ClientHello do not fit'],
    ];
    for (const [bytes, why] of cases) {
      const turns = [client(good, bytes)];
      expect(listen(...turns)).toMatchObject({
        said: [{ name: 'ClientHello' }],
        troubles: [`client: ${why}`],
      });
      anySplitGivesTheSame(decoder, turns, {}, 3);
    }
  });

  it('recognises its own first bytes and no others', () => {
    const score = (bytes: number[], side: Hint['side'], midStream = false) =>
      decoder.recognises(
        { transport: 'tcp', clientPort: 1, serverPort: 2, side, midStream },
        Uint8Array.from(bytes),
        0,
        bytes.length,
      );
    expect(score(record(22, browser), 'client')).toBeGreaterThanOrEqual(0.8);
    expect(score(record(22, serverHello(1, [])), 'server')).toBeGreaterThanOrEqual(0.8);
    expect(score(record(21, [2, 40]), 'server')).toBeGreaterThanOrEqual(0.8);
    expect(score(record(23, random), 'server', true)).toBeGreaterThanOrEqual(0.8);
    expect(score(record(23, random), 'server')).toBe(0);
    expect(score([0x80, 46, 1, 3, 1, 0, 21, 0, 0, 0, 16], 'client')).toBeGreaterThanOrEqual(0.8);
    expect(score([0x80, 46, 1, 3, 1, 0, 22, 0, 0, 0, 16], 'client')).toBe(0);
    for (const other of ['GET / HTTP/1.1', 'SSH-2.0-x\r\n', '*1\r\n$4\r\nPING\r\n', '']) {
      expect(score(text(other), 'client', true)).toBe(0);
    }
  });
});
