import * as packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readReply } from '../../dial/dns/reply.ts';
import { answerTo } from './answer.ts';
import { zoneFrom } from './fixture.ts';
import { keyOf, labelOf, type Name, ROOT, readNameText } from './name.ts';
import { readQuery } from './query.ts';
import { type Piece, RECORD_TYPES } from './record.ts';
import { respond, type Said } from './respond.ts';
import { writeMessage } from './write.ts';
import { type RecordSet, zoneOf } from './zone.ts';

const ZONE = `$ORIGIN z.test.
$TTL 100
@ 200 SOA ns root 1 2 3 4 50
@ NS ns
ns A 192.0.2.1
host A 192.0.2.2
host A 192.0.2.3
host TXT "hello"
alias CNAME host
second CNAME alias
out CNAME www.elsewhere.test.
lost CNAME nowhere
one CNAME two
two CNAME one
deep.er A 192.0.2.4
*.w A 192.0.2.5
*.w MX 10 host
there.w TXT "here"
below.empty.w A 192.0.2.6
*.c CNAME host
sub NS ns.sub
sub NS ns.other.test.
ns.sub A 192.0.2.7
deeper.sub A 192.0.2.8
mail MX 10 host
mail MX 20 mx.sub
mx.sub AAAA 2001:db8::1
srv SRV 1 2 3 host
`;
const zones = new Map(
  [['z.test', ZONE] as const].map(([, text]) => {
    const zone = zoneOf(zoneFrom(text));
    return [zone.origin, zone] as const;
  }),
);

const named = (text: string): Name => readNameText(text, ROOT) as Name;

function ask(name: string, word: string | number, tcp = false): string[] {
  const type = typeof word === 'number' ? word : RECORD_TYPES[word]!.code;
  const query = packet.encode({ id: 7, flags: 0x100, questions: [{ name: 'x', type: 'A' }] });
  const read = readQuery(query, 0, query.length)!;
  const question = { name: named(name), type, class: 1 };
  const said = respond({ ...read, question }, tcp, { zones, forwards: false, udpSize: 1232 }) as Said;
  const reply = readReply(said.written.bytes.slice(0, said.written.length))!;
  expect(reply.malformed).toBe('');
  const list = (mark: string, records: typeof reply.answer): string[] =>
    records.map((one) => `${mark}${one.name} ${one.ttl} ${one.type} ${one.data}`);
  return [
    `${reply.status}${reply.flags.includes('aa') ? ' aa' : ''}`,
    ...list('', reply.answer),
    ...list('~', reply.authority),
    ...list('+', reply.additional),
  ];
}

const NO = '~z.test 50 SOA ns.z.test root.z.test 1 2 3 4 50';
const GLUE = [
  '~sub.z.test 100 NS ns.sub.z.test',
  '~sub.z.test 100 NS ns.other.test',
  '+ns.sub.z.test 100 A 192.0.2.7',
];

describe('the answer', () => {
  test.each<[string, string | number, string[]]>([
    ['host.z.test', 'A', ['NOERROR aa', 'host.z.test 100 A 192.0.2.2', 'host.z.test 100 A 192.0.2.3']],
    ['HOST.z.TEST', 'TXT', ['NOERROR aa', 'host.z.test 100 TXT "hello"']],
    ['host.z.test', 'AAAA', ['NOERROR aa', NO]],
    ['host.z.test', 65, ['NOERROR aa', NO]],
    ['nowhere.z.test', 'A', ['NXDOMAIN aa', NO]],
    // A name above others exists (RFC 8020).
    ['er.z.test', 'A', ['NOERROR aa', NO]],
    ['x.er.z.test', 'A', ['NXDOMAIN aa', NO]],
    [
      'second.z.test',
      'TXT',
      [
        'NOERROR aa',
        'second.z.test 100 CNAME alias.z.test',
        'alias.z.test 100 CNAME host.z.test',
        'host.z.test 100 TXT "hello"',
      ],
    ],
    ['alias.z.test', 'CNAME', ['NOERROR aa', 'alias.z.test 100 CNAME host.z.test']],
    ['alias.z.test', 'MX', ['NOERROR aa', 'alias.z.test 100 CNAME host.z.test', NO]],
    ['out.z.test', 'A', ['NOERROR aa', 'out.z.test 100 CNAME www.elsewhere.test']],
    // The code is that of the last name (RFC 6604 section 3).
    ['lost.z.test', 'A', ['NXDOMAIN aa', 'lost.z.test 100 CNAME nowhere.z.test', NO]],
    ['one.z.test', 'A', ['NOERROR aa', 'one.z.test 100 CNAME two.z.test', 'two.z.test 100 CNAME one.z.test']],
    // RFC 4592 section 2.2.1.
    ['any.W.z.test', 'A', ['NOERROR aa', 'any.W.z.test 100 A 192.0.2.5']],
    ['any.thing.w.z.test', 'A', ['NOERROR aa', 'any.thing.w.z.test 100 A 192.0.2.5']],
    ['any.w.z.test', 'TXT', ['NOERROR aa', NO]],
    ['there.w.z.test', 'A', ['NOERROR aa', NO]],
    ['x.there.w.z.test', 'A', ['NXDOMAIN aa', NO]],
    ['empty.w.z.test', 'A', ['NOERROR aa', NO]],
    ['x.empty.w.z.test', 'A', ['NXDOMAIN aa', NO]],
    ['*.w.z.test', 'A', ['NOERROR aa', '*.w.z.test 100 A 192.0.2.5']],
    ['w.z.test', 'A', ['NOERROR aa', NO]],
    [
      'any.w.z.test',
      'MX',
      [
        'NOERROR aa',
        'any.w.z.test 100 MX 10 host.z.test',
        '+host.z.test 100 A 192.0.2.2',
        '+host.z.test 100 A 192.0.2.3',
      ],
    ],
    ['x.c.z.test', 'TXT', ['NOERROR aa', 'x.c.z.test 100 CNAME host.z.test', 'host.z.test 100 TXT "hello"']],
    ['sub.z.test', 'A', ['NOERROR', ...GLUE]],
    ['sub.z.test', 'NS', ['NOERROR', ...GLUE]],
    ['deeper.sub.z.test', 'A', ['NOERROR', ...GLUE]],
    ['no.such.sub.z.test', 'A', ['NOERROR', ...GLUE]],
    ['sub.z.test', 43, ['NOERROR aa', NO]],
    [
      'mail.z.test',
      'MX',
      [
        'NOERROR aa',
        'mail.z.test 100 MX 10 host.z.test',
        'mail.z.test 100 MX 20 mx.sub.z.test',
        '+host.z.test 100 A 192.0.2.2',
        '+host.z.test 100 A 192.0.2.3',
        '+mx.sub.z.test 100 AAAA 2001:db8::1',
      ],
    ],
    [
      'srv.z.test',
      'SRV',
      [
        'NOERROR aa',
        'srv.z.test 100 SRV 1 2 3 host.z.test',
        '+host.z.test 100 A 192.0.2.2',
        '+host.z.test 100 A 192.0.2.3',
      ],
    ],
    ['z.test', 'NS', ['NOERROR aa', 'z.test 100 NS ns.z.test', '+ns.z.test 100 A 192.0.2.1']],
    ['elsewhere.test', 'A', ['REFUSED']],
    ['az.test', 'A', ['REFUSED']],
    ['test', 'A', ['REFUSED']],
    ['z.test', 252, ['REFUSED']],
    ['host.z.test', 255, ['NOERROR aa', 'host.z.test 100 A 192.0.2.2', 'host.z.test 100 A 192.0.2.3']],
  ])('%s %s', (name, type, expected) => {
    expect(ask(name, type)).toEqual(expected);
  });

  test('over TCP ANY gives everything', () => {
    expect(ask('host.z.test', 255, true)).toHaveLength(4);
  });

  test('of a zone below another one the lower one speaks', () => {
    const lower = zoneOf(
      zoneFrom('$ORIGIN sub.z.test.\n$TTL 1\n@ SOA ns r 1 2 3 4 5\n@ NS ns\nns A 192.0.2.99\n'),
    );
    const both = new Map([...zones, [lower.origin, lower] as const]);
    expect(answerTo(both, named('ns.sub.z.test'), 1, false)?.answers.map(({ ttl }) => ttl)).toEqual([1]);
    expect(answerTo(both, named('sub.z.test'), 43, false)?.authority[0]?.name).toBe(named('z.test'));
  });

  test('whatever the name, it is answered, and every answer owns the name or follows an alias', () => {
    const label = fc.constantFrom('host', 'sub', 'w', 'c', 'er', '*', 'x', 'empty', 'alias', 'one', 'ns');
    fc.assert(
      fc.property(
        fc.array(label, { maxLength: 5 }),
        fc.constantFrom(1, 2, 5, 15, 43, 255, 999),
        (labels, type) => {
          const name = labels.map(labelOf).join('') + named('z.test');
          const answer = answerTo(zones, name, type, true)!;
          let owner = keyOf(name);
          for (const set of answer.answers) {
            expect(keyOf(set.name)).toBe(owner);
            const [piece] = set.data[0]!;
            owner = set.type === 5 && typeof piece === 'object' ? keyOf(piece.name) : owner;
          }
          expect(answer.answers.length + answer.authority.length).toBeGreaterThan(0);
        },
      ),
    );
  });
});

const IDS = {
  id: 0x1234,
  flags: 0x8400,
  rcode: 0,
  question: null,
  edns: null,
  authority: [],
  additional: [],
  glue: false,
};

function sets(texts: readonly (readonly [string, number, readonly Piece[]])[]): RecordSet[] {
  return texts.map(([name, type, data]) => ({ name: named(name), type, ttl: 60, data: [data] }));
}

describe('a message', () => {
  test('is what dns-packet reads, with names compressed where RFC 3597 allows it', () => {
    const target = { name: named('mail.long-domain-name.test') };
    const answers = sets([
      ['www.long-domain-name.test', 15, ['\x00\x0a', target]],
      ['mail.long-domain-name.test', 33, ['\x00\x01\x00\x02\x00\x03', target]],
    ]);
    const { bytes, length } = writeMessage({ ...IDS, answers }, 65_535);
    const read = packet.decode(Buffer.from(bytes.subarray(0, length)));
    expect(read.answers).toMatchObject([
      {
        name: 'www.long-domain-name.test',
        type: 'MX',
        data: { preference: 10, exchange: 'mail.long-domain-name.test' },
      },
      {
        name: 'mail.long-domain-name.test',
        type: 'SRV',
        data: { priority: 1, weight: 2, port: 3, target: 'mail.long-domain-name.test' },
      },
    ]);
    // 12; 27 + 10 + 2 + (5 + 2); 2 + 10 + 6 + 28, as SRV is never compressed.
    expect(length).toBe(12 + 46 + 46);
    expect(packet.encode(read).length).toBe(12 + 67 + 72);
  });

  test('never grows beyond its limit, whatever is in it, and dns-packet reads what is left', () => {
    const host = fc.constantFrom('a.test', 'b.a.test', 'c.b.a.test', 'long-label-here.other.test', '.');
    const set = fc.tuple(host, host, fc.integer({ min: 1, max: 9 })).map(
      ([owner, target, count]): RecordSet => ({
        name: named(owner),
        type: 2,
        ttl: 5,
        data: Array.from({ length: count }, (_, i) => [{ name: labelOf(`n${i}`) + named(target) }]),
      }),
    );
    fc.assert(
      fc.property(fc.array(set, { maxLength: 8 }), fc.integer({ min: 64, max: 600 }), (answers, limit) => {
        const edns = { size: 1232, dnssec: false };
        const written = writeMessage({ ...IDS, edns, answers }, limit);
        expect(written.length).toBeLessThanOrEqual(limit);
        const read = packet.decode(Buffer.from(written.bytes.subarray(0, written.length)));
        expect(packet.decode.bytes).toBe(written.length);
        expect(read.flag_tc).toBe(written.truncated);
        const all = answers.flatMap(({ name, data }) => data.map(([piece]) => [name, piece]));
        expect(read.answers!.length).toBeLessThanOrEqual(all.length);
        expect(read.answers!.length === all.length).toBe(!written.truncated);
        for (const [i, one] of read.answers!.entries()) {
          expect(named(one.name)).toBe(all[i]![0]);
          expect(named((one as { data: string }).data)).toBe((all[i]![1] as { name: Name }).name);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a query', () => {
  const manners = { zones, forwards: false, udpSize: 1232 };
  const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  const reply = (hex: string): string => {
    const bytes = bytesOf(hex);
    const query = readQuery(bytes, 0, bytes.length);
    if (query === null) {
      return 'nothing';
    }
    const { written } = respond(query, false, manners) as Said;
    const said = readReply(written.bytes.slice(0, written.length))!;
    return `${said.id} ${said.opcode} ${said.status} ${said.flags.join(' ')}${said.edns === null ? '' : ' opt'}`;
  };
  const NAME = '01 7a 04 74657374 00';
  const OPT = '00 0029 1000 00000000 0000';

  test.each([
    [
      'of one class that is not ours',
      `0007 0100 0001 0000 0000 0000 ${NAME} 0001 0003`,
      '7 QUERY REFUSED qr rd',
    ],
    [
      'of every class: nobody has authority',
      `0007 0000 0001 0000 0000 0000 ${NAME} 0006 00ff`,
      '7 QUERY NOERROR qr',
    ],
    [
      'with checking off, which is repeated',
      `0007 0010 0001 0000 0000 0000 ${NAME} 0006 0001`,
      '7 QUERY NOERROR qr aa cd',
    ],
    ['of another operation', `0007 2000 0001 0000 0000 0000 ${NAME} 0006 0001`, '7 NOTIFY NOTIMP qr'],
    ['without a question', '0007 0000 0000 0000 0000 0000', '7 QUERY FORMERR qr'],
    ['with two', `0007 0000 0002 0000 0000 0000 ${NAME} 0006 0001 ${NAME} 0006 0001`, '7 QUERY FORMERR qr'],
    ['that ends early', `0007 0000 0001 0000 0000 0000 ${NAME} 0006`, '7 QUERY FORMERR qr'],
    ['with a name that is a circle', '0007 0000 0001 0000 0000 0000 c00c 0006 0001', '7 QUERY FORMERR qr'],
    ['with EDNS', `0007 0000 0001 0000 0000 0001 ${NAME} 0006 0001 ${OPT}`, '7 QUERY NOERROR qr aa opt'],
    [
      'with a later EDNS',
      `0007 0000 0001 0000 0000 0001 ${NAME} 0006 0001 00 0029 1000 00 01 0000 0000`,
      '7 QUERY BADVERS qr opt',
    ],
    [
      'with EDNS twice',
      `0007 0000 0001 0000 0000 0002 ${NAME} 0006 0001 ${OPT} ${OPT}`,
      '7 QUERY FORMERR qr',
    ],
    ['that is an answer', `0007 8000 0001 0000 0000 0000 ${NAME} 0006 0001`, 'nothing'],
    ['that is too short for an id and its rest', '0007 0000 0001', 'nothing'],
  ])('%s', (_what, hex, expected) => {
    expect(reply(hex)).toBe(expected);
  });

  test('of any bytes gets one answer or none, with its own id', () => {
    const base = bytesOf(`0007 0100 0001 0000 0000 0001 ${NAME} 0006 0001 ${OPT}`);
    const mutated = fc
      .array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 })
      .map((changes) => {
        const bytes = base.slice();
        for (const [at, value] of changes) {
          bytes[at] = value;
        }
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        const query = readQuery(bytes, 0, bytes.length);
        if (query !== null) {
          const { written } = respond(query, false, manners) as Said;
          const said = readReply(written.bytes.slice(0, written.length))!;
          expect(said.malformed).toBe('');
          expect(said.id).toBe((bytes[0]! << 8) | bytes[1]!);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
