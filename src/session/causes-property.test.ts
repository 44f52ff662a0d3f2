import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkCauses, STAMPS_DIFFER_NS } from './causes.ts';
import { transcript } from './causes-transcript.ts';
import type { Side } from './connection.ts';
import type { Event } from './events.ts';
import type { SocketState } from './socket.ts';

describe('whatever is put in', () => {
  const side = fc.constantFrom<Side>('client', 'server');
  const happening = fc.record({
    kind: fc.constantFrom('call', 'packet', 'state'),
    at: fc.nat(400_000),
    side,
    name: fc.constantFrom('send', 'recv', 'close', 'shutdown', 'connect', 'recvmsg', 'poll'),
    result: fc.integer({ min: -1, max: 12 }),
    took: fc.option(fc.nat(500)),
    errno: fc.constantFrom(undefined, 'ECONNRESET', 'EPIPE', 'ECONNREFUSED'),
    flags: fc.constantFrom('S', 'SA', 'A', 'FA', 'R', 'RA'),
    seq: fc.integer({ min: -2, max: 20 }),
    length: fc.nat(6),
    delivered: fc.array(fc.nat(2000), { maxLength: 2 }),
    from: fc.constantFrom<SocketState>(
      'CLOSED',
      'SYN-SENT',
      'ESTABLISHED',
      'FIN-WAIT-1',
      'CLOSE-WAIT',
      'LAST-ACK',
    ),
    to: fc.constantFrom<SocketState>(
      'SYN-SENT',
      'ESTABLISHED',
      'FIN-WAIT-1',
      'FIN-WAIT-2',
      'TIME-WAIT',
      'CLOSED',
    ),
    which: fc.nat(2),
  });

  const played = fc.array(happening, { maxLength: 60 }).map((list) => {
    const all = [1, 2, 3].map((n) => transcript(`tcp/1/10.9.0.1:400${n}>10.9.0.2:80#1`, n * 1000));
    for (const t of all) {
      t.open();
    }
    for (const one of list) {
      const t = all[one.which]!;
      if (one.kind === 'call') {
        t.call(one.at, one.side, one.name, one.result, {
          took: one.took,
          ...(one.errno === undefined ? {} : { errno: one.errno }),
          args: [3, 'both'],
        });
      } else if (one.kind === 'state') {
        t.state(one.at, one.side, one.from, one.to);
      } else {
        const packet = t.packet(one.at, one.side, one.flags, one.seq, one.seq, one.length);
        for (const later of one.delivered) {
          t.fate(one.at + later, packet);
        }
      }
    }
    return all.flatMap(({ events }) => events);
  });

  const connectionOf = (event: Event) => ('connection' in event ? event.connection : undefined);
  const momentOf = (event: Event) =>
    event.type !== 'syscall'
      ? event.at
      : event.took === null
        ? Number.POSITIVE_INFINITY
        : event.at + event.took;

  it('no link leads to another connection or backwards in time, and a retransmission has one original', () => {
    let linked = 0;
    fc.assert(
      fc.property(played, (events) => {
        const causes = linkCauses(events);
        const originals = new Map<Event, Event>();
        linked += causes.filter(({ why }) => why !== 'fate of' && why !== 'acknowledges').length;
        for (const { from, to, why } of causes) {
          expect(connectionOf(from)).toBe(connectionOf(to));
          expect(from.at).toBeLessThanOrEqual(momentOf(to) + STAMPS_DIFFER_NS);
          if (why === 'retransmits') {
            expect(originals.has(to)).toBe(false);
            originals.set(to, from);
          }
        }
      }),
    );
    expect(linked).toBeGreaterThan(100);
  });

  it('the order in which events are given changes nothing', () => {
    fc.assert(
      fc.property(
        played.chain((events) => {
          const distinct = events.filter((event, i) => events.findIndex(({ at }) => at === event.at) === i);
          return fc.tuple(
            fc.constant(distinct),
            fc.shuffledSubarray(distinct, { minLength: distinct.length }),
          );
        }),
        ([events, shuffled]) => {
          expect(linkCauses(shuffled)).toEqual(linkCauses(events));
        },
      ),
    );
  });

  it('a transcript among strangers has the same links', () => {
    const t = transcript();
    t.open();
    t.call(100, 'client', 'send', 5);
    t.passes(120, 'client', 'A', 1, 1, 5);
    t.call(150, 'server', 'recv', 5);
    const own = new Set<Event>(t.events);
    const alone = linkCauses(t.events);
    expect(alone.length).toBeGreaterThan(8);
    fc.assert(
      fc.property(played, (strangers) => {
        const mixed = linkCauses([...strangers, ...t.events]);
        expect(mixed.filter(({ to }) => own.has(to))).toEqual(alone);
      }),
    );
  });
});

describe('speed', () => {
  it('100 000 events of one connection take no time that grows with their square', () => {
    const t = transcript();
    t.open();
    for (let i = 0; i < 20_000; i += 1) {
      t.call(100 + i * 20, 'client', 'send', 10);
      t.passes(101 + i * 20, 'client', 'A', 1 + i * 10, 1, 10);
      t.call(112 + i * 20, 'server', 'recv', 10);
      t.packet(115 + i * 20, 'client', 'A', 1 + i * 10, 1, 10);
    }
    const started = performance.now();
    expect(t.links('read from').length).toBe(20_000);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
