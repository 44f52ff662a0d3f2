import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ethernet, ipv4, ipv6, udp, w16, w32 } from '../../../test/fixtures/frames.ts';
import { dissect } from '../dissect.ts';
import { emptyHeaders, type Headers, PROBLEM } from '../headers.ts';
import { checksums } from './checksum.ts';
import { createFragments, type Fragments } from './fragments.ts';

const BODY = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7) & 255);
const S = 1e9;

interface Piece {
  from: number;
  to: number;
  more: boolean;
}

/** Cuts where told; every cut is a multiple of 8. */
function pieces(length: number, ...cuts: number[]): Piece[] {
  return [0, ...cuts].map((from, i) => ({ from, to: cuts[i] ?? length, more: i < cuts.length }));
}

const datagram4 = udp({}, BODY);
const datagram6 = udp({}, BODY, { version: 6 });

function frame4({ from, to, more }: Piece, id = 1, source = '10.0.0.1', data = datagram4): Uint8Array {
  return ethernet(
    { type: 0x0800, tags: [{ id: 5 }] },
    ipv4({ protocol: 17, id, source, offset: from, more }, data.subarray(from, to)),
  );
}

function frame6({ from, to, more }: Piece, id = 1): Uint8Array {
  const extensions = [
    { kind: 0, body: [0, 1, 4, 0, 0, 0, 0] },
    { kind: 44, body: [0, ...w16(from | (more ? 1 : 0)), ...w32(id)] },
  ];
  return ethernet({ type: 0x86dd }, ipv6({ protocol: 17, extensions }, datagram6.subarray(from, to)));
}

const h: Headers = emptyHeaders();
function add(fragments: Fragments, frame: Uint8Array, at = 0): boolean {
  h.bytes = frame;
  h.from = 0;
  h.to = frame.length;
  h.wireLength = frame.length;
  h.at = at;
  h.linkType = 1;
  dissect(h);
  return fragments.add(h);
}

const payload = () => h.bytes.subarray(h.payloadAt, h.payloadEnd);

describe.each([
  ['IPv4', frame4, datagram4],
  ['IPv6', frame6, datagram6],
] as const)('%s fragments', (version, frame, datagram) => {
  it('become the datagram in any order, duplicates and all', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 375 }), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.nat()), (eighths, random) => {
        const all = pieces(datagram.length, ...eighths.map((n) => 8 * n).sort((a, b) => a - b));
        fc.pre(all.length > 1);
        const next = () => random.next().value as number;
        const order = all.map((piece) => ({ piece, key: next() })).sort((a, b) => a.key - b.key);
        const fragments = createFragments();
        for (const [i, { piece }] of order.entries()) {
          const last = i === order.length - 1;
          expect(add(fragments, frame(piece))).toBe(last);
          if (!last) {
            expect(add(fragments, frame(order[next() % (i + 1)]!.piece))).toBe(false);
          }
        }
        expect(payload()).toEqual(BODY);
        expect(fragments.dropped).toBe(0);
      }),
    );
  });

  it('give a datagram that is whole in every respect', () => {
    const fragments = createFragments();
    const [first, second] = pieces(datagram.length, 1480) as [Piece, Piece];
    expect(add(fragments, frame(second))).toBe(false);
    expect(h.problem).toBe(PROBLEM.fragment);
    expect(add(fragments, frame(first))).toBe(true);
    expect(h).toMatchObject({
      reassembled: true,
      problem: 0,
      netAt: 0,
      from: 0,
      netEnd: h.bytes.length,
      to: h.bytes.length,
      wireLength: h.bytes.length,
      destinationPort: 53,
      payloadLength: 3000,
    });
    expect(checksums(h)).toEqual({ ip: version === 'IPv4' ? 'good' : 'none', transport: 'good' });
  });

  it('that overlap drop the datagram and what is still to come of it', () => {
    const fragments = createFragments();
    expect(add(fragments, frame({ from: 0, to: 1480, more: true }))).toBe(false);
    expect(add(fragments, frame({ from: 1472, to: datagram.length, more: false }))).toBe(false);
    expect(fragments.dropped).toBe(1);
    expect(add(fragments, frame({ from: 1480, to: datagram.length, more: false }))).toBe(false);
    expect(fragments.dropped).toBe(1);
  });

  it('that contradict each other about the end drop the datagram', () => {
    for (const wrong of [
      { from: 2000, to: 2100, more: false },
      { from: 3000, to: 3008, more: true },
    ]) {
      const fragments = createFragments();
      add(fragments, frame({ from: 1480, to: wrong.more ? 2999 : datagram.length, more: false }));
      add(fragments, frame(wrong));
      expect(fragments.dropped).toBe(1);
    }
  });

  it('of different datagrams do not mix', () => {
    const fragments = createFragments();
    const [first, second] = pieces(datagram.length, 1480) as [Piece, Piece];
    expect(add(fragments, frame(first, 1))).toBe(false);
    expect(add(fragments, frame(second, 2))).toBe(false);
    expect(add(fragments, frame(first, 2))).toBe(true);
    expect(add(fragments, frame(second, 1))).toBe(true);
  });

  it('are kept for 30 seconds by the packets’ clock', () => {
    const [first, second] = pieces(datagram.length, 1480) as [Piece, Piece];
    const fragments = createFragments();
    add(fragments, frame(first), 0);
    expect(add(fragments, frame(second), 30 * S)).toBe(true);
    add(fragments, frame(first), 40 * S);
    expect(add(fragments, frame(second), 71 * S)).toBe(false);
    expect(fragments.dropped).toBe(1);
  });

  it('are bounded in count and bytes; the oldest go', () => {
    const [first, second] = pieces(datagram.length, 1480) as [Piece, Piece];
    for (const limits of [
      { datagrams: 3, bytes: 1e6, age: 30 * S },
      { datagrams: 1e6, bytes: 5000, age: 30 * S },
    ]) {
      const fragments = createFragments(limits);
      for (let id = 1; id <= 5; id++) {
        add(fragments, frame(first, id));
      }
      expect(fragments.dropped).toBe(2);
      expect(add(fragments, frame(second, 5))).toBe(true);
      expect(add(fragments, frame(second, 1))).toBe(false);
    }
  });

  it('captured short do not make a datagram', () => {
    const [first, second] = pieces(datagram.length, 1480) as [Piece, Piece];
    const fragments = createFragments();
    add(fragments, frame(first));
    const whole = frame(second);
    h.bytes = whole;
    h.to = whole.length - 1;
    h.wireLength = whole.length;
    dissect(h);
    expect(fragments.add(h)).toBe(false);
  });
});

describe('IPv4 only', () => {
  it('an address apart is a datagram apart', () => {
    const fragments = createFragments();
    const [first, second] = pieces(datagram4.length, 1480) as [Piece, Piece];
    expect(add(fragments, frame4(first))).toBe(false);
    expect(add(fragments, frame4(second, 1, '10.0.0.9'))).toBe(false);
  });

  it('more than 64 KiB in all is dropped', () => {
    const fragments = createFragments();
    const big = new Uint8Array(65_535);
    add(fragments, frame4({ from: 65_504, to: 65_535, more: false }, 1, '10.0.0.1', big));
    const half = 32_752;
    add(fragments, frame4({ from: 0, to: half, more: true }, 1, '10.0.0.1', big));
    expect(fragments.dropped).toBe(0);
    expect(add(fragments, frame4({ from: half, to: 65_504, more: true }, 1, '10.0.0.1', big))).toBe(false);
    expect(fragments.dropped).toBe(1);
  });

  it('a tag and the time of the last fragment stay with the datagram', () => {
    const fragments = createFragments();
    const [first, second] = pieces(datagram4.length, 1480) as [Piece, Piece];
    add(fragments, frame4(first), 10);
    add(fragments, frame4(second), 20);
    expect(h).toMatchObject({ vlan: 5, etherType: 0x0800, at: 20 });
  });
});

describe('any fragments', () => {
  it('harm nobody', () => {
    const piece = fc.record({
      offset: fc.integer({ min: 0, max: 8191 }),
      more: fc.boolean(),
      length: fc.integer({ min: 0, max: 64 }),
      id: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (list) => {
        const fragments = createFragments({ datagrams: 2, bytes: 70_000, age: S });
        for (const { offset, more, length, id } of list) {
          const frame = ethernet(
            { type: 0x0800 },
            ipv4({ protocol: 17, id, offset: (offset % 20) * 8, more }, new Uint8Array(length)),
          );
          if (add(fragments, frame)) {
            expect(h.to).toBeLessThanOrEqual(65_535);
            expect(h.netEnd).toBe(h.to);
          }
        }
        expect(fragments.dropped).toBeLessThanOrEqual(list.length);
      }),
    );
  });
});
