import packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import type { Turn } from './decoder.contract.ts';
import { anySplitGivesTheSame, client, hear, server, survivesAnything } from './decoder.contract.ts';
import { decoder } from './dns.ts';
import { rdata } from './dns-rdata.ts';

const udp = { transport: 'udp', serverPort: 53 } as const;
const tcp = { transport: 'tcp', serverPort: 53 } as const;

/** Bytes of `12 34 ab`; spaces do not count. */
function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function framed(turn: Turn): Turn {
  const framed = new Uint8Array(turn.bytes.length + 2);
  framed[0] = turn.bytes.length >> 8;
  framed[1] = turn.bytes.length & 255;
  framed.set(turn.bytes, 2);
  return { side: turn.side, bytes: framed };
}

const QUESTION = '07 6578616d706c65 03 636f6d 00 0001 0001';
const query = client(bytes(`1234 0100 0001 0000 0000 0000 ${QUESTION}`));
const reply = server(
  bytes(`1234 8180 0001 0001 0000 0000 ${QUESTION} c00c 0001 0001 0000012c 0004 01020304`),
);

describe('queries and replies', () => {
  test('are paired by id and say what was asked and answered', () => {
    const { said, troubles } = hear(decoder, [query, reply], udp);
    expect(troubles).toEqual([]);
    expect(said).toEqual([
      {
        side: 'client',
        protocol: 'dns',
        kind: 'request',
        name: 'A',
        bytes: 29,
        failed: false,
        fields: { id: 0x1234, question: 'example.com', type: 'A', class: 'IN', flags: ['rd'] },
        summary: 'A example.com',
        asked: null,
      },
      {
        side: 'server',
        protocol: 'dns',
        kind: 'reply',
        name: 'A',
        bytes: 45,
        failed: false,
        fields: {
          id: 0x1234,
          question: 'example.com',
          type: 'A',
          class: 'IN',
          rcode: 'NOERROR',
          flags: ['rd', 'ra'],
          answers: ['A 1.2.3.4'],
          'ttl.min': 300,
        },
        summary: 'A example.com → A 1.2.3.4 (ttl 300)',
        asked: 'A',
      },
    ]);
  });

  test('over TCP in any pieces', () => {
    const turns = [framed(query), framed(query), framed(reply)];
    expect(hear(decoder, turns, tcp).said.map((one) => [one.name, one.bytes, one.asked])).toEqual([
      ['A', 31, null],
      ['A', 31, null],
      ['A', 47, 'A'],
    ]);
    anySplitGivesTheSame(decoder, turns, tcp);
    survivesAnything(decoder, turns, tcp);
  });

  test.each([
    [1, 'FORMERR'],
    [2, 'SERVFAIL'],
    [3, 'NXDOMAIN'],
    [5, 'REFUSED'],
    [12, 'RCODE12'],
  ])('rcode %d is the failure %s', (code, name) => {
    const { said } = hear(
      decoder,
      [server(bytes(`1234 818${code.toString(16)} 0001 0000 0000 0000 ${QUESTION}`))],
      udp,
    );
    expect(said[0]).toMatchObject({ failed: true, fields: { rcode: name, answers: [] } });
    expect(said[0]!.summary).toBe(`${name} A example.com`);
  });

  test('EDNS adds the upper bits of the rcode', () => {
    const turn = server(bytes(`1234 8180 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 01 00 8000 0000`));
    const { said } = hear(decoder, [turn], udp);
    expect(said[0]).toMatchObject({
      failed: true,
      fields: { rcode: 'BADVERS', 'edns.version': 0, 'edns.udp': 1232, 'edns.do': true },
    });
    expect(said[0]!.fields.additional).toBeUndefined();
  });

  test('EDNS options are named', () => {
    const options =
      '0008 0007 0001 18 00 c0a801  000a 0008 0102030405060708  000f 0007 0012 626c6f636b'.replace(
        /\s/g,
        '',
      ) +
      '000b00020064' +
      '000c00030000000003'.slice(0, 14) +
      'fde90001ff';
    const size = (options.length / 2).toString(16).padStart(4, '0');
    const { said } = hear(
      decoder,
      [client(bytes(`1234 0100 0001 0000 0000 0001 ${QUESTION} 00 0029 04d0 00000000 ${size} ${options}`))],
      udp,
    );
    expect(said[0]!.fields).toMatchObject({
      'edns.subnet': '192.168.1.0/24/0',
      'edns.cookie': '0102030405060708',
      'edns.error': 'prohibited: block',
      'edns.options': [
        'ECS 192.168.1.0/24/0',
        'COOKIE 0102030405060708',
        'EDE prohibited: block',
        'TCP-KEEPALIVE 10000 ms',
        'PADDING 3 B',
        'OPTION65001 ff',
      ],
    });
  });

  test('what is truncated says so', () => {
    const { said } = hear(decoder, [server(bytes(`1234 8380 0001 0000 0000 0000 ${QUESTION}`))], udp);
    expect(said[0]!.summary).toBe('A example.com → truncated (TC): no answers');
    expect(said[0]!.fields.flags).toEqual(['tc', 'rd', 'ra']);
  });

  test.each([
    [4, 'NOTIFY'],
    [5, 'UPDATE'],
    [9, 'OPCODE9'],
  ])('opcode %d is %s', (opcode, name) => {
    const { said } = hear(
      decoder,
      [
        client(
          bytes(`1234 ${(opcode << 3).toString(16).padStart(2, '0')}00 0001 0000 0000 0000 ${QUESTION}`),
        ),
      ],
      udp,
    );
    expect(said[0]).toMatchObject({ name, fields: { opcode: name }, summary: `${name} A example.com` });
  });

  test('multicast: the top bit of a class is not part of it, and answers were not asked for', () => {
    const name = '05 68c3a97320 05 6c6f63616c 00';
    const { said } = hear(
      decoder,
      [
        client(bytes(`0000 0000 0001 0000 0000 0000 ${name} 000c 8001`)),
        server(bytes(`0000 8400 0000 0001 0000 0000 ${name} 0001 8001 00000078 0004 0a000001`)),
      ],
      { transport: 'udp', serverPort: 5353 },
    );
    expect(said.map((one) => [one.kind, one.name, one.summary])).toEqual([
      ['request', 'PTR', 'PTR hés .local'],
      ['notice', 'answer', 'hés .local A 10.0.0.1 (ttl 120)'],
    ]);
    expect(said[0]!.fields).toMatchObject({ class: 'IN', flags: ['qu'] });
  });

  test('ordinary DNS on the multicast port is paired by its id', () => {
    const name = '05 68c3a97320 05 6c6f63616c 00';
    const { said } = hear(
      decoder,
      [
        client(bytes(`1234 0100 0001 0000 0000 0000 ${name} 0001 0001`)),
        server(
          bytes(`1234 8180 0001 0001 0000 0000 ${name} 0001 0001 c00c 0001 0001 00000078 0004 0a000001`),
        ),
      ],
      { transport: 'udp', serverPort: 5353 },
    );
    expect(said.map((one) => [one.kind, one.asked])).toEqual([
      ['request', null],
      ['reply', 'A'],
    ]);
  });

  test('a zone transfer goes on until its SOA comes again', () => {
    const zone = '07 6578616d706c65 03 636f6d 00';
    const soa = (serial: string) =>
      `c00c 0006 0001 00000001 0018 c00c c00c ${serial} 00000002 00000003 00000004 00000005`.replace(
        '0016',
        '0018',
      );
    const a = 'c00c 0001 0001 00000001 0004 01020304';
    const message = (count: number, records: string) =>
      framed(server(bytes(`0007 8400 0001 000${count} 0000 0000 ${zone} 00fc 0001 ${records}`)));
    const ask = framed(client(bytes(`0007 0000 0001 0000 0000 0000 ${zone} 00fc 0001`)));
    const { said } = hear(
      decoder,
      [ask, message(1, soa('00000009')), message(2, a + a), message(2, a + soa('00000009')), message(1, a)],
      tcp,
    );
    expect(said.map(({ asked }) => asked)).toEqual([null, 'AXFR', 'AXFR', 'AXFR', null]);
  });
});

describe('names', () => {
  const asks = (name: string) =>
    hear(decoder, [client(bytes(`1234 0100 0001 0000 0000 0000 ${name} 0001 0001`))], udp);

  test('the root is a dot; dots and bytes within labels are escaped', () => {
    expect(asks('00').said[0]!.fields.question).toBe('.');
    expect(asks('03 612e62 02 00ff 00').said[0]!.fields.question).toBe('a\\.b.\\000\\255');
  });

  test.each([
    ['points at itself', 'c00c'],
    ['points forward', 'c010'],
    ['points beyond the message', 'ffff'],
  ])('a record whose owner %s is not followed', (_, pointer) => {
    const { said, troubles } = hear(
      decoder,
      [server(bytes(`1234 8180 0000 0001 0000 0000 ${pointer} 0001 0001 0000012c 0004 01020304`))],
      udp,
    );
    expect(troubles).toEqual([]);
    expect(said[0]!.fields).toMatchObject({ answers: [], malformed: 'a name leads nowhere' });
  });

  test('a chain of pointers that would take for ever ends', () => {
    // 8000 pointers, each to the one before, and 2000 records whose owner is the last of them.
    let chain = '00 00';
    for (let i = 1; i < 8000; i++) {
      chain += (0xc000 + 23 + 2 * (i - 1)).toString(16);
    }
    const records = `${(0xc000 + 23 + 2 * 7999).toString(16)} 0001 0001 00000001 0000`.repeat(2000);
    const { said } = hear(
      decoder,
      [server(bytes(`1234 8180 0000 07d1 0000 0000 00 000a 0001 00000001 3e80 ${chain} ${records}`))],
      udp,
    );
    expect(said).toHaveLength(1);
  });

  test('a name is at most 255 bytes long', () => {
    const label = `3f${'61'.repeat(63)}`;
    expect(asks(`${label.repeat(4)}00`).troubles).toHaveLength(1);
    expect(asks(`${label.repeat(3)}00`).said).toHaveLength(1);
  });
});

describe('records', () => {
  const text = (type: number, hex: string) => {
    const data = bytes(hex);
    return rdata(type, data, 0, data.length, 0, data.length);
  };

  test.each([
    [28, '20010db8000000000000000000000001', '2001:db8::1'],
    [15, '000a 04 6d61696c 00', '10 mail'],
    [16, '03 612262 00', '"a\\"b" ""'],
    [33, '0001 0002 0050 01 61 00', '1 2 80 a'],
    [35, '0001 0002 01 53 03 534950 00 01 61 00', '1 2 "S" "SIP" "" a'],
    [43, '0001 08 02 abcd', '1 8 2 abcd'],
    [
      46,
      '0001 08 02 00000e10 00000000 00000001 0007 01 61 00 00ff',
      'A 8 2 3600 19700101000000 19700101000001 7 a AP8=',
    ],
    [47, '01 61 00 00 06 400000000003', 'a A RRSIG NSEC'],
    [50, '01 00 000a 02 aabb 05 0123456789 00 01 40', '1 0 10 aabb 04HKAPS9 A'],
    [52, '03 01 01 abcd', '3 1 1 abcd'],
    [
      65,
      '0001 00 0001 0006 02 6832 02 6833 0003 0002 01bb 0004 0004 01020304',
      '1 . alpn=h2,h3 port=443 ipv4hint=1.2.3.4',
    ],
    [65, '0000 01 61 00', '0 a'],
    [108, '0102030405ff', '01-02-03-04-05-ff'],
    [256, '0001 0002 687474703a', '1 2 "http:"'],
    [257, '80 05 6973737565 6361', '128 issue "ca"'],
    [1, '0102', '\\# 2 0102'],
    [1234, 'abcd', '\\# 2 abcd'],
    [1234, '', '\\# 0'],
    [15, '000a c002', '\\# 4 000ac002'],
  ])('type %d of %s is %s', (type, hex, expected) => {
    expect(text(type, hex)).toBe(expected);
  });

  test('what dns-packet writes is read the same', () => {
    const answers: packet.Answer[] = [
      { type: 'A', name: 'a.example', ttl: 5, data: '9.8.7.6' },
      { type: 'AAAA', name: 'a.example', ttl: 5, data: 'fe80::1' },
      { type: 'CNAME', name: 'b.example', ttl: 5, data: 'a.example' },
      { type: 'NS', name: 'example', ttl: 5, data: 'ns.example' },
      { type: 'PTR', name: '1.0.0.127.in-addr.arpa', ttl: 5, data: 'localhost' },
      { type: 'MX', name: 'example', ttl: 5, data: { preference: 7, exchange: 'mx.example' } },
      { type: 'TXT', name: 'example', ttl: 5, data: ['one', 'two'] },
      {
        type: 'SRV',
        name: '_x._tcp.example',
        ttl: 5,
        data: { priority: 1, weight: 2, port: 3, target: 'h.example' },
      },
      {
        type: 'SOA',
        name: 'example',
        ttl: 5,
        data: {
          mname: 'ns.example',
          rname: 'root.example',
          serial: 1,
          refresh: 2,
          retry: 3,
          expire: 4,
          minimum: 5,
        },
      },
      { type: 'CAA', name: 'example', ttl: 5, data: { flags: 0, tag: 'issue', value: 'ca.example' } },
      { type: 'HINFO', name: 'example', ttl: 5, data: { cpu: 'x', os: 'y' } },
    ];
    const written = packet.encode({
      type: 'response',
      id: 9,
      questions: [{ type: 'SOA', name: 'example' }],
      answers,
    });
    const { said, troubles } = hear(decoder, [server(Uint8Array.from(written))], udp);
    expect(troubles).toEqual([]);
    expect(said[0]!.fields.answers).toEqual([
      'a.example A 9.8.7.6',
      'a.example AAAA fe80::1',
      'b.example CNAME a.example',
      'NS ns.example',
      '1.0.0.127.in-addr.arpa PTR localhost',
      'MX 7 mx.example',
      'TXT "one" "two"',
      '_x._tcp.example SRV 1 2 3 h.example',
      'SOA ns.example root.example 1 2 3 4 5',
      'CAA 0 issue "ca.example"',
      'HINFO "x" "y"',
    ]);
  });

  test('a record that ends early leaves the others readable', () => {
    const { said } = hear(
      decoder,
      [
        server(
          bytes(
            `1234 8180 0001 0002 0000 0000 ${QUESTION} c00c 0001 0001 0000012c 0004 01020304 c00c 0001 0001 00`,
          ),
        ),
      ],
      udp,
    );
    expect(said[0]!.fields).toMatchObject({
      answers: ['A 1.2.3.4'],
      malformed: 'the section answers ends early',
    });
  });
});

describe('recognised', () => {
  const sure = (turn: Turn, setting: { transport: 'tcp' | 'udp'; serverPort: number }) =>
    decoder.recognises(
      { clientPort: 40000, side: turn.side, midStream: false, ...setting },
      turn.bytes,
      0,
      turn.bytes.length,
    );

  test('by its bytes on any port, by less on its own', () => {
    expect(sure(query, { transport: 'udp', serverPort: 9999 })).toBeGreaterThanOrEqual(0.8);
    expect(sure(reply, { transport: 'udp', serverPort: 9999 })).toBeGreaterThanOrEqual(0.8);
    expect(sure(framed(query), { transport: 'tcp', serverPort: 9999 })).toBeGreaterThanOrEqual(0.8);
    expect(sure({ side: 'client', bytes: framed(query).bytes.subarray(0, 9) }, tcp)).toBe(0.3);
    expect(sure(client([]), tcp)).toBeLessThanOrEqual(0.3);
  });

  test.each([
    'GET / HTTP/1.1\r\n\r\n',
    '*1\r\n$4\r\nPING\r\n',
    '\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03',
    'SSH-2.0-OpenSSH_9\r\n',
  ])('not in %j', (text) => {
    const turn = client(Array.from(text, (character) => character.charCodeAt(0)));
    expect(sure(turn, { transport: 'tcp', serverPort: 9999 })).toBe(0);
    expect(sure(turn, { transport: 'udp', serverPort: 9999 })).toBe(0);
  });
});

test('nothing makes it throw over UDP, and every field is one it speaks of', () => {
  const turns = [query, reply];
  survivesAnything(decoder, turns, udp, 400);
  for (const one of hear(decoder, turns, udp).said) {
    for (const name of Object.keys(one.fields)) {
      expect(decoder.speaks.dns).toContain(name);
    }
  }
});
