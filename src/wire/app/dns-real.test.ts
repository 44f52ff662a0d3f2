/** dig asks dnsmasq, over UDP and over TCP, through relays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recorded } from '../../../test/fixtures/recorded.ts';
import { findProgram, needs } from '../../../test/needs.ts';
import { anySplitGivesTheSame, hear, type Turn } from './decoder.contract.ts';
import { decoder } from './dns.ts';

/** What one client at a time and the server on `target` say to each other in datagrams. */
async function recordedDatagrams(target: number, talk: (port: number) => Promise<void>): Promise<Turn[]> {
  const turns: Turn[] = [];
  const near = createSocket('udp4');
  const far = createSocket('udp4');
  let asker = 0;
  near.on('message', (bytes, { port }) => {
    asker = port;
    turns.push({ side: 'client', bytes: Uint8Array.from(bytes) });
    far.send(bytes, target, '127.0.0.1');
  });
  far.on('message', (bytes) => {
    turns.push({ side: 'server', bytes: Uint8Array.from(bytes) });
    near.send(bytes, asker, '127.0.0.1');
  });
  near.bind(0, '127.0.0.1');
  await once(near, 'listening');
  try {
    await talk(near.address().port);
  } finally {
    near.close();
    far.close();
  }
  return turns;
}

async function dig(port: number, ...words: string[]): Promise<string> {
  const child = spawn('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=5', ...words]);
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  await once(child, 'close');
  return out;
}

describe.skipIf(needs('dig', 'dnsmasq').missing !== null)('dig and dnsmasq', () => {
  let server: ChildProcess;
  let port = 0;

  beforeAll(async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    port = (probe.address() as AddressInfo).port;
    probe.close();
    await once(probe, 'close');
    server = spawn(
      findProgram('dnsmasq')!,
      [
        '--no-daemon',
        '--conf-file=/dev/null',
        '--pid-file=',
        `--port=${port}`,
        '--listen-address=127.0.0.1',
        '--bind-interfaces',
        '--no-resolv',
        '--no-hosts',
        '--local=/test/',
        '--local-ttl=77',
        '--host-record=host.test,192.0.2.1,2001:db8::5',
        '--cname=alias.test,host.test',
        '--txt-record=text.test,hello "you",second',
        ...Array.from(
          { length: 12 },
          (_, i) => `--txt-record=long.test,${String(i).repeat(200).slice(0, 200)}`,
        ),
        '--mx-host=mail.test,mx.test,15',
        '--srv-host=_sip._udp.test,host.test,5060,1,2',
        '--ptr-record=4.3.2.1.in-addr.arpa,pointed.test',
        '--caa-record=caa.test,0,issue,ca.test',
        '--naptr-record=naptr.test,10,20,S,SIP,,_sip._udp.test',
        '--dns-rr=raw.test,1234,01:ab:ff',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    server.stderr!.on('data', (chunk) => {
      log += chunk;
    });
    while (!log.includes('started')) {
      await once(server.stderr!, 'data');
    }
  });

  afterAll(async () => {
    const gone = once(server, 'exit');
    server.kill();
    await gone;
  });

  test.each([
    ['host.test', 'A', ['A 192.0.2.1']],
    ['host.test', 'AAAA', ['AAAA 2001:db8::5']],
    ['alias.test', 'A', ['CNAME host.test', 'host.test A 192.0.2.1']],
    ['text.test', 'TXT', ['TXT "hello \\"you\\"" "second"']],
    ['mail.test', 'MX', ['MX 15 mx.test']],
    ['_sip._udp.test', 'SRV', ['SRV 1 2 5060 host.test']],
    ['4.3.2.1.in-addr.arpa', 'PTR', ['PTR pointed.test']],
    ['caa.test', 'CAA', ['CAA 0 issue "ca.test"']],
    ['naptr.test', 'NAPTR', ['NAPTR 10 20 "S" "SIP" "" _sip._udp.test']],
    ['raw.test', 'TYPE1234', ['TYPE1234 \\# 3 01abff']],
  ])('%s %s', async (name, type, answers) => {
    let said = '';
    const turns = await recordedDatagrams(port, async (relay) => {
      said = await dig(relay, name, type, '+noall', '+answer');
    });
    const heard = hear(decoder, turns, { transport: 'udp', serverPort: 53 });
    expect(heard.troubles).toEqual([]);
    expect(heard.said.map(({ kind }) => kind)).toEqual(['request', 'reply']);
    const [, reply] = heard.said;
    expect(reply!.asked).toBe(heard.said[0]!.name);
    expect(reply!.fields).toMatchObject({ question: name, type, rcode: 'NOERROR', answers });
    // What dig makes of the same bytes: its last columns, with dots behind names.
    const [last] = said.trim().split('\n').slice(-1);
    const data = answers.at(-1)!.replace(/^(host\.test )?\S+ /, '');
    expect(last!.replace(/\.$/, '').toLowerCase().replace(/\s+/g, ' ')).toContain(data.toLowerCase());
    for (const { side, bytes } of turns) {
      const hint = { transport: 'udp', clientPort: 4, serverPort: 9, side, midStream: false } as const;
      expect(decoder.recognises(hint, bytes, 0, bytes.length)).toBe(type === 'TYPE1234' ? 0 : 0.8);
    }
  });

  test('refusals have a name', async () => {
    const turns = await recordedDatagrams(port, async (relay) => {
      await dig(relay, 'nobody.test', 'A');
      await dig(relay, 'elsewhere.example', 'A');
    });
    const { said } = hear(decoder, turns, { transport: 'udp', serverPort: 53 });
    expect(said.filter(({ failed }) => failed).map(({ summary }) => summary.split(' (')[0])).toEqual([
      'NXDOMAIN A nobody.test',
      'REFUSED A elsewhere.example',
    ]);
  });

  test('EDNS as dig sends it', async () => {
    const turns = await recordedDatagrams(port, async (relay) => {
      await dig(relay, 'host.test', '+dnssec', '+subnet=198.51.100.0/24', '+nsid', '+bufsize=1400');
    });
    const { said } = hear(decoder, turns, { transport: 'udp', serverPort: 53 });
    expect(said[0]!.fields).toMatchObject({
      'edns.version': 0,
      'edns.udp': 1400,
      'edns.do': true,
      'edns.subnet': '198.51.100.0/24/0',
    });
    expect(said[0]!.fields['edns.cookie']).toMatch(/^[0-9a-f]{16}$/);
    expect(said[0]!.fields['edns.options']).toContain('NSID');
  });

  test('what is too long for a datagram is truncated, and whole over TCP', async () => {
    const turns = await recordedDatagrams(port, async (relay) => {
      await dig(relay, 'long.test', 'TXT', '+bufsize=512', '+ignore');
    });
    const { said } = hear(decoder, turns, { transport: 'udp', serverPort: 53 });
    expect(said[1]!.fields.flags).toContain('tc');
    expect(said[1]!.summary).toContain('truncated (TC)');
    const [stream] = await recorded(port, async (relay) => {
      await dig(relay, '+tcp', '+keepopen', 'long.test', 'TXT', 'host.test', 'A');
    });
    const whole = hear(decoder, stream!, { serverPort: 53 });
    expect(whole.troubles).toEqual([]);
    expect(whole.said.filter(({ kind }) => kind === 'reply').map(({ name, asked }) => [name, asked])).toEqual(
      [
        ['TXT', 'TXT'],
        ['A', 'A'],
      ],
    );
    expect(whole.said.find(({ asked }) => asked === 'TXT')!.fields.answers).toHaveLength(12);
    anySplitGivesTheSame(decoder, stream!, { serverPort: 53 }, 10);
  });
});
