/**
 * The block structure of pcapng files (draft-ietf-opsawg-pcapng): packets are delivered here, everything else is left
 * to pcapng-describe.ts. A file is a row of sections, each in its own byte order and with its own interfaces.
 */
import {
  BLOCK,
  COMMENT,
  END_OF_OPTIONS,
  ORDER_MAGIC,
  PACKET_DATA,
  PACKET_OPTION,
} from './pcapng-block-types.ts';
import { tell } from './pcapng-clock.ts';
import { describe, type Section } from './pcapng-describe.ts';
import { padded, utf8Text, wide } from './pcapng-options.ts';
import { type Format, grouped, MAX_RECORD, part, type Reading, trouble } from './pcapng-reading.ts';

/** Type, length, and the length again at the end. A section's byte order is told by the four bytes behind its length. */
const SMALLEST = 12;
const SIMPLE_DATA = 12;
const DROPS_UNKNOWN = 0xffff;

const NAMES: Readonly<Record<number, string>> = {
  [BLOCK.section]: 'a section header',
  [BLOCK.interface]: 'an interface description',
  [BLOCK.names]: 'a block of names',
  [BLOCK.statistics]: 'a block of statistics',
  [BLOCK.journal]: 'a journal entry',
  [BLOCK.secrets]: 'a block of secrets',
};

export function pcapngFormat(reading: Reading): Format {
  const { sink } = reading;
  const withOptions = sink.comment !== undefined;
  const section: Section = { little: false, firstInterface: 0, clocks: [], snapLengths: [] };
  const { clocks } = section;
  /** Of the block that is not whole yet; 0: its header is not there either. `pendingData`: bytes of its packet, if known. */
  let pendingType = 0;
  let pendingLength = 0;
  let pendingData = 0;
  let flags = 0;

  function push(bytes: Uint8Array, from: number, to: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = from;
    pendingLength = 0;
    reading.wants = SMALLEST;
    while (to - at >= SMALLEST) {
      const type = view.getUint32(at, section.little);
      if (type === BLOCK.section && !byteOrder(view, at, reading.offset + at - from)) {
        return at - from;
      }
      const little = section.little;
      const length = view.getUint32(at + 4, little);
      if (length > MAX_RECORD || length < SMALLEST || (length & 3) !== 0) {
        badLength(type, length, reading.offset + at - from);
        return at - from;
      }
      if (to - at < length) {
        pending(view, at, to, type, length);
        break;
      }
      const end = at + length - 4;
      if (view.getUint32(end, little) !== length) {
        const sentence = `${blockName(type)} ends with another length than it begins with`;
        trouble(reading, reading.offset + at - from, sentence);
        return at - from;
      }
      const wrong =
        type === BLOCK.packet || type === BLOCK.oldPacket
          ? packet(bytes, view, at, end, type)
          : type === BLOCK.simplePacket
            ? simplePacket(bytes, view, at, end)
            : describe(sink, section, type, bytes, view, at + 8, end);
      if (wrong !== '') {
        trouble(reading, reading.offset + at - from, wrong);
        return at - from;
      }
      at += length;
    }
    return at - from;
  }

  /** One packet with its time; what is wrong with it, or ''. */
  function packet(bytes: Uint8Array, view: DataView, at: number, end: number, type: number): string {
    const little = section.little;
    const dataAt = at + PACKET_DATA;
    if (dataAt > end) {
      return `${blockName(type)} is too short`;
    }
    const id = type === BLOCK.packet ? view.getUint32(at + 8, little) : view.getUint16(at + 8, little);
    if (id >= clocks.length) {
      return unknownInterface(id);
    }
    const length = view.getUint32(at + 20, little);
    if (length > end - dataAt) {
      return `${blockName(type)} holds fewer bytes than the packet says it has (${grouped(length)})`;
    }
    const clock = clocks[id]!;
    tell(clock, view.getUint32(at + 12, little), view.getUint32(at + 16, little));
    const wire = view.getUint32(at + 24, little);
    const dataEnd = dataAt + length;
    const index = section.firstInterface + id;
    let wrong = '';
    flags = 0;
    if (withOptions) {
      const optionsAt = dataAt + padded(length);
      if (type === BLOCK.oldPacket) {
        oldDrops(view.getUint16(at + 10, little), index);
      }
      if (optionsAt < end && !options(bytes, view, optionsAt, end, index, type)) {
        wrong = `an option of packet ${grouped(reading.packets + 1)} runs past the end of its block`;
      }
    }
    reading.packets++;
    sink.packet(
      bytes,
      dataAt,
      dataEnd,
      Math.max(wire, length),
      clock.seconds,
      clock.nanoseconds,
      index,
      flags,
    );
    return wrong;
  }

  function oldDrops(count: number, index: number): void {
    if (count !== 0 && count !== DROPS_UNKNOWN) {
      sink.dropped?.(index, count);
    }
  }

  /** Walks a packet's options without a closure: in a file of sockscope's own every packet may have some. */
  function options(
    bytes: Uint8Array,
    view: DataView,
    from: number,
    end: number,
    index: number,
    type: number,
  ): boolean {
    const little = section.little;
    let at = from;
    // Blocks are whole words: before the end there is room for a code and a length.
    while (at < end) {
      const code = view.getUint16(at, little);
      if (code === END_OF_OPTIONS) {
        return true;
      }
      const valueAt = at + 4;
      const length = view.getUint16(at + 2, little);
      if (length > end - valueAt) {
        return false;
      }
      if (code === COMMENT) {
        sink.comment?.(utf8Text(bytes, valueAt, valueAt + length));
      } else if (code === PACKET_OPTION.flags && length === 4) {
        flags = view.getUint32(valueAt, little);
      } else if (code === PACKET_OPTION.drops && length === 8 && type === BLOCK.packet) {
        sink.dropped?.(index, wide(view, valueAt, little));
      }
      at = valueAt + padded(length);
    }
    return true;
  }

  /** A packet of the section's first interface, without a time, cut by the interface's snap length. */
  function simplePacket(bytes: Uint8Array, view: DataView, at: number, end: number): string {
    const dataAt = at + SIMPLE_DATA;
    if (dataAt > end) {
      return `${blockName(BLOCK.simplePacket)} is too short`;
    }
    if (clocks.length === 0) {
      return unknownInterface(0);
    }
    const wire = view.getUint32(at + 8, section.little);
    const snapLength = section.snapLengths[0]!;
    const length = snapLength > 0 && snapLength < wire ? snapLength : wire;
    if (length > end - dataAt) {
      return `${blockName(BLOCK.simplePacket)} holds fewer bytes than the packet says it has (${grouped(length)})`;
    }
    reading.packets++;
    sink.packet(bytes, dataAt, dataAt + length, wire, 0, 0, section.firstInterface, 0);
    return '';
  }

  function byteOrder(view: DataView, at: number, offset: number): boolean {
    const little = view.getUint32(at + 8, true) === ORDER_MAGIC;
    if (!little && view.getUint32(at + 8, false) !== ORDER_MAGIC) {
      trouble(reading, offset, 'a section header does not say its byte order');
      return false;
    }
    section.little = little;
    return true;
  }

  function badLength(type: number, length: number, offset: number): void {
    const why =
      length > MAX_RECORD ? 'too long' : length < SMALLEST ? 'too short' : 'not a whole number of words';
    trouble(
      reading,
      offset,
      `${blockName(type)} gives its length as ${grouped(length)} bytes, which is ${why}`,
    );
  }

  function unknownInterface(id: number): string {
    const known = clocks.length;
    const described = known === 0 ? 'none is' : known === 1 ? 'only 1 is' : `only ${grouped(known)} are`;
    return `packet ${grouped(reading.packets + 1)} came from interface ${grouped(id)}, but ${described} described`;
  }

  function blockName(type: number): string {
    if (isPacket(type)) {
      return `the block of packet ${grouped(reading.packets + 1)}`;
    }
    return NAMES[type] ?? `a block of type 0x${type.toString(16)}`;
  }

  function pending(view: DataView, at: number, to: number, type: number, length: number): void {
    reading.wants = length;
    pendingType = type;
    pendingLength = length;
    const timed = type === BLOCK.packet || type === BLOCK.oldPacket;
    pendingData = timed && to - at >= PACKET_DATA ? view.getUint32(at + 20, section.little) : 0;
  }

  function inside(leftover: number): string {
    if (pendingLength === 0) {
      return part('the header of a block', leftover, SMALLEST);
    }
    const there = leftover - PACKET_DATA;
    if (there >= 0 && pendingData > there && pendingData <= pendingLength - PACKET_DATA - 4) {
      return part(`packet ${grouped(reading.packets + 1)}`, there, pendingData);
    }
    return part(blockName(pendingType), leftover, pendingLength);
  }

  return { push, inside };
}

function isPacket(type: number): boolean {
  return type === BLOCK.packet || type === BLOCK.oldPacket || type === BLOCK.simplePacket;
}
