import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ipv6Text, parseIpv6 } from '../../wire/net/address.ts';
import { prefix } from './address.ts';
import { hostTest, ipv6Words } from './host-test.ts';

const within = (rule: string, family: 4 | 6 | 0, address: string): boolean =>
  hostTest(prefix(rule)!)(family, address);

function slow(text: string): number[] | null {
  const bytes = parseIpv6(text);
  return bytes && Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
}

function quick(text: string): number[] | null {
  const words = new Uint16Array(8).fill(0xdead);
  return ipv6Words(text, words) ? [...words] : null;
}

it('the quick reading of an IPv6 address agrees with the careful one, for addresses and for nonsense', () => {
  const zeros = fc.array(fc.constantFrom(0, 0, 0, 1, 0x12, 0xff, 0xab), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(zeros, (bytes) => {
      const text = ipv6Text(Uint8Array.from(bytes), 0);
      expect(quick(text)).toEqual(slow(text));
    }),
    { seed: 3, numRuns: 2000 },
  );
  const nonsense = fc.array(fc.constantFrom(':', '::', '0', 'f', '12', 'ffff', 'g', '1.2.3.4', '%'), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(nonsense, (parts) => {
      const text = parts.join('');
      fc.pre(!text.includes('%'));
      expect(quick(text), text).toEqual(slow(text));
    }),
    { seed: 4, numRuns: 20_000 },
  );
});

it('prefixes are compared bit by bit', () => {
  expect(within('10.0.0.0/9', 4, '10.127.255.255')).toBe(true);
  expect(within('10.0.0.0/9', 4, '10.128.0.0')).toBe(false);
  expect(within('0.0.0.0/0', 4, '255.255.255.255')).toBe(true);
  expect(within('2001:db8::/33', 6, '2001:db8:7fff::1')).toBe(true);
  expect(within('2001:db8::/33', 6, '2001:db8:8000::1')).toBe(false);
  expect(within('fe80::1', 6, 'fe80::1%eth0')).toBe(true);
});

it('an IPv4 rule matches the mapped address of an IPv6 socket, a mapped rule only IPv6 sockets', () => {
  expect(within('127.0.0.0/8', 6, '::ffff:127.0.0.1')).toBe(true);
  expect(within('127.0.0.0/8', 6, '::ffff:7f00:1')).toBe(true);
  expect(within('127.0.0.0/8', 6, '7f00::')).toBe(false);
  expect(within('::ffff:127.0.0.1', 4, '127.0.0.1')).toBe(false);
  expect(within('::ffff:127.0.0.1', 6, '::ffff:127.0.0.1')).toBe(true);
});

it('a UNIX path lies in no prefix', () => {
  expect(within('0.0.0.0/0', 0, '/run/x')).toBe(false);
  expect(within('::/0', 0, '*')).toBe(false);
});
