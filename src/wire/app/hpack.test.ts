import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBlock, MAX_LIST, newTable, type Table } from './hpack.ts';
import { huffmanDecode } from './hpack-huffman.ts';
import { encoded, type Header, huffmanEncoded, integer, newEncoder, resized } from './http2-crafted.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (two) => Number.parseInt(two, 16));
}

/** `name: value` lines, or why there are none. */
function decoded(bytes: Uint8Array | number[], table: Table = newTable(true)): string[] | string {
  const lent = Uint8Array.from([9, ...bytes, 9]);
  const list = decodeBlock(lent, 1, lent.length - 1, table);
  return 'why' in list ? list.why : list.names.map((name, at) => `${name}: ${list.values[at]}`);
}

const request1 = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const request2 = [...request1, 'cache-control: no-cache'];
const request3 = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];
const reply = (status: number, second: number, rest: string[] = []) => [
  `:status: ${status}`,
  'cache-control: private',
  `date: Mon, 21 Oct 2013 20:13:${second} GMT`,
  'location: https://www.example.com',
  ...rest,
];
const cookie = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const replies = [reply(302, 21), reply(307, 21), reply(200, 22, ['content-encoding: gzip', cookie])];

// RFC 7541 appendix C: the blocks of one connection, what each says, and the table's size after it.
const examples: [string, number, [string, string[], number][]][] = [
  [
    'C.2.1',
    4096,
    [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key: custom-header'], 55]],
  ],
  ['C.2.2', 4096, [['040c2f73616d706c652f70617468', [':path: /sample/path'], 0]]],
  ['C.2.3', 4096, [['100870617373776f726406736563726574', ['password: secret'], 0]]],
  ['C.2.4', 4096, [['82', [':method: GET'], 0]]],
  [
    'C.3, requests without Huffman coding',
    4096,
    [
      ['828684410f7777772e6578616d706c652e636f6d', request1, 57],
      ['828684be58086e6f2d6361636865', request2, 110],
      ['828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565', request3, 164],
    ],
  ],
  [
    'C.4, requests with it',
    4096,
    [
      ['828684418cf1e3c2e5f23a6ba0ab90f4ff', request1, 57],
      ['828684be5886a8eb10649cbf', request2, 110],
      ['828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', request3, 164],
    ],
  ],
  [
    'C.5, replies without Huffman coding, in a table of 256 bytes',
    256,
    [
      [
        `4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470
         733a2f2f7777772e6578616d706c652e636f6d`,
        replies[0]!,
        222,
      ],
      ['4803333037c1c0bf', replies[1]!, 222],
      [
        `88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b
         48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31`,
        replies[2]!,
        215,
      ],
    ],
  ],
  [
    'C.6, replies with it, in a table of 256 bytes',
    256,
    [
      [
        `488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82
         ae43d3`,
        replies[0]!,
        222,
      ],
      ['4883640effc1c0bf', replies[1]!, 222],
      [
        `88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5
         af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007`,
        replies[2]!,
        215,
      ],
    ],
  ],
];

describe('the examples of RFC 7541', () => {
  it.each(examples)('%s', (_, size, blocks) => {
    const table = newTable(true);
    table.max = size;
    for (const [hex, says, left] of blocks) {
      expect(decoded(bytesOf(hex.replaceAll(/\s/g, '')), table)).toEqual(says);
      expect(table.size).toBe(left);
    }
  });

  it('1337 takes three bytes behind a prefix of five bits (C.1.2)', () => {
    const table = newTable(true);
    expect(decoded(bytesOf('3f9a0a'), table)).toEqual([]);
    expect(table.max).toBe(1337);
  });
});

describe('header blocks', () => {
  const name = fc.constantFrom(':path', 'accept', 'cookie', 'x-a', 'x-b', 'x-long-name-of-a-header');
  const value = fc.oneof(fc.constantFrom('', '/', 'a', 'bb'), fc.string({ unit: 'binary', maxLength: 200 }));
  const headers = fc.array(
    fc.record({
      name,
      value,
      as: fc.constantFrom('indexed' as const, 'insert' as const, 'plain' as const, 'never' as const),
      huffman: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  const block = fc.record({ headers, max: fc.option(fc.nat(4096)) });

  it('say what was encoded, whatever the representations and table sizes', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 6 }), (blocks) => {
        const encoder = newEncoder();
        const table = newTable(true);
        for (const { headers, max } of blocks) {
          const bytes = [...(max === null ? [] : resized(encoder, max)), ...encoded(encoder, headers)];
          expect(decoded(bytes, table)).toEqual(headers.map(said));
          expect(table.names.slice(table.first).reverse()).toEqual(encoder.entries.map((one) => one.name));
        }
      }),
    );
  });

  it('never throw, and keep the table within its size, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
        fc.boolean(),
        (blocks, whole) => {
          const table = newTable(whole);
          for (const bytes of blocks) {
            decodeBlock(bytes, 0, bytes.length, table);
            expect(table.size).toBeLessThanOrEqual(table.max);
            expect(table.names.length - table.first).toBeLessThanOrEqual(table.max / 32);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    ['80', 'a header of index 0'],
    ['be', 'header index 62 is beyond the table'],
    ['ff', 'the header block ends inside a number'],
    ['ffffffffff7f', 'a number in the header block is too large'],
    ['00', 'the header block ends before a string'],
    ['000361', 'a string reaches beyond the header block'],
    ['0481ff', 'a string in the header block is no Huffman code'],
    ['0484ffffffff', 'a string in the header block is no Huffman code'],
  ])('%s are refused: %s', (hex, why) => {
    expect(decoded(bytesOf(hex))).toBe(why);
  });

  it('have ? where an entry was made before we looked, and say so', () => {
    const table = newTable(false);
    const list = decodeBlock(bytesOf('82c57f010161'), 0, 6, table);
    expect(list).toMatchObject({
      names: [':method', '?', '?'],
      values: ['GET', '?', 'a'],
      warning: 'headers named ? were sent before the capture began',
    });
    expect(decoded([0xbe], table)).toEqual(['?: a']);
  });

  it('of a long entry named often give a bounded list', () => {
    const table = newTable(true);
    const encoder = newEncoder();
    const long: Header = { name: 'x', value: 'v'.repeat(3000), as: 'insert', huffman: false };
    const bytes = Uint8Array.from([...encoded(encoder, [long]), ...new Array<number>(5000).fill(0xbe)]);
    const list = decodeBlock(bytes, 0, bytes.length, table);
    expect(list).toMatchObject({ warning: 'more headers than are kept' });
    expect('size' in list && list.size).toBeLessThanOrEqual(MAX_LIST);
  });

  it('may set a table larger than was allowed, which is said', () => {
    const bytes = Uint8Array.from(integer(100_000, 5, 0x20));
    const table = newTable(true);
    expect(decodeBlock(bytes, 0, bytes.length, table)).toMatchObject({
      warning: 'a header table of 100000 bytes, more than the 4096 allowed',
    });
    expect(table).toMatchObject({ max: 65536, complete: false });
  });
});

describe('the Huffman code', () => {
  it('brings back all bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const coded = Uint8Array.from(huffmanEncoded(bytes));
        const into = new Uint8Array(2 * coded.length);
        const count = huffmanDecode(coded, 0, coded.length, into);
        expect(into.slice(0, count)).toEqual(bytes);
      }),
    );
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const coded = Uint8Array.from(huffmanEncoded(all));
    const into = new Uint8Array(2 * coded.length);
    expect(huffmanDecode(coded, 0, coded.length, into)).toBe(256);
    expect(into.slice(0, 256)).toEqual(all);
  });

  it('ends in at most seven ones, never in zeros, a whole byte of padding, or EOS', () => {
    const into = new Uint8Array(64);
    const a = (bytes: number[]) => huffmanDecode(Uint8Array.from(bytes), 0, bytes.length, into);
    expect(a([0b00011_111])).toBe(1);
    expect(a([0b00011_000])).toBe(-1);
    expect(a([0b00011_111, 0xff])).toBe(-1);
    expect(a([0xff, 0xff, 0xff, 0xff])).toBe(-1);
    expect(a([])).toBe(0);
  });
});

function said({ name, value }: Header): string {
  return `${name}: ${value}`;
}
