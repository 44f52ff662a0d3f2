import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TCP_STATES } from './socket.ts';
import {
  ARROWS,
  isLegal,
  path,
  RFC_STATES,
  rfcState,
  step,
  TCP_EVENTS,
  type TcpEvent,
  type TcpState,
} from './tcp-states.ts';

/** Figure 5 of RFC 9293 as read from the figure itself, with both notes. */
const FIGURE_5 = [
  'CLOSED passive open LISTEN',
  'CLOSED active open SYN-SENT',
  'LISTEN rcv SYN SYN-RECV',
  'LISTEN send SYN-SENT',
  'LISTEN close CLOSED',
  'SYN-SENT rcv SYN SYN-RECV',
  'SYN-SENT rcv SYN,ACK ESTABLISHED',
  'SYN-SENT close CLOSED',
  'SYN-RECV rcv ACK of SYN ESTABLISHED',
  'SYN-RECV close FIN-WAIT-1',
  'SYN-RECV rcv RST LISTEN',
  'ESTABLISHED close FIN-WAIT-1',
  'ESTABLISHED rcv FIN CLOSE-WAIT',
  'FIN-WAIT-1 rcv ACK of FIN FIN-WAIT-2',
  'FIN-WAIT-1 rcv FIN CLOSING',
  'FIN-WAIT-1 rcv FIN,ACK of FIN TIME-WAIT',
  'FIN-WAIT-2 rcv FIN TIME-WAIT',
  'CLOSING rcv ACK of FIN TIME-WAIT',
  'CLOSE-WAIT close LAST-ACK',
  'LAST-ACK rcv ACK of FIN CLOSED',
  'TIME-WAIT timeout 2MSL CLOSED',
];

function walk(...events: TcpEvent[]): TcpState[] {
  const states: TcpState[] = ['CLOSED'];
  for (const event of events) {
    states.push(step(states.at(-1)!, event)[0]!.to);
  }
  return states;
}

describe('the table', () => {
  it('has every arrow of figure 5 and no other as the figure’s', () => {
    const figure = ARROWS.filter(({ by }) => by === 'figure').map(
      ({ from, on, to }) => `${from} ${on} ${to}`,
    );
    expect(figure.sort()).toEqual([...FIGURE_5].sort());
  });

  it('reaches every state from CLOSED, and CLOSED from every state', () => {
    for (const state of RFC_STATES) {
      expect(path('CLOSED', state), state).not.toBeNull();
      expect(path(state, 'CLOSED'), state).not.toBeNull();
    }
  });

  it('uses every event, and says where each arrow is written', () => {
    expect(new Set(ARROWS.map(({ on }) => on))).toEqual(new Set(TCP_EVENTS));
    expect(ARROWS.filter(({ where }) => where === '')).toEqual([]);
  });

  it('has two answers only where Linux does otherwise than the RFC', () => {
    const twice = RFC_STATES.flatMap((state) =>
      TCP_EVENTS.filter((event) => step(state, event).length > 1).map((event) => `${state} ${event}`),
    );
    expect(twice).toEqual(['SYN-RECV rcv RST']);
    expect(step('SYN-RECV', 'rcv RST').map(({ to, by }) => `${to} ${by}`)).toEqual([
      'LISTEN figure',
      'CLOSED linux',
    ]);
  });

  it('knows each state of the kernel but UNKNOWN', () => {
    expect(TCP_STATES.filter((state) => rfcState(state) === null)).toEqual(['UNKNOWN']);
  });
});

describe('histories', () => {
  it('a normal open and close, on the side that closes first', () => {
    expect(walk('active open', 'rcv SYN,ACK', 'close', 'rcv ACK of FIN', 'rcv FIN', 'timeout 2MSL')).toEqual([
      'CLOSED',
      'SYN-SENT',
      'ESTABLISHED',
      'FIN-WAIT-1',
      'FIN-WAIT-2',
      'TIME-WAIT',
      'CLOSED',
    ]);
  });

  it('and on the other side', () => {
    expect(walk('passive open', 'rcv SYN', 'rcv ACK of SYN', 'rcv FIN', 'close', 'rcv ACK of FIN')).toEqual([
      'CLOSED',
      'LISTEN',
      'SYN-RECV',
      'ESTABLISHED',
      'CLOSE-WAIT',
      'LAST-ACK',
      'CLOSED',
    ]);
  });

  it('a simultaneous open and a simultaneous close', () => {
    expect(walk('active open', 'rcv SYN', 'rcv ACK of SYN', 'close', 'rcv FIN', 'rcv ACK of FIN')).toEqual([
      'CLOSED',
      'SYN-SENT',
      'SYN-RECV',
      'ESTABLISHED',
      'FIN-WAIT-1',
      'CLOSING',
      'TIME-WAIT',
    ]);
  });

  it('any walk stays among known states, and each of its steps is legal', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 60 }), (choices) => {
        let state: TcpState = 'CLOSED';
        for (const choice of choices) {
          const ways = ARROWS.filter(({ from }) => from === state);
          const { to } = ways[choice % ways.length]!;
          expect(RFC_STATES).toContain(to);
          expect(isLegal(state, to)).toBe(true);
          expect(path(state, to)).toEqual([state, to]);
          state = to;
        }
      }),
    );
  });
});

describe('what a sampler may have missed', () => {
  it.each([
    ['ESTABLISHED', 'FIN-WAIT-2', ['ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2']],
    ['ESTABLISHED', 'LAST-ACK', ['ESTABLISHED', 'CLOSE-WAIT', 'LAST-ACK']],
    ['SYN-SENT', 'CLOSE-WAIT', ['SYN-SENT', 'ESTABLISHED', 'CLOSE-WAIT']],
    ['NEW-SYN-RECV', 'ESTABLISHED', ['SYN-RECV', 'ESTABLISHED']],
  ] as const)('%s, then %s', (from, to, way) => {
    expect(path(from, to)).toEqual(way);
  });

  it('no way leads back, and none through the end of a connection', () => {
    expect(path('CLOSE-WAIT', 'ESTABLISHED')).toBeNull();
    expect(path('ESTABLISHED', 'SYN-SENT')).toBeNull();
    expect(path('FIN-WAIT-2', 'CLOSED')).not.toBeNull();
    expect(isLegal('ESTABLISHED', 'TIME-WAIT')).toBe(false);
    expect(isLegal('UNKNOWN', 'CLOSED')).toBe(false);
  });
});
