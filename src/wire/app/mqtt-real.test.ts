/** mosquitto and its clients through a relay, in both versions. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear } from './decoder.contract.ts';
import { decoder } from './mqtt.ts';

describe.skipIf(needs('mosquitto', 'mosquitto_pub', 'mosquitto_sub').missing !== null)('mosquitto', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-mqtt-'));
  let broker: ChildProcess;
  let port = 0;
  let log = '';

  async function logged(words: string): Promise<void> {
    while (!log.includes(words)) {
      await once(broker.stderr!, 'data');
    }
  }

  beforeAll(async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    port = (probe.address() as AddressInfo).port;
    probe.close();
    await once(probe, 'close');
    const settings = join(folder, 'mosquitto.conf');
    writeFileSync(
      settings,
      `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\nlog_type all\n`,
    );
    broker = spawn(findProgram('mosquitto')!, ['-c', settings], { stdio: ['ignore', 'ignore', 'pipe'] });
    broker.stderr!.on('data', (chunk) => {
      log += chunk;
    });
    await logged('running');
  });

  afterAll(async () => {
    const gone = once(broker, 'exit');
    broker.kill();
    await gone;
    rmSync(folder, { recursive: true });
  });

  const arguments_ = (relay: number, version: string) => [
    '-h',
    '127.0.0.1',
    '-p',
    String(relay),
    '-V',
    version,
  ];

  test.each([['mqttv311'], ['mqttv5']])('publishing and subscribing in %s', async (version) => {
    const topic = `room/${version}`;
    const connections = await recorded(port, async (relay) => {
      const subscriber = spawn(findProgram('mosquitto_sub')!, [
        ...arguments_(relay, version),
        ...['-i', `listener-${version}`, '-t', topic, '-t', 'other/+', '-q', '2', '-C', '4'],
        ...['--will-topic', 'gone', '--will-payload', 'bye', '-u', 'ann', '-P', 'geheim'],
      ]);
      const ended = once(subscriber, 'close');
      await logged(`Sending SUBACK to listener-${version}`);
      subscriber.stdout.resume();
      for (const [qos, payload] of [
        ['0', 'zero'],
        ['1', 'öne'],
        ['2', 'two'],
        ['1', 'x'.repeat(100_000)],
      ] as const) {
        const properties = version === 'mqttv5' ? ['-D', 'publish', 'user-property', 'token', 'v'] : [];
        const publisher = spawn(findProgram('mosquitto_pub')!, [
          ...arguments_(relay, version),
          ...['-t', topic, '-q', qos, '-m', payload, ...properties],
        ]);
        await once(publisher, 'close');
      }
      await ended;
    });
    expect(connections).toHaveLength(5);
    const [listener, zero, one, two, large] = connections.map((turns) => hear(decoder, turns));
    for (const heard of [listener!, zero!, one!, two!, large!]) {
      expect(heard.troubles).toEqual([]);
      expect(heard.said[0]!.name).toBe('CONNECT');
      expect(heard.said[1]).toMatchObject({ name: 'CONNACK', asked: 'CONNECT', failed: false });
      expect(heard.said.some(({ name }) => name === 'DISCONNECT')).toBe(true);
    }
    expect(listener!.said[0]!.fields).toMatchObject({
      version: version === 'mqttv5' ? '5' : '3.1.1',
      client_id: `listener-${version}`,
      user: 'ann',
      password: 'geheim',
      'will.topic': 'gone',
      'will.payload': 'bye',
    });
    const published = listener!.said.filter(({ name }) => name === 'PUBLISH');
    expect(
      published.map(({ fields }) => [fields.topic, fields.qos, String(fields.payload).slice(0, 9)]),
    ).toEqual([
      [topic, 0, 'zero'],
      [topic, 1, 'öne'],
      [topic, 2, 'two'],
      [topic, 1, 'xxxxxxxxx'],
    ]);
    if (version === 'mqttv5') {
      expect(published[1]!.fields['property.user']).toEqual(['token=******']);
    }
    const flow = (heard: typeof one) => heard!.said.slice(2, -1).map(({ name, asked }) => [name, asked]);
    expect(flow(one)).toEqual([
      ['PUBLISH', null],
      ['PUBACK', 'PUBLISH'],
    ]);
    expect(flow(two)).toEqual([
      ['PUBLISH', null],
      ['PUBREC', 'PUBLISH'],
      ['PUBREL', null],
      ['PUBCOMP', 'PUBLISH'],
    ]);
    expect(large!.said[2]!.fields.size).toBe(100_000);
    const { said, troubles } = hear(decoder, connections[0]!.slice(2), { midStream: true });
    expect(troubles).toEqual([]);
    expect(said.map(({ summary, asked }) => [summary, asked])).toEqual(
      listener!.said.slice(2).map(({ summary, asked }) => [summary, asked]),
    );
    anySplitGivesTheSame(decoder, connections[0]!, {}, 4);
    anySplitGivesTheSame(decoder, connections[3]!);
  });

  test('it answers a PUBREL of nothing and each PINGREQ, and hangs up on broken filters', async () => {
    const [turns] = await recorded(port, async (relay) => {
      const socket = createConnection({ host: '127.0.0.1', port: relay });
      const closed = once(socket, 'close');
      const steps = [
        [0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 1, 99],
        [0x62, 2, 0, 9],
        [0xc0, 0],
        [0xc0, 0],
      ];
      for (const step of steps) {
        socket.write(Uint8Array.from(step));
        await once(socket, 'data');
      }
      socket.resume();
      socket.write(Uint8Array.from([0x82, 6, 0, 1, 0, 90, 97, 0]));
      await closed;
    });
    const { said, troubles } = hear(decoder, turns!);
    expect(said.map(({ name, asked }) => [name, asked])).toEqual([
      ['CONNECT', null],
      ['CONNACK', 'CONNECT'],
      ['PUBREL', null],
      ['PUBCOMP', 'PUBREL'],
      ['PINGREQ', null],
      ['PINGRESP', 'PINGREQ'],
      ['PINGREQ', null],
      ['PINGRESP', 'PINGREQ'],
    ]);
    expect(troubles).toEqual(['client: the filters of SUBSCRIBE do not end where it does']);
  });
});
