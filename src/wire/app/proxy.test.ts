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
import { decoder } from './proxy.ts';
import { crc32c } from './proxy-crc.ts';

type Part = string | number[];
const encoder = new TextEncoder();
const flat = (parts: Part[]) =>
  parts.flatMap((part) => (typeof part === 'string' ? [...encoder.encode(part)] : part));
const int16 = (value: number) => [value >> 8, value & 255];
const int32 = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];

const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
const header = (command: number, family: number, ...body: Part[]) => [
  ...SIGNATURE,
  0x20 | command,
  family,
  ...int16(flat(body).length),
  ...flat(body),
];
const tlv = (type: number, ...value: Part[]) => [type, ...int16(flat(value).length), ...flat(value)];
const v4 = [10, 0, 0, 1, 192, 0, 2, 7, ...int16(40000), ...int16(443)];
const v6 = [
  ...[0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 9],
  ...[0xfe, 0x80, ...Array(13).fill(0), 1],
  ...int16(40000),
  ...int16(443),
];
const unixPath = (path: string) => [...flat([path]), ...Array(108 - flat([path]).length).fill(0)];

/** The checksum goes where its value was left at zero. */
function summed(bytes: number[], sum = crc32c(Uint8Array.from(bytes), 0, bytes.length, -1)): number[] {
  const at = bytes.findIndex((byte, i) => byte === 3 && bytes[i + 1] === 0 && bytes[i + 2] === 4 && i >= 16);
  return bytes.toSpliced(at + 3, 4, ...int32(sum));
}

const ssl = tlv(
  0x20,
  [5],
  int32(0),
  tlv(0x21, 'TLSv1.3'),
  tlv(0x22, 'ann'),
  tlv(0x23, 'TLS_AES_256_GCM_SHA384'),
  tlv(0x24, 'RSA-SHA256'),
  tlv(0x25, 'RSA2048'),
  tlv(0x26, 'x25519'),
  tlv(0x27, 'ed25519'),
  tlv(0x28, [0x30, 0x82, 1]),
  tlv(0x2f, 'new'),
);
const rich = summed(
  header(
    1,
    0x11,
    v4,
    tlv(1, 'h2'),
    tlv(2, 'example.com'),
    tlv(3, int32(0)),
    tlv(4, 'nothing'),
    tlv(5, [0xde, 0xad, 0, 1]),
    ssl,
    tlv(0x30, 'blue'),
    tlv(0xe1, 'of our own'),
  ),
);
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const okay = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
const text = 'PROXY TCP4 10.0.0.1 192.0.2.7 40000 443\r\n';
const inside = { others: [http1] };

const told = (...parts: Part[]) => {
  const { said, troubles } = hear(decoder, [client(...parts, get), server(okay)], inside);
  expect(troubles).toEqual([]);
  expect(said.slice(1).map((one) => [one.protocol, one.kind])).toEqual([
    ['http', 'request'],
    ['http', 'reply'],
  ]);
  return said[0]!;
};
const trouble = (...parts: Part[]) => hear(decoder, [client(...parts)], inside).troubles;

describe('version 1', () => {
  it('one line says whose connection it is, and the rest is another protocol', () => {
    const said = told(text);
    expect([said.kind, said.name, said.bytes]).toEqual(['notice', 'PROXY', 41]);
    expect(said.fields).toEqual({
      version: 1,
      command: 'PROXY',
      family: 'TCP4',
      source: '10.0.0.1',
      destination: '192.0.2.7',
      'source.port': 40000,
      'destination.port': 443,
    });
    expect(said.summary).toBe('PROXY v1 TCP4 10.0.0.1:40000 → 192.0.2.7:443');
  });

  it('IPv6 is written as everywhere else, and what is not known stays unsaid', () => {
    expect(told('PROXY TCP6 2001:0DB8:0:0::9 fe80::1 1 65535\r\n').summary).toBe(
      'PROXY v1 TCP6 [2001:db8::9]:1 → [fe80::1]:65535',
    );
    const unknown = { version: 1, command: 'PROXY', family: 'UNKNOWN' };
    expect(told('PROXY UNKNOWN\r\n').fields).toEqual(unknown);
    expect(told('PROXY UNKNOWN ffff::1 ::2 65535 65535\r\n').fields).toEqual(unknown);
    expect(told('PROXY UNKNOWN\r\n').summary).toBe('PROXY v1 UNKNOWN');
  });

  it('what breaks the rules is no header', () => {
    for (const wrong of [
      'PROXY TCP4 10.0.0.1 192.0.2.7 40000 443\n',
      'PROXY TCP4 10.0.0.1 192.0.2.7 40000 65536\r\n',
      'PROXY TCP4 10.0.0.1 192.0.2.7 040 443\r\n',
      'PROXY TCP4  10.0.0.1 192.0.2.7 40 443\r\n',
      'PROXY TCP4 10.0.0.256 192.0.2.7 40 443\r\n',
      'PROXY TCP4 ::1 ::2 40 443\r\n',
      'PROXY TCP6 10.0.0.1 192.0.2.7 40 443\r\n',
      'PROXY UDP4 10.0.0.1 192.0.2.7 40 443\r\n',
      'PROXY \r\n',
    ]) {
      expect(trouble(wrong)).toEqual(['client: a PROXY line that is none']);
    }
    expect(trouble('PROXY UNKNOWN ', 'x'.repeat(100))).toEqual([
      'client: a PROXY line of more than 107 bytes',
    ]);
    expect(trouble('PROXX')).toEqual(['client: no header of the PROXY protocol']);
  });
});

describe('version 2', () => {
  it('addresses and all that may come with them', () => {
    const said = told(rich);
    expect(said.failed).toBe(false);
    expect(said.fields).toEqual({
      version: 2,
      command: 'PROXY',
      family: 'TCP4',
      source: '10.0.0.1',
      destination: '192.0.2.7',
      'source.port': 40000,
      'destination.port': 443,
      'tlv.crc32c': 'right',
      'tlv.alpn': 'h2',
      'tlv.authority': 'example.com',
      'tlv.unique_id': 'dead0001',
      'tlv.ssl': true,
      'tlv.ssl.certificate': 'session',
      'tlv.ssl.verified': true,
      'tlv.ssl.version': 'TLSv1.3',
      'tlv.ssl.cn': 'ann',
      'tlv.ssl.cipher': 'TLS_AES_256_GCM_SHA384',
      'tlv.ssl.sig_alg': 'RSA-SHA256',
      'tlv.ssl.key_alg': 'RSA2048',
      'tlv.ssl.group': 'x25519',
      'tlv.ssl.sig_scheme': 'ed25519',
      'tlv.ssl.client_cert': '308201',
      'tlv.ssl.0x2f': 'new',
      'tlv.netns': 'blue',
      'tlv.0xe1': 'of our own',
    });
    expect(said.summary).toBe('PROXY v2 TCP4 10.0.0.1:40000 → 192.0.2.7:443, over TLSv1.3 example.com ann');
    expect(said.bytes).toBe(rich.length);
  });

  it('the checksum is the one everybody computes, and a wrong one is a failure', () => {
    const digits = encoder.encode('123456789');
    expect(crc32c(digits, 0, digits.length, -1)).toBe(0xe3069283);
    const wrong = told(summed(rich, 1));
    expect([wrong.failed, wrong.fields['tlv.crc32c']]).toEqual([true, 'wrong']);
    expect(wrong.summary).toContain('the checksum is wrong');
  });

  it('every family has its addresses', () => {
    const seen = (family: number, ...body: Part[]) => told(header(1, family, ...body)).summary;
    expect(seen(0x12, v4)).toBe('PROXY v2 UDP4 10.0.0.1:40000 → 192.0.2.7:443');
    expect(seen(0x21, v6)).toBe('PROXY v2 TCP6 [2001:db8::9]:40000 → [fe80::1]:443');
    expect(seen(0x22, v6)).toBe('PROXY v2 UDP6 [2001:db8::9]:40000 → [fe80::1]:443');
    expect(seen(0x31, unixPath('/run/a.sock'), unixPath('\0hidden'))).toBe(
      'PROXY v2 UNIX /run/a.sock → @hidden',
    );
    expect(seen(0x32, unixPath('x'.repeat(108)), unixPath(''))).toBe(
      `PROXY v2 UNIX datagram ${'x'.repeat(108)} →`,
    );
    expect(seen(0x00)).toBe('PROXY v2 UNSPEC');
    expect(seen(0x00, tlv(2, 'example.com'))).toBe('PROXY v2 UNSPEC example.com');
    expect(seen(0x51, 'whatever')).toBe('PROXY v2 0x51');
  });

  it('LOCAL is the proxy itself: its addresses mean nothing', () => {
    const said = told(header(0, 0x11, v4));
    expect(said.name).toBe('LOCAL');
    expect(said.fields).toEqual({ version: 2, command: 'LOCAL' });
    expect(said.summary).toBe('LOCAL v2');
    expect(told(header(0, 0x00)).fields).toEqual({ version: 2, command: 'LOCAL' });
    expect(told(header(0, 0x21, [1, 2, 3])).fields).toEqual({ version: 2, command: 'LOCAL' });
  });

  it('a certificate that was refused, or none, is told apart from a good one', () => {
    const seen = (flags: number, verify: number) =>
      told(header(1, 0, tlv(0x20, [flags], int32(verify)))).fields;
    expect(seen(3, 18)).toMatchObject({
      'tlv.ssl': true,
      'tlv.ssl.certificate': 'connection',
      'tlv.ssl.verified': false,
    });
    expect(seen(1, 0)).not.toHaveProperty(['tlv.ssl.verified']);
    expect(told(header(1, 0, tlv(0x20, [1]))).fields).not.toHaveProperty(['tlv.ssl']);
    expect(told(header(1, 0, tlv(0x20, [1], int32(0), [0x21, 0, 9]))).fields['tlv.ssl']).toBe(true);
  });

  it('what does not fit is said', () => {
    expect(trouble(header(1, 0x11, v4, [1, 0, 9, 1]))).toEqual([
      'client: a value that ends outside the header of the PROXY protocol',
    ]);
    expect(trouble(header(1, 0x11, v4, [1, 0]))).toEqual([
      'client: a value that ends outside the header of the PROXY protocol',
    ]);
    expect(trouble(header(1, 0x21, v4))).toEqual(['client: 12 bytes where addresses of TCP6 take 36']);
    expect(trouble(header(2, 0x11, v4))).toEqual(['client: version 2, command 2 of the PROXY protocol']);
    expect(trouble(SIGNATURE, [0x31, 0x11, 0, 0])).toEqual([
      'client: version 3, command 1 of the PROXY protocol',
    ]);
  });

  it('the largest header is read, and long values are cut', () => {
    const said = told(header(1, 0, tlv(0xe0, 'x'.repeat(40_000)), tlv(0xe1, Array(20_000).fill(1))));
    expect(String(said.fields['tlv.0xe0'])).toHaveLength(1024);
    expect(String(said.fields['tlv.0xe1'])).toHaveLength(513);
  });
});

describe('a server that speaks first', () => {
  it('waits for the header, and not forever', () => {
    const { said, troubles } = hear(decoder, [server(okay), client(text, get)], inside);
    expect(troubles).toEqual([]);
    expect(said.map((one) => one.protocol)).toEqual(['proxy', 'http', 'http']);
    expect(hear(decoder, [server(new Uint8Array(20_000))]).troubles).toEqual([
      'server: the server did not wait for the PROXY header',
    ]);
  });
});

describe('recognition', () => {
  const score = (parts: Part, side: Hint['side'] = 'client') => {
    const all = Uint8Array.from(flat([parts]));
    const hint: Hint = { transport: 'tcp', clientPort: 40000, serverPort: 80, side, midStream: false };
    return decoder.recognises(hint, all, 0, all.length);
  };

  it('a header is certain by its first bytes, from the client only', () => {
    expect(score(text)).toBe(0.99);
    expect(score(rich)).toBe(0.99);
    expect(score(SIGNATURE.slice(0, 5))).toBe(0.8);
    expect(score(text, 'server')).toBe(0);
  });

  it('a beginning that others share is not claimed', () => {
    expect(score('PRO')).toBe(0.2);
    expect(score('PROXY TC')).toBe(0.5);
    expect(score('\r\n\r\n')).toBe(0.2);
    for (const other of [
      'PROPFIND / HTTP/1.1\r\n',
      'PROXY /path HTTP/1.1\r\n',
      'PRI * HTTP/2.0',
      '\r\nGET',
    ]) {
      expect(score(other)).toBe(0);
    }
    expect(score('')).toBe(0);
  });
});

describe('whatever comes', () => {
  const transcripts: Turn[][] = [rich, flat([text]), header(0, 0), header(1, 0x21, v6, ssl)].map((head) => [
    client(head, get),
    server(okay),
  ]);

  it('any split gives the same', () => {
    for (const turns of transcripts) {
      anySplitGivesTheSame(decoder, turns, inside, 10);
    }
  });

  it('nothing makes it throw, hang or ask for too much', () => {
    for (const turns of transcripts) {
      survivesAnything(decoder, turns, inside, 100);
    }
  });
});
