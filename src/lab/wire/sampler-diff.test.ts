import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SocketState, TcpInfo } from '../../session/socket.ts';
import type { RawEvent, RawState, RawTuple } from '../stage/protocol.ts';
import { compare, createTable } from './sampler-diff.ts';
import type { Row } from './sampler-rows.ts';

const tuple = (local: number, peer: number): RawTuple => ({
  protocol: 'tcp',
  local: { address: '10.9.0.1', port: local },
  peer: { address: peer === 0 ? '0.0.0.0' : '10.9.0.2', port: peer },
});
const CLIENT = tuple(4000, 80);
const SERVER = tuple(80, 4000);
const row = (socket: string, state: SocketState, more: Partial<Row> = {}): Row => ({
  socket,
  tuple: CLIENT,
  state,
  recvQueue: 0,
  sendQueue: 0,
  ...more,
});
const BASE: TcpInfo = {
  options: [],
  caState: 'open',
  retransmits: 0,
  probes: 0,
  backoff: 0,
  sndWscale: 7,
  rcvWscale: 7,
  appLimited: false,
  rtoUs: 200_000,
  atoUs: 0,
  sndMss: 1448,
  rcvMss: 536,
  advMss: 1448,
  pmtu: 1500,
  unacked: 0,
  sacked: 0,
  lost: 0,
  retrans: 0,
  lastDataSentMs: 0,
  lastDataReceivedMs: 0,
  lastAckReceivedMs: 0,
  rcvSsthresh: 64_076,
  rttUs: 100,
  rttvarUs: 50,
  sndSsthresh: 0x7fff_ffff,
  sndCwnd: 10,
  reordering: 3,
  rcvRttUs: 0,
  rcvSpace: 14_480,
  totalRetrans: 0,
};
const tcp = (more: Partial<TcpInfo>): { tcp: TcpInfo } => ({ tcp: { ...BASE, ...more } });

/** What each look tells; looks are 1, 2, 3 … nanoseconds apart. */
function looks(...tables: Row[][]): RawEvent[] {
  const table = createTable();
  const out: RawEvent[] = [];
  for (const [index, rows] of tables.entries()) {
    compare(table, rows, 'client', index + 1, out);
  }
  return out;
}
const states = (events: RawEvent[]): RawState[] => events.filter((event) => event.type === 'state');
const told = (events: RawEvent[]): string[] =>
  states(events).map(({ at, socket, from, to }) => `${at} ${socket} ${from}→${to}`);
const infos = (events: RawEvent[]): number[] =>
  events.filter(({ type }) => type === 'info').map(({ at }) => at);

describe('what changed between two looks', () => {
  it('a normal close is one history on each side, the TIME-WAIT remnant included', () => {
    const server = { tuple: SERVER };
    const events = looks(
      [row('c', 'SYN-SENT')],
      [row('c', 'ESTABLISHED'), row('s', 'ESTABLISHED', server)],
      [row('c', 'FIN-WAIT-2'), row('s', 'CLOSE-WAIT', server)],
      [row('c', 'FIN-WAIT-2'), row('s', 'LAST-ACK', server)],
      [row('c', 'TIME-WAIT')],
      [],
    );
    expect(told(events)).toEqual([
      '1 c CLOSED→SYN-SENT',
      '2 c SYN-SENT→ESTABLISHED',
      '2 s CLOSED→ESTABLISHED',
      '3 c ESTABLISHED→FIN-WAIT-2',
      '3 s ESTABLISHED→CLOSE-WAIT',
      '4 s CLOSE-WAIT→LAST-ACK',
      '5 s LAST-ACK→CLOSED',
      '5 c FIN-WAIT-2→TIME-WAIT',
      '6 c TIME-WAIT→CLOSED',
    ]);
    expect(states(events)[0]).toEqual({
      type: 'state',
      at: 1,
      host: 'client',
      socket: 'c',
      tuple: CLIENT,
      from: 'CLOSED',
      to: 'SYN-SENT',
      source: 'sampled',
    });
  });

  it('a request becomes its child', () => {
    expect(told(looks([row('r', 'SYN-RECV')], [row('r', 'ESTABLISHED')]))).toEqual([
      '1 r CLOSED→SYN-RECV',
      '2 r SYN-RECV→ESTABLISHED',
    ]);
  });

  it('a tuple used again is two sockets, and the old one ends before the new one begins', () => {
    expect(told(looks([row('a', 'TIME-WAIT')], [row('b', 'SYN-SENT')]))).toEqual([
      '1 a CLOSED→TIME-WAIT',
      '2 a TIME-WAIT→CLOSED',
      '2 b CLOSED→SYN-SENT',
    ]);
  });

  it('a listener tells its accept queue when it changes, and nothing while it is empty and unchanged', () => {
    const listener = (used: number): Row =>
      row('l', 'LISTEN', { tuple: tuple(80, 0), recvQueue: used, sendQueue: 5 });
    const events = looks([listener(0)], [listener(0)], [listener(2)], [listener(2)], [listener(1)]);
    expect(told(events)).toEqual(['1 l CLOSED→LISTEN']);
    expect(events.filter(({ type }) => type === 'info')).toMatchObject([
      { at: 1, recvQueue: 0, sendQueue: 5 },
      { at: 3, recvQueue: 2, sendQueue: 5 },
      { at: 5, recvQueue: 1, sendQueue: 5 },
    ]);
  });

  it('queues, timers, the congestion window and losses are worth an info; a wiggle of the round trip is not', () => {
    const look = (more: Partial<Row>): Row[] => [row('c', 'ESTABLISHED', { ...tcp({}), ...more })];
    const timer = { kind: 'retransmit', expiresMs: 200, retransmits: 0 } as const;
    expect(infos(looks(look({}), look(tcp({ rttUs: 170, rtoUs: 204_000, lastDataSentMs: 9 }))))).toEqual([1]);
    for (const more of [
      { recvQueue: 1 },
      { sendQueue: 1 },
      { timer },
      tcp({ sndCwnd: 11 }),
      tcp({ sndSsthresh: 7 }),
      tcp({ caState: 'loss' }),
      tcp({ retransmits: 1 }),
      tcp({ backoff: 1 }),
      tcp({ probes: 1 }),
      tcp({ unacked: 1 }),
      tcp({ rtoUs: 400_000 }),
    ]) {
      expect(infos(looks(look({}), look(more), look(more)))).toEqual([1, 2]);
    }
    expect(infos(looks(look({ timer }), look({ timer: { ...timer, expiresMs: 3 } })))).toEqual([1]);
    expect(infos(looks(look({ timer }), look({ timer: { ...timer, retransmits: 1 } })))).toEqual([1, 2]);
  });

  it('a timeout that grows slowly is told when it has grown by a quarter', () => {
    const steps = [200, 220, 240, 260, 280, 300].map((ms) => [
      row('c', 'ESTABLISHED', tcp({ rtoUs: ms * 1000 })),
    ]);
    expect(infos(looks(...steps))).toEqual([1, 4]);
  });

  it('replaying what was told gives the last table, and each change begins where the one before ended', () => {
    const STATES = ['SYN-SENT', 'SYN-RECV', 'ESTABLISHED', 'CLOSE-WAIT', 'TIME-WAIT', 'LISTEN'] as const;
    const look = fc.uniqueArray(
      fc.record({ socket: fc.constantFrom('a', 'b', 'c', 'd'), state: fc.constantFrom(...STATES) }),
      { selector: ({ socket }) => socket },
    );
    fc.assert(
      fc.property(fc.array(look, { minLength: 1, maxLength: 8 }), (tables) => {
        const events = looks(...tables.map((rows) => rows.map(({ socket, state }) => row(socket, state))));
        const replayed = new Map<string, SocketState>();
        for (const { socket, from, to } of states(events)) {
          expect(from).toBe(replayed.get(socket) ?? 'CLOSED');
          expect(to).not.toBe(from);
          replayed.set(socket, to);
          if (to === 'CLOSED') {
            replayed.delete(socket);
          }
        }
        expect(replayed).toEqual(new Map(tables.at(-1)!.map(({ socket, state }) => [socket, state])));
      }),
    );
  });
});
