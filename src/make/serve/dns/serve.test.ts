/** The server as dig, Node's own resolver and plain sockets see it. */
import { spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { promises } from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as packet from 'dns-packet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needs } from '../../../../test/needs.ts';
import { SockscopeError } from '../../../errors.ts';
import { type Served, serveDns, zoneFrom } from './fixture.ts';
import { dnsPlan } from './plan.ts';

const ZONE = zoneFrom(`$ORIGIN z.test.
$TTL 100
@ SOA ns root 1 2 3 4 50
@ NS ns
ns A 192.0.2.1
host A 192.0.2.2
  AAAA 2001:db8::2
  TXT "with \\"marks\\"" second
alias CNAME host
mail MX 10 host
_x._tcp SRV 1 2 3 host
@ CAA 0 issue "ca.test"
4.3 PTR host
*.w A 192.0.2.5
esc\\.aped A 192.0.2.6
${Array.from({ length: 40 }, (_, i) => `many A 198.51.100.${i}`).join('\n')}
${Array.from({ length: 300 }, (_, i) => `huge TXT "${String(i).padStart(200, 'x')}"`).join('\n')}
`);

let server: Served;
beforeAll(async () => {
  server = await serveDns({ zones: [ZONE] });
});
afterAll(async () => {
  await server.close();
});

async function dig(port: number, ...words: string[]): Promise<string> {
  const child = spawn('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=5', ...words]);
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  await once(child, 'close');
  return out;
}

describe.skipIf(needs('dig').missing !== null)('dig', () => {
  test.each([
    ['host.z.test A', ['192.0.2.2']],
    ['HOST.Z.test AAAA', ['2001:db8::2']],
    ['host.z.test TXT', ['"with \\"marks\\"" "second"']],
    ['alias.z.test A', ['host.z.test.', '192.0.2.2']],
    ['mail.z.test MX', ['10 host.z.test.']],
    ['_x._tcp.z.test SRV', ['1 2 3 host.z.test.']],
    ['z.test CAA', ['0 issue "ca.test"']],
    ['z.test SOA', ['ns.z.test. root.z.test. 1 2 3 4 50']],
    ['4.3.z.test PTR', ['host.z.test.']],
    ['any.w.z.test A +tcp', ['192.0.2.5']],
    ['esc\\.aped.z.test A +noedns', ['192.0.2.6']],
    ['none.z.test A', []],
    ['host.z.test ANY', ['192.0.2.2', '2001:db8::2', '"with \\"marks\\"" "second"']],
    ['host.z.test ANY +notcp', ['192.0.2.2']],
  ])('%s', async (words, expected) => {
    const out = await dig(server.port, ...words.split(' '), '+short');
    expect(out.split('\n').filter((line) => line !== '')).toEqual(expected);
  });

  test.each([
    ['host.z.test', 'status: NOERROR', 'flags: qr aa rd;'],
    ['none.z.test', 'status: NXDOMAIN', 'AUTHORITY: 1'],
    ['elsewhere.test', 'status: REFUSED', 'flags: qr rd;'],
    ['host.z.test CH TXT', 'status: REFUSED', 'ANSWER: 0'],
    ['z.test +opcode=4', 'status: NOTIMP', 'opcode: NOTIFY'],
    ['z.test +edns=1 +noednsneg', 'status: BADVERS', 'EDNS: version: 0'],
    ['host.z.test +dnssec', 'flags: do; udp: 1232', 'status: NOERROR'],
    // 40 addresses are 12 + 17 + 40 * 16 = 669 bytes: over 512, under 1232.
    ['many.z.test +noedns +ignore', 'flags: qr aa tc rd', 'ANSWER: 0'],
    ['many.z.test +noedns', ';; Truncated, retrying in TCP mode.', 'MSG SIZE  rcvd: 669'],
    ['many.z.test +bufsize=600 +ignore', 'flags: qr aa tc rd', 'ANSWER: 0'],
    ['many.z.test', 'ANSWER: 40', 'MSG SIZE  rcvd: 680'],
    // What the client says it takes does not make us send fragments.
    ['huge.z.test TXT +bufsize=65000 +ignore', 'flags: qr aa tc rd', 'udp: 1232'],
    ['huge.z.test TXT', ';; Truncated, retrying in TCP mode.', 'ANSWER: 300'],
  ])('%s: %s, %s', async (words, ...expected) => {
    const out = await dig(server.port, ...words.split(' '));
    for (const text of expected) {
      expect(out).toContain(text);
    }
    expect(out).not.toContain('malformed');
  });

  test('no zone is given away', async () => {
    expect(await dig(server.port, 'z.test', 'AXFR')).toContain('Transfer failed');
  });

  test('every query has its line', async () => {
    const own = await serveDns({ zones: [ZONE] });
    try {
      await dig(own.port, 'host.z.test', 'AAAA');
      await dig(own.port, 'none.z.test', '+tcp');
      await dig(own.port, 'many.z.test', '+noedns', '+ignore');
      await until(() => own.lines.length === 3);
      expect(own.lines.map(({ what, result, note, fine }) => `${what}: ${result} (${note}) ${fine}`)).toEqual(
        [
          'AAAA host.z.test: NOERROR 1 (udp) true',
          'A none.z.test: NXDOMAIN (tcp) true',
          'A many.z.test: NOERROR 40 (udp, truncated) true',
        ],
      );
      expect(own.lines[2]).toMatchObject({
        received: 29,
        sent: 29,
        from: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      });
    } finally {
      await own.close();
    }
  });
});

test('Node’s own resolver gets the same', async () => {
  const resolver = new promises.Resolver();
  resolver.setServers([`127.0.0.1:${server.port}`]);
  expect(await resolver.resolve4('host.z.test', { ttl: true })).toEqual([{ address: '192.0.2.2', ttl: 100 }]);
  expect(await resolver.resolve6('alias.z.test')).toEqual(['2001:db8::2']);
  expect(await resolver.resolveTxt('host.z.test')).toEqual([['with "marks"', 'second']]);
  expect(await resolver.resolveSrv('_x._tcp.z.test')).toEqual([
    { name: 'host.z.test', port: 3, priority: 1, weight: 2 },
  ]);
  expect(await resolver.resolveSoa('z.test')).toMatchObject({ hostmaster: 'root.z.test', minttl: 50 });
  expect((await resolver.resolveTxt('huge.z.test')).length).toBe(300);
  await expect(resolver.resolve4('none.z.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  await expect(resolver.resolve4('mail.z.test')).rejects.toMatchObject({ code: 'ENODATA' });
});

function query(id: number, name: string, type: packet.RecordType = 'A', flags = 0x100): Buffer {
  return packet.streamEncode({ id, flags, questions: [{ name, type }] });
}

/** All messages that come until the server closes, or `count` of them. */
async function overTcp(
  port: number,
  count: number,
  write: (to: ReturnType<typeof connect>) => void,
): Promise<packet.DecodedPacket[]> {
  const socket = connect(port, '127.0.0.1');
  const read: packet.DecodedPacket[] = [];
  let got = Buffer.alloc(0);
  write(socket);
  for await (const chunk of socket) {
    got = Buffer.concat([got, chunk as Buffer]);
    while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
      const end = 2 + got.readUInt16BE(0);
      read.push(packet.decode(got.subarray(2, end)));
      got = got.subarray(end);
    }
    if (read.length >= count) {
      break;
    }
  }
  socket.destroy();
  return read;
}

describe('over TCP', () => {
  test('many queries in one segment are all answered, in order', async () => {
    const all = Buffer.concat(Array.from({ length: 200 }, (_, i) => query(i, 'host.z.test')));
    const read = await overTcp(server.port, 200, (to) => to.write(all));
    expect(read.map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('a query may be split anywhere', async () => {
    const both = Buffer.concat([query(1, 'host.z.test'), query(2, 'many.z.test')]);
    const read = await overTcp(server.port, 2, async (to) => {
      to.setNoDelay(true);
      for (const byte of both) {
        to.write(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(read.map(({ id, answers }) => [id, answers!.length])).toEqual([
      [1, 1],
      [2, 40],
    ]);
  });

  test('a client that closes its side first still gets what it asked', async () => {
    const all = Buffer.concat(Array.from({ length: 50 }, (_, i) => query(i, 'huge.z.test', 'TXT')));
    const read = await overTcp(server.port, Number.POSITIVE_INFINITY, (to) => to.end(all));
    expect(read.length).toBe(50);
    expect(read.every(({ answers }) => answers!.length === 300)).toBe(true);
  });

  test('garbage with an id is FORMERR, and the connection goes on', async () => {
    const garbage = Buffer.from('000e0007010000010000000000000561', 'hex');
    const read = await overTcp(server.port, 2, (to) =>
      to.write(Buffer.concat([garbage, query(8, 'host.z.test')])),
    );
    expect(read.map((one) => [one.id, (one as unknown as { rcode: string }).rcode])).toEqual([
      [7, 'FORMERR'],
      [8, 'NOERROR'],
    ]);
  });
});

test('who asks too often is refused', async () => {
  const own = await serveDns({ zones: [ZONE] }, { rate: 1 });
  try {
    const read = await overTcp(own.port, 2, (to) =>
      to.write(Buffer.concat([query(1, 'host.z.test'), query(2, 'host.z.test')])),
    );
    expect(read.map((one) => (one as unknown as { rcode: string }).rcode)).toEqual(['NOERROR', 'REFUSED']);
  } finally {
    await own.close();
  }
});

describe('--forward', () => {
  test('the rest is asked of the other server, which is believed only in what was asked', async () => {
    const other = await serveDns({
      zones: [zoneFrom('$ORIGIN o.test.\n$TTL 9\n@ SOA ns r 1 2 3 4 5\n@ NS ns\nns A 192.0.2.77\n')],
    });
    const own = await serveDns({ zones: [ZONE], forward: { host: '127.0.0.1', port: other.port } });
    try {
      const read = await overTcp(own.port, 4, (to) =>
        to.write(
          Buffer.concat([
            query(1, 'NS.o.test'),
            query(2, 'host.z.test'),
            query(3, 'no.o.test'),
            query(4, 'ns.o.test', 'A', 0),
          ]),
        ),
      );
      const byId = new Map(read.map((one) => [one.id, one as packet.DecodedPacket & { rcode: string }]));
      expect(byId.get(1)).toMatchObject({
        rcode: 'NOERROR',
        answers: [{ name: 'ns.o.test', data: '192.0.2.77' }],
      });
      expect(byId.get(2)).toMatchObject({ rcode: 'NOERROR', flag_ra: true, flag_aa: true });
      expect(byId.get(3)).toMatchObject({ rcode: 'NXDOMAIN' });
      // Who does not want others to be asked gets nothing.
      expect(byId.get(4)).toMatchObject({ rcode: 'REFUSED' });
      await until(() => own.lines.length === 4);
      expect(own.lines.map(({ what, note }) => `${what} ${note}`)).toContain(
        `A NS.o.test tcp, forwarded to 127.0.0.1:${other.port}`,
      );
    } finally {
      await own.close();
      await other.close();
    }
  });

  test('an alias that leads out of the zone is followed at the other server', async () => {
    const other = await serveDns({
      zones: [
        zoneFrom(
          '$ORIGIN o.test.\n$TTL 9\n@ SOA ns r 1 2 3 4 5\n@ NS ns\nns A 192.0.2.77\nwww CNAME ns\nmx MX 5 ns\n' +
            Array.from({ length: 200 }, (_, i) => `big A 198.51.100.${i}\n`).join(''),
        ),
      ],
    });
    const zone = zoneFrom(
      '$ORIGIN z.test.\n$TTL 9\n@ SOA ns r 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nout CNAME www.o.test.\nno CNAME no.o.test.\nmail CNAME mx.o.test.\nbig CNAME big.o.test.\n',
    );
    const own = await serveDns({ zones: [zone], forward: { host: '127.0.0.1', port: other.port } });
    try {
      const read = await overTcp(own.port, 5, (to) =>
        to.write(
          Buffer.concat([
            query(1, 'out.z.test'),
            query(2, 'no.z.test'),
            query(3, 'mail.z.test', 'MX'),
            query(4, 'big.z.test'),
            query(5, 'out.z.test', 'A', 0),
          ]),
        ),
      );
      const byId = new Map(read.map((one) => [one.id, one as packet.DecodedPacket & { rcode: string }]));
      expect(byId.get(1)).toMatchObject({
        rcode: 'NOERROR',
        flag_aa: true,
        answers: [
          { name: 'out.z.test', type: 'CNAME', data: 'www.o.test' },
          { name: 'www.o.test', type: 'CNAME', data: 'ns.o.test' },
          { name: 'ns.o.test', type: 'A', ttl: 9, data: '192.0.2.77' },
        ],
      });
      expect(byId.get(2)).toMatchObject({ rcode: 'NXDOMAIN', answers: [{ type: 'CNAME' }] });
      expect(byId.get(2)!.authorities).toMatchObject([
        { type: 'SOA', data: { mname: 'ns.o.test', minimum: 5 } },
      ]);
      expect(byId.get(3)!.answers![1]).toMatchObject({ data: { preference: 5, exchange: 'ns.o.test' } });
      expect(byId.get(4)!.answers).toHaveLength(201);
      expect(byId.get(5)!.answers).toHaveLength(1);
      await until(() => own.lines.length === 5);
      expect(own.lines.map(({ what, note }) => `${what} ${note}`)).toContain(
        `A out.z.test tcp, www.o.test forwarded to 127.0.0.1:${other.port}`,
      );
      const cut = await overUdp(own.port, query(6, 'big.z.test').subarray(2));
      expect(cut).toMatchObject({ id: 6, flag_tc: true });
    } finally {
      await own.close();
      await other.close();
    }
  });

  test('an answer that was cut is fetched over TCP for a client on TCP, and cut for one on UDP', async () => {
    const other = await serveDns({ zones: [ZONE] });
    const own = await serveDns({ forward: { host: '127.0.0.1', port: other.port } });
    try {
      const [whole] = await overTcp(own.port, 1, (to) => to.write(query(1, 'huge.z.test', 'TXT')));
      expect(whole!.answers!.length).toBe(300);
      expect(other.lines.map(({ note }) => note)).toEqual(['udp, truncated', 'tcp']);
      const cut = await overUdp(own.port, query(2, 'huge.z.test', 'TXT').subarray(2));
      expect(cut).toMatchObject({ id: 2, flag_tc: true, answers: [] });
    } finally {
      await own.close();
      await other.close();
    }
  });

  test('forged answers are not passed on, the right one is', async () => {
    const liar = createSocket('udp4');
    liar.on('message', (bytes, { port }) => {
      const asked = packet.decode(bytes);
      const say = (id: number, name: string, data: string): void => {
        const answers = [{ name, type: 'A' as const, ttl: 1, data }];
        liar.send(packet.encode({ type: 'response', id, questions: [{ name, type: 'A' }], answers }), port);
      };
      say((asked.id! + 1) & 0xffff, 'a.test', '192.0.2.66');
      say(asked.id!, 'b.test', '192.0.2.66');
      liar.send(bytes, port);
      say(asked.id!, 'a.test', '192.0.2.1');
    });
    const own = await serveDns({ forward: { host: '127.0.0.1', port: await bound(liar) } });
    try {
      const answer = await overUdp(own.port, query(5, 'a.test').subarray(2));
      expect(answer).toMatchObject({ id: 5, answers: [{ data: '192.0.2.1' }] });
    } finally {
      await own.close();
      liar.close();
    }
  });

  test('where nobody is, it is SERVFAIL at once', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const own = await serveDns({ forward: { host: '127.0.0.1', port } });
    try {
      const answer = await overUdp(own.port, query(5, 'a.test').subarray(2));
      expect(answer).toMatchObject({ id: 5, rcode: 'SERVFAIL', flag_ra: true });
      await until(() => own.lines.length === 1);
      expect(own.lines[0]).toMatchObject({
        result: 'SERVFAIL',
        fine: false,
        note: `udp, forwarded to 127.0.0.1:${port}: ECONNREFUSED`,
      });
    } finally {
      await own.close();
    }
  });
});

async function bound(socket: UdpSocket): Promise<number> {
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

async function overUdp(port: number, message: Uint8Array): Promise<packet.DecodedPacket> {
  const socket = createSocket('udp4');
  socket.send(message, port, '127.0.0.1');
  const [bytes] = await once(socket, 'message');
  socket.close();
  return packet.decode(bytes);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('what was typed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-dns-'));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  afterAll(() => rmSync(folder, { recursive: true }));

  const plan = (words: string[], options: Record<string, unknown> = {}): unknown => {
    try {
      return dnsPlan({ words, options });
    } catch (error) {
      return error instanceof SockscopeError ? `${error.exit} ${error.message}` : error;
    }
  };
  const body = '$TTL 1\n@ SOA ns r 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n';

  test('names zones, their origins and the rest', () => {
    const one = file('one', body);
    const two = file('two', `$INCLUDE sub\n`);
    file('sub', body);
    expect(
      plan([one, two], { origin: ['a.test', 'b.test.'], forward: '[::1]:53', udpSize: '512' }),
    ).toMatchObject({
      zones: [{ origin: '\x01a\x04test' }, { origin: '\x01b\x04test' }],
      forward: { host: '::1', port: 53 },
      udpSize: 512,
      warnings: [],
    });
  });

  test('all faults of all files are told, up to twenty', () => {
    const bad = file('bad', `$ORIGIN z.\n$TTL 1\n${'x A y\n'.repeat(30)}`);
    const text = String(plan([bad, '/nowhere/at-all', folder]));
    const lines = text.split('\n');
    expect(lines.length).toBe(21);
    expect(lines[0]).toBe(`1 ${bad}:3:5: y is no IPv4 address (address of A)`);
    expect(lines[20]).toBe('and 12 more');
    expect(plan(['/nowhere/at-all'])).toBe('1 /nowhere/at-all: cannot be read: ENOENT');
    expect(plan([folder])).toBe(`1 ${folder}: is not a file`);
  });

  test.each<[string, string[], Record<string, unknown>]>([
    ['2 Which zone is to be served is missing.', [], {}],
    ['2 --udp-size 100 cannot be.', [], { forward: '::1', udpSize: '100' }],
    ['2 --forward dns.google is no address of a server.', [], { forward: 'dns.google' }],
    ['2 --forward 1.2.3.4:99999 is no address of a server.', [], { forward: '1.2.3.4:99999' }],
    ['2 There are more origins than zone files: 1 and 0.', [], { forward: '::1', origin: 'a' }],
    [
      '2 --origin a..b is no name: a name has an empty part: two dots together, or one in front.',
      ['x'],
      { origin: ['a..b'] },
    ],
  ])('%s', (sentence, words, options) => {
    expect(plan(words, options)).toBe(sentence);
  });
});
