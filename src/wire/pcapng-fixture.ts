/** For tests: everything a reader says about a file, and blocks and files made by hand in either byte order. */
import { createReader } from './pcapng.ts';
import type { InterfaceAbout, SectionAbout, Sink, Statistics } from './pcapng-sink.ts';

export interface Packet {
  data: string;
  wireLength: number;
  seconds: number;
  nanoseconds: number;
  interfaceIndex: number;
  flags: number;
  comments: string[];
}

export interface Heard {
  packets: Packet[];
  sections: SectionAbout[];
  interfaces: InterfaceAbout[];
  names: [string, string[]][];
  statistics: [number, Statistics][];
  secrets: [number, string][];
  journal: string[];
  dropped: [number, number][];
  trouble: [number, string][];
  /** The most bytes the reader asked for at once. */
  wanted: number;
}

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    text += byte.toString(16).padStart(2, '0');
  }
  return text;
}

const ascii = new TextDecoder();

export function sinkOf(): { sink: Sink; heard: Heard } {
  const heard: Heard = {
    packets: [],
    sections: [],
    interfaces: [],
    names: [],
    statistics: [],
    secrets: [],
    journal: [],
    dropped: [],
    trouble: [],
    wanted: 0,
  };
  let comments: string[] = [];
  const sink: Sink = {
    packet(bytes, from, to, wireLength, seconds, nanoseconds, interfaceIndex, flags) {
      const data = hex(bytes.subarray(from, to));
      heard.packets.push({ data, wireLength, seconds, nanoseconds, interfaceIndex, flags, comments });
      comments = [];
    },
    comment: (text) => comments.push(text),
    dropped: (index, count) => heard.dropped.push([index, count]),
    section: (about) => heard.sections.push(about),
    interface(index, about) {
      if (index !== heard.interfaces.length) {
        throw new Error(`interface ${index} came after ${heard.interfaces.length} others`);
      }
      heard.interfaces.push(about);
    },
    name: (address, names) => heard.names.push([hex(address), names]),
    statistics: (index, about) => heard.statistics.push([index, about]),
    secret: (type, bytes) => heard.secrets.push([type, ascii.decode(bytes)]),
    journal: (entry) => heard.journal.push(ascii.decode(entry)),
    trouble: (offset, sentence) => heard.trouble.push([offset, sentence]),
  };
  return { sink, heard };
}

/** Reads a file as a caller does: a buffer that is filled by `sizes` (in turns), emptied in front, grown when asked. */
export function hear(file: Uint8Array, sizes: readonly number[] = [file.length || 1]): Heard {
  const { sink, heard } = sinkOf();
  const reader = createReader(sink);
  let buffer = new Uint8Array(16);
  let kept = 0;
  let read = 0;
  for (let turn = 0; read < file.length && reader.wants > 0; turn++) {
    const size = Math.min(sizes[turn % sizes.length]!, file.length - read);
    if (kept + size > buffer.length) {
      const larger = new Uint8Array(2 * (kept + size));
      larger.set(buffer.subarray(0, kept));
      buffer = larger;
    }
    buffer.set(file.subarray(read, read + size), kept);
    read += size;
    kept += size;
    const consumed = reader.push(buffer, 0, kept);
    buffer.copyWithin(0, consumed, kept);
    kept -= consumed;
    heard.wanted = Math.max(heard.wanted, reader.wants);
  }
  reader.end(kept);
  return heard;
}

export class Maker {
  private readonly bytes: number[] = [];
  readonly little: boolean;
  constructor(little: boolean) {
    this.little = little;
  }
  u8(...values: number[]): this {
    this.bytes.push(...values);
    return this;
  }
  u16(value: number): this {
    const high = (value >>> 8) & 0xff;
    return this.little ? this.u8(value & 0xff, high) : this.u8(high, value & 0xff);
  }
  u32(value: number): this {
    const high = (value >>> 16) & 0xffff;
    return this.little ? this.u16(value & 0xffff).u16(high) : this.u16(high).u16(value & 0xffff);
  }
  /** High half first, as packet blocks have their times. */
  halves(value: bigint): this {
    return this.u32(Number(value >> 32n)).u32(Number(value & 0xffffffffn));
  }
  u64(value: bigint): this {
    const unsigned = BigInt.asUintN(64, value);
    const high = Number(unsigned >> 32n);
    const low = Number(unsigned & 0xffffffffn);
    return this.little ? this.u32(low).u32(high) : this.u32(high).u32(low);
  }
  raw(bytes: Iterable<number>): this {
    return this.u8(...bytes);
  }
  text(value: string): this {
    return this.raw(new TextEncoder().encode(value));
  }
  pad(): this {
    while (this.bytes.length % 4 !== 0) {
      this.bytes.push(0);
    }
    return this;
  }
  option(code: number, fill: (value: Maker) => void): this {
    const value = new Maker(this.little);
    fill(value);
    return this.u16(code).u16(value.bytes.length).raw(value.bytes).pad();
  }
  block(type: number, fill: (body: Maker) => void): this {
    const body = new Maker(this.little);
    fill(body);
    body.pad();
    const length = body.bytes.length + 12;
    return this.u32(type).u32(length).raw(body.bytes).u32(length);
  }
  section(length = -1n): this {
    return this.block(0x0a0d0d0a, (b) => b.u32(0x1a2b3c4d).u16(1).u16(0).u64(length));
  }
  interface(linkType: number, snapLength: number, options: (body: Maker) => void = () => {}): this {
    return this.block(1, (b) => {
      b.u16(linkType).u16(0).u32(snapLength);
      options(b);
    });
  }
  packet(
    index: number,
    time: bigint,
    data: Iterable<number>,
    options: (body: Maker) => void = () => {},
  ): this {
    const bytes = [...data];
    return this.block(6, (b) => {
      b.u32(index).halves(time).u32(bytes.length).u32(bytes.length).raw(bytes).pad();
      options(b);
    });
  }
  done(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}
