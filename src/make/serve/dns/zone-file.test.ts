import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { faultsOf, filesOf, recordText, shortText, warningsOf, zoneFrom } from './fixture.ts';
import { labelOf, type Name, nameText, ROOT, readName, readNameText } from './name.ts';
import { BY_CODE, type Field, type Piece, readTime, type ZoneRecord } from './record.ts';
import { readZoneFile } from './zone-file.ts';

const HEAD = `$ORIGIN z.test.
$TTL 1h
@ SOA ns root 1 2h 15m 2w 5m
  NS ns
ns A 192.0.2.1
`;

describe('a zone file', () => {
  test('is read with all that RFC 1035 allows', () => {
    const zone = zoneFrom(
      `$TTL 1h30m
$ORIGIN z.test.
@ IN 1D SOA ns.z.test. root\\.mail ( 1 2h ; refresh
   15m
   2W 300 )
\tIN NS ns
ns 5 IN A 192.0.2.1
   IN 6 AAAA 2001:DB8::1
esc\\.aped TXT "a;b" plain "\\"q\\"\\\\ \\065" ; comment "with a mark
$ORIGIN sub
www CNAME @
absolute.z.test. MX 10 .
$INCLUDE more.zone inc.z.test.
after PTR x
`,
      { 'more.zone': 'here A 192.0.2.9\n' },
    );
    expect(zone.records.map((record) => `${record.ttl} ${shortText(record)}`)).toEqual([
      '86400 z.test SOA ns.z.test. root\\.mail.z.test. 1 7200 900 1209600 300',
      '5400 z.test NS ns.z.test.',
      '5 ns.z.test A 192.0.2.1',
      '6 ns.z.test AAAA 2001:0db8:0000:0000:0000:0000:0000:0001',
      '5400 esc\\.aped.z.test TXT "a;b" "plain" "\\034q\\034\\092 A"',
      '5400 www.sub.z.test CNAME sub.z.test.',
      '5400 absolute.z.test MX 10 .',
      '5400 here.inc.z.test A 192.0.2.9',
      '5400 after.sub.z.test PTR x.sub.z.test.',
    ]);
  });

  test('the one in docs/examples is without a fault', () => {
    const text = readFileSync(new URL('../../../../docs/examples/example.zone', import.meta.url), 'utf8');
    expect(faultsOf(text)).toEqual([]);
    expect(warningsOf(text)).toEqual([]);
  });

  test('a record without a time takes the last one, or what the SOA says of "no"', () => {
    const text = '$ORIGIN z.test.\n@ SOA ns root 1 2 3 4 77\n NS ns\nns 9 A 192.0.2.1\nb A 192.0.2.2\n';
    expect(zoneFrom(text).records.map(({ ttl }) => ttl)).toEqual([77, 77, 9, 9]);
  });

  test.each([
    ['www A 1.2.3', 'z:6:7: 1.2.3 is no IPv4 address (address of A)'],
    ['www AAAA ::g', 'z:6:10: ::g is no IPv6 address (address of AAAA)'],
    ['www MX 70000 x', 'z:6:8: 70000 is no number from 0 to 65535 (preference of MX)'],
    ['www MX 10', 'z:6:8: MX needs mail server here'],
    ['www A 192.0.2.1 x', 'z:6:17: A ends before x: it has address'],
    ['www A6 x', 'z:6:5: A6 is no type of record: did you mean A?'],
    [
      'www HINFO a b',
      'z:6:5: records of the type HINFO are not served here, only A, AAAA, CAA, CNAME, MX, NS, PTR, SOA, SRV, TXT',
    ],
    ['www CH A 192.0.2.1', 'z:6:5: the class CH is not served here, only IN'],
    ['www 1y A 192.0.2.1', 'z:6:5: 1y is no time: write seconds up to 2147483647, or 1h30m'],
    ['www', 'z:6:1: the record has no type'],
    ['a..b A 192.0.2.1', 'z:6:1: a..b: a name has an empty part: two dots together, or one in front'],
    ['é A 192.0.2.1', 'z:6:1: é: a name is ASCII: write other scripts in punycode, as xn--…'],
    [`${'a'.repeat(64)} A 192.0.2.1`, `z:6:1: ${'a'.repeat(60)}…: a part of a name has at most 63 bytes`],
    [
      'a\\256 A 192.0.2.1',
      'z:6:1: a\\256: a backslash needs a character or three digits up to 255 behind it',
    ],
    ['t TXT "open', 'z:6:7: a quotation mark opens and does not close on this line'],
    [
      `t TXT "${'x'.repeat(256)}"`,
      `z:6:7: ${'x'.repeat(60)}… has 256 bytes, and one string has at most 255: split it, "…" "…" (text of TXT)`,
    ],
    ['t CAA 0 is-sue x', 'z:6:9: is-sue is no tag: letters and digits (tag of CAA)'],
    ['t A ( 192.0.2.1', 'z:6:5: a parenthesis opens and never closes'],
    ['t A 192.0.2.1 )', 'z:6:15: a parenthesis closes that was never opened'],
    ['*.w NS ns', 'z:6:1: a wildcard cannot be delegated (RFC 4592 section 4.2)'],
    ['$GENERATE 1-9 a A 1', 'z:6:1: $GENERATE is not known here: $ORIGIN, $TTL and $INCLUDE are'],
    ['$TTL soon', 'z:6:6: soon is no time: write seconds, or 1h30m'],
    ['$ORIGIN', 'z:6:1: $ORIGIN needs something behind it'],
    ['$INCLUDE no.zone', 'z:6:10: no.zone cannot be read: ENOENT'],
    ['$INCLUDE z', 'z:6:10: the files include each other: z → z'],
    // What named-checkzone calls errors.
    ['ns CNAME x', 'z:6:1: ns.z.test is a CNAME and has A beside it (RFC 1034 section 3.6.2)'],
    ['a CNAME b\na CNAME c', 'z:7:1: a.z.test has a second CNAME record, and one is allowed'],
    ['@ SOA ns root 2 2 2 2 2', 'z:6:1: z.test has a second SOA record, and one is allowed'],
    ['a SOA ns root 2 2 2 2 2', 'z:6:1: the zone is z.test, and a.z.test has an SOA record too'],
    ['@ NS none', 'z:6:1: NS of z.test leads to none.z.test, which has no address in this zone'],
  ])('%s', (line, sentence) => {
    expect(faultsOf(`${HEAD}${line}\n`)).toContain(sentence);
  });

  test('without SOA, NS, origin or owner', () => {
    expect(faultsOf('$ORIGIN z.test.\n$TTL 1\na A 192.0.2.1\n')).toEqual([
      'z:0:0: the zone has no SOA record, with which it begins',
    ]);
    expect(faultsOf('$ORIGIN z.test.\n@ SOA a b 1 2 3 4 5\n')).toEqual([
      'z:2:1: the zone z.test has no NS record of its own',
    ]);
    expect(faultsOf(' A 192.0.2.1\na A 192.0.2.1\n$ORIGIN z.\nb A 192.0.2.1')).toEqual([
      'z:1:2: the record belongs to the name before it, and there is none',
      'z:2:1: a: the name is relative (no dot at its end), and there is no origin yet: say $ORIGIN',
      'z:4:3: the record has no time to live: say $TTL 1h first',
    ]);
  });

  test('warns of what is served all the same', () => {
    const odd =
      'other.test. A 192.0.2.1\na 5 A 192.0.2.1\na 6 A 192.0.2.2\nm MX 1 none\nalias CNAME a\ns SRV 0 0 1 alias\n';
    expect(warningsOf(HEAD + odd)).toEqual([
      '6: other.test is not in the zone z.test, and is left out',
      '8: A records of a.z.test have different times to live; 5 is used',
      '9: MX of m.z.test leads to none.z.test, which has no address in this zone',
      '11: SRV of s.z.test leads to alias.z.test, which is a CNAME',
    ]);
    expect(warningsOf('$TTL 1\n$ORIGIN z.\n@ NS a\na A 192.0.2.1\n@ SOA a b 1 2 3 4 5')).toEqual([
      '5: the SOA record is not the first one of the zone',
    ]);
  });

  test('files include each other only so deep, and a circle is named', () => {
    const circle = { b: '$INCLUDE c\n', c: '$INCLUDE b\n' };
    expect(faultsOf(`${HEAD}$INCLUDE b\n`, circle)).toEqual([
      'c:1:10: the files include each other: b → c → b',
    ]);
    const deep = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, `$INCLUDE f${i + 1}\n`]));
    expect(faultsOf(`${HEAD}$INCLUDE f0\n`, deep)).toEqual([
      'f9:1:10: files are included 10 deep, which is enough',
    ]);
  });
});

const bytes = (min: number, max: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((list) => String.fromCharCode(...list));

const names: fc.Arbitrary<Name> = fc
  .array(bytes(1, 20).map(labelOf), { maxLength: 4 })
  .map((labels) => labels.join(''));

const counted = (text: string): string => String.fromCharCode(text.length) + text;

function pieces(field: Field): fc.Arbitrary<Piece[]> {
  switch (field) {
    case 'name':
      return names.map((name) => [{ name }]);
    case 'text':
      return bytes(0, 30).map((text) => [text]);
    case 'strings':
      return fc.array(bytes(0, 255).map(counted), { minLength: 1, maxLength: 3 });
    case 'tag':
      return fc.constantFrom('issue', 'iodef').map((tag) => [counted(tag)]);
    case 'time':
      // RFC 2181: the highest bit is not used.
      return bytes(4, 4).map((text) => [String.fromCharCode(text.charCodeAt(0) & 127) + text.slice(1)]);
    default: {
      const size = { ip4: 4, ip6: 16, u8: 1, u16: 2, u32: 4 }[field];
      return bytes(size, size).map((text) => [text]);
    }
  }
}

const records: fc.Arbitrary<ZoneRecord> = fc
  .tuple(names, fc.nat(2 ** 31 - 1), fc.constantFrom(...BY_CODE.keys()))
  .chain(([name, ttl, type]) =>
    fc
      .tuple(...BY_CODE.get(type)![1].fields.map(pieces))
      .map((data) => ({ name, ttl, type, data: data.flat() })),
  );

describe('always', () => {
  test('a record that is printed is read as the same record', () => {
    fc.assert(
      fc.property(records, (record) => {
        fc.pre(!(record.type === 2 && record.name.startsWith(labelOf('*'))));
        const read = readZoneFile('z', ROOT, filesOf({ z: `${recordText(record)}\n` }));
        expect(read.faults).toEqual([]);
        expect(read.records.map((one) => one.record)).toEqual([record]);
      }),
      { numRuns: 300 },
    );
  });

  test('a name is the same after its text, and after its bytes', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(readNameText(nameText(name), null)).toBe(name);
        const wire = Uint8Array.from(`${name}\0`, (character) => character.charCodeAt(0));
        expect(readName(wire, 0, wire.length, 0)).toEqual({ name, next: wire.length });
      }),
    );
  });

  test('nothing that stands in a file makes it throw, and what is wrong has a place', () => {
    const words = fc.constantFrom(
      ...'$ORIGIN $TTL $INCLUDE @ ( ) " \\ ; . A TXT SOA NS IN 1h 192.0.2.1 a.b. \\000 \\3 z "x"'.split(' '),
      '\n',
      '\n ',
      ' ',
      '\t',
      '\r\n',
    );
    const text = fc.oneof(
      fc.array(words, { maxLength: 60 }).map((list) => list.join(' ')),
      fc.array(words, { maxLength: 60 }).map((list) => list.join('')),
      fc.string({ unit: 'binary', maxLength: 100 }),
    );
    fc.assert(
      fc.property(text, (body) => {
        const read = readZoneFile('z', ROOT, filesOf({ z: HEAD + body }));
        const lines = (HEAD + body).split('\n').length;
        for (const { line, column } of read.faults) {
          expect(line).toBeGreaterThan(0);
          expect(line).toBeLessThanOrEqual(lines);
          expect(column).toBeGreaterThan(0);
        }
        faultsOf(HEAD + body);
      }),
      { numRuns: 300 },
    );
  });

  test('a name with pointers ends, whatever they point at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), (wire, at) => {
        const read = readName(wire, 0, wire.length, at);
        expect(read === null || read.name.length < 255).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(readName(Uint8Array.of(0xc0, 0), 0, 2, 0)).toBe(null);
    expect(readName(Uint8Array.of(1, 97, 0, 0xc0, 0), 0, 5, 3)).toEqual({ name: '\x01a', next: 5 });
  });

  test.each([
    ['0', 0],
    ['1h30m', 5400],
    ['2W1d', 1_296_000],
    ['2147483647', 2_147_483_647],
    ['2147483648', null],
    ['4000w', null],
    ['1h30', null],
    ['', null],
    ['-1', null],
  ])('the time %j', (text, seconds) => {
    expect(readTime(text)).toBe(seconds);
  });
});
