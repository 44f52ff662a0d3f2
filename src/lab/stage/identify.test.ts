import { describe, expect, it } from 'vitest';
import type { Event } from '../../session/events.ts';
import { segmentFrame } from '../wire/craft.ts';
import { createIdentify } from './identify.ts';
import type { RawCall, RawEvent, RawPacket, RawState, RawTuple } from './protocol.ts';

const CLIENT = { address: '10.9.0.1', port: 40_000 };
const SERVER = { address: '10.9.0.2', port: 80 };
const MACS = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' };
const text = ({ address, port }: typeof CLIENT): string => `${address}:${port}`;
let ids = 0;

function segment(at: number, host: 'client' | 'server', flags: string, seq: number, ack = 0): RawPacket {
  const [from, to] = host === 'client' ? [CLIENT, SERVER] : [SERVER, CLIENT];
  const frame = segmentFrame({ from: text(from), to: text(to), flags, seq, ack }, MACS);
  if (typeof frame === 'string') {
    throw new Error(frame);
  }
  ids += 1;
  return { type: 'packet', at, id: ids, host, segment: 'lan', frame };
}

function call(at: number, took: number | null, name: string, host = 'client', tuple?: RawTuple): RawCall {
  const ends: RawTuple = tuple ?? { protocol: 'tcp', local: CLIENT, peer: SERVER };
  return {
    type: 'syscall',
    at,
    took,
    host,
    pid: 1,
    tid: 1,
    call: at,
    fd: 3,
    name,
    args: [],
    result: 0,
    tuple: ends,
  };
}

function state(at: number, from: RawState['from'], to: RawState['to'], socket = ''): RawState {
  const tuple: RawTuple = { protocol: 'tcp', local: CLIENT, peer: SERVER };
  return { type: 'state', at, host: 'client', socket, tuple, from, to, source: 'traced' };
}

/** Open, and closed from both sides, from `at` on. */
function conversation(at: number, isn: number): RawEvent[] {
  return [
    state(at, 'CLOSED', 'SYN-SENT'),
    segment(at + 1, 'client', 'S', isn),
    segment(at + 2, 'server', 'SA', isn + 5000, isn + 1),
    segment(at + 3, 'client', 'A', isn + 1, isn + 5001),
    call(at, 4, 'connect'),
    segment(at + 10, 'client', 'FA', isn + 1, isn + 5001),
    segment(at + 11, 'server', 'FA', isn + 5001, isn + 2),
    segment(at + 12, 'client', 'A', isn + 2, isn + 5002),
  ];
}

const connectionOf = (event: Event): string | undefined =>
  'connection' in event ? event.connection : undefined;

describe('which connection an event belongs to', () => {
  it('calls, packets and states of one pair of ends are one connection, seen from both sides', () => {
    const identify = createIdentify(1);
    const accept = call(5, 1, 'accept4', 'server', { protocol: 'tcp', local: SERVER, peer: CLIENT });
    const events = identify([...conversation(0, 1000), accept]);
    expect(new Set(events.map(connectionOf))).toEqual(new Set([connectionOf(events[0]!)]));
    expect(connectionOf(events[0]!)).toBeDefined();
    const sides = events.flatMap((event) => (event.type === 'syscall' ? [[event.name, event.side]] : []));
    expect(sides).toEqual([
      ['connect', 'client'],
      ['accept4', 'server'],
    ]);
  });

  it('the same ends again are another connection, and each call goes to its own', () => {
    const identify = createIdentify(1);
    const first = identify(conversation(0, 1000));
    const second = identify([...conversation(1e9, 900_000), call(1e9 + 20, 1, 'recv')]);
    const [one] = new Set(first.map(connectionOf));
    const [two] = new Set(second.map(connectionOf));
    expect(new Set(second.map(connectionOf)).size).toBe(1);
    expect(two).not.toBe(one);
  });

  it('what happened to a packet belongs to the packet’s connection', () => {
    const identify = createIdentify(1);
    const [syn] = [segment(1, 'client', 'S', 1)];
    const fate = { type: 'fate', at: 2, packet: syn.id, host: 'server', what: 'dropped' } as const;
    const [packet, dropped] = identify([syn, fate]);
    expect(connectionOf(dropped!)).toBe(connectionOf(packet!));
    expect(connectionOf(packet!)).toBeDefined();
  });

  it('a change of state just before the SYN is told before it', () => {
    const events = createIdentify(1)(conversation(0, 1000));
    expect(events.slice(0, 2).map(({ type }) => type)).toEqual(['state', 'packet']);
  });

  it('the trace of another stage with the same addresses is left out', () => {
    const identify = createIdentify(1);
    const other: RawState = {
      ...state(2, 'SYN-SENT', 'ESTABLISHED'),
      tuple: { protocol: 'tcp', local: { ...CLIENT, port: 41_000 }, peer: SERVER },
    };
    const events = identify([...conversation(0, 1000), other]);
    expect(events.filter(({ type }) => type === 'state')).toHaveLength(1);
  });

  it('a socket without a peer belongs to no connection', () => {
    const tuple: RawTuple = { protocol: 'tcp', local: SERVER, peer: { address: '0.0.0.0', port: 0 } };
    const [listen] = createIdentify(1)([call(1, 1, 'listen', 'server', tuple)]);
    expect(connectionOf(listen!)).toBeUndefined();
  });
});
