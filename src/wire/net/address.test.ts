import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipv4Text, ipv6Text, parseIpv4, parseIpv6 } from './address.ts';

const sixteen = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { minLength: 16, maxLength: 16 })
  .map((a) => Uint8Array.from(a));

describe('addresses', () => {
  it('IPv6 text is what the C library prints', () => {
    fc.assert(
      fc.property(sixteen, (bytes) => {
        const text = ipv6Text(bytes, 0);
        const theirs = new SocketAddress({ address: text, family: 'ipv6' }).address;
        // inet_ntop also prints ::a.b.c.d for the deprecated IPv4-compatible form; RFC 5952 leaves that open.
        if (!/^::\d+\.\d+\.\d+\.\d+$/.test(theirs)) {
          expect(text).toBe(theirs);
        }
      }),
    );
  });
  it('text and bytes of IPv6 are the same thing', () => {
    fc.assert(
      fc.property(sixteen, (bytes) => {
        expect(parseIpv6(ipv6Text(bytes, 0))).toEqual(bytes);
      }),
    );
  });
  it('text and bytes of IPv4 are the same thing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        expect(parseIpv4(ipv4Text(bytes, 0))).toEqual(bytes);
      }),
    );
  });
  it('what is no address is null, never a throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect([4, undefined]).toContain(parseIpv4(text)?.length);
        expect([16, undefined]).toContain(parseIpv6(text)?.length);
      }),
    );
    for (const bad of ['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5']) {
      expect(parseIpv4(bad)).toBeNull();
    }
    for (const bad of [
      '',
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      '1.2.3.4::',
    ]) {
      expect(parseIpv6(bad)).toBeNull();
    }
  });
});
