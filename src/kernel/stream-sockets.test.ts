import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeAddress, encodeAddress, type SocketAddress } from './stream-sockets.ts';

function roundTrip(address: SocketAddress): SocketAddress | number | null {
  const raw = encodeAddress(address);
  return typeof raw === 'number' ? raw : decodeAddress(raw.bytes, raw.length, address.kind);
}

describe('addresses of sockets', () => {
  it('IPv4, IPv6, paths and abstract names come back as they went in', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const port = fc.integer({ min: 0, max: 65535 });
    const v4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
    const v6 = fc.integer({ min: 1, max: 0xffff }).map((n) => `2001:db8::${n.toString(16)}`);
    const host = fc.oneof(v4, v6, fc.constant('::'), fc.constant('::1'));
    const name = fc.string({ minLength: 1, maxLength: 50, unit: fc.constantFrom(...'abc/._-@ é') });
    fc.assert(
      fc.property(host, port, fc.constantFrom('tcp' as const, 'udp' as const), (host, port, kind) => {
        expect(roundTrip({ kind, host, port })).toEqual({ kind, host, port });
      }),
    );
    fc.assert(
      fc.property(name, fc.boolean(), (name, abstract) => {
        const path = abstract ? `@${name}` : `/${name}`;
        expect(roundTrip({ kind: 'unix', path })).toEqual({ kind: 'unix', path });
      }),
    );
  });

  it('a path of 107 bytes fits, one more is ENAMETOOLONG; an abstract name may have 107 behind its @', () => {
    const path = `/${'x'.repeat(106)}`;
    expect(roundTrip({ kind: 'unix', path })).toEqual({ kind: 'unix', path });
    expect(roundTrip({ kind: 'unix', path: `${path}x` })).toBe(-36);
    const name = `@${'x'.repeat(107)}`;
    expect(roundTrip({ kind: 'unix', path: name })).toEqual({ kind: 'unix', path: name });
    expect(roundTrip({ kind: 'unix', path: `${name}x` })).toBe(-36);
  });

  it('names of hosts, wrong ports, scopes and NULs in a path are EINVAL', () => {
    for (const host of ['localhost', '', '1.2.3', '::1%lo', '1.2.3.4.5']) {
      expect(encodeAddress({ kind: 'tcp', host, port: 1 })).toBe(-22);
    }
    for (const port of [-1, 65536, 1.5, Number.NaN]) {
      expect(encodeAddress({ kind: 'tcp', host: '127.0.0.1', port })).toBe(-22);
    }
    expect(encodeAddress({ kind: 'unix', path: '' })).toBe(-22);
    expect(encodeAddress({ kind: 'unix', path: '/a\0b' })).toBe(-22);
  });

  it('a socket without a name has the empty path, and a foreign family no address', () => {
    expect(decodeAddress(new Uint8Array([1, 0]), 2, 'unix')).toEqual({ kind: 'unix', path: '' });
    expect(decodeAddress(new Uint8Array(128).fill(16), 128, 'tcp')).toBe(null);
  });
});
