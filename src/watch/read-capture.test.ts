import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ethernet, ipv4, pcap, tcp } from '../../test/fixtures/frames.ts';
import { SockscopeError } from '../errors.ts';
import type { Message, Packet } from '../session/events.ts';
import type { Ended } from '../session/from-wire.ts';
import { readCapture } from './read-capture.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** A redis command and its answer, from SYN to FIN. */
function conversation(): Uint8Array[] {
  const client = { source: '10.0.0.1', destination: '10.0.0.2' };
  const server = { source: '10.0.0.2', destination: '10.0.0.1' };
  const from = (ends: typeof client, flags: number, seq: number, ack: number, payload = ''): Uint8Array => {
    const ports =
      ends === client
        ? { sourcePort: 40000, destinationPort: 6379 }
        : { sourcePort: 6379, destinationPort: 40000 };
    return ethernet(
      { type: 0x0800 },
      ipv4({ protocol: 6, ...ends }, tcp({ ...ports, flags, seq, ack }, text(payload), ends)),
    );
  };
  const get = '*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n';
  return [
    from(client, 2, 100, 0),
    from(server, 18, 500, 101),
    from(client, 16, 101, 501),
    from(client, 24, 101, 501, get),
    from(server, 24, 501, 101 + get.length, '+OK\r\n'),
    from(client, 17, 101 + get.length, 506),
    from(server, 17, 506, 102 + get.length),
    from(client, 16, 102 + get.length, 507),
  ];
}

describe('readCapture', () => {
  let folder: string;
  let file: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockscope-read-'));
    file = join(folder, 'one.pcap');
    writeFileSync(file, pcap(1, conversation()));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('gives packets, messages and the connection, in order and tied together', () => {
    const packets: Packet[] = [];
    const messages: Message[] = [];
    const connections: Ended[] = [];
    const summary = readCapture(file, {
      packet: (packet) => packets.push(packet),
      message: (message) => messages.push(message),
      connection: (connection) => connections.push(connection),
    });
    expect(summary).toMatchObject({ packets: 8, trouble: null, lost: { bytes: 0 } });
    expect(packets).toHaveLength(8);
    expect(packets[0]).toMatchObject({ type: 'packet', from: 'client', flags: ['SYN'] });
    expect(messages.map(({ from, summary: said }) => [from, said])).toEqual([
      ['client', 'AUTH ******'],
      ['server', 'OK'],
    ]);
    expect(messages[1]!.latencyOf).toBe(messages[0]!.at);
    expect(connections).toHaveLength(1);
    expect(connections[0]).toMatchObject({
      closed: 'fin',
      finBy: 'client',
      connection: packets[0]!.connection,
    });
    // The ACK of the last FIN belongs to it too.
    expect([connections[0]!.client.packets, connections[0]!.server.packets]).toEqual([5, 3]);
  });

  it('shows secrets only when asked', () => {
    const said: string[] = [];
    readCapture(file, { reveal: true, message: (message) => said.push(message.summary) });
    expect(said[0]).toBe('AUTH hunter2');
  });

  it('filters what it hands out', () => {
    const said: string[] = [];
    readCapture(file, { filter: 'reply', message: (message) => said.push(message.summary) });
    expect(said).toEqual(['OK']);
  });

  it('a cut file gives what was readable and says where it broke', () => {
    const cut = join(folder, 'cut.pcap');
    const whole = pcap(1, conversation());
    writeFileSync(cut, whole.subarray(0, whole.length - 10));
    const summary = readCapture(cut, {});
    expect(summary.packets).toBe(7);
    expect(summary.trouble).toMatch(/^the file ends inside packet 8 /);
  });

  it('a file that is not there and a filter that cannot be read are errors with advice', () => {
    expect(() => readCapture(join(folder, 'none.pcap'), {})).toThrow(SockscopeError);
    expect(() => readCapture(file, { filter: 'redis.comand == 1' })).toThrow(/no field/);
  });
});
