import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyOut, type Out } from './bytes-out.ts';
import { hear, hex } from './pcapng-fixture.ts';
import { readJournal } from './pcapng-journal.ts';
import { SECRET_TLS_KEY_LOG } from './pcapng-sink.ts';
import {
  writeInterface,
  writeJournal,
  writeNames,
  writePacket,
  writeSecrets,
  writeSection,
  writeStatistics,
} from './pcapng-writer.ts';

const ABOUT = { application: 'sockscope', os: 'Linux', hardware: 'x86_64' };

function written(out: Out): Uint8Array {
  return out.bytes.slice(0, out.length);
}

/** A buffer that held something else before: what is padded must be zero all the same. */
function used(): Out {
  const out = emptyOut(1 << 12);
  out.bytes.fill(0xee);
  return out;
}

// Names lose zero bytes at their end, which C programs leave there.
const name = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.endsWith('\0'));
const packet = fc.record({
  seconds: fc.integer({ min: 0, max: 18_446_744_072 }),
  nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  data: fc.uint8Array({ maxLength: 200 }),
  margin: fc.integer({ min: 0, max: 3 }),
  beyond: fc.integer({ min: 0, max: 0xffff }),
  comments: fc.array(fc.string({ unit: 'binary', maxLength: 80 }), { maxLength: 3 }),
  flags: fc.constantFrom(0, 1, 2, 0xffffffff),
  which: fc.nat(10),
});
const section = fc.record({
  application: name,
  os: name,
  hardware: name,
  interfaces: fc.array(
    fc.record({
      linkType: fc.integer({ min: 0, max: 0xffff }),
      snapLength: fc.integer({ min: 0, max: 0xffffffff }),
      name,
      filter: fc.option(name, { nil: undefined }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  packets: fc.array(packet, { maxLength: 6 }),
});

test('what is written is read back, however it is cut into pushes', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(section, { minLength: 1, maxLength: 3 }), sizes, (sections, pushes) => {
      const out = used();
      const interfaces: object[] = [];
      const packets: object[] = [];
      for (const one of sections) {
        const first = interfaces.length;
        writeSection(out, one);
        for (const { filter, ...about } of one.interfaces) {
          writeInterface(out, filter === undefined ? about : { ...about, filter });
          interfaces.push({ ...about, filter: filter ?? null, description: null, os: null, checkLength: 0 });
        }
        for (const { seconds, nanoseconds, data, margin, beyond, comments, flags, which } of one.packets) {
          const bytes = new Uint8Array(data.length + 2 * margin);
          bytes.set(data, margin);
          const index = which % one.interfaces.length;
          const to = margin + data.length;
          const wireLength = data.length + beyond;
          writePacket(out, index, seconds, nanoseconds, bytes, margin, to, wireLength, comments, flags);
          packets.push({
            data: hex(data),
            wireLength,
            seconds,
            nanoseconds,
            interfaceIndex: first + index,
            flags,
            comments,
          });
        }
      }
      const heard = hear(written(out), pushes);
      expect(heard.trouble).toEqual([]);
      expect(heard.sections).toEqual(
        sections.map(({ application, os, hardware }) => ({ application, os, hardware, comment: null })),
      );
      expect(heard.interfaces).toEqual(interfaces);
      expect(heard.packets).toEqual(packets);
    }),
    { numRuns: 150 },
  );
});

test('blocks do not depend on what the buffer held before', () => {
  const make = (out: Out) => {
    writeSection(out, { ...ABOUT, comment: 'c' });
    writeInterface(out, { linkType: 1, snapLength: 0, name: 'lo' });
    for (let length = 0; length < 5; length++) {
      writePacket(out, 0, 1, 2, new Uint8Array(8), 1, 1 + length, length, length > 2 ? ['x'] : undefined);
    }
    writeSecrets(out, 'a');
    writeNames(out, [{ address: Uint8Array.of(1, 2, 3, 4), names: ['a'] }]);
    writeJournal(out, 1, 2, [['MESSAGE', 'a']]);
    return hex(written(out));
  };
  expect(make(used())).toBe(make(emptyOut(0)));
});

test('times that the format cannot hold are written as 0', () => {
  const out = emptyOut();
  writeSection(out, ABOUT);
  writeInterface(out, { linkType: 1, snapLength: 0, name: 'lo' });
  for (const seconds of [-1, 18_446_744_073, Number.NaN]) {
    writePacket(out, 0, seconds, 5, new Uint8Array(0), 0, 0, 0);
  }
  const times = hear(written(out)).packets.map((one) => [one.seconds, one.nanoseconds]);
  expect(times).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
});

test('a comment longer than an option can be is cut between characters', () => {
  const out = emptyOut();
  writeSection(out, ABOUT);
  writeInterface(out, { linkType: 1, snapLength: 0, name: 'lo' });
  writePacket(out, 0, 0, 0, new Uint8Array(0), 0, 0, 0, ['é'.repeat(40_000), 'next']);
  const heard = hear(written(out));
  expect(heard.trouble).toEqual([]);
  expect(heard.packets[0]?.comments.map((comment) => comment.length)).toEqual([32_767, 4]);
});

test('statistics, names, secrets and journal entries are read back', () => {
  const out = used();
  const keys = `CLIENT_RANDOM ${'a'.repeat(64)} ${'b'.repeat(96)}\n`;
  writeSection(out, { ...ABOUT, comment: 'why' });
  writeInterface(out, { linkType: 1, snapLength: 0, name: 'lo' });
  writeSecrets(out, keys);
  writeNames(out, [
    { address: Uint8Array.of(127, 0, 0, 1), names: ['localhost', 'm\0e'] },
    { address: new Uint8Array(16).fill(9), names: ['six'] },
    { address: new Uint8Array(5), names: ['no such address'] },
    { address: Uint8Array.of(1, 2, 3, 4), names: [] },
  ]);
  writeStatistics(out, 0, 1_700_000_000, 5, { received: 2 ** 40 + 1, dropped: 3, delivered: null });
  writeJournal(out, 1_700_000_000, 123_456_789, [
    ['MESSAGE', 'one'],
    ['CODE_TEXT', 'two\nlines'],
  ]);
  const heard = hear(written(out), [11]);
  expect(heard.trouble).toEqual([]);
  expect(heard.sections[0]?.comment).toBe('why');
  expect(heard.secrets).toEqual([[SECRET_TLS_KEY_LOG, keys]]);
  expect(heard.names).toEqual([
    ['7f000001', ['localhost', 'me']],
    ['09'.repeat(16), ['six']],
  ]);
  expect(heard.statistics).toEqual([
    [0, { received: 2 ** 40 + 1, dropped: 3, accepted: null, osDropped: null, delivered: null }],
  ]);
  expect(readJournal(new TextEncoder().encode(heard.journal[0]))).toEqual([
    ['__REALTIME_TIMESTAMP', '1700000000123456'],
    ['MESSAGE', 'one'],
    ['CODE_TEXT', 'two\nlines'],
  ]);
});

test('more names than a record can hold are cut, and the block stays whole', () => {
  const out = emptyOut();
  writeSection(out, ABOUT);
  const names = Array.from({ length: 700 }, (_, i) => `${i}-${'n'.repeat(100)}`);
  writeNames(out, [
    { address: Uint8Array.of(1, 2, 3, 4), names },
    { address: Uint8Array.of(5, 6, 7, 8), names: ['after'] },
  ]);
  const heard = hear(written(out));
  expect(heard.trouble).toEqual([]);
  expect(heard.names.map(([address]) => address)).toEqual(['01020304', '05060708']);
  const [, kept] = heard.names[0]!;
  expect(kept.length).toBeGreaterThan(600);
  expect(kept.slice(0, -1)).toEqual(names.slice(0, kept.length - 1));
});
