import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraries, someEvent } from '../../session/events.contract.ts';
import type { Event, Packet } from '../../session/events.ts';
import { textWidth } from '../../tui/spans.ts';
import { connectionOf, SCRIPTS, script, told } from './fixtures.ts';
import { createLanes } from './lanes.ts';

interface Wish {
  columns?: number;
  colour?: boolean;
  ascii?: boolean;
  detail?: boolean;
  hosts?: readonly [string, string];
}

function drawn(events: readonly Event[], wish: Wish = {}, together = false): string[] {
  const lanes = createLanes({ columns: 100, colour: false, hosts: ['client', 'server'], ...wish });
  const lines = together ? lanes.add(events) : events.flatMap((event) => lanes.add([event]));
  return [...lines, ...lanes.flush()];
}

const whole = (lines: readonly string[]): string => `\n${lines.join('\n')}\n`;

const named = (host: string): string => (host === 'client' || host === 'server' ? host : 'router');

/** Events as a stage with two hosts and a router makes them, in order, with text from anywhere. */
const session = fc.array(someEvent, { maxLength: 60 }).map((events) =>
  events
    .map((event, index): Event => {
      const at = (event.at % 4000) * 1e6;
      const host = named(['client', 'server', 'router'][index % 3]!);
      return 'host' in event ? { ...event, at, host } : { ...event, at };
    })
    .sort((a, b) => a.at - b.at),
);

describe('whole drawings', () => {
  it('an orderly close reads from left to right and from top to bottom', () => {
    expect(whole(drawn(told(SCRIPTS.normalClose())))).toMatchInlineSnapshot(`
      "
        0.0 ms                                │                          │ LISTEN·
        0.1 ms socket(tcp) = 5                │                          │              accept(4, *:80) …
        0.6 ms connect(5, 10.9.0.2:80) …      │                          │
                               SYN-SENT·      │─ SYN seq=0 win=64240 ───▶│ SYN-RECV·
        0.8 ms                 ESTABLISHED·   │◀─── SYN,ACK seq=0 ack=1 ─│
                                              │─ ACK 1 ─────────────────▶│ ESTABLISHED·
        1.0 ms … connect = 0                  │                          │            … accept = 6 1.0 ms

      ── 1. the client asks, the server answers ──────────────────────────────────────────────────────────
        2.6 ms send(5, "hello", 5) = 5        │                          │                recv(6, 4096) …
        3.6 ms                                │─ PSH,ACK 1:6 (5) ───────▶│
        3.7 ms                                │◀───────────────── ACK 6 ─│
        3.8 ms                                │                          │              … recv = 5 1.2 ms
        4.0 ms                                │◀─────── PSH,ACK 1:8 (7) ─│      send(6, "welcome", 7) = 7
        4.2 ms                                │─ ACK 8 ─────────────────▶│
        4.3 ms recv(5, 4096) = 7              │                          │

      ── 2. the client closes ────────────────────────────────────────────────────────────────────────────
       10.5 ms                                │                          │                recv(6, 4096) …
       11.5 ms close(5) = 0    FIN-WAIT-1·    │─ FIN,ACK seq=6 ack=8 ───▶│ CLOSE-WAIT·
       11.7 ms                 FIN-WAIT-2·    │◀───────────────── ACK 7 ─│
       11.8 ms                                │                          │        … recv = 0 (EOF) 1.3 ms
       12.5 ms                 TIME-WAIT·     │◀─── FIN,ACK seq=8 ack=7 ─│ LAST-ACK·      close(6) = 0
       12.6 ms         timer time-wait 60.0 s │─ ACK 9 ─────────────────▶│ CLOSED·
      "
    `);
  });

  it('SYNs that cross are seen to cross', () => {
    expect(whole(drawn(told(SCRIPTS.crossing())))).toMatchInlineSnapshot(`
      "
        0.0 ms connect(5, 10.9.0.2:80) …      │                          │
        0.1 ms                 SYN-SENT·      │─ SYN seq=0 ─╲            │
        1.2 ms                                │             ╲            │   connect(5, 10.9.0.1:40000) …
        1.3 ms                                │            ╱─ SYN seq=0 ─│ SYN-SENT·
                                              │           ╱  ╲           │
                                              │          ╱    ╲          │
                                              │         ╱      ╲         │
        100 ms                                │        ╱        ╲─ SYN ─▶│ SYN-RECV·
                                              │        ╱     ╱─ SYN,ACK ─│
        101 ms                 SYN-RECV·      │◀─ SYN ─╱     ╱           │
        102 ms                                │─ SYN,ACK ─╲  ╱           │
                                              │           ╲ ╱            │
                                              │            ╲╱            │
                                              │            ╳             │
        200 ms                 ESTABLISHED·   │◀─ SYN,ACK ─╱╲            │
        201 ms … connect = 0 201 ms           │             ╲            │
        202 ms                                │             ╲─ SYN,ACK ─▶│           … connect = 0 200 ms
                                              │                          │ ESTABLISHED·
      "
    `);
  });

  it('retransmissions that die are drawn twice, counted, and drawn once more before the error', () => {
    expect(whole(drawn(told(SCRIPTS.death())))).toMatchInlineSnapshot(`
      "
        0.0 ms socket(tcp) = 5                │                          │
        0.1 ms connect(5, 10.9.0.2:80) …      │                          │
                               SYN-SENT·      │─ SYN seq=0 win=64240 ───▶│ SYN-RECV·
        0.3 ms                 ESTABLISHED·   │◀─── SYN,ACK seq=0 ack=1 ─│
                                              │─ ACK 1 ─────────────────▶│ ESTABLISHED·
        0.5 ms … connect = 0                  │                          │

      ── 1. the cable of the server is cut, then the client sends ────────────────────────────────────────
        5.1 ms                                  ✂ cable of server is cut
        5.5 ms send(5, "hello", 5) = 5        │─ PSH,ACK 1:6 (5) ─✗      │ dropped: the cable of server
                                              │                          │  is cut
        6.0 ms recv(5, 4096) …                │                          │
        211 ms     timer retransmit 410 ms ×1 │─ ↻PSH,ACK 1:6 (5) ─✗     │ dropped: the cable of server
                                              │                          │  is cut
        416 ms     timer retransmit 410 ms ×2 │─ ↻PSH,ACK 1:6 (5) ─✗     │ dropped: the cable of server
                                              │                          │  is cut
                                       ×4 retransmissions dropped, 836 ms → 6.67 s
       13.31 s    timer retransmit 13.28 s ×7 │─ ↻PSH,ACK 1:6 (5) ─✗     │ dropped: the cable of server
                                              │                          │  is cut
               … recv = ETIMEDOUT 13.30 s     │                          │
                               CLOSED·        │                          │
               send(5, "hello", 5) = EPIPE    │                          │
      "
    `);
  });

  it('thirty connections that are alike are two and a number, and the call that fails stands alone', () => {
    expect(whole(drawn(told(SCRIPTS.portBomb())))).toMatchInlineSnapshot(`
      "
      ── 1. the client connects and closes, again and again ──────────────────────────────────────────────
        1.0 ms socket(tcp) = 5                │                          │
        1.1 ms connect(5, 10.9.0.2:80) …      │─ SYN seq=0 win=64240 ───▶│
        1.2 ms                 ESTABLISHED·   │◀─── SYN,ACK seq=0 ack=1 ─│
        1.3 ms                                │─ ACK 1 ─────────────────▶│
               … connect = 0                  │                          │
        1.4 ms close(5) = 0                   │─ FIN,ACK seq=1 ack=1 ───▶│
        1.5 ms                                │◀─── FIN,ACK seq=1 ack=2 ─│
        1.6 ms                 TIME-WAIT·     │─ ACK 2 ─────────────────▶│
        2.0 ms socket(tcp) = 5                │                          │
                                       connection a: 10.9.0.1:40000 → 10.9.0.2:80
                                       connection b: 10.9.0.1:40001 → 10.9.0.2:80
               b connect(5, 10.9.0.2:80) …    │─ b SYN seq=0 win=64240 ─▶│
        2.2 ms                 b ESTABLISHED· │◀─ b SYN,ACK seq=0 ack=1 ─│
        2.3 ms                                │─ b ACK 1 ───────────────▶│
               b … connect = 0                │                          │
        2.4 ms b close(5) = 0                 │─ b FIN,ACK seq=1 ack=1 ─▶│
        2.5 ms                                │◀─ b FIN,ACK seq=1 ack=2 ─│
                               b TIME-WAIT·   │─ b ACK 2 ───────────────▶│
        3.0 ms socket(tcp) = 5                │                          │
                      ×28 connections like these: SYN; SYN,ACK; ACKs ×2; FIN,ACK ×2 (3.0 → 30.6 ms)
                                                ×27 socket, 4.0 → 30.0 ms
       31.0 ms socket(tcp) = 5                │                          │
       31.1 ms connect(5, 10.9.0.2:80)        │                          │
                = EADDRNOTAVAIL               │                          │
      "
    `);
  });

  it('on a narrow terminal it is a list', () => {
    expect(whole(drawn(told(SCRIPTS.refused()), { columns: 50 }))).toMatchInlineSnapshot(`
      "
        0.0 ms client connect(5, 10.9.0.2:81) …
        0.1 ms client SYN-SENT·
        0.1 ms client ─▶ server SYN seq=0 win=64240
        0.2 ms server ─▶ client RST,ACK
        0.3 ms client CLOSED·
        0.3 ms client … connect = ECONNREFUSED
      "
    `);
  });

  it('at 80 columns a program and its kernel share a lane', () => {
    expect(whole(drawn(told(SCRIPTS.refused()), { columns: 80 }))).toMatchInlineSnapshot(`
      "
        0.0 ms connect(5,             │                       │
                10.9.0.2:81) …        │                       │
        0.1 ms              SYN-SENT· │─ SYN seq=0 ──────────▶│
        0.2 ms                CLOSED· │◀──────────── RST,ACK ─│
        0.3 ms … connect              │                       │
                = ECONNREFUSED        │                       │
      "
    `);
  });

  it('the header names the lanes and explains the marks', () => {
    const header = (columns: number): string[] =>
      createLanes({ columns, colour: false, hosts: ['client', 'server'] }).header();
    expect(whole([...header(100), ...header(80), ...header(50)])).toMatchInlineSnapshot(`
      "
      STATE traced by the kernel, STATE· sampled, STATE? inferred; ↻ sent again, ✗ lost, ⏸ held, … waits
          time client program  client kernel  │           wire           │ server kernel  server program
      STATE traced by the kernel, STATE· sampled, STATE? inferred; ↻ sent again, ✗
       lost, ⏸ held, … waits
          time client program+kernel  │         wire          │ server program+kernel
      STATE· sampled, STATE? inferred; ↻ sent again; ✗
       lost
      "
    `);
  });
});

describe('what may be folded', () => {
  it.each(Object.entries(SCRIPTS))('%s: every errno, state and bad fate is told', (_, make) => {
    for (const columns of [50, 64, 80, 100, 160]) {
      const events = told(make());
      const text = drawn(events, { columns }).join('\n');
      const words = events.flatMap((event) =>
        event.type === 'syscall'
          ? [event.errno ?? '']
          : event.type === 'state'
            ? [event.to]
            : event.type === 'fate' && event.what !== 'delivered'
              ? [event.what]
              : [],
      );
      for (const word of new Set(words)) {
        expect(text).toContain(word);
      }
    }
  });

  it('nothing of a kind that was never drawn is folded away, whatever the session', () => {
    const errno = fc.constantFrom('ECONNRESET', 'EPIPE', 'EAGAIN', 'ETIMEDOUT', 'EMFILE');
    const call = fc.tuple(arbitraries.syscall, errno).map(([event, name]) => ({
      ...event,
      name: 'recv',
      args: [],
      took: 1000,
      pid: 7,
      result: -1,
      errno: name,
    }));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(call, arbitraries.state, arbitraries.packet, arbitraries.fate), { maxLength: 80 }),
        fc.boolean(),
        (events, many) => {
          const placed = events.map((event, index): Event => {
            const host = ['client', 'server'][index % 2]!;
            const { connection: _, ...rest } = event;
            const one = many ? { connection: connectionOf(index % 9) } : {};
            return { ...rest, ...one, at: index * 3e6, host } as Event;
          });
          const text = drawn(placed, { columns: 140 }).join('\n');
          for (const event of placed) {
            if (event.type === 'syscall') {
              expect(text).toContain(event.errno);
            } else if (event.type === 'state') {
              expect(text).toContain(event.to);
            } else if (event.type === 'fate' && event.what !== 'delivered') {
              expect(text).toContain(event.what);
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('a connection that does something else than the others is drawn after all', () => {
    const s = SCRIPTS.portBomb();
    const last = s.events.findLast((event) => event.type === 'packet') as Packet;
    const odd: Packet = { ...last, id: 9999, flags: ['RST'], at: last.at + 1000 };
    const lines = drawn([...told(s), odd].sort((a, b) => a.at - b.at));
    expect(lines.filter((line) => line.includes('RST'))).toHaveLength(1);
    expect(lines.some((line) => line.includes('connection c: 10.9.0.1:40029'))).toBe(true);
  });
});

describe('widths and harm', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is taken out
  const COLOURS = /\x1b\[\d+m/g;

  it('no line is wider than the terminal, and nothing moves its cursor', () => {
    fc.assert(
      fc.property(session, fc.integer({ min: 20, max: 200 }), fc.boolean(), (events, columns, colour) => {
        for (const line of drawn(events, { columns, colour })) {
          const plain = line.replace(COLOURS, '');
          expect(textWidth(plain)).toBeLessThanOrEqual(columns);
          expect(plain).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('the header fits as well, whatever the hosts are called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 20, max: 200 }), (host, columns) => {
        for (const line of createLanes({ columns, colour: false, hosts: [host, 'b'] }).header()) {
          expect(textWidth(line)).toBeLessThanOrEqual(columns);
        }
      }),
    );
  });

  it('wide characters and escape sequences of a hostile program stay within their lane', () => {
    const s = script();
    s.call(0, 'client', 'send', { fd: 5, args: ['漢字漢字漢字漢字漢字漢字\x1b[2J\u202e⌚️'], errno: 'EPIPE' });
    s.call(5, 'server', 'send', { fd: 5, args: [{ '\x1b]0;x': '漢'.repeat(90) }], errno: 'EPIPE' });
    for (const columns of [30, 64, 80, 100]) {
      for (const line of drawn(told(s), { columns })) {
        expect(textWidth(line)).toBeLessThanOrEqual(columns);
        expect(line).not.toMatch(/[\p{Cc}\u202e⌚]/u);
      }
    }
  });

  it('with `ascii` there is nothing else', () => {
    fc.assert(
      fc.property(session, fc.integer({ min: 20, max: 160 }), (events, columns) => {
        for (const line of drawn(events, { columns, ascii: true })) {
          expect(line).toMatch(/^[ -~]*$/);
        }
      }),
    );
    const lanes = createLanes({ columns: 100, colour: false, hosts: ['client', 'server'], ascii: true });
    expect(lanes.header().join('')).toMatch(/^[ -~]*$/);
  });
});

describe('while it happens', () => {
  it('the same lines come out however the events arrive', () => {
    for (const make of Object.values(SCRIPTS)) {
      const events = told(make());
      expect(drawn(events, {}, true)).toEqual(drawn(events));
    }
  });

  it('events a few milliseconds out of order are put in order', () => {
    const events = told(SCRIPTS.normalClose());
    const order = events.map((event, index) => ({ event, key: event.at + (index % 5) * 1e6 }));
    const mixed = order.sort((a, b) => a.key - b.key).map(({ event }) => event);
    expect(drawn(mixed)).toEqual(drawn(events));
  });

  it('a call that waits is seen waiting, and seen to return', () => {
    const lanes = createLanes({ columns: 100, colour: false, hosts: ['client', 'server'] });
    const s = script();
    s.call(0, 'client', 'recv', { fd: 5, took: null });
    expect(lanes.add(s.events)).toEqual([]);
    expect(lanes.flush(100e6).join('\n')).toContain('recv(5) …');
    const later = script();
    later.call(0, 'client', 'recv', { fd: 5, took: 1020 });
    lanes.add(later.events);
    expect(lanes.flush(2000e6).join('\n')).toContain('… recv = 0 (EOF) 1.02 s');
    expect(lanes.flush()).toEqual([]);
  });

  it('a call that never returns is said to wait still', () => {
    const s = script();
    s.call(0, 'client', 'recv', { fd: 5, took: null });
    s.state(50, 'client', 'CLOSED');
    expect(drawn(s.events).join('\n')).toContain('… recv still waits');
  });

  it('a frame whose fate is not known in time is drawn in two parts', () => {
    const lanes = createLanes({ columns: 100, colour: false, hosts: ['client', 'server'] });
    const s = script();
    s.segment(0, 'client', 'S', { delay: 600 });
    const [packet, fate] = s.events;
    lanes.add([packet!]);
    expect(lanes.flush(240e6)).toEqual([]);
    expect(lanes.flush(300e6).join('\n')).toContain('SYN seq=0 ─╲');
    lanes.add([fate!]);
    expect(lanes.flush().join('\n')).toContain('╲─ SYN ─▶');
  });

  it('what is held is marked, and arrives later', () => {
    const s = script();
    s.segment(0, 'client', 'S', { held: 'rule: S', delay: 200 });
    const text = drawn(told(s)).join('\n');
    expect(text).toMatch(/─ SYN seq=0 .*⏸ .*held: rule: S/);
    expect(text).toMatch(/⏸─ SYN ─▶/);
  });
});

describe('what stands beside', () => {
  it('counters are summed up at the end, and traffic is not among them', () => {
    const gauge = (name: string, value: number): Event => ({
      type: 'gauge',
      at: 1,
      subject: 'server',
      name,
      value,
    });
    const lines = drawn([
      gauge('TcpExt.ListenOverflows', 2),
      gauge('TcpExt.ListenOverflows', 3),
      gauge('Ip.InReceives', 9),
    ]);
    expect(lines).toEqual(['server: ListenOverflows +3']);
  });

  it('what was lost is always told', () => {
    const lost = (at: number): Event => ({
      type: 'lost',
      at: at * 1e6,
      source: 'ring',
      count: 3,
      why: 'too slow',
    });
    const lines = drawn(Array.from({ length: 9 }, (_, i) => lost(i * 50)));
    expect(lines.filter((line) => line.includes('not seen: 3 from ring: too slow'))).toHaveLength(9);
  });

  it('a host without a lane is named on the wire', () => {
    const s = script();
    s.segment(0, 'client', 'S');
    const events = told(s).map((event) => (event.type === 'fate' ? { ...event, host: 'router' } : event));
    expect(drawn(events).join('\n')).toMatch(/─ SYN seq=0.*▶ router/);
  });

  it('programs are numbered where a host has several', () => {
    const s = script();
    s.call(0, 'client', 'close', { fd: 5 });
    s.call(5, 'client', 'close', { fd: 5, pid: 77 });
    const lines = drawn(told(s));
    expect(lines[0]).toContain('  0.0 ms close(5) = 0');
    expect(lines[1]).toContain('[77] close(5) = 0');
  });

  it('on one machine the side says which lane it is', () => {
    const s = script();
    s.state(0, 'client', 'ESTABLISHED');
    s.state(5, 'server', 'CLOSE-WAIT');
    const events = told(s).map((event) => ('host' in event ? { ...event, host: 'me' } : event));
    const [left, right] = drawn(events, { hosts: ['me', 'me'] });
    expect(left!.indexOf('ESTABLISHED')).toBeLessThan(left!.indexOf('│'));
    expect(right!.indexOf('CLOSE-WAIT')).toBeGreaterThan(right!.lastIndexOf('│'));
  });

  it('a queue that the program empties at once is not worth a word, one that stays is', () => {
    const s = script();
    s.info(0, 'server', { recvQueue: 5 });
    s.info(1, 'server', { recvQueue: 0 });
    s.info(100, 'server', { recvQueue: 7 });
    const text = drawn(told(s)).join('\n');
    expect(text).not.toContain('Recv-Q 5');
    expect(text).toContain('Recv-Q 7');
  });

  it('an accept queue beyond its limit is told as full', () => {
    const s = script();
    s.state(0, 'server', 'LISTEN', 'traced', null);
    const info = {
      type: 'info',
      at: 5e6,
      host: 'server',
      socket: 'listener',
      recvQueue: 2,
      sendQueue: 1,
    } as const;
    expect(drawn([...told(s), info]).join('\n')).toContain('accept queue 2/1');
  });
});

it('20 000 events are drawn in a second', () => {
  const events: Event[] = [];
  for (let i = 0; events.length < 20_000; i++) {
    for (const event of told(SCRIPTS.normalClose())) {
      const moved = { ...event, at: event.at + i * 20e6 };
      const id = i * 1000;
      events.push(
        moved.type === 'packet'
          ? { ...moved, id: (moved.id ?? 0) + id }
          : moved.type === 'fate'
            ? { ...moved, packet: moved.packet + id }
            : moved,
      );
    }
  }
  const began = performance.now();
  expect(drawn(events).length).toBeGreaterThan(1000);
  // Ten times what it takes on an idle machine.
  expect(performance.now() - began).toBeLessThan(5000);
  const once = performance.now();
  drawn(events, {}, true);
  expect(performance.now() - once).toBeLessThan(5000);
}, 20_000);
