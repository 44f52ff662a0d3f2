import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CLIENT,
  fill,
  type Packet,
  packetBytes,
  play,
  SERVER,
  streamByte,
} from '../../test/fixtures/tcp-script.ts';
import { emptyHeaders } from './headers.ts';
import { KEPT_COST } from './stream-kept.ts';
import { createStreams } from './streams.ts';

const ISN = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.integer({ min: 0xffff_ff00, max: 0xffff_ffff }),
  fc.integer({ min: 0x7fff_ff00, max: 0x8000_0100 }),
);

/** A stream of `length` bytes cut at `cuts`, as [from, to) pieces. */
function pieces(length: number, cuts: readonly number[]): [number, number][] {
  const edges = [...new Set([0, length, ...cuts.map((cut) => cut % (length + 1))])].sort((a, b) => a - b);
  return edges.slice(1).map((edge, i) => [edges[i]!, edge]);
}

function segment(isn: number, from: number, to: number, at: number, fin: boolean, captured?: number): Packet {
  const payload = Uint8Array.from({ length: to - from }, (_, i) => streamByte('C', from + i));
  return {
    at,
    from: CLIENT,
    to: SERVER,
    tcp: { seq: isn + 1 + from, ack: 1, flags: fin ? 17 : 16 },
    payload,
    ...(captured === undefined ? {} : { captured }),
  };
}

const opening = (isn: number): Packet => ({ at: 0, from: CLIENT, to: SERVER, tcp: { seq: isn, flags: 2 } });

/** An order for `count` things out of arbitrary numbers. */
function shuffled<T>(things: readonly T[], keys: readonly number[]): T[] {
  return things
    .map((thing, i) => ({ thing, key: keys[i % Math.max(keys.length, 1)] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ thing }) => thing);
}

const cuts = fc.array(fc.nat(3000), { maxLength: 40 });
const keys = fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 });

describe('any stream', () => {
  it('comes out as it went in, however it was cut, shuffled, repeated and overlapped', () => {
    fc.assert(
      fc.property(
        ISN,
        fc.integer({ min: 1, max: 3000 }),
        cuts,
        fc.array(fc.tuple(fc.nat(3000), fc.nat(400)), { maxLength: 20 }),
        keys,
        (isn, length, where, extra, order) => {
          const parts = pieces(length, where);
          const more = extra
            .map(([from, size]): [number, number] => [
              from % length,
              Math.min((from % length) + size, length),
            ])
            .filter(([from, to]) => to > from);
          const segments = shuffled([...parts, ...more], order).map(([from, to], i) =>
            segment(isn, from, to, i * 1000, to === length),
          );
          const played = play([opening(isn), ...segments]);
          expect(played.missing.C).toBe(0);
          expect(played.bytes.C).toEqual(Array.from({ length }, (_, i) => streamByte('C', i)));
          expect(played.events.at(-1)).toBe('C ended');
          expect(played.streams.kept).toBe(0);
          const [client] = played.flows[0]!.ends;
          expect(client.payload).toBe(length);
          expect(client.payload + client.repeated).toBe(
            segments.reduce((sum, one) => sum + one.payload!.length, 0),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it('with losses and cut packets: bytes and gaps add up to its length, and every byte is in its place', () => {
    fc.assert(
      fc.property(
        ISN,
        fc.integer({ min: 1, max: 3000 }),
        cuts,
        fc.array(fc.tuple(fc.boolean(), fc.option(fc.nat(60))), { minLength: 1, maxLength: 60 }),
        keys,
        (isn, length, where, fates, order) => {
          const parts = pieces(length, where);
          const left = parts
            .map((part, i) => ({ part, fate: fates[i % fates.length]!, last: i === parts.length - 1 }))
            .filter(({ fate, last }) => fate[0] || last);
          const segments = shuffled(left, order).map(({ part: [from, to], fate, last }, i) =>
            segment(isn, from, to, i * 1000, last, fate[1] ?? undefined),
          );
          const played = play([opening(isn), ...segments]);
          played.streams.finish(1e9);
          const { C: bytes } = played.bytes;
          expect(bytes.length).toBe(length);
          expect(played.streams.lost).toBe(played.missing.C);
          // A missing byte is written as 0; every other must be the stream's own, exactly where it was captured.
          const there = new Uint8Array(length);
          for (const one of segments) {
            const from = (one.tcp!.seq - isn - 1) >>> 0;
            there.fill(1, from, from + Math.min(one.payload!.length, one.captured ?? 1e9));
          }
          expect(bytes).toEqual(Array.from(there, (is, i) => (is === 1 ? streamByte('C', i) : 0)));
          expect(played.events).toContain('C ended');
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('hostile packets', () => {
  const LIMITS = { flows: 8, keptSegments: 16, keptBytes: 8000, keptInTotal: 20_000 };

  it('break nothing: bounds hold, gaps and bytes agree with what is said lost, each flow closes once', () => {
    const near = fc.oneof(
      fc.integer({ min: -3000, max: 3000 }),
      fc.constantFrom(0, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xc000_0000),
    );
    const packet = fc.record({
      port: fc.nat(11),
      back: fc.boolean(),
      seq: near,
      ack: near,
      flags: fc.oneof(fc.constantFrom(2, 18, 16, 17, 4, 20, 24), fc.nat(511)),
      length: fc.oneof(fc.nat(3), fc.nat(1500)),
      captured: fc.option(fc.nat(1500)),
      window: fc.constantFrom(0, 1, 100, 65_535),
      scale: fc.option(fc.nat(255)),
      after: fc.oneof(fc.nat(1e6), fc.constantFrom(-1e9, 1e8, 4e10, 1.3e11)),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 400 }), (packets) => {
        const closed = new Set<number>();
        const opened = new Set<number>();
        let gaps = 0;
        let cut = 0;
        const streams = createStreams(
          {
            opened: (flow) => opened.add(flow.id),
            data(flow, _sender, bytes, from, to) {
              expect(closed.has(flow.id)).toBe(false);
              expect(from >= 0 && to > from && to <= bytes.length).toBe(true);
            },
            gap(flow, _sender, count) {
              expect(closed.has(flow.id)).toBe(false);
              expect(count > 0 && count < 2 ** 32).toBe(true);
              gaps += count;
            },
            datagram(_flow, _sender, _bytes, from, to) {
              cut -= to - from;
            },
            ended: (flow) => expect(closed.has(flow.id)).toBe(false),
            closed(flow) {
              expect(closed.has(flow.id)).toBe(false);
              closed.add(flow.id);
            },
          },
          LIMITS,
        );
        const h = emptyHeaders();
        let at = 0;
        for (const one of packets) {
          at += one.after;
          const client = { ...CLIENT, port: 40_000 + (one.port % 10) };
          const made: Packet = {
            at,
            from: one.back ? SERVER : client,
            to: one.back ? client : SERVER,
            ...(one.port < 10
              ? {
                  tcp: {
                    seq: 0xffff_fc00 + one.seq,
                    ack: 0xffff_fc00 + one.ack,
                    flags: one.flags,
                    window: one.window,
                    ...(one.scale === null ? {} : { scale: one.scale }),
                  },
                }
              : {}),
            payload: new Uint8Array(one.length),
          };
          fill(h, packetBytes(made), at, one.captured ?? undefined);
          if (one.port >= 10) {
            cut += one.length;
          }
          streams.packet(h);
          expect(streams.flow).not.toBe(null);
          expect(streams.kept).toBeLessThanOrEqual(LIMITS.keptInTotal + 1500 + KEPT_COST);
          expect(streams.open).toBeLessThanOrEqual(LIMITS.flows);
        }
        streams.finish(at);
        expect(streams.kept).toBe(0);
        expect(streams.open).toBe(0);
        expect(closed).toEqual(opened);
        expect(streams.lost).toBe(gaps + cut);
      }),
      { numRuns: 200 },
    );
  });
});
