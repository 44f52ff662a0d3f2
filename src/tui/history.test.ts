import { describe, expect, it } from 'vitest';
import type { TcpInfo } from '../session/socket.ts';
import { emptyHistory, HISTORY_LIMIT, remember } from './history.ts';
import { makeSocket } from './testing.ts';

const ZERO: TcpInfo = {
  options: [],
  caState: 'open',
  retransmits: 0,
  probes: 0,
  backoff: 0,
  sndWscale: 0,
  rcvWscale: 0,
  appLimited: false,
  rtoUs: 0,
  atoUs: 0,
  sndMss: 0,
  rcvMss: 0,
  advMss: 0,
  pmtu: 0,
  unacked: 0,
  sacked: 0,
  lost: 0,
  retrans: 0,
  lastDataSentMs: 0,
  lastDataReceivedMs: 0,
  lastAckReceivedMs: 0,
  rcvSsthresh: 0,
  rttUs: 0,
  rttvarUs: 0,
  sndSsthresh: 0,
  sndCwnd: 10,
  reordering: 3,
  rcvRttUs: 0,
  rcvSpace: 0,
  totalRetrans: 0,
};

describe('history', () => {
  it('counters become rates, and the first sample has none', () => {
    const one = remember(
      emptyHistory('1'),
      0,
      makeSocket({ tcp: { ...ZERO, bytesAcked: 1000, totalRetrans: 5 } }),
    );
    const two = remember(one, 2000, makeSocket({ tcp: { ...ZERO, bytesAcked: 5000, totalRetrans: 7 } }));
    expect(two.samples.sent).toEqual([null, 2000]);
    expect(two.samples.retransmits).toEqual([null, 2]);
    expect(two.samples.cwnd).toEqual([10, 10]);
    expect(two.samples.delivery).toEqual([null, null]);
  });

  it('a moment without the socket is a gap in every line', () => {
    const one = remember(emptyHistory('1'), 0, makeSocket({ recvQueue: 9 }));
    expect(remember(one, 1, null).samples.recvQueue).toEqual([9, null]);
  });

  it('a listener has an accept queue and no others', () => {
    const { samples } = remember(
      emptyHistory('1'),
      0,
      makeSocket({ state: 'LISTEN', accept: { used: 4, limit: 8 } }),
    );
    expect(samples.accept).toEqual([4]);
    expect(samples.recvQueue).toEqual([null]);
  });

  it('is bounded', () => {
    let history = emptyHistory('1');
    for (let at = 0; at < HISTORY_LIMIT + 10; at += 1) {
      history = remember(history, at, makeSocket({ recvQueue: at }));
    }
    expect(history.samples.recvQueue).toHaveLength(HISTORY_LIMIT);
    expect(history.samples.recvQueue.at(-1)).toBe(HISTORY_LIMIT + 9);
  });
});
