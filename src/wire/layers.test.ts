import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ethernet,
  icmp,
  icmpv6,
  ipBytes,
  ipv4,
  ipv6,
  join,
  MAC_A,
  MAC_B,
  tcp,
  udp,
  w16,
  w32,
} from '../../test/fixtures/frames.ts';
import { dissect } from './dissect.ts';
import { emptyHeaders, type Headers, LINK } from './headers.ts';
import { type Field, layers, summaryOf } from './layers.ts';
import { checksums } from './net/checksum.ts';
import { createFragments } from './net/fragments.ts';
import { emptyTcpOptions, tcpOptions } from './transport/tcp-options.ts';

const EMPTY = new Uint8Array(0);
const DATA = Uint8Array.from([1, 2, 3]);

function read(frame: Uint8Array, linkType: number = LINK.ethernet, captured = frame.length): Headers {
  const h = emptyHeaders();
  h.bytes = frame;
  h.to = captured;
  h.wireLength = frame.length;
  h.linkType = linkType;
  dissect(h);
  return h;
}

function all(h: Headers): Map<string, Field> {
  const map = new Map<string, Field>();
  for (const field of layers(h).flatMap(({ fields }) => fields)) {
    // The first of a name: inner layers may say the same names again.
    map.set(field.name, map.get(field.name) ?? field);
  }
  return map;
}

const values = (h: Headers) => Object.fromEntries([...all(h)].map(([name, { value }]) => [name, value]));
const texts = (h: Headers) => Object.fromEntries([...all(h)].map(([name, { text }]) => [name, text]));
const names = (h: Headers) => layers(h).map(({ name }) => name);

describe('layers', () => {
  const frame = ethernet(
    { type: 0x0800, tags: [{ id: 42, priority: 5 }] },
    join(
      ipv4({ protocol: 6, tos: 0xb9, dontFragment: true, id: 0xabcd }, tcp({ flags: 0x12 }, DATA)),
      [0, 0],
    ),
  );

  it('name every header and its fields', () => {
    const h = read(frame);
    expect(names(h)).toEqual(['eth', 'vlan', 'ip', 'tcp', 'padding']);
    expect(values(h)).toMatchObject({
      'eth.src': '02:00:00:00:00:01',
      'eth.type': 0x8100,
      'vlan.id': 42,
      'vlan.priority': 5,
      'ip.src': '10.0.0.1',
      'ip.ttl': 64,
      'ip.id': 0xabcd,
      'ip.flags.df': true,
      'ip.proto': 6,
      'tcp.srcport': 40_000,
      'tcp.flags': 'SYN ACK',
      'tcp.len': 3,
      'eth.padding': '0000',
    });
    expect(texts(h)).toMatchObject({ 'ip.dsfield': 'EF ECT(1)', 'ip.proto': '6 (tcp)', 'ip.id': '0xabcd' });
    expect(layers(h).map(({ title }) => title)).toEqual([
      'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02',
      'VLAN 42',
      'IPv4 10.0.0.1 > 10.0.0.2',
      'TCP 40000 > 80 SYN ACK',
      'padding',
    ]);
  });

  it('point at the bytes a value came from', () => {
    const h = read(frame);
    const { from, to } = all(h).get('ip.dst')!;
    expect([...frame.subarray(from, to)]).toEqual([10, 0, 0, 2]);
    const port = all(h).get('tcp.dstport')!;
    expect([...frame.subarray(port.from, port.to)]).toEqual([0, 80]);
  });

  it('say what a checksum is worth', () => {
    expect(texts(read(frame))['tcp.checksum']).toMatch(/^0x[0-9a-f]{4} correct$/);
    const wrong = ipv4({ protocol: 6 }, tcp({}, DATA));
    const right = w16((wrong[36]! << 8) | wrong[37]!);
    wrong.set([0x12, 0x34], 36);
    wrong.set([0x56, 0x78], 10);
    const t = texts(read(wrong, LINK.raw));
    const expected = right.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    expect(t['tcp.checksum']).toBe(`0x1234 wrong, should be 0x${expected}`);
    expect(t['ip.checksum']).toMatch(/^0x5678 wrong, should be 0x/);
    // 10.0.0.1 + 10.0.0.2 + 6 + 23 bytes, as it is left for the interface.
    wrong.set(w16(0x0a00 + 1 + 0x0a00 + 2 + 6 + 23), 36);
    expect(texts(read(wrong, LINK.raw))['tcp.checksum']).toBe(
      '0x1420 not yet computed (offloaded to the interface)',
    );
  });

  it('of a frame captured short hold what is there', () => {
    const h = read(frame, LINK.ethernet, 18 + 20 + 10);
    expect(names(h)).toEqual(['eth', 'vlan', 'ip', 'tcp']);
    expect(values(h)).toMatchObject({ 'tcp.srcport': 40_000, 'tcp.seq': 1 });
    expect(values(h)['tcp.ack']).toBeUndefined();
    expect(values(read(frame, LINK.ethernet, 18 + 9))).toMatchObject({ 'ip.ttl': 64 });
    expect(names(read(frame, LINK.ethernet, 3))).toEqual(['eth']);
  });

  it('of cooked, loopback and 802.3 frames are named too', () => {
    const cooked = join(
      w16(4),
      w16(1),
      w16(6),
      MAC_A,
      [0, 0],
      w16(0x0800),
      ipv4({ protocol: 17 }, udp({}, DATA)),
    );
    expect(texts(read(cooked, LINK.linuxSll))).toMatchObject({
      'sll.pkttype': '4 (sent by us)',
      'sll.src.eth': '02:00:00:00:00:01',
      'udp.length': '11',
    });
    const second = join(w16(0x0806), w16(0), w32(3), w16(772), [0, 6], MAC_B, [0, 0], new Uint8Array(28));
    expect(values(read(second, LINK.linuxSll2))).toMatchObject({ 'sll.ifindex': 3, 'sll.pkttype': 0 });
    expect(texts(read(join([2, 0, 0, 0], ipv4({ protocol: 17 }, EMPTY)), LINK.null))).toMatchObject({
      'null.family': '2 (IPv4)',
    });
    const snap = join([0xaa, 0xaa, 3, 0, 0, 0], arp(1, '10.0.0.1', '10.0.0.2').subarray(12));
    expect(names(read(ethernet({ type: snap.length }, snap)))).toEqual(['eth', 'llc', 'arp']);
  });

  it('IPv4 options are named', () => {
    const options = [7, 7, 8, 1, 2, 3, 4, 148, 4, 0, 0, 68, 12, 13, 1, 9, 9, 9, 9, 0, 0, 0, 5, 0];
    const t = texts(read(ipv4({ protocol: 17, options }, udp({}, DATA)), LINK.raw));
    expect(t).toMatchObject({
      'ip.opt.type': 'record route',
      'ip.rec_rt': '1.2.3.4',
      'ip.opt.ra': 'examine packet',
      'ip.opt.time_stamp_addr': '9.9.9.9',
      'ip.opt.time_stamp': '5 ms',
    });
    const route = values(read(ipv4({ protocol: 17, options: [131, 7, 4, 5, 6, 7, 8, 0] }, EMPTY), LINK.raw));
    expect(route).toMatchObject({ 'ip.opt.type': 131, 'ip.src_rt.rest': '5.6.7.8' });
  });

  it('IPv6 extension headers are layers of their own', () => {
    const extensions = [
      { kind: 0, body: [0, 5, 2, 0, 0, 1, 0] },
      { kind: 43, body: [2, 4, 1, 0, 0, 0, 7, ...ipBytes('fd00::5')] },
      { kind: 44, body: [0, ...w16(1480), ...w32(0xabc)] },
    ];
    const h = read(ipv6({ protocol: 17, flow: 0x12345, trafficClass: 0x28, extensions }, DATA), LINK.raw);
    expect(names(h)).toEqual(['ipv6', 'ipv6.hopopts', 'ipv6.routing', 'ipv6.fraghdr']);
    expect(values(h)).toMatchObject({
      'ipv6.flow': 0x12345,
      'ipv6.tclass': 0x28,
      'ipv6.hlim': 64,
      'ipv6.opt.router_alert': 0,
      'ipv6.routing.addr': 'fd00::5',
      'ipv6.fraghdr.offset': 1480,
      'ipv6.fraghdr.ident': 0xabc,
    });
  });
});

const arp = (operation: number, sender: string, target: string) =>
  ethernet(
    { type: 0x0806 },
    join(w16(1), w16(0x0800), 6, 4, w16(operation), MAC_A, ipBytes(sender), MAC_B, ipBytes(target)),
  );
const QUOTED_PORTS = udp({ sourcePort: 4000, destinationPort: 53 }, new Uint8Array(30));
const quoted = ipv4({ protocol: 17, source: '10.0.0.9', destination: '10.0.0.1' }, QUOTED_PORTS).subarray(
  0,
  28,
);
const quoted6 = ipv6({ protocol: 6 }, tcp({ seq: 77 }, DATA, { version: 6 }));
const v4 = (message: Uint8Array) => read(ipv4({ protocol: 1 }, message), LINK.raw);
const v6 = (message: Uint8Array) => read(ipv6({ protocol: 58 }, message), LINK.raw);

describe('ICMP', () => {
  it('quotes the packet it is about, however little of it', () => {
    const h = v4(icmp(3, 3, join(w32(0), quoted)));
    expect(checksums(h).transport).toBe('good');
    expect(values(h)).toMatchObject({
      'icmp.quoted.src': '10.0.0.9',
      'icmp.quoted.dst': '10.0.0.1',
      'icmp.quoted.proto': 17,
      'icmp.quoted.srcport': 4000,
      'icmp.quoted.dstport': 53,
    });
    expect(texts(h)['icmp.code']).toBe('3 (port unreachable)');
    expect(layers(h).at(-1)!.title).toBe('ICMP destination unreachable: port unreachable');
    const six = v6(icmpv6(2, 0, join(w32(1280), quoted6)));
    expect(values(six)).toMatchObject({
      'icmpv6.mtu': 1280,
      'icmpv6.quoted.seq': 77,
      'icmpv6.quoted.proto': 6,
    });
    expect(values(v4(icmp(3, 1, join(w32(0), [0x45, 0]))))['icmp.quoted.data']).toBe('4500');
  });

  it('neighbour and router discovery show targets and addresses', () => {
    const lladdr = (kind: number) => [kind, 1, ...MAC_B];
    const ns = v6(icmpv6(135, 0, join(w32(0), ipBytes('fe80::7'), lladdr(1))));
    expect(values(ns)).toMatchObject({
      'icmpv6.nd.ns.target_address': 'fe80::7',
      'icmpv6.opt.src_linkaddr': '02:00:00:00:00:02',
    });
    const na = v6(icmpv6(136, 0, join(w32(0x60000000), ipBytes('fe80::7'), lladdr(2))));
    expect(values(na)).toMatchObject({
      'icmpv6.nd.na.flag.s': true,
      'icmpv6.nd.na.flag.r': false,
      'icmpv6.opt.target_linkaddr': '02:00:00:00:00:02',
    });
    const prefix = join([3, 4, 64, 0xc0], w32(600), w32(300), w32(0), ipBytes('fd00::'));
    const dns = join([25, 3, 0, 0], w32(60), ipBytes('fd00::53'));
    const ra = v6(
      icmpv6(134, 0, join([64, 0x80], w16(1800), w32(0), w32(0), prefix, dns, [5, 1, 0, 0], w32(1400))),
    );
    expect(values(ra)).toMatchObject({
      'icmpv6.nd.ra.flag.m': true,
      'icmpv6.nd.ra.router_lifetime': 1800,
      'icmpv6.opt.prefix': 'fd00::',
      'icmpv6.opt.rdnss': 'fd00::53',
      'icmpv6.opt.mtu': 1400,
    });
    const endless = v6(icmpv6(133, 0, join(w32(0), [1, 0], new Uint8Array(30))));
    expect(values(endless)['icmpv6.opt.malformed']).toBe(1);
  });
});

describe('a line for people', () => {
  const lines: [string, Headers][] = [
    ['ARP who has 10.0.0.2? tell 10.0.0.1', read(arp(1, '10.0.0.1', '10.0.0.2'))],
    ['ARP probe: does anybody use 10.0.0.2?', read(arp(1, '0.0.0.0', '10.0.0.2'))],
    ['ARP gratuitous: 10.0.0.1 is at 02:00:00:00:00:01', read(arp(1, '10.0.0.1', '10.0.0.1'))],
    ['ARP 10.0.0.1 is at 02:00:00:00:00:01', read(arp(2, '10.0.0.1', '10.0.0.2'))],
    ['ICMP echo request id 7 seq 1', v4(icmp(8, 0, join(w16(7), w16(1))))],
    ['ICMP port unreachable: udp 10.0.0.9:4000 > 10.0.0.1:53', v4(icmp(3, 3, join(w32(0), quoted)))],
    [
      'ICMP fragmentation needed, next hop takes 1400: udp 10.0.0.9:4000 > 10.0.0.1:53',
      v4(icmp(3, 4, join(w32(1400), quoted))),
    ],
    [
      'ICMP time to live exceeded in transit: udp 10.0.0.9:4000 > 10.0.0.1:53',
      v4(icmp(11, 0, join(w32(0), quoted))),
    ],
    ['ICMP redirect for the host to 10.0.0.3', v4(icmp(5, 1, ipBytes('10.0.0.3')))],
    ['ICMP type 99', v4(icmp(99, 0, w16Pair()))],
    ['ICMPv6 echo reply id 7 seq 2', v6(icmpv6(129, 0, join(w16(7), w16(2))))],
    ['ICMPv6 neighbour solicitation for fe80::1', v6(icmpv6(135, 0, join(w32(0), ipBytes('fe80::1'))))],
    ['ICMPv6 router solicitation', v6(icmpv6(133, 0, w16Pair()))],
    [
      'ICMPv6 packet too big, next hop takes 1280: tcp [fe80::1]:40000 > [fe80::2]:80',
      v6(icmpv6(2, 0, join(w32(1280), quoted6))),
    ],
    ['ICMPv6 port unreachable: tcp [fe80::1]:40000 > [fe80::2]:80', v6(icmpv6(1, 4, join(w32(0), quoted6)))],
    ['ethertype 0x88cc LLDP', read(ethernet({ type: 0x88cc }, DATA))],
    ['ethertype 0x1234', read(ethernet({ type: 0x0600 + 0xc34 }, DATA))],
    ['LLC spanning tree', read(ethernet({ type: 3 }, Uint8Array.from([0x42, 0x42, 3])))],
    ['IPv4 sctp 10.0.0.1 > 10.0.0.2', read(ipv4({ protocol: 132 }, DATA), LINK.raw)],
    ['IPv6 no next header fe80::1 > fe80::2', read(ipv6({ protocol: 59 }, DATA), LINK.raw)],
    [
      'IPv6 hop-by-hop pim fe80::1 > fe80::2',
      read(ipv6({ protocol: 103, extensions: [{ kind: 0, body: [0, 1, 4, 0, 0, 0, 0] }] }, DATA), LINK.raw),
    ],
    [
      'IPv4 udp last fragment at 1480 10.0.0.1 > 10.0.0.2',
      read(ipv4({ protocol: 17, offset: 1480 }, DATA), LINK.raw),
    ],
    [
      'IPv6 udp first fragment fe80::1 > fe80::2',
      read(ipv6({ protocol: 17, extensions: [{ kind: 44, body: [0, 0, 1, 0, 0, 0, 1] }] }, DATA), LINK.raw),
    ],
    ['IPv4 tcp 10.0.0.1 > 10.0.0.2 (malformed)', read(ipv4({ protocol: 6 }, DATA), LINK.raw)],
    ['link type 147', read(DATA, 147)],
  ];
  it.each(lines)('%s', (line, h) => {
    expect(summaryOf(h)).toBe(line);
  });
});

function w16Pair(): Uint8Array {
  return join(w16(0), w16(0));
}

const LINKS = [...Object.values(LINK), 147];

describe('any bytes', () => {
  const frames = [
    ethernet(
      { type: 0x0800, tags: [{ id: 1 }] },
      ipv4(
        { protocol: 6, options: [7, 7, 4, 0, 0, 0, 0, 0] },
        tcp({ options: [2, 4, 1, 2, 30, 4, 0, 0, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0] }, DATA),
      ),
    ),
    ethernet({ type: 0x0800 }, ipv4({ protocol: 1 }, icmp(3, 4, join(w32(0), quoted)))),
    ethernet(
      { type: 0x86dd },
      ipv6(
        {
          protocol: 58,
          extensions: [
            { kind: 0, body: [0, 5, 2, 0, 0, 1, 0] },
            { kind: 43, body: [2, 0, 1, 0, 0, 0, 0, ...ipBytes('::1')] },
          ],
        },
        icmpv6(134, 0, join(w32(0), w32(0), w32(0), [3, 4], new Uint8Array(30))),
      ),
    ),
    ethernet(
      { type: 0x86dd },
      ipv6(
        { protocol: 58 },
        icmpv6(143, 0, join(w16(0), w16(1), [4, 0, 0, 1], ipBytes('ff02::1'), ipBytes('::1'))),
      ),
    ),
    arp(1, '10.0.0.1', '10.0.0.2'),
    ethernet({ type: 0x0800 }, ipv4({ protocol: 17, more: true }, udp({}, DATA))),
    ethernet(
      { type: 0x86dd },
      ipv6({ protocol: 17, extensions: [{ kind: 44, body: [0, 0, 1, 0, 0, 0, 1] }] }, udp({}, DATA)),
    ),
    ethernet({ type: 8 }, Uint8Array.from([0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
  ];
  const spoilt = fc
    .tuple(
      fc.constantFrom(...frames),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      fc.nat(),
      fc.constantFrom(0, 14),
    )
    .map(([frame, changes, cut, skip]) => {
      const bytes = frame.slice(skip);
      for (const [at, byte] of changes) {
        bytes[at % bytes.length] = byte;
      }
      return cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
    });
  const anything = fc.oneof(fc.uint8Array({ maxLength: 160 }), spoilt);

  /** Everything that can be said about a frame that lies between `around`. */
  function story(frame: Uint8Array, link: number, extra: number, around: number): unknown {
    const h = emptyHeaders();
    h.bytes = join(new Uint8Array(50).fill(around), frame, new Uint8Array(300).fill(around));
    h.from = 50;
    h.to = 50 + frame.length;
    h.wireLength = frame.length + extra;
    h.linkType = link;
    dissect(h);
    const options = emptyTcpOptions();
    if (h.optionsAt >= 0) {
      tcpOptions(h, options);
    }
    const told = { ...h, bytes: null, options, sums: checksums(h), layers: layers(h), line: summaryOf(h) };
    createFragments().add(h);
    return told;
  }

  it('are survived, and nothing outside the frame is read', () => {
    fc.assert(
      fc.property(anything, fc.constantFrom(...LINKS), fc.nat(40), (frame, link, extra) => {
        expect(story(frame, link, extra, 0)).toEqual(story(frame, link, extra, 0x45));
      }),
      { numRuns: 1500 },
    );
  });

  it('give fields in order, inside the frame, and layers that do not overlap', () => {
    fc.assert(
      fc.property(anything, fc.constantFrom(...LINKS), fc.nat(40), (frame, link, extra) => {
        const h = emptyHeaders();
        h.bytes = frame;
        h.to = frame.length;
        h.wireLength = frame.length + extra;
        h.linkType = link;
        dissect(h);
        if (h.payloadAt >= 0) {
          expect(h.transportAt).toBeLessThanOrEqual(h.payloadAt);
          expect(h.payloadAt).toBeLessThanOrEqual(h.payloadEnd);
          expect(h.payloadEnd).toBeLessThanOrEqual(h.to);
          expect(h.payloadEnd - h.payloadAt).toBeLessThanOrEqual(h.payloadLength);
        }
        let last = 0;
        for (const layer of layers(h)) {
          expect(layer.from).toBeGreaterThanOrEqual(last);
          expect(layer.to).toBeLessThanOrEqual(h.to);
          last = layer.to;
          let before = layer.from;
          for (const field of layer.fields) {
            expect([field.name, field.from]).toEqual([field.name, Math.max(field.from, before)]);
            expect(field.to).toBeGreaterThanOrEqual(field.from);
            expect(field.to).toBeLessThanOrEqual(h.to);
            before = field.from;
          }
        }
      }),
      { numRuns: 1500 },
    );
  });
});
