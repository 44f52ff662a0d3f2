/** What every source of events must hold to. Its test calls `speaksTheVocabulary` with the events it really made. */
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  type Entry,
  type Event,
  FATES,
  type Fate,
  type Fault,
  type Gauge,
  type Info,
  type Lost,
  type Message,
  PACKET_NOTES,
  type Packet,
  type SessionHeader,
  STATE_SOURCES,
  type StateChange,
  type Step,
  type Syscall,
  TCP_FLAGS,
  type Value,
} from './events.ts';
import { decode, encode } from './ndjson.ts';
import { TCP_STATES, type TcpInfo } from './socket.ts';

/** Fails, naming the event, unless each one survives its own line of NDJSON. */
export function speaksTheVocabulary(events: Iterable<Entry>): void {
  let seen = 0;
  for (const event of events) {
    const line = encode(event);
    const name = `event ${seen}: ${line.slice(0, 300)}`;
    expect(line.startsWith(`{"v":1,"type":"${event.type}"`), `${name}: v, then type, come first`).toBe(true);
    expect(/[\n\r\u2028\u2029]/.test(line), `${name}: stays on one line`).toBe(false);
    expect(decode(line), name).toEqual({ ok: true, event });
    seen += 1;
  }
  expect(seen, 'a source that made no event was not tested').toBeGreaterThan(0);
}

const count = fc.maxSafeNat();
const at = fc.maxSafeInteger();
// Lone surrogates and U+2028 among them: names and payloads come from the network.
const text = fc.string({ unit: 'binary', maxLength: 20 });
// JSON has no minus zero.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n));
const side = fc.constantFrom('client' as const, 'server' as const);
const state = fc.constantFrom(...TCP_STATES);
const cookie = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => n.toString(16).padStart(16, '0'));

const port = fc.nat(65535);
const connection = fc
  .tuple(port, port, fc.integer({ min: 1, max: 9 }))
  .map(([a, b, generation]) => `tcp/4026531840/127.0.0.1:${a}>127.0.0.1:${b}#${generation}`);

const key = fc.oneof(text, fc.constantFrom('$bigint', '$', '$$x', '__proto__', '$__proto__', 'constructor'));
export const someValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(fc.constant(null), fc.boolean(), number, fc.bigInt(), text),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;
const values = fc.dictionary(key, someValue, { maxKeys: 5, noNullPrototype: true });

/** A record of fields that are always there and fields that may be. */
function record<A extends object, B extends object>(
  always: { [K in keyof A]: fc.Arbitrary<A[K]> },
  maybe: { [K in keyof B]: fc.Arbitrary<B[K]> },
): fc.Arbitrary<fc.RecordValue<A, keyof A> & fc.RecordValue<B, never>> {
  return fc
    .tuple(fc.record<A>(always), fc.record<B, never>(maybe, { requiredKeys: [] }))
    .map(([needed, extra]) => ({ ...needed, ...extra }));
}

const onConnection = { connection, side };

const tcpInfo: fc.Arbitrary<TcpInfo> = record(
  {
    options: fc.array(text, { maxLength: 3 }),
    caState: text,
    retransmits: number,
    probes: number,
    backoff: number,
    sndWscale: number,
    rcvWscale: number,
    appLimited: fc.boolean(),
    rtoUs: number,
    atoUs: number,
    sndMss: number,
    rcvMss: number,
    advMss: number,
    pmtu: number,
    unacked: number,
    sacked: number,
    lost: number,
    retrans: number,
    lastDataSentMs: number,
    lastDataReceivedMs: number,
    lastAckReceivedMs: number,
    rcvSsthresh: number,
    rttUs: number,
    rttvarUs: number,
    sndSsthresh: number,
    sndCwnd: number,
    reordering: number,
    rcvRttUs: number,
    rcvSpace: number,
    totalRetrans: number,
  },
  { minRttUs: number, deliveryRate: number, sndWnd: number, totalRtoTimeMs: number },
);

/** The `type` is a parameter so that its literal type survives. */
const the = <T extends Entry['type']>(type: T) => fc.constant(type);

export const arbitraries: { readonly [T in Entry['type']]: fc.Arbitrary<Extract<Entry, { type: T }>> } = {
  session: fc.record<SessionHeader>({
    v: fc.constant(1),
    type: the('session'),
    startedAt: fc.record<SessionHeader['startedAt']>({ iso: text, ns: fc.bigInt() }),
    host: text,
    clock: fc.record<SessionHeader['clock']>({ source: fc.constant('monotonic'), uncertaintyNs: count }),
  }),
  syscall: record(
    {
      type: the('syscall'),
      at,
      took: fc.option(count),
      host: text,
      pid: count,
      tid: count,
      name: text,
      args: fc.array(someValue, { maxLength: 4 }),
      result: fc.oneof(number, fc.bigInt(), fc.constant(null)),
    },
    { ...onConnection, fd: fc.integer({ min: -100 }), errno: text },
  ) satisfies fc.Arbitrary<Syscall>,
  state: record(
    { type: the('state'), at, host: text, from: state, to: state, source: fc.constantFrom(...STATE_SOURCES) },
    { ...onConnection, socket: cookie },
  ) satisfies fc.Arbitrary<StateChange>,
  info: record(
    { type: the('info'), at, host: text, recvQueue: count, sendQueue: count },
    {
      ...onConnection,
      socket: cookie,
      timer: fc.record({
        kind: fc.constantFrom('retransmit' as const, 'keepalive' as const, 'time-wait' as const),
        expiresMs: number,
        retransmits: count,
      }),
      tcp: tcpInfo,
    },
  ) satisfies fc.Arbitrary<Info>,
  packet: record(
    {
      type: the('packet'),
      at,
      host: text,
      interface: text,
      protocol: text,
      length: count,
      frameLength: count,
      notes: fc.subarray([...PACKET_NOTES]),
    },
    {
      id: count,
      connection,
      from: side,
      flags: fc.subarray([...TCP_FLAGS]),
      seq: count,
      ack: count,
      window: count,
      frame: fc.uint8Array({ maxLength: 100 }),
    },
  ) satisfies fc.Arbitrary<Packet>,
  fate: record(
    { type: the('fate'), at, packet: count, host: text, what: fc.constantFrom(...FATES) },
    { connection, why: text },
  ) satisfies fc.Arbitrary<Fate>,
  step: fc.record<Step>({ type: the('step'), at, text }),
  message: record(
    {
      type: the('message'),
      at,
      connection,
      from: side,
      protocol: text,
      summary: text,
      fields: values,
      bytes: count,
    },
    { latencyOf: at },
  ) satisfies fc.Arbitrary<Message>,
  fault: record({ type: the('fault'), at, what: text, on: text }, onConnection) satisfies fc.Arbitrary<Fault>,
  gauge: fc.record<Gauge>({ type: the('gauge'), at, subject: text, name: text, value: number }),
  lost: record(
    { type: the('lost'), at, source: text, count: fc.option(count), why: text },
    { connection },
  ) satisfies fc.Arbitrary<Lost>,
};

/** An event of any kind. */
export const someEvent: fc.Arbitrary<Event> = fc.oneof(
  arbitraries.syscall,
  arbitraries.state,
  arbitraries.info,
  arbitraries.packet,
  arbitraries.fate,
  arbitraries.message,
  arbitraries.step,
  arbitraries.fault,
  arbitraries.gauge,
  arbitraries.lost,
);
