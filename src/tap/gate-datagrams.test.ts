import { expect, test } from 'vitest';
import { decoders } from '../wire/app/decoders.ts';
import { faulty, holding } from './gate/testing.ts';
import type { Rule } from './gate.ts';
import { createDatagramGate } from './gate-datagrams.ts';
import type { DatagramOut } from './stage.ts';

/** A question for `a.` of this type (RFC 1035 4.1), or the answer to it without records. */
const dns = (id: number, type: number, answer = false) =>
  Uint8Array.of(0, id, answer ? 0x81 : 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, type, 0, 1);
const A = 1;
const AAAA = 28;

function gated(rules: readonly Rule[]) {
  const state = {
    now: 0,
    passed: [] as string[],
    wake: Number.POSITIVE_INFINITY,
    held: 0,
    forgotten: [] as number[],
    said: [] as string[],
  };
  const gate = createDatagramGate({
    start: { transport: 'udp', clientPort: 40_000, serverPort: 53, midStream: false },
    candidates: decoders,
    rules,
    reveal: true,
    now: () => state.now,
    held: () => ++state.held,
    forgotten: (id) => state.forgotten.push(id),
    handOver: () => {},
    stir: () => {},
  });
  const out = (side: string): DatagramOut => ({
    get now() {
      return state.now;
    },
    pass: (bytes) => state.passed.push(`${side} ${bytes[1]}`),
    wake: (at) => {
      state.wake = at;
    },
    answer: () => {},
    say: (what) => state.said.push(what),
  });
  return { gate, state, client: out('client'), server: out('server') };
}

test('a question is delayed, others overtake it, and its answer is not delayed again', () => {
  const { gate, state, client, server } = gated([faulty('latency', 'dns.type == "AAAA"', { delayMs: 200 })]);
  gate.client.datagram(dns(1, AAAA), 0, client);
  gate.client.datagram(dns(2, A), 0, client);
  expect(state).toMatchObject({ passed: ['client 2'], wake: 200e6 });
  state.now = 200e6;
  gate.client.timer(client);
  gate.server.datagram(dns(1, AAAA, true), state.now, server);
  expect(state.passed).toEqual(['client 2', 'client 1', 'server 1']);
  expect(gate.client.held).toBe(0);
});

test('each second match is lost', () => {
  const { gate, state, client } = gated([faulty('drop', 'dns.type == "A"', {}, { every: 2 })]);
  for (let id = 1; id <= 4; id++) {
    gate.client.datagram(dns(id, A), 0, client);
  }
  expect(state.passed).toEqual(['client 1', 'client 3']);
});

test('a datagram waits for a person, and is forgotten at the end', () => {
  const { gate, state, client } = gated([holding('dns.type == "A"')]);
  gate.client.datagram(dns(1, A), 0, client);
  gate.client.datagram(dns(2, A), 0, client);
  expect(gate.release(2, { verdict: 'go' })).toBe(true);
  gate.client.timer(client);
  gate.close();
  expect(state).toMatchObject({ passed: ['client 2'], forgotten: [1] });
  expect(gate.release(1, { verdict: 'go' })).toBe(false);
});
