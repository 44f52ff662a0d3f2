import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TracedChange } from '../../kernel/state-trace.ts';
import { type SocketState, TCP_STATES } from '../../session/socket.ts';
import type { RawEvent, RawState } from '../stage/protocol.ts';
import { createMerge } from './sampler-merge.ts';

const LOCAL = { address: '10.9.0.1', port: 4000 };
const PEER = { address: '10.9.0.2', port: 80 };
const TUPLE = { protocol: 'tcp', local: LOCAL, peer: PEER } as const;
const hostOf = (address: string): string | null => (address === '10.9.0.1' ? 'client' : null);

const number = (state: SocketState): number => TCP_STATES.indexOf(state);
const trace = (
  at: number,
  from: SocketState,
  to: SocketState,
  more: Partial<TracedChange> = {},
): TracedChange => ({
  at,
  sk: 'k',
  local: LOCAL,
  peer: PEER,
  from: number(from),
  to: number(to),
  ...more,
});
const look = (at: number, from: SocketState, to: SocketState, socket = 'a'): RawState => ({
  type: 'state',
  at,
  host: 'client',
  socket,
  tuple: TUPLE,
  from,
  to,
  source: 'sampled',
});

interface Round {
  readonly at: number;
  readonly traced?: TracedChange[];
  readonly sampled?: RawEvent[];
  /** False: the trace was read, but nobody looked. */
  readonly looked?: boolean;
}

function merged(rounds: readonly Round[]): RawEvent[] {
  const merge = createMerge(hostOf);
  const out: RawEvent[] = [];
  for (const { at, traced = [], sampled = [], looked = true } of rounds) {
    merge.take(traced, sampled, looked ? ['client'] : [], at, out);
  }
  return out;
}
const told = (events: RawEvent[]): string[] =>
  events.map((event) =>
    event.type === 'state' ? `${event.at} ${event.source} ${event.from}→${event.to}` : event.type,
  );

describe('trace and looks together', () => {
  it('what both saw is told once, with the moment of the trace', () => {
    const events = merged([
      { at: 10, traced: [trace(5, 'CLOSED', 'SYN-SENT')], sampled: [look(10, 'CLOSED', 'SYN-SENT')] },
      {
        at: 20,
        traced: [trace(15, 'SYN-SENT', 'ESTABLISHED')],
        sampled: [look(20, 'SYN-SENT', 'ESTABLISHED')],
      },
    ]);
    expect(told(events)).toEqual(['5 traced CLOSED→SYN-SENT', '15 traced SYN-SENT→ESTABLISHED']);
    expect(events.map((event) => event.type === 'state' && event.socket)).toEqual(['', 'a']);
  });

  it('a look that saw the ends of a path does not repeat it', () => {
    const path = [
      trace(1, 'CLOSED', 'SYN-SENT'),
      trace(2, 'SYN-SENT', 'ESTABLISHED'),
      trace(3, 'ESTABLISHED', 'CLOSE-WAIT'),
    ];
    expect(told(merged([{ at: 10, traced: path, sampled: [look(10, 'CLOSED', 'CLOSE-WAIT')] }]))).toEqual([
      '1 traced CLOSED→SYN-SENT',
      '2 traced SYN-SENT→ESTABLISHED',
      '3 traced ESTABLISHED→CLOSE-WAIT',
    ]);
  });

  it('a trace that is ahead of the look is not taken back, nor told again by the next look', () => {
    const events = merged([
      {
        at: 10,
        traced: [trace(5, 'CLOSED', 'SYN-SENT'), trace(12, 'SYN-SENT', 'ESTABLISHED')],
        sampled: [look(10, 'CLOSED', 'SYN-SENT')],
      },
      { at: 20, sampled: [look(20, 'SYN-SENT', 'ESTABLISHED')] },
    ]);
    expect(told(events)).toEqual(['5 traced CLOSED→SYN-SENT', '12 traced SYN-SENT→ESTABLISHED']);
  });

  it('CLOSED with a TIME-WAIT remnant is TIME-WAIT, at the moment of the trace', () => {
    const events = merged([
      { at: 10, traced: [trace(5, 'CLOSED', 'ESTABLISHED')], sampled: [look(10, 'CLOSED', 'ESTABLISHED')] },
      {
        at: 30,
        traced: [
          trace(20, 'ESTABLISHED', 'FIN-WAIT-1'),
          trace(21, 'FIN-WAIT-1', 'FIN-WAIT-2'),
          trace(22, 'FIN-WAIT-2', 'CLOSED'),
        ],
        sampled: [look(30, 'ESTABLISHED', 'TIME-WAIT')],
      },
      { at: 40 },
      { at: 90, sampled: [look(90, 'TIME-WAIT', 'CLOSED')] },
    ]);
    expect(told(events).slice(1)).toEqual([
      '20 traced ESTABLISHED→FIN-WAIT-1',
      '21 traced FIN-WAIT-1→FIN-WAIT-2',
      '22 sampled FIN-WAIT-2→TIME-WAIT',
      '90 sampled TIME-WAIT→CLOSED',
    ]);
  });

  it('an orphan in FIN-WAIT-2 is not closed before it is gone', () => {
    const events = merged([
      {
        at: 10,
        traced: [
          trace(1, 'CLOSED', 'ESTABLISHED'),
          trace(2, 'ESTABLISHED', 'FIN-WAIT-1'),
          trace(3, 'FIN-WAIT-1', 'FIN-WAIT-2'),
          trace(4, 'FIN-WAIT-2', 'CLOSED'),
        ],
        sampled: [look(10, 'CLOSED', 'FIN-WAIT-2')],
      },
      { at: 20 },
      { at: 30, sampled: [look(30, 'FIN-WAIT-2', 'CLOSED')] },
    ]);
    expect(told(events).slice(3)).toEqual(['30 sampled FIN-WAIT-2→CLOSED']);
  });

  it('a connection that no look ever saw is told from the trace, its end when the next look shows no remnant', () => {
    const path = [
      trace(1, 'CLOSED', 'SYN-SENT'),
      trace(2, 'SYN-SENT', 'ESTABLISHED'),
      trace(3, 'ESTABLISHED', 'FIN-WAIT-1'),
      trace(4, 'FIN-WAIT-1', 'CLOSED'),
    ];
    expect(told(merged([{ at: 3, traced: path, looked: false }]))).toHaveLength(3);
    expect(told(merged([{ at: 3, traced: path }, { at: 10 }])).at(-1)).toBe('4 traced FIN-WAIT-1→CLOSED');
  });

  it('a request that looks saw becomes the child that the trace tells of', () => {
    const events = merged([
      { at: 10, sampled: [look(10, 'CLOSED', 'SYN-RECV')] },
      {
        at: 20,
        traced: [trace(15, 'LISTEN', 'SYN-RECV'), trace(16, 'SYN-RECV', 'ESTABLISHED')],
        sampled: [look(20, 'SYN-RECV', 'ESTABLISHED')],
      },
    ]);
    expect(told(events)).toEqual(['10 sampled CLOSED→SYN-RECV', '16 traced SYN-RECV→ESTABLISHED']);
  });

  it('a connecting socket without a port yet gets it from its next record', () => {
    const none = { local: { address: '10.9.0.1', port: 0 } };
    const events = merged([
      { at: 10, traced: [trace(5, 'CLOSED', 'SYN-SENT', none)], looked: false },
      { at: 20, traced: [trace(15, 'SYN-SENT', 'ESTABLISHED')], looked: false },
    ]);
    expect(told(events)).toEqual(['5 traced CLOSED→SYN-SENT', '15 traced SYN-SENT→ESTABLISHED']);
    expect(events[0]).toMatchObject({ tuple: TUPLE });
  });

  it('… or from the look that saw it, when only one can be meant', () => {
    const none = { local: { address: '10.9.0.1', port: 0 } };
    const first = trace(5, 'CLOSED', 'SYN-SENT', none);
    const sampled = [look(10, 'CLOSED', 'SYN-SENT')];
    expect(told(merged([{ at: 10, traced: [first], sampled }]))).toEqual(['5 traced CLOSED→SYN-SENT']);
    expect(told(merged([{ at: 10, traced: [first, { ...first, sk: 'other' }], sampled }]))).toEqual([
      '10 sampled CLOSED→SYN-SENT',
    ]);
  });

  it('a tuple used again over a TIME-WAIT remnant ends the old connection first', () => {
    const events = merged([
      { at: 10, sampled: [look(10, 'CLOSED', 'TIME-WAIT')] },
      {
        at: 20,
        traced: [trace(15, 'CLOSED', 'SYN-SENT'), trace(16, 'SYN-SENT', 'ESTABLISHED')],
        sampled: [look(20, 'TIME-WAIT', 'CLOSED'), look(20, 'CLOSED', 'ESTABLISHED', 'b')],
      },
    ]);
    expect(told(events).slice(1)).toEqual([
      '15 traced TIME-WAIT→CLOSED',
      '15 traced CLOSED→SYN-SENT',
      '16 traced SYN-SENT→ESTABLISHED',
    ]);
  });

  it('what the trace lost, the looks still tell; addresses of nobody here are left out', () => {
    const foreign = { local: { address: '10.9.0.9', port: 1 } };
    const info: RawEvent = {
      type: 'info',
      at: 10,
      host: 'client',
      socket: 'a',
      tuple: TUPLE,
      recvQueue: 1,
      sendQueue: 0,
    };
    const events = merged([
      {
        at: 10,
        traced: [trace(3, 'CLOSED', 'ESTABLISHED', foreign)],
        sampled: [look(10, 'CLOSED', 'ESTABLISHED'), info],
      },
    ]);
    expect(told(events)).toEqual(['10 sampled CLOSED→ESTABLISHED', 'info']);
  });

  it('a look that comes between the trace of a change and the change does not take it back', () => {
    const events = merged([
      { at: 10, traced: [trace(5, 'CLOSED', 'SYN-SENT')], sampled: [look(10, 'CLOSED', 'SYN-SENT')] },
      { at: 20, traced: [trace(15, 'SYN-SENT', 'ESTABLISHED')] },
      { at: 30, sampled: [look(30, 'SYN-SENT', 'ESTABLISHED')] },
      { at: 5e6 },
    ]);
    expect(told(events).slice(1)).toEqual(['15 traced SYN-SENT→ESTABLISHED']);
  });

  it('a trace that ends elsewhere than the socket table is put right by a later look, not at once', () => {
    const events = merged([
      { at: 10, traced: [trace(5, 'CLOSED', 'SYN-SENT')], sampled: [look(10, 'CLOSED', 'SYN-SENT')] },
      { at: 20, traced: [trace(15, 'SYN-SENT', 'ESTABLISHED')] },
      { at: 5e6 },
    ]);
    expect(told(events).slice(1)).toEqual([
      '15 traced SYN-SENT→ESTABLISHED',
      '5000000 sampled ESTABLISHED→SYN-SENT',
    ]);
  });
});

/** What a kernel does to sockets on one tuple, with what its trace says of it (null: nothing). */
interface Truth {
  readonly at: number;
  readonly cookie: string;
  readonly to: SocketState;
  readonly traced: { readonly from: SocketState; readonly to: SocketState } | null;
}

const LIVES: readonly (readonly SocketState[])[] = [
  ['SYN-SENT', 'CLOSED'],
  ['SYN-SENT', 'ESTABLISHED', 'CLOSED'],
  ['SYN-SENT', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT', 'CLOSED'],
  ['SYN-SENT', 'SYN-RECV', 'ESTABLISHED', 'FIN-WAIT-1', 'CLOSING', 'TIME-WAIT', 'CLOSED'],
  ['SYN-SENT', 'ESTABLISHED', 'FIN-WAIT-1', 'CLOSED'],
  ['SYN-SENT', 'ESTABLISHED', 'CLOSE-WAIT', 'LAST-ACK', 'CLOSED'],
];

function history(lives: readonly number[]): Truth[] {
  const truth: Truth[] = [];
  for (const [life, which] of lives.entries()) {
    let from: SocketState = 'CLOSED';
    for (const to of LIVES[which]!) {
      const says = to === 'TIME-WAIT' ? 'CLOSED' : to;
      const traced = from === 'TIME-WAIT' ? null : { from, to: says };
      truth.push({ at: 10 * (truth.length + 1), cookie: `${life}`, to, traced });
      from = to;
    }
  }
  return truth;
}

/** Looks that begin at the given moments and see what is so `late` afterwards; the trace read after each has reached `reach` further. */
function witnessed(
  truth: readonly Truth[],
  moments: readonly number[],
  late: number,
  reach: number,
): Round[] {
  const before = createLook();
  let read = 0;
  return moments.map((at) => {
    const traced = truth.filter(
      (step) => step.at > read && step.at <= at + late + reach && step.traced !== null,
    );
    read = Math.max(read, at + late + reach);
    return {
      at,
      traced: traced.map((step) => trace(step.at, step.traced!.from, step.traced!.to, { sk: step.cookie })),
      sampled: before(truth.filter((step) => step.at < at + late).at(-1) ?? null, at),
    };
  });
}

function createLook(): (now: Truth | null, at: number) => RawState[] {
  let cookie = '';
  let state: SocketState = 'CLOSED';
  return (now, at) => {
    const out: RawState[] = [];
    const to = now?.to ?? 'CLOSED';
    if (state !== 'CLOSED' && (now?.cookie !== cookie || to === 'CLOSED')) {
      out.push(look(at, state, 'CLOSED', cookie));
      state = 'CLOSED';
    }
    if (to !== state) {
      out.push(look(at, state, to, now!.cookie));
    }
    cookie = now?.cookie ?? '';
    state = to;
    return out;
  };
}

describe('whenever anybody looks', () => {
  it('every change is told once and in order, and nothing but phases without a trace can be missing', () => {
    const lives = fc.array(fc.nat(LIVES.length - 1), { minLength: 1, maxLength: 4 });
    const moments = fc.uniqueArray(fc.integer({ min: 1, max: 320 }), { maxLength: 20 });
    fc.assert(
      fc.property(lives, moments, fc.nat(15), fc.nat(40), (which, when, late, reach) => {
        const truth = history(which);
        const end = truth.at(-1)!.at + 100;
        const rounds = witnessed(
          truth,
          [...when.sort((a, b) => a - b), end, end + 5e6, end + 9e6],
          late,
          reach,
        );
        const events = merged(rounds).filter((event) => event.type === 'state');
        let state: SocketState = 'CLOSED';
        for (const { from, to } of events) {
          expect(from).toBe(state);
          expect(to).not.toBe(from);
          state = to;
        }
        expect(state).toBe('CLOSED');
        const seen = events.map(({ to }) => to);
        const all = truth.map(({ to }) => to);
        expect(seen.filter((to) => to !== 'TIME-WAIT')).toEqual(all.filter((to) => to !== 'TIME-WAIT'));
        // No TIME-WAIT that was not there: what was told is part of what happened.
        let next = 0;
        for (const to of seen) {
          next = all.indexOf(to, next) + 1;
          expect(next).toBeGreaterThan(0);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
