import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createReader } from './pcapng.ts';
import { hear, Maker, sinkOf } from './pcapng-fixture.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** One of everything, in one byte order. */
function rich(little: boolean): Maker {
  return new Maker(little)
    .block(0x0a0d0d0a, (b) => {
      b.u32(0x1a2b3c4d).u16(1).u16(0).u64(-1n);
      b.option(1, (o) => o.text('first')).option(1, (o) => o.text('second'));
      b.option(2, (o) => o.text('a machine')).option(3, (o) => o.text('an os'));
      b.option(4, (o) => o.text('a program')).option(0, () => {});
    })
    .interface(1, 96, (b) => {
      b.option(2, (o) => o.text('eth0')).option(3, (o) => o.text('the first'));
      b.option(9, (o) => o.u8(9)).option(11, (o) => o.u8(0).text('tcp port 80'));
      b.option(12, (o) => o.text('Linux')).option(13, (o) => o.u8(32));
      b.option(14, (o) => o.u64(-5n));
    })
    .interface(113, 0, (b) => b.option(9, (o) => o.u8(0x8a)).option(11, (o) => o.u8(1, 2, 3)))
    .packet(0, 1_700_000_000_123_456_789n, [1, 2, 3, 4, 5], (b) => {
      b.option(1, (o) => o.text('a café'))
        .option(2, (o) => o.u32(0x121))
        .option(3, (o) => o.u8(2, 1, 2, 3, 4));
      b.option(4, (o) => o.u64(7n))
        .option(1, (o) => o.text('again'))
        .option(0, () => {});
    })
    .packet(1, 1536n, [])
    .block(3, (b) => b.u32(100).raw(new Uint8Array(96).fill(7)))
    .block(2, (b) => {
      b.u16(1).u16(3).halves(2048n).u32(2).u32(9).raw([8, 9]).pad();
      b.option(2, (o) => o.u32(2));
    })
    .block(4, (b) => {
      b.option(1, (o) => o.raw([127, 0, 0, 1]).text('localhost\0me\0'));
      b.option(2, (o) => o.raw(new Uint8Array(16).fill(1)).text('six\0'));
      b.option(3, (o) => o.raw([1, 2, 3, 4, 5, 6]).text('card\0'));
      b.option(99, (o) => o.text('unknown')).option(0, () => {});
      b.option(1, (o) => o.text('an option, not a record'));
    })
    .block(5, (b) => {
      b.u32(0).halves(1n);
      b.option(4, (o) => o.u64(12n))
        .option(5, (o) => o.u64(1n << 33n))
        .option(7, (o) => o.u64(2n));
    })
    .block(10, (b) =>
      b
        .u32(0x544c534b)
        .u32(5)
        .text('A B C')
        .pad()
        .option(0, () => {}),
    )
    .block(9, (b) => b.text('__REALTIME_TIMESTAMP=1\nMESSAGE=hi\n\n'))
    .block(0xbad, (b) => b.u32(32473).text('custom'))
    .block(0x40000bad, (b) => b.u32(32473))
    .block(0x7777, (b) => b.text('unknown'));
}

describe.each([
  ['little-endian', true],
  ['big-endian', false],
])('a %s section', (_, little) => {
  const heard = hear(rich(little).done());

  test('is read to its end', () => {
    expect(heard.trouble).toEqual([]);
    expect(heard.sections).toEqual([
      { hardware: 'a machine', os: 'an os', application: 'a program', comment: 'first\nsecond' },
    ]);
  });

  test('describes its interfaces', () => {
    expect(heard.interfaces).toEqual([
      {
        linkType: 1,
        snapLength: 96,
        checkLength: 4,
        name: 'eth0',
        description: 'the first',
        filter: 'tcp port 80',
        os: 'Linux',
      },
      {
        linkType: 113,
        snapLength: 0,
        checkLength: 0,
        name: null,
        description: null,
        filter: null,
        os: null,
      },
    ]);
  });

  test('has packets of three kinds, with times by the interface, comments and flags', () => {
    expect(heard.packets).toEqual([
      {
        data: '0102030405',
        wireLength: 5,
        seconds: 1_699_999_995,
        nanoseconds: 123_456_789,
        interfaceIndex: 0,
        flags: 0x121,
        comments: ['a café', 'again'],
      },
      {
        data: '',
        wireLength: 0,
        seconds: 1,
        nanoseconds: 500_000_000,
        interfaceIndex: 1,
        flags: 0,
        comments: [],
      },
      {
        data: '07'.repeat(96),
        wireLength: 100,
        seconds: 0,
        nanoseconds: 0,
        interfaceIndex: 0,
        flags: 0,
        comments: [],
      },
      {
        data: '0809',
        wireLength: 9,
        seconds: 2,
        nanoseconds: 0,
        interfaceIndex: 1,
        flags: 2,
        comments: [],
      },
    ]);
    expect(heard.dropped).toEqual([
      [0, 7],
      [1, 3],
    ]);
  });

  test('has names, statistics, secrets and journal entries', () => {
    expect(heard.names).toEqual([
      ['7f000001', ['localhost', 'me']],
      ['01'.repeat(16), ['six']],
      ['010203040506', ['card']],
    ]);
    expect(heard.statistics).toEqual([
      [0, { received: 12, dropped: 2 ** 33, accepted: null, osDropped: 2, delivered: null }],
    ]);
    expect(heard.secrets).toEqual([[0x544c534b, 'A B C']]);
    expect(heard.journal.map((entry) => entry.replace(/\0+$/, ''))).toEqual([
      '__REALTIME_TIMESTAMP=1\nMESSAGE=hi\n\n',
    ]);
  });

  test('is heard the same however the file is cut into pushes', () => {
    const file = rich(little).done();
    const once = { ...heard, wanted: 0 };
    expect({ ...hear(file, [1]), wanted: 0 }).toEqual(once);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }), (sizes) => {
        expect({ ...hear(file, sizes), wanted: 0 }).toEqual(once);
      }),
      { numRuns: 40 },
    );
  });

  test('cut anywhere gives the packets before the cut and one trouble, none at a boundary', () => {
    const file = rich(little).done();
    const boundaries = new Set<number>();
    const view = new DataView(file.buffer);
    for (let at = 0; at < file.length; at += view.getUint32(at + 4, little)) {
      boundaries.add(at);
    }
    boundaries.add(file.length);
    boundaries.delete(0);
    for (let cut = 0; cut <= file.length; cut++) {
      const part = hear(file.subarray(0, cut), [64]);
      expect(part.packets).toEqual(heard.packets.slice(0, part.packets.length));
      expect(part.trouble).toHaveLength(boundaries.has(cut) ? 0 : 1);
    }
  });
});

test('sections of both byte orders follow each other; interfaces count over the whole file', () => {
  const file = new Maker(false).raw(rich(true).done()).raw(rich(false).done());
  file.section(8n).interface(1, 0).packet(0, 5n, [1]);
  const heard = hear(file.done(), [50]);
  expect(heard.trouble).toEqual([]);
  expect(heard.sections).toHaveLength(3);
  expect(heard.packets.map((packet) => packet.interfaceIndex)).toEqual([0, 1, 0, 1, 2, 3, 2, 3, 4]);
  expect(heard.statistics.map(([index]) => index)).toEqual([0, 2]);
});

test('without a listener for comments, options are not looked at and packets are the same', () => {
  const { sink, heard } = sinkOf();
  const { packet, trouble } = sink;
  const file = rich(true).done();
  const reader = createReader({ packet, trouble });
  expect(reader.push(file, 0, file.length)).toBe(file.length);
  reader.end(0);
  expect(heard.packets.map((one) => [one.seconds, one.flags])).toEqual([
    [1_699_999_995, 0],
    [1, 0],
    [0, 0],
    [2, 0],
  ]);
  expect(heard.trouble).toEqual([]);
});

test('the reader says how many bytes a block needs', () => {
  const file = new Maker(true).section().interface(1, 0).packet(0, 0n, new Uint8Array(5000)).done();
  const reader = createReader(sinkOf().sink);
  expect(reader.push(file, 0, 100)).toBe(48);
  expect(reader.wants).toBe(5032);
  expect(reader.push(file, 48, file.length)).toBe(5032);
  expect(reader.wants).toBe(12);
});

describe('trouble', () => {
  const start = () => new Maker(true).section().interface(1, 0).packet(0, 0n, [1, 2, 3]);
  const said = (file: Maker) => {
    const heard = hear(file.done());
    expect(heard.packets).toHaveLength(1);
    expect(heard.trouble).toHaveLength(1);
    return heard.trouble[0];
  };

  test('a block too long', () => {
    expect(said(start().u32(6).u32(0x10000000).u32(0))).toEqual([
      84,
      'the block of packet 2 gives its length as 268 435 456 bytes, which is too long, at byte 84',
    ]);
  });

  test('a block too short', () => {
    expect(said(start().u32(1).u32(8).u32(8))).toEqual([
      84,
      'an interface description gives its length as 8 bytes, which is too short, at byte 84',
    ]);
  });

  test('a block that is not a whole number of words', () => {
    expect(said(start().u32(0x77).u32(13).u32(13).u32(0))).toEqual([
      84,
      'a block of type 0x77 gives its length as 13 bytes, which is not a whole number of words, at byte 84',
    ]);
  });

  test('a block whose two lengths disagree', () => {
    expect(said(start().u32(0x77).u32(12).u32(16))).toEqual([
      84,
      'a block of type 0x77 ends with another length than it begins with, at byte 84',
    ]);
  });

  test('an interface that was not described', () => {
    expect(said(start().packet(3, 0n, []))?.[1]).toBe(
      'packet 2 came from interface 3, but only 1 is described, at byte 84',
    );
    expect(
      said(
        start()
          .section()
          .block(3, (b) => b.u32(0)),
      )?.[1],
    ).toBe('packet 2 came from interface 0, but none is described, at byte 112');
  });

  test('a packet longer than its block', () => {
    const file = start().block(6, (b) => b.u32(0).halves(0n).u32(9).u32(9).raw([1, 2, 3, 4, 5, 6, 7, 8]));
    expect(said(file)?.[1]).toBe(
      'the block of packet 2 holds fewer bytes than the packet says it has (9), at byte 84',
    );
    expect(said(start().block(3, (b) => b.u32(9).raw([1, 2, 3, 4])))?.[1]).toBe(
      'the block of packet 2 holds fewer bytes than the packet says it has (9), at byte 84',
    );
  });

  test('blocks too short for what they are', () => {
    const shortest = [1, 2, 3, 5, 6, 10].map((type) => said(start().block(type, () => {}))?.[1]);
    expect(shortest.every((sentence) => sentence?.includes(' is too short, at byte 84'))).toBe(true);
    const section = start().block(0x0a0d0d0a, (b) => b.u32(0x1a2b3c4d).u32(1));
    expect(said(section)?.[1]).toBe('a section header is too short, at byte 84');
  });

  test('an option that runs past its block: the packet itself is delivered', () => {
    const heard = hear(
      start()
        .packet(0, 0n, [4], (b) => b.u16(1).u16(9).text('1234'))
        .done(),
    );
    expect(heard.packets.map((packet) => packet.data)).toEqual(['010203', '04']);
    expect(heard.trouble).toEqual([[84, 'an option of packet 2 runs past the end of its block, at byte 84']]);
  });

  test('options that run past their block elsewhere', () => {
    const wrong = (b: Maker) => b.u16(2).u16(5).text('1234');
    const sentences = [
      start().interface(1, 0, wrong),
      start().block(5, (b) => wrong(b.u32(0).halves(0n))),
      start().block(0x0a0d0d0a, (b) => wrong(b.u32(0x1a2b3c4d).u32(1).u64(-1n))),
      start().block(4, (b) => wrong(b)),
      start().block(10, (b) => b.u32(1).u32(9).text('12345678')),
    ].map((file) => said(file)?.[1]);
    expect(sentences).toEqual([
      'the options of an interface description are damaged, at byte 84',
      'the options of a block of statistics are damaged, at byte 84',
      'the options of a section header are damaged, at byte 84',
      'a record in a block of names runs past its end, at byte 84',
      'a block of secrets is shorter than its secrets, at byte 84',
    ]);
  });

  test('a section of another version or without a byte order', () => {
    const version = start().block(0x0a0d0d0a, (b) => b.u32(0x1a2b3c4d).u16(2).u16(0).u64(-1n));
    expect(said(version)?.[1]).toBe('a section is in pcapng version 2.0; only 1.0 is known, at byte 84');
    const order = start().block(0x0a0d0d0a, (b) => b.u32(0x11111111).u16(1).u16(0).u64(-1n));
    expect(said(order)?.[1]).toBe('a section header does not say its byte order, at byte 84');
  });

  test('more interfaces than any machine has', () => {
    const one = new Maker(true).interface(1, 0).done();
    const head = new Maker(true).section().done();
    const file = new Uint8Array(head.length + 65_537 * one.length);
    file.set(head);
    for (let at = head.length; at < file.length; at += one.length) {
      file.set(one, at);
    }
    let count = 0;
    const sentences: string[] = [];
    const reader = createReader({
      packet() {},
      interface: () => count++,
      trouble: (_, sentence) => sentences.push(sentence),
    });
    reader.push(file, 0, file.length);
    reader.end(0);
    expect(count).toBe(65_536);
    expect(sentences).toEqual(['the file describes more than 65 536 interfaces, at byte 1 310 748']);
  });

  test('a cut file says where it ends and inside of what', () => {
    const file = start()
      .packet(0, 0n, new Uint8Array(98), (b) => b.option(1, (o) => o.text('c')))
      .done();
    const sentence = (length: number) => hear(file.subarray(0, length)).trouble[0]?.[1];
    expect(sentence(90)).toBe(
      'the file ends inside the header of a block (6 of 12 bytes are there), at byte 90',
    );
    expect(sentence(100)).toBe(
      'the file ends inside the block of packet 2 (16 of 140 bytes are there), at byte 100',
    );
    expect(sentence(144)).toBe('the file ends inside packet 2 (32 of 98 bytes are there), at byte 144');
    expect(sentence(220)).toBe(
      'the file ends inside the block of packet 2 (136 of 140 bytes are there), at byte 220',
    );
  });

  test('after it nothing more is wanted or said', () => {
    const { sink, heard } = sinkOf();
    const file = start().u32(1).u32(8).u32(8).done();
    const reader = createReader(sink);
    expect(reader.push(file, 0, file.length)).toBe(file.length);
    expect(reader.wants).toBe(0);
    expect(reader.push(file, 0, file.length)).toBe(file.length);
    reader.end(5);
    expect(heard.packets).toHaveLength(1);
    expect(heard.trouble).toHaveLength(1);
  });
});

describe('a file that is no capture', () => {
  const said = (bytes: Iterable<number>, sizes?: number[]) => {
    const heard = hear(Uint8Array.from(bytes), sizes);
    expect(heard.trouble).toHaveLength(1);
    return heard.trouble[0]![1];
  };

  test.each([
    ['nothing', '', 'the file is empty'],
    ['gzip', '\x1f\x8b\x08\x00', 'the file is compressed with gzip: unpack it first (gunzip)'],
    ['snoop', 'snoop\0\0\0\0\0\0\x02', 'the file is in the snoop format'],
    ['btsnoop', 'btsnoop\0\0\0\0\x01', 'the file is in the btsnoop format'],
    [
      'tcpdump text',
      '12:01:02.345678 IP 127.0.0.1.80 > 127.0.0.1.99: Flags [S]',
      'the file is text that tcpdump',
    ],
    ['tshark text', '    1 0.000000000 127.0.0.1 → 127.0.0.1 TCP', 'the file is text that tcpdump'],
    ['other text', 'GET / HTTP/1.1\r\nhost: x\r\n', 'the file is text, not a capture'],
    ['short text', 'abc', 'the file is no capture: it has only 3 bytes'],
    ['other bytes', '\x7fELF\x02\x01', 'the file is no capture: it begins with 7f 45 4c 46'],
  ])('%s is told in one sentence', (_, content, sentence) => {
    const raw = content.includes('\x8b') ? [...content].map((c) => c.charCodeAt(0)) : [...text(content)];
    expect(said(raw)).toContain(sentence);
    expect(said(raw, [1])).toContain(sentence);
    expect(said([...raw, ...new Uint8Array(raw.length > 0 ? 100 : 0)], [3])).toMatch(/^the file (is|begins)/);
  });
});

describe('hostile files', () => {
  const files = [rich(true).done(), rich(false).done()];

  test('random bytes behind a valid beginning never throw or hang', () => {
    fc.assert(
      fc.property(
        fc.constantFrom([], [0x0a, 0x0d, 0x0d, 0x0a], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]),
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        (start, bytes, size) => {
          const heard = hear(Uint8Array.from([...start, ...bytes]), [size]);
          expect(heard.trouble.length).toBeLessThanOrEqual(1);
          expect(heard.wanted).toBeLessThanOrEqual(64 * 1024 * 1024);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('valid files with some bytes changed give at most one trouble, and packets inside their file', () => {
    const change = fc.record({ at: fc.nat(1000), to: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 200 }),
        (file, changes, size) => {
          const bytes = file.slice();
          for (const { at, to } of changes) {
            bytes[at % bytes.length] = to;
          }
          const heard = hear(bytes, [size]);
          expect(heard.trouble.length).toBeLessThanOrEqual(1);
          expect(heard.wanted).toBeLessThanOrEqual(64 * 1024 * 1024);
          let length = 0;
          for (const packet of heard.packets) {
            length += packet.data.length / 2;
            expect(packet.wireLength * 2).toBeGreaterThanOrEqual(packet.data.length);
            expect(packet.nanoseconds).toBeLessThan(1e9);
          }
          expect(length).toBeLessThan(bytes.length);
          expect({ ...hear(bytes), wanted: 0 }).toEqual({ ...heard, wanted: 0 });
        },
      ),
      { numRuns: 600 },
    );
  });
});
