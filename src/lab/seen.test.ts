import { describe, expect, it } from 'vitest';
import type { Event, Packet, StateChange, Syscall, TcpFlag } from '../session/events.ts';
import type { SocketState } from '../session/socket.ts';
import { createTimeline } from '../session/timeline.ts';
import { createSeen } from './seen.ts';

const ID = 'tcp/1/10.9.0.1:4000>10.9.0.2:80#1';

function seenOf(...events: Event[]) {
  const timeline = createTimeline();
  for (const event of events) {
    timeline.add(event);
  }
  return { timeline, seen: createSeen(timeline) };
}

const call = (at: number, name: string, more: Partial<Syscall> = {}): Syscall => ({
  type: 'syscall',
  at,
  took: 1,
  host: 'client',
  pid: 7,
  tid: 7,
  fd: 3,
  name,
  args: [3],
  result: 0,
  ...more,
});

const packet = (at: number, flags: TcpFlag[], more: Partial<Packet> = {}): Packet => ({
  type: 'packet',
  at,
  host: 'client',
  interface: 'lan',
  protocol: 'tcp',
  flags,
  length: 0,
  frameLength: 54,
  notes: [],
  ...more,
});

const state = (
  at: number,
  from: SocketState,
  to: SocketState,
  more: Partial<StateChange> = {},
): StateChange => ({
  type: 'state',
  at,
  host: 'client',
  connection: ID,
  side: 'client',
  from,
  to,
  source: 'sampled',
  ...more,
});

describe('calls', () => {
  const read = call(3, 'recv', { errno: 'ECONNRESET', result: -1 });
  const other = call(1, 'recv', { host: 'server', pid: 8, fd: 4 });
  const { seen } = seenOf(read, other, call(2, 'close'));

  it('are found by everything that is asked for at once', () => {
    expect(seen.calls()).toHaveLength(3);
    expect(seen.calls({ name: 'recv' })).toEqual([other, read]);
    expect(seen.calls({ name: 'recv', host: 'client' })).toEqual([read]);
    expect(seen.calls({ errno: 'ECONNRESET', fd: 3, pid: 7 })).toEqual([read]);
    expect(seen.calls({ errno: 'EPIPE' })).toEqual([]);
    expect(seen.calls({ fd: 4, pid: 7 })).toEqual([]);
  });
});

describe('packets', () => {
  const syn = packet(1, ['SYN']);
  const synAck = packet(2, ['SYN', 'ACK'], { host: 'server' });
  const data = packet(3, ['PSH', 'ACK'], { length: 5, notes: ['retransmission'] });
  const fin = packet(4, ['FIN', 'ACK']);
  const reset = packet(5, ['RST', 'ACK'], { host: 'server' });
  const { flags: _, ...bare } = packet(6, []);
  const icmp: Packet = { ...bare, protocol: 'icmp', length: 30 };
  const { seen } = seenOf(syn, synAck, data, fin, reset, icmp);

  it.each([
    ['S', [syn]],
    ['SA', [synAck]],
    ['A', [data]],
    ['PA', [data]],
    ['P', [data]],
    ['F', [fin]],
    ['FA', [fin]],
    ['R', [reset]],
    ['RA', [reset]],
    ['FR', []],
  ])('%s', (flags, wanted) => {
    expect(seen.packets({ flags })).toEqual(wanted);
  });

  it('are found by sender, payload, protocol, note and time', () => {
    expect(seen.packets({ from: 'server' })).toEqual([synAck, reset]);
    expect(seen.packets({ data: true })).toEqual([data, icmp]);
    expect(seen.packets({ data: false, from: 'client' })).toEqual([syn, fin]);
    expect(seen.packets({ protocol: 'icmp' })).toEqual([icmp]);
    expect(seen.packets({ note: 'retransmission' })).toEqual([data]);
    expect(seen.packets({ since: 2, until: 4 })).toEqual([synAck, data, fin]);
    expect(seen.packets({ flags: 'R', until: 4 })).toEqual([]);
  });

  it('flags that TCP does not have are said to be so', () => {
    expect(() => seen.packets({ flags: 'X' })).toThrow('none of');
  });
});

describe('states', () => {
  it('are the first and then every next one, told once however often they were seen', () => {
    const { seen } = seenOf(
      state(1, 'CLOSED', 'SYN-SENT'),
      state(2, 'SYN-SENT', 'ESTABLISHED', { source: 'traced' }),
      state(3, 'SYN-SENT', 'ESTABLISHED'),
      state(4, 'ESTABLISHED', 'CLOSED', { host: 'server' }),
    );
    expect(seen.states('client')).toEqual(['CLOSED', 'SYN-SENT', 'ESTABLISHED']);
    expect(seen.states('server')).toEqual(['ESTABLISHED', 'CLOSED']);
    expect(seen.states('nobody')).toEqual([]);
  });

  it('are those of one socket after the other, and of one connection when it is named', () => {
    const second = { connection: 'tcp/1/x>y#1' };
    const { seen } = seenOf(
      state(1, 'CLOSED', 'SYN-SENT'),
      state(2, 'CLOSED', 'SYN-SENT', second),
      state(3, 'SYN-SENT', 'ESTABLISHED'),
      state(4, 'SYN-SENT', 'CLOSED', second),
    );
    expect(seen.states('client')).toEqual([
      'CLOSED',
      'SYN-SENT',
      'ESTABLISHED',
      'CLOSED',
      'SYN-SENT',
      'CLOSED',
    ]);
    expect(seen.states('client', ID)).toEqual(['CLOSED', 'SYN-SENT', 'ESTABLISHED']);
  });

  it('a listener counts only where there is nothing else; its children are not listeners', () => {
    const { connection: _, side: __, ...listen } = state(1, 'CLOSED', 'LISTEN', { socket: 'aa' });
    const { timeline, seen } = seenOf(listen);
    expect(seen.states('client')).toEqual(['CLOSED', 'LISTEN']);
    timeline.add(state(2, 'LISTEN', 'SYN-RECV'));
    timeline.add(state(3, 'SYN-RECV', 'ESTABLISHED'));
    expect(seen.states('client')).toEqual(['LISTEN', 'SYN-RECV', 'ESTABLISHED']);
  });
});

describe('the rest', () => {
  const gauge = (at: number, subject: string, value: number): Event => ({
    type: 'gauge',
    at,
    subject,
    name: 'TcpExt.ListenDrops',
    value,
  });
  const { timeline, seen } = seenOf(
    gauge(9, 'server', 3),
    gauge(5, 'server', 1),
    gauge(10, 'client', 8),
    { type: 'fate', at: 2, packet: 1, host: 'server', what: 'dropped' },
    { type: 'fate', at: 3, packet: 2, host: 'server', what: 'delivered' },
    { type: 'info', at: 4, host: 'server', recvQueue: 1, sendQueue: 0 },
  );

  it('counters are what was told last, 0 when nothing was', () => {
    expect(seen.counter('server', 'TcpExt.ListenDrops')).toBe(3);
    expect(seen.counter('server', 'TcpExt.ListenOverflows')).toBe(0);
  });

  it('fates of one kind or of all, and infos of one host', () => {
    expect(seen.fates()).toHaveLength(2);
    expect(seen.fates('dropped').map(({ packet }) => packet)).toEqual([1]);
    expect(seen.infos('server')).toHaveLength(1);
    expect(seen.infos('client')).toEqual([]);
  });

  it('events are a list that stays the same until something is added', () => {
    const before = seen.events;
    expect(before.map(({ at }) => at)).toEqual([2, 3, 4, 5, 9, 10]);
    expect(seen.events).toBe(before);
    expect(seen.end).toBe(10);
    timeline.add(gauge(11, 'client', 9));
    expect(seen.events).toHaveLength(7);
    expect(before).toHaveLength(6);
    expect(seen.end).toBe(11);
    expect(createSeen(createTimeline()).end).toBe(0);
  });
});
