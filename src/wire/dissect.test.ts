import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ethernet, ipv4, ipv6, join, tcp, udp, w16, w32 } from '../../test/fixtures/frames.ts';
import { dissect, dissectNetwork } from './dissect.ts';
import { emptyHeaders, type Headers, LINK, PROBLEM } from './headers.ts';
import { ipv4Text, ipv6Text } from './net/address.ts';

const DATA = Uint8Array.from([1, 2, 3, 4, 5]);

/** The frame lies in the middle of other bytes, as in a ring. */
function read(frame: Uint8Array, linkType: number = LINK.ethernet, wireLength = frame.length): Headers {
  const h = emptyHeaders();
  h.bytes = join(new Uint8Array(7).fill(0x45), frame, new Uint8Array(90).fill(0x45));
  h.from = 7;
  h.to = 7 + frame.length;
  h.wireLength = wireLength;
  h.linkType = linkType;
  dissect(h);
  return h;
}

const payload = (h: Headers) => [...h.bytes.subarray(h.payloadAt, h.payloadEnd)];
const segment = () => ipv4({ protocol: 6 }, tcp({}, DATA));

describe('links', () => {
  it('stacked tags are counted and the outermost id kept', () => {
    const tags = [{ id: 100, type: 0x88a8 }, { id: 7 }, { id: 9, type: 0x9100 }];
    const h = read(ethernet({ type: 0x0800, tags }, segment()));
    expect(h).toMatchObject({ vlan: 100, vlans: 3, etherType: 0x0800, sourcePort: 40_000, problem: 0 });
    expect(payload(h)).toEqual([...DATA]);
  });

  it('tags beyond any sense are malformed, not followed', () => {
    const tags = Array.from({ length: 9 }, () => ({ id: 1 }));
    expect(read(ethernet({ type: 0x0800, tags }, segment())).problem).toBe(PROBLEM.malformed);
  });

  it('802.3 with SNAP carries a type; other LLC has none', () => {
    const snap = join([0xaa, 0xaa, 3, 0, 0, 0], w16(0x0800), segment());
    expect(read(ethernet({ type: snap.length }, snap))).toMatchObject({
      etherType: 0x0800,
      sourcePort: 40_000,
    });
    const tree = read(ethernet({ type: 10 }, join([0x42, 0x42, 3], new Uint8Array(7))));
    expect(tree).toMatchObject({ etherType: -1, netAt: -1, problem: 0 });
    const long = read(ethernet({ type: 100 }, join([0x42, 0x42, 3], new Uint8Array(7))));
    expect(long.problem).toBe(PROBLEM.malformed);
    expect(read(ethernet({ type: 1510 }, new Uint8Array(1510))).problem).toBe(PROBLEM.malformed);
  });

  it.each([0, 1, 2, 3, 4])('cooked frames say their direction: %i', (kind) => {
    const first = join(w16(kind), w16(772), w16(6), new Uint8Array(8), w16(0x0800), segment());
    expect(read(first, LINK.linuxSll)).toMatchObject({ direction: kind, destinationPort: 80 });
    const second = join(w16(0x0800), w16(0), w32(3), w16(1), kind, 6, new Uint8Array(8), segment());
    expect(read(second, LINK.linuxSll2)).toMatchObject({ direction: kind, destinationPort: 80 });
  });

  it('a tag and LLC after a cooked header are read', () => {
    const head = join(w16(0), w16(1), w16(6), new Uint8Array(8));
    const tagged = join(head, w16(0x8100), w16(5), w16(0x0800), segment());
    expect(read(tagged, LINK.linuxSll)).toMatchObject({ vlan: 5, destinationPort: 80 });
    const llc = join(head, w16(4), [0xaa, 0xaa, 3, 0, 0, 0], w16(0x0800), segment());
    expect(read(llc, LINK.linuxSll)).toMatchObject({ etherType: 0x0800, destinationPort: 80 });
  });

  it('netlink in a cooked frame is no ethertype', () => {
    const frame = join(w16(4), w16(824), w16(0), new Uint8Array(8), w16(0x0800), segment());
    expect(read(frame, LINK.linuxSll)).toMatchObject({ etherType: -1, netAt: -1 });
  });

  it('BSD loopback is read in either order, the big endian kind in one', () => {
    const six = ipv6({ protocol: 17 }, udp({}, DATA, { version: 6 }));
    expect(read(join([2, 0, 0, 0], segment()), LINK.null).net).toBe(4);
    expect(read(join([0, 0, 0, 2], segment()), LINK.null).net).toBe(4);
    expect(read(join([0, 0, 0, 30], six), LINK.null).net).toBe(6);
    expect(read(join([24, 0, 0, 0], six), LINK.null).net).toBe(6);
    expect(read(join([0, 0, 0, 2], segment()), LINK.loop).net).toBe(4);
    expect(read(join([2, 0, 0, 0], segment()), LINK.loop).net).toBe(0);
  });

  it('raw IP tells its version; the fixed kinds insist on theirs', () => {
    for (const link of [LINK.raw, LINK.rawOld, LINK.ipv4]) {
      expect(read(segment(), link)).toMatchObject({ net: 4, netAt: 7, destinationPort: 80, problem: 0 });
    }
    expect(read(segment(), LINK.ipv6)).toMatchObject({ problem: PROBLEM.malformed, net: 0 });
  });

  it('a frame without its link header is entered at the network', () => {
    const h = emptyHeaders();
    h.bytes = join(w16(12), w16(0x0800), segment());
    h.to = h.bytes.length;
    h.wireLength = h.to;
    dissectNetwork(h, 0x8100);
    expect(h).toMatchObject({ vlan: 12, net: 4, netAt: 4, destinationPort: 80, linkType: LINK.raw });
  });

  it('the direction a caller knows is left alone', () => {
    const h = read(ethernet({ type: 0x0800 }, segment()));
    h.direction = 4;
    dissect(h);
    expect(h.direction).toBe(4);
  });
});

describe('IPv4', () => {
  const frame = (...rest: Parameters<typeof ipv4>) => read(ethernet({ type: 0x0800 }, ipv4(...rest)));

  it('options are stepped over', () => {
    const h = frame({ protocol: 17, options: [148, 4, 0, 0] }, udp({}, DATA));
    expect(h).toMatchObject({ destinationPort: 53, payloadLength: 5, problem: 0 });
  });

  it('Ethernet padding is no payload', () => {
    const h = read(ethernet({ type: 0x0800 }, join(segment(), new Uint8Array(9))));
    expect(h.netEnd).toBe(h.to - 9);
    expect(payload(h)).toEqual([...DATA]);
  });

  it('a total length of 0 means up to the end of the frame', () => {
    const h = frame({ protocol: 6, length: 0 }, tcp({}, DATA));
    expect(h).toMatchObject({ payloadLength: 5, problem: 0 });
    const big = read(ethernet({ type: 0x0800 }, ipv4({ protocol: 6, length: 0 }, tcp({}, DATA))), 1, 90_000);
    expect(big.payloadLength).toBe(90_000 - 54);
  });

  it.each([
    ['a length beyond the frame', { protocol: 6, length: 500 }],
    ['a length shorter than the header', { protocol: 6, length: 19 }],
  ])('%s is malformed, and nothing above it is believed', (_, parts) => {
    expect(frame(parts, tcp({}, DATA))).toMatchObject({
      problem: PROBLEM.malformed,
      net: 4,
      transportAt: -1,
      payloadAt: -1,
    });
  });

  it('a header length below 20 and another version are malformed', () => {
    const packet = segment();
    packet[0] = 0x44;
    expect(read(packet, LINK.ipv4).problem).toBe(PROBLEM.malformed);
    packet[0] = 0x65;
    expect(read(packet, LINK.ipv4)).toMatchObject({ problem: PROBLEM.malformed, net: 0 });
  });

  it('fragments are marked; the first has ports', () => {
    const first = frame({ protocol: 17, more: true }, udp({}, DATA));
    expect(first).toMatchObject({ problem: PROBLEM.fragment, sourcePort: 5000, payloadAt: -1 });
    const later = frame({ protocol: 17, offset: 1480 }, DATA);
    expect(later).toMatchObject({ problem: PROBLEM.fragment, sourcePort: -1, transportAt: -1, protocol: 17 });
  });
});

describe('IPv6', () => {
  const ends = { version: 6 } as const;
  const frame = (...rest: Parameters<typeof ipv6>) => read(ethernet({ type: 0x86dd }, ipv6(...rest)));
  const segment6 = tcp({}, DATA, ends);

  it('every extension header leads on to the transport', () => {
    const extensions = [
      { kind: 0, body: [0, 1, 4, 0, 0, 0, 0] },
      { kind: 60, body: [1, 1, 12, ...new Array(12).fill(0)] },
      { kind: 43, body: [2, 2, 0, 0, 0, 0, 0, ...new Array(16).fill(1)] },
      { kind: 44, body: [0, 0, 0, 0, 0, 0, 9] },
      { kind: 51, body: [4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, ...new Array(12).fill(7)] },
    ];
    const h = frame({ protocol: 6, extensions }, segment6);
    expect(h).toMatchObject({ protocol: 6, destinationPort: 80, payloadLength: 5, problem: 0 });
    expect(h.transportAt - h.netAt).toBe(40 + 8 + 16 + 24 + 8 + 24);
  });

  it('no next header means no transport', () => {
    expect(frame({ protocol: 59 }, DATA)).toMatchObject({ protocol: 59, transportAt: -1, problem: 0 });
  });

  it('a length of 0 is up to the end of the frame, or what the jumbo option says', () => {
    expect(frame({ protocol: 6, length: 0 }, segment6)).toMatchObject({ payloadLength: 5, problem: 0 });
    const jumbo = { kind: 0, body: [0, 0xc2, 4, ...w32(8 + segment6.length)] };
    const padded = join(segment6, [9, 9, 9]);
    expect(frame({ protocol: 6, length: 0, extensions: [jumbo] }, padded)).toMatchObject({
      payloadLength: 5,
      problem: 0,
    });
  });

  it('an extension header longer than the datagram is malformed, one longer than the capture truncated', () => {
    const extensions = [{ kind: 60, body: [9, 1, 4, 0, 0, 0, 0] }];
    expect(frame({ protocol: 6, extensions }, segment6)).toMatchObject({ problem: PROBLEM.malformed });
    const whole = ethernet(
      { type: 0x86dd },
      ipv6({ protocol: 6, extensions: [{ kind: 60, body: [9, ...new Array(78).fill(0)] }] }, segment6),
    );
    expect(read(whole.subarray(0, 80), LINK.ethernet, whole.length)).toMatchObject({
      problem: PROBLEM.truncated,
      protocol: 60,
    });
  });

  it('fragments are marked, but for one that is the whole datagram', () => {
    const at = (offset: number, more: number) => [{ kind: 44, body: [0, ...w16(offset | more), 0, 0, 0, 9] }];
    expect(frame({ protocol: 6, extensions: at(0, 1) }, segment6)).toMatchObject({
      problem: PROBLEM.fragment,
      sourcePort: 40_000,
      payloadAt: -1,
    });
    expect(frame({ protocol: 6, extensions: at(1480, 0) }, DATA)).toMatchObject({
      problem: PROBLEM.fragment,
      protocol: 6,
      transportAt: -1,
    });
    expect(frame({ protocol: 6, extensions: at(0, 0) }, segment6)).toMatchObject({
      problem: 0,
      payloadLength: 5,
    });
  });

  it('a chain of headers without end is given up', () => {
    const extensions = Array.from({ length: 30 }, () => ({ kind: 60, body: [0, 1, 4, 0, 0, 0, 0] }));
    expect(frame({ protocol: 6, extensions }, segment6).problem).toBe(PROBLEM.malformed);
  });
});

describe('transport', () => {
  it('TCP fields and nine flags are read', () => {
    const parts = { seq: 0xfedcba98, ack: 0x89abcdef, flags: 0x1c2, window: 65_535, options: [2, 4, 5, 180] };
    const h = read(ipv4({ protocol: 6 }, tcp(parts, DATA)), LINK.raw);
    expect(h).toMatchObject({ seq: 0xfedcba98, ack: 0x89abcdef, flags: 0x1c2, window: 65_535 });
    expect(h.optionsEnd - h.optionsAt).toBe(4);
    expect(payload(h)).toEqual([...DATA]);
  });

  it.each([4, 0, 15])('a data offset of %i that cannot be is malformed', (dataOffset) => {
    const h = read(ipv4({ protocol: 6 }, tcp({ dataOffset }, DATA)), LINK.raw);
    expect(h).toMatchObject({ problem: PROBLEM.malformed, sourcePort: 40_000, payloadAt: -1 });
  });

  it('a capture that ends in the payload is no problem; in the options it is, with the length known', () => {
    const frame = ipv4({ protocol: 6 }, tcp({ options: [1, 1, 1, 1] }, DATA));
    expect(read(frame.subarray(0, 46), LINK.raw, frame.length)).toMatchObject({
      problem: 0,
      payloadLength: 5,
    });
    const h = read(frame.subarray(0, 42), LINK.raw, frame.length);
    expect(h).toMatchObject({ problem: PROBLEM.truncated, payloadLength: 5, seq: 1 });
    expect(h.payloadEnd - h.payloadAt).toBe(0);
    expect(read(frame.subarray(0, 30), LINK.raw, frame.length)).toMatchObject({
      problem: PROBLEM.truncated,
      sourcePort: 40_000,
      seq: 1,
      payloadAt: -1,
    });
  });

  it('a datagram that ends within the TCP header is malformed', () => {
    expect(read(ipv4({ protocol: 6 }, DATA), LINK.raw).problem).toBe(PROBLEM.malformed);
  });

  it('UDP goes by its own length; 0 goes by the datagram', () => {
    const h = read(ipv4({ protocol: 17 }, udp({ length: 10 }, DATA)), LINK.raw);
    expect(payload(h)).toEqual([1, 2]);
    expect(read(ipv4({ protocol: 17 }, udp({ length: 0 }, DATA)), LINK.raw).payloadLength).toBe(5);
    for (const length of [7, 14]) {
      const wrong = read(ipv4({ protocol: 17 }, udp({ length }, DATA)), LINK.raw);
      expect(wrong).toMatchObject({ problem: PROBLEM.malformed, sourcePort: 5000, payloadAt: -1 });
    }
  });

  it('ICMP is left where it begins', () => {
    const h = read(ipv4({ protocol: 1 }, DATA), LINK.raw);
    expect(h).toMatchObject({ protocol: 1, transportAt: h.netAt + 20, payloadAt: -1, problem: 0 });
  });
});

const port = fc.integer({ min: 0, max: 65_535 });
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 40 });

describe('any packet', () => {
  it('is read as it was built', () => {
    const parts = fc.record({
      six: fc.boolean(),
      isTcp: fc.boolean(),
      sourcePort: port,
      destinationPort: port,
      seq: word,
      ack: word,
      flags: fc.integer({ min: 0, max: 511 }),
      window: port,
      hops: fc.integer({ min: 0, max: 255 }),
      options: fc.integer({ min: 0, max: 10 }),
      tags: fc.array(fc.integer({ min: 0, max: 4095 }), { maxLength: 3 }),
      source: fc.ipV4(),
      padding: fc.integer({ min: 0, max: 20 }),
      body: bytes,
    });
    fc.assert(
      fc.property(parts, (p) => {
        const options = new Array<number>(4 * p.options).fill(1);
        const above = p.isTcp ? tcp({ ...p, options }, p.body) : udp(p, p.body);
        const protocol = p.isTcp ? 6 : 17;
        const packet = p.six
          ? ipv6({ protocol, hops: p.hops, source: 'fd00::9' }, above)
          : ipv4({ protocol, ttl: p.hops, source: p.source, options }, above);
        const type = p.six ? 0x86dd : 0x0800;
        const tags = p.tags.map((id) => ({ id }));
        const h = read(ethernet({ type, tags }, join(packet, new Uint8Array(p.padding))));
        expect(h.problem).toBe(0);
        expect([h.vlan, h.vlans, h.etherType]).toEqual([p.tags[0] ?? -1, p.tags.length, type]);
        expect(p.six ? ipv6Text(h.bytes, h.sourceAt) : ipv4Text(h.bytes, h.sourceAt)).toBe(
          p.six ? 'fd00::9' : p.source,
        );
        expect([h.ttl, h.protocol, h.sourcePort, h.destinationPort]).toEqual([
          p.hops,
          protocol,
          p.sourcePort,
          p.destinationPort,
        ]);
        if (p.isTcp) {
          expect([h.seq, h.ack, h.flags, h.window]).toEqual([p.seq, p.ack, p.flags, p.window]);
          expect(h.optionsEnd - h.optionsAt).toBe(options.length);
        }
        expect(payload(h)).toEqual([...p.body]);
        expect(h.payloadLength).toBe(p.body.length);
      }),
    );
  });
});
