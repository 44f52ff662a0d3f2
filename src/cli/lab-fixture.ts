/** Four experiments and an engine that only pretends to run them: what the lab's face is tested with. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SockscopeError } from '../errors.ts';
import { defineExperiment, type Experiment } from '../lab/experiment.ts';
import type { Outcome, RunExperiment, RunWish } from '../lab/run-types.ts';
import type { Event, Packet, SessionHeader, TcpFlag } from '../session/events.ts';
import { ACK, FIN, PSH, SYN, tcpFrame } from '../tap/record/frame.ts';

const MS = 1e6;

export const header: SessionHeader = {
  v: 1,
  type: 'session',
  startedAt: { iso: '2023-11-14T22:13:20.000000000Z', ns: 1_700_000_000_000_000_000n },
  host: 'testbench',
  clock: { source: 'monotonic', uncertaintyNs: 0 },
};

const ends = {
  client: { address: Uint8Array.of(10, 9, 0, 1), port: 40_000 },
  server: { address: Uint8Array.of(10, 9, 0, 2), port: 80 },
};
const BITS: Readonly<Partial<Record<TcpFlag, number>>> = { FIN, SYN, PSH, ACK };
const ETHERNET = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0);

export function packet(
  at: number,
  host: 'client' | 'server',
  id: number,
  flags: readonly TcpFlag[],
  seq: number,
  ack: number,
  text = '',
): Packet {
  const bytes = new Uint8Array(70_000);
  const bits = flags.reduce((sum, flag) => sum | (BITS[flag] ?? 0), 0);
  const [from, to] = host === 'client' ? [ends.client, ends.server] : [ends.server, ends.client];
  const payload = new TextEncoder().encode(text);
  const length = tcpFrame(bytes, from, to, seq, ack, bits, payload, 0, payload.length);
  const frame = new Uint8Array(ETHERNET.length + length);
  frame.set(ETHERNET);
  frame.set(bytes.subarray(0, length), ETHERNET.length);
  return {
    type: 'packet',
    at,
    host,
    id,
    interface: 'lan',
    connection: CONNECTION,
    from: host,
    protocol: 'tcp',
    flags,
    seq,
    ...(flags.includes('ACK') ? { ack } : {}),
    window: 64_240,
    length: payload.length,
    frameLength: frame.length,
    notes: [],
    frame,
  };
}

export const CONNECTION = 'tcp/1/10.9.0.1:40000>10.9.0.2:80#1';

export function call(
  at: number,
  host: 'client' | 'server',
  name: string,
  args: readonly (string | number)[],
  result: number,
  more: { readonly took?: number; readonly errno?: string } = {},
): Event {
  const pid = host === 'client' ? 11 : 12;
  return {
    type: 'syscall',
    at,
    took: 20_000,
    host,
    pid,
    tid: pid,
    name,
    args,
    result,
    connection: CONNECTION,
    side: host,
    ...more,
  };
}

function state(at: number, host: 'client' | 'server', from: string, to: string): Event {
  return {
    type: 'state',
    at,
    host,
    from,
    to,
    source: 'sampled',
    connection: CONNECTION,
    side: host,
  } as Event;
}

function delivered(at: number, id: number, to: 'client' | 'server'): Event {
  return { type: 'fate', at, packet: id, host: to, what: 'delivered' };
}

/** The server closes, the client does not. */
export const closeWaitEvents: readonly Event[] = [
  { type: 'step', at: 0, text: 'The client connects.' },
  call(0.1 * MS, 'client', 'socket', ['AF_INET', 'SOCK_STREAM', 0], 5),
  packet(0.3 * MS, 'client', 1, ['SYN'], 1000, 0),
  state(0.35 * MS, 'client', 'CLOSED', 'SYN-SENT'),
  delivered(0.4 * MS, 1, 'server'),
  packet(0.5 * MS, 'server', 2, ['SYN', 'ACK'], 5000, 1001),
  delivered(0.6 * MS, 2, 'client'),
  packet(0.7 * MS, 'client', 3, ['ACK'], 1001, 5001),
  state(0.75 * MS, 'client', 'SYN-SENT', 'ESTABLISHED'),
  delivered(0.8 * MS, 3, 'server'),
  state(0.82 * MS, 'server', 'SYN-RECV', 'ESTABLISHED'),
  call(0.2 * MS, 'client', 'connect', [5, '10.9.0.2:80'], 0, { took: 0.6 * MS }),
  call(0.9 * MS, 'server', 'accept', [3], 4),
  { type: 'step', at: 150 * MS, text: 'The server says goodbye and closes.' },
  call(150.1 * MS, 'server', 'send', [4, 'bye\n'], 4),
  packet(150.2 * MS, 'server', 4, ['PSH', 'ACK'], 5001, 1001, 'bye\n'),
  {
    type: 'fate',
    at: 150.3 * MS,
    packet: 4,
    host: 'client',
    what: 'dropped',
    why: 'the first packet with data',
  },
  packet(351 * MS, 'server', 5, ['PSH', 'ACK'], 5001, 1001, 'bye\n'),
  delivered(351.2 * MS, 5, 'client'),
  packet(351.3 * MS, 'client', 6, ['ACK'], 1001, 5005),
  delivered(351.4 * MS, 6, 'server'),
  call(1 * MS, 'client', 'recv', [5, 4096], 4, { took: 350.3 * MS }),
  call(352 * MS, 'server', 'close', [4], 0),
  packet(352.1 * MS, 'server', 7, ['FIN', 'ACK'], 5005, 1001),
  state(352.2 * MS, 'server', 'ESTABLISHED', 'FIN-WAIT-1'),
  delivered(352.3 * MS, 7, 'client'),
  state(352.4 * MS, 'client', 'ESTABLISHED', 'CLOSE-WAIT'),
  packet(352.5 * MS, 'client', 8, ['ACK'], 1001, 5006),
  delivered(352.6 * MS, 8, 'server'),
  state(352.7 * MS, 'server', 'FIN-WAIT-1', 'FIN-WAIT-2'),
  call(352.5 * MS, 'client', 'recv', [5, 4096], 0),
  { type: 'step', at: 353 * MS, text: 'The client has read the end, and does nothing.' },
  call(400 * MS, 'client', 'send', [5, 'hello'], -1, { errno: 'EPIPE' }),
];

const closeWait = defineExperiment(
  { closes: false, replies: 1 },
  {
    name: 'close-wait',
    theme: 'closing',
    asks: 'What is seen when it happens?',
    question:
      'A server sends its reply and closes the connection. The client reads the reply, reads the end, and goes on with other work without closing its own socket. In which state is the client a day later?',
    answers: {
      a: 'TIME-WAIT: it waits a minute for stray packets, and is gone then.',
      b: 'CLOSE-WAIT: for as long as the program holds the descriptor.',
      c: 'CLOSED: both sides agreed on the end when the FIN was acknowledged, so that nothing is left to remember.',
      d: 'ESTABLISHED: the client never asked for anything else.',
    },
    answer: 'b',
    seconds: 0.4,
    shortened: 'the day is cut to a few milliseconds; nothing in the kernel counts down in this state.',
    story: () => Promise.resolve({}),
    expect: () => [],
    explanation:
      'A connection ends in two halves. The FIN of the server ended its own half: "I have nothing more to say." The kernel of the client acknowledged it by itself, told the program with a read of 0 bytes, and now waits for the program to end the other half with close() or shutdown().\n\nNo timer runs in CLOSE-WAIT: RFC 9293 gives the application all the time it wants. A program that forgets leaks one descriptor and one socket per connection, until accept() or open() fails with EMFILE.',
    remedy: 'Close the socket when a read returns 0. Look for leaks with: sockscope ls close-wait',
    references: ['RFC 9293 section 3.6: closing a connection', 'tcp(7), close(2)'],
    twin: {
      title: 'the client closes when it has read the end, and TIME-WAIT is the server’s alone.',
      knobs: { closes: true },
      expect: () => [],
    },
  },
);

const handshake = defineExperiment(
  {},
  {
    name: 'handshake',
    theme: 'opening',
    asks: 'What is seen when it happens?',
    question: 'How many packets cross the wire before connect() returns? Count them.',
    answers: { a: 'one', b: 'two', c: 'three' },
    answer: 'b',
    seconds: 2,
    stage: () => ({ hosts: { client: {}, server: {}, watcher: {} } }),
    story: () => Promise.resolve({}),
    expect: () => [],
    explanation: 'The third packet leaves when connect() has its answer already.',
    remedy: 'Nothing is broken here.',
    references: ['RFC 9293 section 3.5'],
    twin: { title: 'over IPv6 it is the same.', knobs: {}, expect: () => [] },
  },
);

const fastOpen = defineExperiment(
  { cookies: true, wait: 0.5 },
  {
    name: 'fast-open',
    theme: 'opening',
    asks: 'What is seen when it happens?',
    question: 'Data in the SYN: when does the server get it?',
    answers: { a: 'never', b: 'at once' },
    answer: 'b',
    seconds: 1,
    story: () => Promise.resolve({}),
    expect: () => [],
    explanation: 'With a cookie the kernel gives it on.',
    remedy: 'Set tcp_fastopen.',
    references: ['RFC 7413'],
    twin: { title: 'without a cookie.', knobs: { cookies: false }, expect: () => [] },
  },
);

const udpLoss = defineExperiment(
  {},
  {
    name: 'udp-loss',
    theme: 'udp',
    asks: 'What is seen when it happens?',
    question: 'Ten datagrams are sent and three are lost. Who is told?',
    answers: { a: 'the sender', b: 'the receiver', c: 'nobody' },
    answer: 'c',
    seconds: 3,
    story: () => Promise.resolve({}),
    expect: () => [],
    explanation: 'UDP keeps no state, so that a lost datagram leaves no trace.',
    remedy: 'Number what you send.',
    references: ['RFC 768'],
    twin: { title: 'nothing is lost.', knobs: {}, expect: () => [] },
  },
);

export const fakes = [closeWait, handshake, fastOpen, udpLoss];
export const fakeLoaders: readonly (() => Promise<{ experiment: Experiment }>)[] = fakes.map(
  (experiment) => () => Promise.resolve({ experiment }),
);

const good = {
  how: 'passed',
  checks: [
    { claim: 'the client stays in CLOSE-WAIT', ok: true, seen: 'CLOSE-WAIT' },
    {
      claim: 'the server went through FIN-WAIT-1 and FIN-WAIT-2',
      ok: true,
      seen: 'ESTABLISHED → FIN-WAIT-1 → FIN-WAIT-2',
    },
    { claim: 'the client reads the reply, and then the end', ok: true, seen: '4, 0' },
    { claim: 'no timer runs on the client’s socket', ok: true, seen: 'nothing' },
  ],
  moment: closeWaitEvents.find((event) => event.type === 'state' && event.to === 'CLOSE-WAIT'),
  counter: [],
  tookMs: 412.5,
  missing: [],
  tracing: { on: false, why: 'the kernel’s trace needs root.' },
} as const;

const endings: Readonly<Record<string, Partial<Outcome>>> = {
  'fast-open': { how: 'skipped', why: 'this kernel has no net.ipv4.tcp_fastopen', checks: [], tookMs: 0 },
  'udp-loss': {
    how: 'failed',
    checks: [
      { claim: 'nobody is told', ok: true, seen: 'nothing' },
      { claim: 'seven datagrams arrive', ok: false, seen: '8' },
    ],
  },
};

/** Tells the story of close-wait whatever is asked for, at the speed of life times `speed`; 0 is at once. */
export function fakeRun(speed: number, wishes: RunWish[] = []): RunExperiment {
  return async (name, wish, { begins, events, step }) => {
    wishes.push(wish);
    if (name === 'handshake' && wish.knobs.breaks === true) {
      throw new SockscopeError(
        'LAB_STAGE',
        'The stage cannot be built here: unshare(2) is forbidden.',
        'Try it as root.',
        3,
      );
    }
    begins(header);
    if (endings[name]?.how !== 'skipped') {
      let last = 0;
      for (const event of closeWaitEvents) {
        if (event.type === 'step') {
          await step?.(event.text);
        }
        if (speed > 0 && event.at > last) {
          await sleep((event.at - last) / MS / speed);
          last = event.at;
        }
        if (wish.signal?.aborted) {
          throw new Error('stopped');
        }
        events([event]);
      }
    }
    const { moment, ...rest } = good;
    return { name, twin: wish.twin, ...rest, ...(moment === undefined ? {} : { moment }), ...endings[name] };
  };
}
