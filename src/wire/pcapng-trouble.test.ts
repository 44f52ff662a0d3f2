import { describe, expect, test } from 'vitest';
import { createReader } from './pcapng.ts';
import { hear, Maker, sinkOf } from './pcapng-fixture.ts';

const text = (value: string) => new TextEncoder().encode(value);

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
