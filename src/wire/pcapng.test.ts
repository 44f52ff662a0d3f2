import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createReader } from './pcapng.ts';
import { hear, Maker, sinkOf } from './pcapng-fixture.ts';

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
