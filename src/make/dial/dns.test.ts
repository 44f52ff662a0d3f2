/** The client against our server, against dnsmasq beside dig, and against servers that lie, cut and are silent. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import * as packet from 'dns-packet';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, needs } from '../../../test/needs.ts';
import { SockscopeError } from '../../errors.ts';
import { createNodeReactor } from '../../reactor/node.ts';
import { painter } from '../../view/colour.ts';
import { dnsAnswerText, dnsShortText } from '../../view/make/dns-answer.ts';
import { type Served, serveDns, zoneFrom } from '../serve/dns/fixture.ts';
import { nameText } from '../serve/dns/name.ts';
import { readReply } from './dns/reply.ts';
import { findServer } from './dns/servers.ts';
import { readDigWords, reverseName } from './dns/words.ts';
import { askDns, type DnsAnswer, type DnsAsk, placeOf } from './dns.ts';

interface Said {
  readonly answer: DnsAnswer | null;
  readonly told: string[];
}

async function dial(ports: readonly number[], words: string, more: Partial<DnsAsk> = {}): Promise<Said> {
  const { servers: _, plus, ...question } = readDigWords(words.split(' '), null);
  const reactor = createNodeReactor();
  const told: string[] = [];
  try {
    const ask: DnsAsk = {
      ...question,
      servers: ports.map((port) => ({ host: '127.0.0.1', port })),
      tcp: plus.tcp === true,
      recurse: true,
      bufferSize: 1232,
      patienceNs: 5e9,
      tries: 1,
      ...more,
    };
    const answer = await askDns(reactor, ask, (sentence) => told.push(sentence));
    return { answer, told: told.map((sentence) => sentence.replace(/127\.0\.0\.1:\d+/g, 'SERVER')) };
  } finally {
    await reactor.close();
  }
}

function records({ answer }: Said): string[] {
  return answer!.reply.answer.map(({ name, ttl, type, data }) => `${name} ${ttl} ${type} ${data}`);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

describe('with our own server', () => {
  let server: Served;
  beforeAll(async () => {
    const many = Array.from({ length: 100 }, (_, i) => `many TXT "${String(i).padStart(50, '.')}"`).join(
      '\n',
    );
    server = await serveDns({
      zones: [
        zoneFrom(
          `$ORIGIN z.test.\n$TTL 100\n@ SOA ns r 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww CNAME ns\n${many}\n`,
        ),
      ],
    });
  });
  afterAll(async () => {
    await server.close();
  });

  test('an answer has all its parts', async () => {
    const { answer, told } = await dial([server.port], 'www.z.test');
    expect(told).toEqual([]);
    expect(answer).toMatchObject({
      over: 'udp',
      // 12, the question 16, CNAME 2 + 10 + 5, A 2 + 10 + 4, OPT 11.
      size: 12 + 16 + 17 + 16 + 11,
      reply: {
        status: 'NOERROR',
        flags: ['qr', 'aa', 'rd'],
        question: { name: 'www.z.test', class: 'IN', type: 'A' },
        edns: { version: 0, udp: 1232, dnssec: false, options: [] },
        malformed: '',
      },
    });
    expect(answer!.tookNs).toBeGreaterThan(0);
  });

  test('one that was cut is asked for again over TCP, and that is said', async () => {
    const said = await dial([server.port], 'TXT many.z.test');
    expect(said.told).toEqual(['SERVER cut its answer over UDP (40 B); asking again over TCP']);
    expect(said.answer!.over).toBe('tcp');
    expect(records(said)).toHaveLength(100);
  });

  test('+tcp does not try UDP, and no EDNS is none', async () => {
    const { answer } = await dial([server.port], '+tcp ns.z.test', { bufferSize: null });
    expect(answer).toMatchObject({ over: 'tcp', reply: { edns: null, answer: [{ data: '192.0.2.1' }] } });
  });

  test('a server that does not want to is passed by', async () => {
    const other = await serveDns({});
    try {
      const said = await dial([other.port, server.port], 'ns.z.test');
      expect(said.told).toEqual(['SERVER says REFUSED; asking SERVER']);
      expect(records(said)).toEqual(['ns.z.test 100 A 192.0.2.1']);
      // When nobody wants to, the answer is that.
      expect((await dial([other.port], 'ns.z.test')).answer!.reply.status).toBe('REFUSED');
    } finally {
      await other.close();
    }
  });

  test('as text: long, and the data alone', async () => {
    const { answer } = await dial([server.port], 'www.z.test');
    const view = {
      ...answer!,
      server: '127.0.0.1:5300',
      tookNs: 1_234_567,
      reply: { ...answer!.reply, id: 4711 },
    };
    expect(
      dnsAnswerText(view, painter(false)),
    ).toBe(`NOERROR  QUERY 4711, 2 answers, 0 authority, 0 additional
flags qr aa rd (no ra: this server asks nobody else)
EDNS version 0, takes 1232 B over UDP

question
  www.z.test  IN  A

answer
  www.z.test  100  IN  CNAME  ns.z.test
  ns.z.test   100  IN  A      192.0.2.1

1.2 ms, udp 127.0.0.1:5300, 72 B
`);
    expect(dnsShortText(view)).toBe('ns.z.test\n192.0.2.1\n');
  });
});

describe('with servers that are not kind', () => {
  const sockets: (Socket | Server)[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) {
      socket.close();
    }
  });

  async function udp(
    answer: (asked: packet.DecodedPacket, send: (bytes: Uint8Array) => void, bytes: Buffer) => void,
  ): Promise<number> {
    const socket = createSocket('udp4');
    sockets.push(socket);
    socket.on('message', (bytes, { port }) => {
      answer(packet.decode(bytes), (reply) => socket.send(reply, port, '127.0.0.1'), bytes);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket.address().port;
  }

  const says = (asked: packet.DecodedPacket, more: packet.Packet = {}): Buffer =>
    packet.encode({
      type: 'response',
      id: asked.id!,
      questions: asked.questions!,
      answers: [{ name: 'a.test', type: 'A', ttl: 1, data: '192.0.2.1' }],
      ...more,
    });

  test('answers with another id or question are ignored and told of', async () => {
    const port = await udp((asked, send, bytes) => {
      send(says(asked, { id: (asked.id! + 1) & 0xffff }));
      send(says(asked, { id: (asked.id! + 2) & 0xffff }));
      send(says(asked, { questions: [{ name: 'b.test', type: 'A' }] }));
      send(says(asked, { questions: [{ name: 'a.test', type: 'AAAA' }] }));
      send(bytes);
      send(Uint8Array.of(1, 2, 3));
      send(says(asked));
    });
    const said = await dial([port], 'A.test');
    expect(records(said)).toEqual(['a.test 1 A 192.0.2.1']);
    expect(said.told).toEqual([
      'SERVER sent another id, 2 times: ignored',
      'SERVER sent another question, 2 times: ignored',
      'SERVER sent no answer but a question: ignored',
      'SERVER sent 3 bytes, too few for an answer: ignored',
    ]);
  });

  test('an answer from elsewhere is not even seen', async () => {
    const other = createSocket('udp4');
    sockets.push(other);
    const port = await udp((asked, send) => {
      const [{ port: to }] = [lastFrom];
      other.send(says(asked, { answers: [] }), to, '127.0.0.1', () => send(says(asked)));
    });
    let lastFrom = { port: 0 };
    (sockets.at(-1) as Socket).prependListener('message', (_bytes, from) => {
      lastFrom = from;
    });
    const said = await dial([port], 'a.test');
    expect(said.told).toEqual([]);
    expect(records(said)).toEqual(['a.test 1 A 192.0.2.1']);
  });

  test('one that says nothing is asked again, and then nobody answered', async () => {
    let asked = 0;
    const port = await udp(() => {
      asked += 1;
    });
    const { answer, told } = await dial([port], 'a.test', { patienceNs: 30e6, tries: 3 });
    expect(answer).toBe(null);
    expect(asked).toBe(3);
    expect(told).toEqual([1, 2, 3].map((n) => `SERVER over UDP: no answer within 30ms (try ${n} of 3)`));
  });

  test('where nobody listens, that is said at once, and the next one is asked', async () => {
    const port = await udp((asked, send) => send(says(asked)));
    const said = await dial([await freePort(), port], 'a.test', { tries: 3 });
    expect(said.told).toEqual([expect.stringMatching(/^SERVER over UDP: ECONNREFUSED, /), 'asking SERVER']);
    expect(records(said)).toEqual(['a.test 1 A 192.0.2.1']);
    const tcp = await dial([port], 'a.test +tcp');
    expect(tcp.answer).toBe(null);
    expect(tcp.told[0]).toMatch(/^SERVER over TCP: ECONNREFUSED/);
  });

  test('cut over UDP and not to be had over TCP: what came is shown', async () => {
    const port = await udp((asked, send) => send(says(asked, { flags: packet.TRUNCATED_RESPONSE })));
    const said = await dial([port], 'a.test');
    expect(said.told[1]).toMatch(/^SERVER over TCP: ECONNREFUSED, .*; this is what came over UDP$/);
    expect(said.answer).toMatchObject({ over: 'udp', reply: { flags: ['qr', 'tc'] } });
  });

  test('over TCP the answer may come in pieces, or half of it', async () => {
    for (const half of [false, true]) {
      const server = createServer((socket) => {
        socket.once('data', async (bytes: Buffer) => {
          const reply = packet.streamEncode({ ...packet.decode(says(packet.decode(bytes.subarray(2)))) });
          for (const byte of half ? reply.subarray(0, 20) : reply) {
            socket.write(Uint8Array.of(byte));
            await new Promise((resolve) => setImmediate(resolve));
          }
          socket.end();
        });
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      sockets.push(server);
      const said = await dial([(server.address() as AddressInfo).port], 'a.test +tcp');
      expect(said.answer === null).toBe(half);
      expect(said.told.join()).toMatch(half ? /ECONNRESET/ : /^$/);
    }
  });

  test('an answer with a broken section shows the others', async () => {
    const port = await udp((asked, send) => {
      const whole = says(asked, { additionals: [{ name: 'x.test', type: 'A', ttl: 1, data: '192.0.2.9' }] });
      send(whole.subarray(0, whole.length - 2));
    });
    const said = await dial([port], 'a.test');
    expect(records(said)).toEqual(['a.test 1 A 192.0.2.1']);
    expect(said.answer!.reply.malformed).toBe('the section additional ends early');
  });
});

describe.skipIf(needs('dig', 'dnsmasq').missing !== null)('beside dig, with dnsmasq', () => {
  let server: ChildProcess;
  let port = 0;

  beforeAll(async () => {
    port = await freePort();
    server = spawn(
      findProgram('dnsmasq')!,
      [
        ...[
          '--no-daemon',
          '--conf-file=/dev/null',
          '--pid-file=',
          `--port=${port}`,
          '--listen-address=127.0.0.1',
        ],
        ...['--bind-interfaces', '--no-resolv', '--no-hosts', '--local=/test/', '--local-ttl=77'],
        '--host-record=host.test,192.0.2.1,2001:db8::5',
        '--cname=alias.test,host.test',
        '--txt-record=text.test,hello "you",second',
        ...Array.from({ length: 12 }, (_, i) => `--txt-record=long.test,${String(i % 10).repeat(200)}`),
        '--mx-host=mail.test,mx.test,15',
        '--srv-host=_sip._udp.test,host.test,5060,1,2',
        '--ptr-record=4.3.2.1.in-addr.arpa,pointed.test',
        '--caa-record=caa.test,0,issue,ca.test',
        '--dns-rr=raw.test,1234,01:ab:ff',
        '--host-record=xn--bcher-kva.test,192.0.2.7',
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

  async function dig(words: readonly string[]): Promise<string[]> {
    const all = ['@127.0.0.1', '-p', String(port), '+tries=1', '+noall', '+answer', '+idnin', ...words];
    const child = spawn('dig', all);
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    await once(child, 'close');
    return out
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .map((line) => line.split(/\s+/))
      .map(([name, ttl, , type, ...data]) => `${bare(name!)} ${ttl} ${type} ${data.map(bare).join(' ')}`);
  }

  /** dig ends names with a dot, and writes hex in capitals. */
  const bare = (word: string): string =>
    /^[0-9A-F]{4,}$/.test(word) ? word.toLowerCase() : word.replace(/\.$/, '');

  test.each([
    'host.test',
    'AAAA host.test',
    'alias.test A',
    'text.test TXT',
    'mail.test mx',
    '_sip._udp.test SRV',
    '4.3.2.1.in-addr.arpa PTR',
    'caa.test TYPE257',
    'raw.test TYPE1234',
    'long.test TXT',
    'host.test HTTPS',
    'none.test',
    'version.bind CH TXT',
    'xn--bcher-kva.test',
  ])('%s', async (words) => {
    const [said, theirs] = await Promise.all([dial([port], words), dig(words.split(' '))]);
    expect(records(said).sort()).toEqual(theirs.sort());
    expect(theirs.length > 0).toBe(!/none|HTTPS/.test(words));
  });

  test('a name in another script is asked for in punycode', async () => {
    expect(records(await dial([port], 'bücher.test'))).toEqual(['xn--bcher-kva.test 77 A 192.0.2.7']);
  });
});

describe('the words', () => {
  const read = (words: string, reverse: string | null = null): string => {
    try {
      const {
        name,
        type,
        class: klass,
        servers,
        plus,
      } = readDigWords(
        words.split(' ').filter((word) => word !== ''),
        reverse,
      );
      return `${nameText(name)} ${type} ${klass} ${servers.join(',')} ${JSON.stringify(plus)}`;
    } catch (error) {
      return error instanceof SockscopeError ? `${error.message} ${error.hint}` : String(error);
    }
  };

  test.each([
    ['example.org', 'example.org. 1 1  {}'],
    ['@127.0.0.1:5300 mx example.org', 'example.org. 15 1 127.0.0.1:5300 {}'],
    ['example.org AAAA @::1 @b +short +tcp', 'example.org. 28 1 ::1,b {"short":true,"tcp":true}'],
    ['mx', 'mx. 1 1  {}'],
    ['mx mx', 'mx. 15 1  {}'],
    ['', '. 2 1  {}'],
    ['NS .', '. 2 1  {}'],
    ['x CH txt +noedns +norecurse', 'x. 16 3  {"edns":false,"recurse":false}'],
    ['x +bufsize=512 +timeout=2 +tries=1', 'x. 1 1  {"bufsize":"512","time":"2","tries":"1"}'],
    ['TYPE65 a\\.b.test', 'a\\.b.test. 65 1  {}'],
    ['x y', 'One question at a time: x, y are more than one. Write one name and one type.'],
    ['x mx txt', 'One question at a time: x, mx, txt are more than one. Write one name and one type.'],
    ['a +shrot', '+shrot is not known here. Did you mean +short?'],
    ['a +tries', '+tries needs a number. Write it like +tries=2.'],
    [
      'a..b',
      'a..b cannot be asked for: a name has an empty part: two dots together, or one in front. Write it like www.example.org.',
    ],
  ])('%j', (words, expected) => {
    expect(read(words)).toBe(expected);
  });

  test('an address the other way round', () => {
    expect(read('', '192.0.2.1')).toBe('1.2.0.192.in-addr.arpa. 12 1  {}');
    expect(reverseName('2001:db8::1')).toBe(`1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa.`);
    expect(read('x', '::1')).toMatch(/^One question at a time/);
    expect(read('', '1.2.3')).toMatch(/^-x 1\.2\.3 is no address/);
  });

  test('any words are a question or one sentence', () => {
    const word = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom('mx', '+short', '@x', 'CH', '+bufsize=', 'é'),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 4 }), (words) => {
        expect(read(words.join(' '))).toMatch(/\S/);
      }),
    );
  });

  test.each([
    ['192.0.2.53', '192.0.2.53:53'],
    ['127.0.0.1:5300', '127.0.0.1:5300'],
    ['::1', '[::1]:53'],
    ['[::1]:5300', '[::1]:5300'],
    ['[::1', null],
    ['a:b', null],
    ['127.0.0.1:0', null],
    ['127.0.0.1:65536', null],
    ['', null],
  ])('the server %j', async (text, expected) => {
    const found = await findServer(text).then(placeOf, (error: unknown) => {
      expect(error).toBeInstanceOf(SockscopeError);
      return null;
    });
    expect(found).toBe(expected);
  });
});

test('no bytes make the reading of an answer throw', () => {
  const base = packet.encode({
    type: 'response',
    id: 1,
    questions: [{ name: 'a.test', type: 'ANY' as packet.RecordType }],
    answers: [
      { name: 'a.test', type: 'MX', ttl: 1, data: { preference: 1, exchange: 'b.test' } },
      { name: 'a.test', type: 'TXT', ttl: 1, data: ['x', 'y'] },
    ],
    additionals: [
      {
        name: '.',
        type: 'OPT',
        udpPayloadSize: 1,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 8 }),
      fc.nat(base.length),
      (changes, length) => {
        const bytes = Uint8Array.from(base);
        for (const [at, value] of changes) {
          bytes[at] = value;
        }
        const reply = readReply(bytes.subarray(0, length));
        if (reply !== null) {
          dnsAnswerText({ reply, server: 's', over: 'udp', tookNs: 1, size: length }, painter(false));
        }
      },
    ),
    { numRuns: 1000 },
  );
});
