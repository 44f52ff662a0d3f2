import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '../reactor/reactor.ts';
import { MOST_PROXY_BYTES, type ProxyRead, readProxyHeader, writeProxyHeader } from './proxy-protocol.ts';

const read = (...parts: (string | readonly number[] | Uint8Array)[]): ProxyRead => {
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));
  return readProxyHeader(Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('y')]), 2, 2 + bytes.length);
};
const tcp = (host: string, port: number): Address => ({ kind: 'tcp', host, port });
const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];

describe('a PROXY line', () => {
  it('tells both ends, and what follows it is left', () => {
    expect(read('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET')).toEqual({
      kind: 'header',
      header: { version: 1, source: tcp('192.0.2.1', 56324), destination: tcp('192.0.2.2', 443) },
      consumed: 42,
    });
    expect(read('PROXY TCP6 ::1 2001:db8::1 1 2\r\n')).toMatchObject({ header: { source: tcp('::1', 1) } });
  });
  it('may not know', () => {
    expect(read('PROXY UNKNOWN whatever 1 2\r\nx')).toEqual({
      kind: 'header',
      header: { version: 1, source: null, destination: null },
      consumed: 28,
    });
  });
  it.each([
    ['GET / HTTP/1.1\r\n', 'does not begin'],
    ['PROXY TCP4 ::1 ::1 1 2\r\n', 'no two addresses'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n', 'no two ports'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n', 'no two ports'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n', 'no two ports'],
    ['PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n', 'no two addresses'],
    ['PROXY UNKNOWN\n', 'CR LF'],
    [`PROXY UNKNOWN ${'x'.repeat(100)}`, 'longer than 107'],
  ])('%j is broken', (text, why) => {
    expect(read(text)).toMatchObject({ kind: 'broken', why: expect.stringContaining(why) });
  });
});

describe('a PROXY header of version 2', () => {
  const four = [10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0, 80];
  it('tells both ends, and its TLVs are passed over', () => {
    expect(read(SIGNATURE, [0x21, 0x11, 0, 19], four, [3, 0, 4, 1, 2, 3, 4], 'GET')).toEqual({
      kind: 'header',
      header: { version: 2, source: tcp('10.0.0.1', 0x1234), destination: tcp('10.0.0.2', 80) },
      consumed: 35,
    });
    expect(read(SIGNATURE, [0x21, 0x12, 0, 12], four)).toMatchObject({ header: { source: { kind: 'udp' } } });
  });
  it('LOCAL and an unspecified family tell nothing', () => {
    expect(read(SIGNATURE, [0x20, 0x11, 0, 12], four)).toMatchObject({
      header: { source: null },
      consumed: 28,
    });
    expect(read(SIGNATURE, [0x21, 0, 0, 0])).toMatchObject({ header: { source: null }, consumed: 16 });
  });
  it.each([
    [[0x11, 0x11, 0, 12], 'version 1'],
    [[0x22, 0x11, 0, 12], 'command 2'],
    [[0x21, 0x11, 0, 11], '11 bytes'],
    [[0x21, 0x41, 0, 12], 'family 4'],
    [[0x21, 0x13, 0, 12], 'transport 3'],
    [[0x21, 0x11, 0xff, 0xff], 'more than is read'],
  ])('%j is broken', (head, why) => {
    expect(read(SIGNATURE, head, four)).toMatchObject({ kind: 'broken', why: expect.stringContaining(why) });
  });
});

describe('either version', () => {
  const ip = (kind: 'tcp' | 'udp', host: fc.Arbitrary<string>): fc.Arbitrary<Address> =>
    fc.record({ kind: fc.constant(kind), host, port: fc.nat(65535) });
  const v6 = fc.constantFrom('::1', '2001:db8::1', 'fe80::1', '::ffff:1.2.3.4');
  const unix = fc
    .constantFrom('/run/x.sock', '@name', './y')
    .map((path): Address => ({ kind: 'unix', path }));
  const pairs = fc.oneof(
    fc.tuple(ip('tcp', fc.ipV4()), ip('tcp', fc.ipV4())),
    fc.tuple(ip('tcp', v6), ip('tcp', v6)),
    fc.tuple(ip('udp', fc.ipV4()), ip('udp', fc.ipV4())),
    fc.tuple(unix, unix),
  );
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(pairs, ([source, destination]) => {
        const second = read(writeProxyHeader(2, source, destination));
        expect(second).toMatchObject({ header: { version: 2, source, destination } });
        const first = read(writeProxyHeader(1, source, destination));
        const known = source.kind === 'tcp';
        expect(first).toMatchObject({
          header: { version: 1, source: known ? source : null, destination: known ? destination : null },
        });
      }),
    );
    expect(read(writeProxyHeader(2, null, null))).toMatchObject({ header: { source: null }, consumed: 16 });
  });
  it('ends of two families are written as IPv6', () => {
    for (const version of [1, 2] as const) {
      expect(read(writeProxyHeader(version, tcp('1.2.3.4', 1), tcp('::1', 2)))).toMatchObject({
        header: { source: tcp('::ffff:1.2.3.4', 1), destination: tcp('::1', 2) },
      });
    }
  });
  it('needs more until it is whole, never throws, and never waits for more than its bound', () => {
    const like = fc
      .constantFrom('PROXY ', 'TCP4 ', '1.2.3.4 ', '\r\n', 'UNKNOWN', '\0', '!')
      .map((s) => Buffer.from(s));
    const start = fc.constantFrom(Buffer.from(SIGNATURE), Buffer.from([...SIGNATURE, 0x21, 0x11, 0, 12]));
    const part = fc.oneof(
      like,
      start,
      fc.uint8Array({ maxLength: 30 }).map((b) => Buffer.from(b)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const all = Buffer.concat(parts);
        const whole = read(all);
        for (let length = 0; length <= all.length; length++) {
          const some = read(all.subarray(0, length));
          if (some.kind !== 'need') {
            expect(some).toEqual(whole);
          }
        }
        expect(whole.kind === 'need' && all.length >= MOST_PROXY_BYTES).toBe(false);
      }),
    );
  });
});
