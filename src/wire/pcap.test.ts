import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hear, Maker } from './pcapng-fixture.ts';

interface Kind {
  name: string;
  little: boolean;
  magic: number;
  unit: number;
}

const KINDS: Kind[] = [
  { name: 'microseconds, big-endian', little: false, magic: 0xa1b2c3d4, unit: 1000 },
  { name: 'microseconds, little-endian', little: true, magic: 0xa1b2c3d4, unit: 1000 },
  { name: 'nanoseconds, big-endian', little: false, magic: 0xa1b23c4d, unit: 1 },
  { name: 'nanoseconds, little-endian', little: true, magic: 0xa1b23c4d, unit: 1 },
];

function header(kind: Pick<Kind, 'little' | 'magic'>, link = 1, snapLength = 262_144): Maker {
  return new Maker(kind.little).u32(kind.magic).u16(2).u16(4).u32(0).u32(0).u32(snapLength).u32(link);
}

const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });

test.each(KINDS)('packets in $name are read with their exact times', (kind) => {
  const packet = fc.record({
    data: fc.uint8Array({ maxLength: 40 }),
    beyond: fc.integer({ min: 0, max: 2000 }),
    seconds: fc.integer({ min: 0, max: 0xffffffff }),
    fraction: fc.integer({ min: 0, max: 1e9 / kind.unit - 1 }),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 8 }), sizes, (packets, pushes) => {
      const file = header(kind);
      for (const { data, beyond, seconds, fraction } of packets) {
        file
          .u32(seconds)
          .u32(fraction)
          .u32(data.length)
          .u32(data.length + beyond)
          .raw(data);
      }
      const heard = hear(file.done(), pushes);
      expect(heard.trouble).toEqual([]);
      expect(heard.packets).toEqual(
        packets.map(({ data, beyond, seconds, fraction }) => ({
          data: [...data].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
          wireLength: data.length + beyond,
          seconds,
          nanoseconds: fraction * kind.unit,
          interfaceIndex: 0,
          flags: 0,
          comments: [],
        })),
      );
    }),
    { numRuns: 60 },
  );
});

test('the link type is the lower half of its field; above it stands the length of the check sequence', () => {
  const [about] = hear(header(KINDS[1]!, 0x24000071, 96).done()).interfaces;
  expect(about).toMatchObject({ linkType: 113, checkLength: 4, snapLength: 96 });
  const [plain] = hear(header(KINDS[1]!, 0x20000071).done()).interfaces;
  expect(plain).toMatchObject({ linkType: 113, checkLength: 0 });
});

test('packets of the modified kind have headers of 24 bytes', () => {
  const file = header({ little: true, magic: 0xa1b2cd34 });
  file.u32(5).u32(6).u32(2).u32(2).u32(1).u16(0x0800).u8(0, 0).raw([0xaa, 0xbb]);
  const heard = hear(file.done());
  expect(heard.packets).toMatchObject([{ data: 'aabb', seconds: 5, nanoseconds: 6000 }]);
  expect(heard.trouble).toEqual([]);
});

test('a fraction of more than a second is carried into the seconds', () => {
  const file = header(KINDS[1]!).u32(7).u32(2_000_003).u32(0).u32(0).done();
  expect(hear(file).packets).toMatchObject([{ seconds: 9, nanoseconds: 3000 }]);
});

test('a wire length below what was captured is taken for the captured length', () => {
  const file = header(KINDS[1]!).u32(0).u32(0).u32(3).u32(1).raw([1, 2, 3]).done();
  expect(hear(file).packets).toMatchObject([{ data: '010203', wireLength: 3 }]);
});

test('a packet longer than any tool captures is trouble, and what came before it is delivered', () => {
  const file = header(KINDS[1]!).u32(0).u32(0).u32(1).u32(1).u8(9);
  file.u32(0).u32(0).u32(262_145).u32(262_145).raw([1, 2, 3]);
  const heard = hear(file.done());
  expect(heard.packets).toHaveLength(1);
  expect(heard.trouble).toEqual([[41, 'packet 2 says that it is 262 145 bytes long, at byte 41']]);
});

test('a file that announces longer packets may have them', () => {
  const long = new Uint8Array(300_000).fill(1);
  const file = header(KINDS[1]!, 1, 400_000).u32(0).u32(0).u32(long.length).u32(long.length).done();
  const whole = new Uint8Array(file.length + long.length);
  whole.set(file);
  whole.set(long, file.length);
  const heard = hear(whole, [65_536]);
  expect(heard.packets).toHaveLength(1);
  expect(heard.wanted).toBe(300_016);
  expect(heard.trouble).toEqual([]);
});

test('an unknown version is trouble', () => {
  const file = new Maker(true).u32(0xa1b2c3d4).u16(9).u16(1).u32(0).u32(0).u32(0).u32(1).done();
  expect(hear(file).trouble).toEqual([[4, 'the file is in pcap version 9.1; only 2.4 is known, at byte 4']]);
});

test('a file cut anywhere gives the packets before the cut and one trouble, none at a boundary', () => {
  const file = header(KINDS[1]!);
  const boundaries = new Set([24]);
  for (const length of [3, 0, 40]) {
    file.u32(1).u32(2).u32(length).u32(length).raw(new Uint8Array(length).fill(length));
    boundaries.add(file.done().length);
  }
  const bytes = file.done();
  const whole = hear(bytes).packets;
  for (let cut = 0; cut <= bytes.length; cut++) {
    const heard = hear(bytes.subarray(0, cut), [7]);
    expect(heard.packets).toEqual(whole.slice(0, heard.packets.length));
    expect(heard.packets).toHaveLength([...boundaries].filter((at) => at <= cut && at > 24).length);
    expect(heard.trouble).toHaveLength(boundaries.has(cut) ? 0 : 1);
  }
});

test('a cut file says where it ends and inside of what', () => {
  const file = header(KINDS[1]!).u32(0).u32(0).u32(98).u32(98).raw(new Uint8Array(98)).done();
  const sentence = (length: number) => hear(file.subarray(0, length)).trouble[0]?.[1];
  expect(sentence(23)).toBe('the file ends inside its header (23 of 24 bytes are there), at byte 23');
  expect(sentence(30)).toBe(
    'the file ends inside the header of packet 1 (6 of 16 bytes are there), at byte 30',
  );
  expect(sentence(72)).toBe('the file ends inside packet 1 (32 of 98 bytes are there), at byte 72');
});
