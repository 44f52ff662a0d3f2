import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checksumOf,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  pseudoHeader,
  tcp,
  udp,
  w16,
} from '../../../test/fixtures/frames.ts';
import { dissect } from '../dissect.ts';
import { emptyHeaders, type Headers, LINK } from '../headers.ts';
import { checksums, expectedIp, expectedTransport, sum } from './checksum.ts';

const DATA = Uint8Array.from({ length: 333 }, (_, i) => (i * 31) & 255);

function read(packet: Uint8Array, captured = packet.length): Headers {
  const h = emptyHeaders();
  h.bytes = packet;
  h.to = captured;
  h.wireLength = packet.length;
  h.linkType = LINK.raw;
  dissect(h);
  return h;
}

const six = { version: 6 } as const;
const packets: [string, Uint8Array, number][] = [
  ['TCP over IPv4', ipv4({ protocol: 6 }, tcp({}, DATA)), 20 + 16],
  ['UDP over IPv4', ipv4({ protocol: 17 }, udp({}, DATA)), 20 + 6],
  ['ICMP', ipv4({ protocol: 1 }, icmp(8, 0, DATA)), 20 + 2],
  ['TCP over IPv6', ipv6({ protocol: 6 }, tcp({}, DATA, six)), 40 + 16],
  ['UDP over IPv6', ipv6({ protocol: 17 }, udp({}, DATA, six)), 40 + 6],
  ['ICMPv6', ipv6({ protocol: 58 }, icmpv6(128, 0, DATA)), 40 + 2],
];

describe.each(packets)('the checksum of %s', (_, packet, field) => {
  it('is good as sent', () => {
    expect(checksums(read(packet)).transport).toBe('good');
  });
  it('is bad when a byte changed, and what it should be is known', () => {
    const changed = packet.slice();
    changed[packet.length - 1]! ^= 1;
    const h = read(changed);
    expect(checksums(h).transport).toBe('bad');
    changed.set(w16(expectedTransport(h)), field);
    expect(checksums(h).transport).toBe('good');
  });
  it('is unknown when the end was not captured', () => {
    expect(checksums(read(packet, packet.length - 1)).transport).toBe('unknown');
  });
});

describe('checksums', () => {
  it.each([
    ['TCP', 6, 16, (ends: object) => tcp({}, DATA, ends)],
    ['UDP', 17, 6, (ends: object) => udp({}, DATA, ends)],
  ] as const)('%s left for the interface to compute is not wrong', (_, protocol, field, build) => {
    for (const version of [4, 6] as const) {
      const segment = build({ version });
      segment.set(w16(0xffff - checksumOf(pseudoHeader({ version }, protocol, segment.length))), field);
      const h = read(version === 4 ? ipv4({ protocol }, segment) : ipv6({ protocol }, segment));
      expect(checksums(h).transport).toBe('partial');
      segment.set(w16(checksumOf(pseudoHeader({ version }, protocol, segment.length))), field);
      const other = read(version === 4 ? ipv4({ protocol }, segment) : ipv6({ protocol }, segment));
      expect(checksums(other).transport).toBe('bad');
    }
  });

  it('UDP over IPv4 may leave it out, over IPv6 not', () => {
    const without = (segment: Uint8Array) => {
      segment.set([0, 0], 6);
      return segment;
    };
    expect(checksums(read(ipv4({ protocol: 17 }, without(udp({}, DATA))))).transport).toBe('none');
    expect(checksums(read(ipv6({ protocol: 17 }, without(udp({}, DATA, six))))).transport).toBe('bad');
  });

  it('a fragment and an unknown protocol cannot be told; ARP has none', () => {
    const fragment = read(ipv4({ protocol: 17, more: true }, udp({}, DATA)));
    expect(checksums(fragment)).toEqual({ ip: 'good', transport: 'unknown' });
    expect(checksums(read(ipv4({ protocol: 132 }, DATA)))).toEqual({ ip: 'good', transport: 'unknown' });
    const arp = emptyHeaders();
    arp.bytes = ethernet({ type: 0x0806 }, new Uint8Array(28));
    arp.to = arp.wireLength = arp.bytes.length;
    dissect(arp);
    expect(checksums(arp)).toEqual({ ip: 'none', transport: 'none' });
  });

  it('the IPv4 header is checked with its options', () => {
    const packet = ipv4({ protocol: 6, options: [1, 1, 1, 0] }, tcp({}, DATA));
    expect(checksums(read(packet)).ip).toBe('good');
    packet[21] = 0;
    expect(checksums(read(packet)).ip).toBe('bad');
    packet.set(w16(expectedIp(packet, 0)), 10);
    expect(checksums(read(packet)).ip).toBe('good');
  });

  it('a routing header with segments left names the destination that counts', () => {
    const final = 'fd00::77';
    const address = [0xfd, ...new Array<number>(14).fill(0), 0x77];
    const segment = tcp({}, DATA, { version: 6, destination: final });
    for (const [type, left, expected] of [
      [0, 1, 'good'],
      [4, 1, 'good'],
      [2, 1, 'good'],
      [4, 0, 'bad'],
      [3, 1, 'unknown'],
    ] as const) {
      const extensions = [{ kind: 43, body: [2, type, left, 0, 0, 0, 0, ...address] }];
      expect(checksums(read(ipv6({ protocol: 6, extensions }, segment))).transport).toBe(expected);
    }
  });

  it('a source route with hops to go leaves the end unknown', () => {
    const route = (pointer: number) => [131, 7, pointer, 9, 9, 9, 9, 0];
    const at = (pointer: number) =>
      checksums(read(ipv4({ protocol: 6, options: route(pointer) }, tcp({}, DATA))));
    expect(at(4).transport).toBe('unknown');
    expect(at(8).transport).toBe('good');
  });

  it('the fast sum is the slow sum, at any place and length', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(700), fc.nat(), (from, length, seed) => {
        const bytes = Uint8Array.from({ length: from + length }, (_, i) => (seed * (i + 3)) >>> (i % 13));
        const slow = checksumOf(bytes.subarray(from));
        const fast = sum(bytes, from, bytes.length) % 0xffff;
        expect(fast).toBe((0xffff - slow) % 0xffff);
      }),
    );
  });

  it('the largest numbers do not overflow', () => {
    const bytes = new Uint8Array(500_001).fill(255);
    const slow = 0xffff - checksumOf(bytes);
    expect(sum(bytes, 0, bytes.length) % 0xffff).toBe(slow % 0xffff);
  });
});
