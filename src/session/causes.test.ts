import { describe, expect, it } from 'vitest';
import { transcript, US } from './causes-transcript.ts';
import type { Event, Fate, Packet, StateChange } from './events.ts';

describe('what sent a segment', () => {
  it('connect sent the SYN, and what arrived is acknowledged', () => {
    const t = transcript();
    const { connect, syn, synAck, ack } = t.open();
    expect(t.to(syn.sent, 'sent by')).toEqual([connect]);
    expect(t.to(syn.came)).toEqual([syn.sent]);
    expect(t.to(synAck.sent)).toEqual([syn.sent]);
    expect(t.to(ack.sent)).toEqual([synAck.sent]);
  });

  it('one segment may carry several writes, and one write several segments', () => {
    const t = transcript();
    t.open();
    const first = t.call(100, 'client', 'send', 5);
    const second = t.call(110, 'client', 'write', 10);
    const third = t.call(120, 'client', 'sendto', 3000);
    const together = t.passes(130, 'client', 'A', 1, 1, 15);
    const one = t.passes(140, 'client', 'A', 16, 1, 1460);
    const two = t.passes(150, 'client', 'A', 1476, 1, 1540);
    expect(t.to(together.sent, 'sent by')).toEqual([first, second]);
    expect(t.to(one.sent, 'sent by')).toEqual([third]);
    expect(t.to(two.sent, 'sent by')).toEqual([third]);
  });

  it('a write that still waits has sent what left since', () => {
    const t = transcript();
    t.open();
    const waits = t.call(100, 'client', 'send', null, { took: null });
    const sent = t.passes(130, 'client', 'A', 1, 1, 1460);
    expect(t.to(sent.sent, 'sent by')).toEqual([waits]);
  });

  it.each([
    [
      'a byte more left than was written',
      (t: ReturnType<typeof transcript>) => t.passes(130, 'client', 'A', 6, 1, 1),
    ],
    [
      'the FIN comes before all of it',
      (t: ReturnType<typeof transcript>) => [
        t.call(110, 'client', 'send', 3),
        t.passes(130, 'client', 'FA', 6, 1),
      ],
    ],
    [
      'two threads wrote at once',
      (t: ReturnType<typeof transcript>) => [t.call(99, 'client', 'send', 5, { took: 30 })],
    ],
  ])('says nothing when %s', (_, spoil) => {
    const t = transcript();
    t.open();
    t.call(100, 'client', 'send', 5);
    t.passes(120, 'client', 'A', 1, 1, 5);
    spoil(t);
    const data = t.links('sent by').filter(({ to }) => to.type === 'packet' && to.length > 0);
    expect(data).toEqual([]);
  });

  it('the last close sent the FIN; shutdown does at once', () => {
    const t = transcript();
    t.open();
    t.call(100, 'client', 'close', 0);
    const last = t.call(200, 'client', 'close', 0);
    const fin = t.passes(205, 'client', 'FA', 1, 1);
    const shutdown = t.call(300, 'server', 'shutdown', 0, { args: [4, 'write'] });
    const back = t.passes(301, 'server', 'FA', 1, 2);
    t.call(400, 'server', 'close', 0);
    expect(t.to(fin.sent, 'sent by')).toEqual([last]);
    expect(t.to(back.sent, 'sent by')).toEqual([shutdown]);
  });

  it('no call sent a FIN that leaves long after, with nothing before it', () => {
    const t = transcript();
    t.open();
    t.call(100, 'client', 'close', 0);
    const fin = t.passes(900_000, 'client', 'FA', 1, 1);
    expect(t.to(fin.sent, 'sent by')).toEqual([]);
  });

  it('a close with unread data sent the RST, unless that answers something', () => {
    const t = transcript();
    t.open();
    const close = t.call(100, 'server', 'close', 0);
    const reset = t.passes(101, 'server', 'RA', 1, 1);
    expect(t.to(reset.sent, 'sent by')).toEqual([close]);
    const spoiled = transcript();
    spoiled.open();
    spoiled.call(100, 'server', 'close', 0);
    spoiled.passes(95, 'client', 'A', 1, 1, 5);
    const answer = spoiled.passes(110, 'server', 'R', 1, null);
    expect(spoiled.to(answer.sent, 'sent by')).toEqual([]);
  });
});

describe('what was sent again', () => {
  it('is a retransmission of the one segment that had all its bytes, and of no other', () => {
    const t = transcript();
    t.open();
    t.call(90, 'client', 'send', 20);
    const first = t.packet(100, 'client', 'A', 1, 1, 10);
    const second = t.packet(101, 'client', 'A', 11, 1, 10);
    t.fate(102, first, 'dropped', 'rule 1');
    const again = t.passes(300, 'client', 'A', 1, 1, 10);
    const part = t.passes(310, 'client', 'A', 13, 1, 4);
    const joined = t.passes(320, 'client', 'A', 1, 1, 20);
    expect(t.to(again.sent, 'retransmits')).toEqual([first]);
    expect(t.to(part.sent, 'retransmits')).toEqual([second]);
    expect(t.to(joined.sent, 'retransmits')).toEqual([]);
    expect(t.to(again.sent, 'sent by')).toEqual([]);
  });

  it('a router that passes a segment on does not repeat it', () => {
    const t = transcript();
    t.open();
    const own = t.passes(100, 'client', 'A', 1, 1, 10);
    const passed = t.keep({ ...own.sent, host: 'router', id: 99, at: 111 * US });
    expect(t.to(passed)).toEqual([]);
  });
});

describe('what a call read', () => {
  it('came with the segments that arrived, wherever the cuts are', () => {
    const t = transcript();
    t.open();
    const waiting = t.call(90, 'server', 'recv', 5, { took: 30 });
    const one = t.passes(100, 'client', 'A', 1, 1, 8);
    const two = t.passes(120, 'client', 'A', 9, 1, 2);
    const peek = t.call(140, 'server', 'recv', 5, { args: [3, 5, ['MSG_PEEK']] });
    const rest = t.call(150, 'server', 'read', 5);
    expect(t.to(waiting)).toEqual([one.came]);
    expect(t.links('woken by').map(({ to }) => to)).toEqual([waiting]);
    expect(t.to(peek, 'read from')).toEqual([one.came, two.came]);
    expect(t.to(rest, 'read from')).toEqual([one.came, two.came]);
  });

  it('the end of the stream came with the FIN, once', () => {
    const t = transcript();
    t.open();
    const fin = t.passes(100, 'client', 'FA', 1, 1);
    const end = t.call(120, 'server', 'recv', 0);
    const again = t.call(130, 'server', 'recv', 0);
    expect(t.to(end)).toEqual([fin.came]);
    expect(t.to(again)).toEqual([]);
  });

  it('bytes out of order came with their own segments', () => {
    const t = transcript();
    t.open();
    const late = t.packet(100, 'client', 'A', 1, 1, 4);
    const early = t.passes(101, 'client', 'A', 5, 1, 4);
    const lateCame = t.fate(150, late);
    const recv = t.call(160, 'server', 'recv', 8);
    expect(t.to(recv, 'read from')).toEqual([lateCame, early.came]);
  });

  it('says nothing of bytes that came twice, unless the first copy was acknowledged before the second', () => {
    const t = transcript();
    t.open();
    const first = t.packet(100, 'client', 'A', 1, 1, 4);
    const came = t.fate(110, first);
    const again = t.passes(300, 'client', 'A', 1, 1, 4);
    const recv = t.call(400, 'server', 'recv', 4);
    expect(t.to(recv)).toEqual([]);
    const ack = t.passes(120, 'server', 'A', 1, 5);
    expect(t.to(recv)).toEqual([came]);
    expect(t.to(ack.sent, 'acknowledges')).toEqual([first]);
    expect(t.to(again.came)).toEqual([again.sent]);
  });

  it.each([
    [
      'more was read than had arrived',
      (t: ReturnType<typeof transcript>) => t.call(130, 'server', 'recv', 9),
    ],
    [
      'the end came before all was read',
      (t: ReturnType<typeof transcript>) => {
        t.passes(120, 'client', 'FA', 5, 1);
        t.call(140, 'server', 'recv', 1);
        t.call(150, 'server', 'recv', 0);
      },
    ],
    ['there were urgent bytes', (t: ReturnType<typeof transcript>) => t.passes(130, 'client', 'UA', 5, 1, 1)],
  ])('says nothing when %s', (_, spoil) => {
    const t = transcript();
    t.open();
    t.passes(100, 'client', 'A', 1, 1, 4);
    t.call(115, 'server', 'recv', 2);
    spoil(t);
    expect([...t.links('read from'), ...t.links('woken by')]).toEqual([]);
  });

  it('a damaged frame brought nothing', () => {
    const t = transcript();
    t.open();
    const bad = t.packet(100, 'client', 'A', 1, 1, 4);
    t.fate(110, bad, 'delivered', 'corrupted one bit');
    const good = t.passes(300, 'client', 'A', 1, 1, 4);
    const recv = t.call(320, 'server', 'recv', 4);
    expect(t.to(recv)).toEqual([good.came]);
  });
});

describe('what failed', () => {
  it.each(['ECONNRESET', 'EPIPE'])('the first %s after a reset arrived comes from it', (errno) => {
    const t = transcript();
    t.open();
    t.call(80, 'client', 'recv', -1, { errno: 'EAGAIN' });
    const reset = t.passes(100, 'server', 'RA', 1, 1);
    const failed = t.call(90, 'client', 'recv', -1, { took: 30, errno });
    const next = t.call(130, 'client', 'send', -1, { errno: 'EPIPE' });
    expect(t.to(failed, 'error from')).toEqual([reset.came]);
    expect(t.to(next)).toEqual([]);
  });

  it('a refused connect comes from the RST', () => {
    const t = transcript();
    const connect = t.call(0, 'client', 'connect', -1, { took: 50, errno: 'ECONNREFUSED' });
    t.passes(10, 'client', 'S', 0, null);
    const reset = t.passes(30, 'server', 'RA', -1000, 1);
    expect(t.to(connect, 'error from')).toEqual([reset.came]);
  });

  it('an EPIPE after the own shutdown, and an error before the reset, do not', () => {
    const t = transcript();
    t.open();
    const before = t.call(80, 'server', 'recv', -1, { errno: 'ECONNRESET' });
    t.call(90, 'client', 'shutdown', 0, { args: [3, 'write'] });
    t.passes(100, 'server', 'RA', 1, 1);
    t.passes(5000, 'client', 'RA', 1, 1);
    const own = t.call(120, 'client', 'send', -1, { errno: 'EPIPE' });
    expect(t.to(own)).toEqual([]);
    expect(t.to(before)).toEqual([]);
  });

  it('of two resets only the one that closed the socket is named', () => {
    const t = transcript();
    t.open();
    const first = t.passes(100, 'server', 'R', 1, null);
    t.passes(200, 'server', 'R', 1, null);
    const failed = t.call(300, 'client', 'recv', -1, { errno: 'ECONNRESET' });
    expect(t.to(failed)).toEqual([]);
    t.state(115, 'client', 'ESTABLISHED', 'CLOSED');
    expect(t.to(failed)).toEqual([first.came]);
  });
});

describe('what changed a state', () => {
  it('in a life from the SYN to TIME-WAIT', () => {
    const t = transcript();
    const { connect, syn, synAck, ack } = t.open();
    const asked: [StateChange, Event][] = [
      [t.state(5, 'client', 'CLOSED', 'SYN-SENT'), connect],
      [t.state(22, 'server', 'LISTEN', 'NEW-SYN-RECV'), syn.came],
      [t.state(42, 'client', 'SYN-SENT', 'ESTABLISHED'), synAck.came],
      [t.state(62, 'server', 'SYN-RECV', 'ESTABLISHED'), ack.came],
    ];
    const close = t.call(100, 'client', 'close', 0);
    asked.push([t.state(101, 'client', 'ESTABLISHED', 'FIN-WAIT-1'), close]);
    const fin = t.passes(102, 'client', 'FA', 1, 1);
    asked.push([t.state(113, 'server', 'ESTABLISHED', 'CLOSE-WAIT'), fin.came]);
    const acked = t.passes(114, 'server', 'A', 1, 2);
    asked.push([t.state(125, 'client', 'FIN-WAIT-1', 'FIN-WAIT-2'), acked.came]);
    const closeToo = t.call(200, 'server', 'close', 0);
    asked.push([t.state(201, 'server', 'CLOSE-WAIT', 'LAST-ACK'), closeToo]);
    const finToo = t.passes(202, 'server', 'FA', 1, 2);
    asked.push([t.state(213, 'client', 'FIN-WAIT-2', 'TIME-WAIT'), finToo.came]);
    const last = t.passes(214, 'client', 'A', 2, 2);
    asked.push([t.state(225, 'server', 'LAST-ACK', 'CLOSED'), last.came]);
    for (const [change, cause] of asked) {
      expect([change.to, t.to(change)]).toEqual([change.to, [cause]]);
    }
  });

  it('crossing FINs lead to CLOSING and then to TIME-WAIT', () => {
    const t = transcript();
    t.open();
    t.call(100, 'client', 'close', 0);
    t.call(100, 'server', 'close', 0);
    t.state(101, 'client', 'ESTABLISHED', 'FIN-WAIT-1');
    t.passes(102, 'client', 'FA', 1, 1);
    const crossing = t.passes(102, 'server', 'FA', 1, 1);
    const closing = t.state(113, 'client', 'FIN-WAIT-1', 'CLOSING');
    const ack = t.passes(114, 'server', 'A', 2, 2);
    const over = t.state(126, 'client', 'CLOSING', 'TIME-WAIT');
    expect(t.to(closing)).toEqual([crossing.came]);
    expect(t.to(over)).toEqual([ack.came]);
  });

  it('a reset closes; a timer that closes has no cause, nor has a change of which steps were missed', () => {
    const t = transcript();
    t.open();
    const reset = t.passes(100, 'server', 'R', 1, null);
    const closed = t.state(112, 'client', 'ESTABLISHED', 'CLOSED');
    const timer = t.state(900_000, 'server', 'ESTABLISHED', 'CLOSED');
    const jump = t.state(42, 'client', 'CLOSED', 'ESTABLISHED');
    expect(t.to(closed)).toEqual([reset.came]);
    expect(t.to(timer)).toEqual([]);
    expect(t.to(jump)).toEqual([]);
  });

  it('two that could have done it are none', () => {
    const t = transcript();
    t.open();
    t.call(100, 'client', 'close', 0);
    t.call(105, 'client', 'close', 0);
    const change = t.state(108, 'client', 'ESTABLISHED', 'FIN-WAIT-1');
    expect(t.to(change)).toEqual([]);
  });
});

describe('datagrams', () => {
  const UDP = 'udp/1/10.9.0.1:4000>10.9.0.2:53#1';
  const datagram = (t: ReturnType<typeof transcript>, at: number, length: number) => {
    const { flags: _, seq: __, ...plain } = t.packet(at, 'client', '', 0, null, length);
    t.events.pop();
    return t.keep({ ...plain, protocol: 'udp' } as Packet);
  };

  it('are told apart by their order and length', () => {
    const t = transcript(UDP);
    const sends = [
      t.call(1, 'client', 'send', 5),
      t.call(10, 'client', 'send', 0),
      t.call(20, 'client', 'send', 9),
    ];
    const packets = [datagram(t, 2, 5), datagram(t, 11, 0), datagram(t, 21, 9)];
    const fates = packets.map((one, i) => t.fate(30 + i, one));
    const reads = [5, 0, 4].map((got, i) => t.call(40 + i, 'server', 'recvfrom', got));
    expect(packets.map((one) => t.to(one))).toEqual(sends.map((one) => [one]));
    expect(reads.map((one) => t.to(one))).toEqual(fates.map((one) => [one]));
  });

  it('are not, when one is missing', () => {
    const t = transcript(UDP);
    t.call(1, 'client', 'send', 5);
    t.call(10, 'client', 'send', 5);
    const packet = datagram(t, 11, 5);
    const fate = t.fate(20, packet);
    expect(t.to(packet)).toEqual([]);
    expect(t.to(fate)).toEqual([packet]);
  });

  it('the one ICMP error of a host made its one call fail; of two nobody knows', () => {
    const t = transcript(UDP);
    t.call(1, 'client', 'send', 5);
    datagram(t, 2, 5);
    const icmp = (id: number): Packet => ({
      type: 'packet',
      at: 10 * US,
      host: 'B',
      id,
      interface: 'lan',
      protocol: 'icmp',
      length: 33,
      frameLength: 75,
      notes: [],
    });
    t.keep(icmp(700));
    const came = t.keep<Fate>({ type: 'fate', at: 20 * US, packet: 700, host: 'A', what: 'delivered' });
    const failed = t.call(30, 'client', 'send', -1, { errno: 'ECONNREFUSED' });
    expect(t.to(failed)).toEqual([came]);
    t.keep(icmp(701));
    t.keep<Fate>({ type: 'fate', at: 21 * US, packet: 701, host: 'A', what: 'delivered' });
    expect(t.to(failed)).toEqual([]);
  });
});
