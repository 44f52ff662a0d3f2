import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLIENT, headersOf, type Place, SERVER } from '../../test/fixtures/tcp-script.ts';
import { type Flow, FlowTable } from './flows.ts';

function packet(from: Place, to: Place, transport: 'tcp' | 'udp' = 'tcp', flags = 16, at = 0) {
  return headersOf({ at, from, to, ...(transport === 'tcp' ? { tcp: { seq: 1, flags } } : {}) });
}

function flowOf(table: FlowTable, ...args: Parameters<typeof packet>): Flow {
  const headers = packet(...args);
  return table.find(headers) ?? table.add(headers);
}

const six = (last: number): number[] => [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];

describe('the table of flows', () => {
  it('finds one flow for both directions, and says which end sent', () => {
    const table = new FlowTable(10);
    const flow = flowOf(table, CLIENT, SERVER);
    expect(table.sender).toBe(0);
    expect(flowOf(table, SERVER, CLIENT)).toBe(flow);
    expect(table.sender).toBe(1);
    expect(flowOf(table, CLIENT, SERVER)).toBe(flow);
    expect(table.sender).toBe(0);
  });

  it('keeps TCP and UDP on the same ports apart and numbers each from 0', () => {
    const table = new FlowTable(10);
    const tcp = flowOf(table, CLIENT, SERVER, 'tcp');
    const udp = flowOf(table, CLIENT, SERVER, 'udp');
    const more = flowOf(table, { ...CLIENT, port: 9 }, SERVER, 'udp');
    expect([tcp.stream, udp.stream, more.stream]).toEqual([0, 0, 1]);
    expect([tcp.id, udp.id, more.id]).toEqual([0, 1, 2]);
  });

  it('does not take an address swapped without its port for the other direction', () => {
    const table = new FlowTable(10);
    const flow = flowOf(table, CLIENT, SERVER);
    const crossed = flowOf(
      table,
      { address: SERVER.address, port: CLIENT.port },
      { address: CLIENT.address, port: SERVER.port },
    );
    expect(crossed).not.toBe(flow);
  });

  it('tells IPv6 flows apart by the last byte of an address, and writes them as text', () => {
    const table = new FlowTable(10);
    const a = flowOf(table, { address: six(1), port: 40_000 }, { address: six(2), port: 443 });
    const b = flowOf(table, { address: six(1), port: 40_000 }, { address: six(3), port: 443 });
    expect(a).not.toBe(b);
    expect(a.ends[0].text).toBe('[2001:db8::1]:40000');
    expect(a.ends[1].address).toBe('2001:db8::2');
    expect(flowOf(table, CLIENT, SERVER).ends[1].text).toBe('10.0.0.2:80');
  });

  it('holds its own address bytes: the packet they came in may change', () => {
    const table = new FlowTable(10);
    const headers = packet(CLIENT, SERVER);
    table.find(headers);
    const flow = table.add(headers);
    headers.bytes.fill(255);
    expect(flow.ends[0].address).toBe('10.0.0.1');
  });

  it('knows a connection of a socket to itself, whose directions cannot be told apart', () => {
    const table = new FlowTable(10);
    const flow = flowOf(table, CLIENT, CLIENT);
    expect(flowOf(table, CLIENT, CLIENT)).toBe(flow);
    expect(table.sender).toBe(0);
  });

  it.each([
    ['a SYN makes its sender the client', 2, 80, 40_000, 0, 'syn'],
    ['a SYN-ACK makes its sender the server', 18, 40_000, 80, 1, 'syn-ack'],
    ['a service port is the server', 16, 80, 40_000, 1, 'guessed'],
    ['an ephemeral port is the client', 16, 40_000, 3000, 0, 'guessed'],
    ['of two service ports the lower one is the server', 16, 3000, 20_000, 1, 'guessed'],
    ['a customary port among the ephemeral ones is the server', 16, 50_051, 40_000, 1, 'guessed'],
    ['of two ephemeral ports the first to speak is the client', 16, 50_000, 40_000, 0, 'guessed'],
    ['of equal ports the first to speak is the client', 16, 5353, 5353, 0, 'guessed'],
  ] as const)('%s', (_claim, flags, first, second, clientEnd, knownBy) => {
    const from = { ...CLIENT, port: first };
    const to = { ...SERVER, port: second };
    const flow = flowOf(new FlowTable(10), from, to, 'tcp', flags);
    expect([flow.clientEnd, flow.knownBy]).toEqual([clientEnd, knownBy]);
    expect(flow.midStream).toBe((flags & 2) === 0);
  });

  it('counts notes per end and together', () => {
    const flow = flowOf(new FlowTable(10), CLIENT, SERVER);
    flow.ends[0].count(1 | 32);
    flow.ends[0].count(32);
    flow.ends[1].count(32 | (1 << 22));
    expect(flow.ends[0].noteCount('dup-ack')).toBe(2);
    expect(flow.noteCount('dup-ack')).toBe(3);
    expect(flow.noteCount('retransmission')).toBe(1);
    expect(flow.noteCount('fragment')).toBe(1);
    expect(flow.noteCount('overlap')).toBe(0);
  });

  it('gives up what is closed first, then whoever has been silent longest', () => {
    const table = new FlowTable(10);
    const old = flowOf(table, CLIENT, SERVER, 'tcp', 16, 1);
    const udp = flowOf(table, CLIENT, SERVER, 'udp', 16, 2);
    old.ends[0].last = 3;
    const closed = flowOf(table, { ...CLIENT, port: 7 }, SERVER, 'tcp', 16, 5);
    table.tcp.remove(closed);
    table.closed.append(closed);
    expect(table.leastMissed()).toBe(closed);
    table.remove(closed);
    expect(table.leastMissed()).toBe(udp);
    table.remove(udp);
    expect(table.leastMissed()).toBe(old);
    table.remove(old);
    expect(table.leastMissed()).toBe(null);
    expect(table.size).toBe(0);
  });

  it('agrees with a Map of texts whatever is added, found and removed', () => {
    const place = fc.record({
      address: fc.oneof(
        fc.tuple(fc.constant(10), fc.constant(0), fc.nat(1), fc.nat(3)),
        fc.nat(5).map((last) => six(last)),
      ),
      port: fc.nat(3),
    });
    const step = fc.tuple(place, place, fc.constantFrom('tcp', 'udp'), fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new FlowTable(1000);
        const model = new Map<string, Flow>();
        for (const [from, to, transport, action] of steps) {
          if (from.address.length !== to.address.length) {
            continue;
          }
          const texts = [from, to].map(({ address, port }) => `${address}:${port}`);
          const key = `${transport} ${texts.sort()}`;
          const headers = packet(from, to, transport);
          const found = table.find(headers);
          expect(found).toBe(model.get(key) ?? null);
          if (found === null) {
            model.set(key, table.add(headers));
          } else if (action === 0) {
            table.remove(found);
            model.delete(key);
          }
          expect(table.size).toBe(model.size);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('finds each of ten thousand flows whose addresses and ports rise together, without long searches', () => {
    const table = new FlowTable(20_000);
    const headers = Array.from({ length: 10_000 }, (_, i) =>
      packet({ address: [10, 0, i >> 8, i & 255], port: 30_000 + i }, SERVER),
    );
    const flows = headers.map((one) => table.find(one) ?? table.add(one));
    expect(new Set(flows).size).toBe(10_000);
    for (const [i, one] of headers.entries()) {
      expect(table.find(one)).toBe(flows[i]);
    }
    expect(table.longestSearch()).toBeLessThan(64);
  });
});
