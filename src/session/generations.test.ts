import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Listening, Tuple } from './connection.ts';
import { type Sight, trackGenerations } from './generations.ts';

const nobody: Listening = () => false;
const out: Tuple = {
  netns: 7,
  protocol: 'tcp',
  local: { address: '127.0.0.1', port: 700 },
  peer: { address: '127.0.0.1', port: 9000 },
};
const back: Tuple = { ...out, local: out.peer, peer: out.local };
const syn = (at: number, isn: number, tuple = out): Sight => ({ at, tuple, syn: { isn, ack: false } });
const synAck = (at: number, isn: number, tuple = back): Sight => ({ at, tuple, syn: { isn, ack: true } });
const data = (at: number, tuple = out): Sight => ({ at, tuple });

function follow(sights: Sight[], listening = nobody): string[] {
  const tracker = trackGenerations(listening);
  return sights.map((sight) => {
    const { connection, side } = tracker.sight(sight);
    return `#${connection.generation} ${side}`;
  });
}

describe('a connection seen in packets', () => {
  it('is one from SYN to the last byte, and the SYN tells who is the client', () => {
    const tracker = trackGenerations(nobody);
    const first = tracker.sight(syn(1, 100));
    expect(first.connection).toMatchObject({
      id: 'tcp/7/127.0.0.1:700>127.0.0.1:9000#1',
      generation: 1,
      how: 'syn',
    });
    expect(tracker.sight(synAck(2, 900))).toEqual({ connection: first.connection, side: 'server' });
    expect(tracker.sight(data(3))).toEqual({ connection: first.connection, side: 'client' });
  });

  it('stays one when the SYN is sent again', () => {
    expect(follow([syn(1, 100), syn(2, 100), synAck(3, 5), synAck(4, 6), data(5), syn(6, 100)])).toEqual([
      '#1 client',
      '#1 client',
      '#1 server',
      '#1 server',
      '#1 client',
      '#1 client',
    ]);
  });

  it('begins a new generation with a SYN of another ISN', () => {
    expect(follow([syn(1, 100), data(2), syn(3, 555), data(4, back)])).toEqual([
      '#1 client',
      '#1 client',
      '#2 client',
      '#2 server',
    ]);
  });

  it('begins a new generation with any SYN once it was seen open', () => {
    expect(follow([data(1, back), syn(2, 100)])).toEqual(['#1 client', '#2 client']);
  });

  it('can be reused the other way round, and then the other end is the client', () => {
    expect(follow([syn(1, 100), data(2), syn(3, 300, back)])).toEqual([
      '#1 client',
      '#1 client',
      '#2 client',
    ]);
  });

  it('is one when both ends open at once; who was seen first counts as the client', () => {
    expect(follow([syn(1, 100), syn(2, 200, back), synAck(3, 100, out), data(4)])).toEqual([
      '#1 client',
      '#1 server',
      '#1 client',
      '#1 client',
    ]);
  });

  it('takes in a SYN that arrives late but is stamped before the first look at the open connection', () => {
    const open: Sight = { at: 10, tuple: out, state: 'ESTABLISHED', cookie: 'aa' };
    expect(follow([open, syn(4, 100)])).toEqual(['#1 server', '#1 server']);
    expect(follow([open, syn(11, 100)])).toEqual(['#1 server', '#2 client']);
  });

  it('knows a late copy of the previous SYN', () => {
    expect(follow([syn(1, 100), data(2), syn(3, 555), syn(4, 100), syn(5, 555)])).toEqual([
      '#1 client',
      '#1 client',
      '#2 client',
      '#1 client',
      '#2 client',
    ]);
  });
});

describe('who is the client', () => {
  it('is told first by the listening port, then by a SYN, then guessed by the higher port', () => {
    const listens700: Listening = (_netns, _protocol, { port }) => port === 700;
    const how = (sight: Sight, listening: Listening) => trackGenerations(listening).sight(sight).connection;
    expect(how(syn(1, 1), listens700)).toMatchObject({ how: 'listen', client: { port: 9000 } });
    expect(how(syn(1, 1), () => true)).toMatchObject({ how: 'syn', client: { port: 700 } });
    expect(how(synAck(1, 1), nobody)).toMatchObject({ how: 'syn', client: { port: 700 } });
    expect(how({ at: 1, tuple: out, state: 'SYN-SENT' }, nobody)).toMatchObject({
      how: 'syn',
      client: { port: 700 },
    });
    expect(how({ at: 1, tuple: out, state: 'SYN-RECV' }, nobody)).toMatchObject({
      how: 'syn',
      client: { port: 9000 },
    });
    expect(how(data(1), nobody)).toMatchObject({ how: 'guessed', client: { port: 9000 } });
  });

  it('is the socket itself when it is connected to itself', () => {
    const self = { ...out, peer: out.local };
    const { connection, side } = trackGenerations(nobody).sight(data(1, self));
    expect(connection).toMatchObject({ how: 'self', client: self.local, server: self.local });
    expect(side).toBe('client');
  });
});

describe('a connection seen in the socket table', () => {
  const seen = (at: number, tuple: Tuple, cookie: string, state: Sight['state'] = 'ESTABLISHED'): Sight => ({
    at,
    tuple,
    cookie,
    state: state ?? 'ESTABLISHED',
  });

  it('keeps its generation through every state, because the cookie stays', () => {
    const states = ['SYN-RECV', 'ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT'] as const;
    const generations = follow(states.map((state, at) => seen(at, back, 's1', state)));
    expect(new Set(generations)).toEqual(new Set(['#1 server']));
  });

  it('begins a new generation with a new cookie', () => {
    expect(follow([seen(1, out, 'c1'), seen(2, back, 's1'), seen(3, out, 'c2')])).toEqual([
      '#1 server',
      '#1 client',
      '#2 server',
    ]);
  });

  it('leaves the old TIME-WAIT in its own generation while the tuple is in use again', () => {
    const sights = [
      seen(1, out, 'c1'),
      seen(2, back, 's1'),
      seen(3, out, 'c2', 'SYN-SENT'),
      seen(4, back, 's1', 'TIME-WAIT'),
      seen(5, back, 's2'),
      seen(6, out, 'c2'),
    ];
    expect(follow(sights).map((text) => text.slice(0, 2))).toEqual(['#1', '#1', '#2', '#1', '#2', '#2']);
  });

  it('is not split by a TIME-WAIT socket that was never seen before', () => {
    const sights = [syn(1, 5), seen(2, back, 'old', 'TIME-WAIT'), seen(3, back, 's2')];
    expect(new Set(follow(sights).map((text) => text.slice(0, 2)))).toEqual(new Set(['#1']));
  });
});

describe('memory', () => {
  const at = (port: number): Sight => ({ at: port, tuple: { ...out, local: { ...out.local, port } } });

  it('is bounded; what is dropped is counted and never gets an old id again', () => {
    const tracker = trackGenerations(nobody, 10);
    const ids = new Set<string>();
    for (let port = 1; port <= 25; port += 1) {
      ids.add(tracker.sight(at(port)).connection.id);
    }
    expect(tracker.forgotten()).toBe(15);
    for (let port = 1; port <= 15; port += 1) {
      const { id } = tracker.sight(at(port)).connection;
      expect(ids.has(id)).toBe(false);
    }
  });

  it('numbers the generations of a tuple 1, 2, 3, … for any mix of reuse and retransmission', () => {
    const story = fc.array(fc.record({ isn: fc.nat(3), copies: fc.integer({ min: 1, max: 3 }) }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(story, (lives) => {
        const tracker = trackGenerations(nobody);
        // An ISN differs from those of the two lives before it, as real ones do.
        let clock = 0;
        lives.forEach(({ isn, copies }, index) => {
          for (let copy = 0; copy < copies; copy += 1) {
            clock += 1;
            const { connection } = tracker.sight(syn(clock, index * 4 + isn));
            expect(connection.generation).toBe(index + 1);
          }
        });
      }),
    );
  });
});
