/**
 * The classic capture file (draft-ietf-opsawg-pcap): a header of 24 bytes, then packets. Microseconds or nanoseconds,
 * either byte order, and Linux's old "modified" kind, whose packet headers are 8 bytes longer.
 */
import { type Format, grouped, MAX_RECORD, part, type Reading, trouble } from './pcapng-reading.ts';

export interface PcapKind {
  little: boolean;
  /** Nanoseconds in the unit of the packets' fractions. */
  unit: number;
  packetHeader: number;
}

const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const MODIFIED_PACKET_HEADER = 24;
/** tcpdump's own limit. A file that announces longer packets may have them, up to MAX_RECORD. */
const USUAL_LONGEST = 262_144;

/** By the first four bytes read as a big-endian number; null: not this format. */
export function pcapKind(magic: number): PcapKind | null {
  switch (magic) {
    case 0xa1b2c3d4:
    case 0xd4c3b2a1:
      return { little: magic === 0xd4c3b2a1, unit: 1000, packetHeader: PACKET_HEADER };
    case 0xa1b23c4d:
    case 0x4d3cb2a1:
      return { little: magic === 0x4d3cb2a1, unit: 1, packetHeader: PACKET_HEADER };
    case 0xa1b2cd34:
    case 0x34cdb2a1:
      return { little: magic === 0x34cdb2a1, unit: 1000, packetHeader: MODIFIED_PACKET_HEADER };
    default:
      return null;
  }
}

export function pcapFormat(reading: Reading, kind: PcapKind): Format {
  const { sink } = reading;
  const { little, unit, packetHeader } = kind;
  const perSecond = 1e9 / unit;
  let started = false;
  let longest = 0;
  /** Of the packet whose header is there but whose bytes are not; -1: its header is not there either. */
  let captured = -1;

  function fileHeader(view: DataView, from: number): boolean {
    const major = view.getUint16(from + 4, little);
    const minor = view.getUint16(from + 6, little);
    if (major !== 2 || minor < 3) {
      trouble(reading, 4, `the file is in pcap version ${major}.${minor}; only 2.4 is known`);
      return false;
    }
    const snapLength = view.getUint32(from + 16, little);
    const link = view.getUint32(from + 20, little);
    longest = Math.min(Math.max(snapLength, USUAL_LONGEST), MAX_RECORD - packetHeader);
    sink.interface?.(0, {
      // Above the link type: bit 26 says that bits 28–31 hold the length of the frame check sequence, in 16-bit words.
      linkType: link & 0xffff,
      checkLength: link & 0x04000000 ? 2 * (link >>> 28) : 0,
      snapLength,
      name: null,
      description: null,
      filter: null,
      os: null,
    });
    started = true;
    return true;
  }

  function push(bytes: Uint8Array, from: number, to: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = from;
    if (!started) {
      if (to - at < FILE_HEADER) {
        reading.wants = FILE_HEADER;
        return 0;
      }
      if (!fileHeader(view, at)) {
        return 0;
      }
      at += FILE_HEADER;
    }
    captured = -1;
    while (to - at >= packetHeader) {
      const length = view.getUint32(at + 8, little);
      if (length > longest) {
        const sentence = `packet ${grouped(reading.packets + 1)} says that it is ${grouped(length)} bytes long`;
        trouble(reading, reading.offset + at - from, sentence);
        return at - from;
      }
      const dataAt = at + packetHeader;
      if (to - dataAt < length) {
        captured = length;
        break;
      }
      let seconds = view.getUint32(at, little);
      let fraction = view.getUint32(at + 4, little);
      if (fraction >= perSecond) {
        seconds += Math.floor(fraction / perSecond);
        fraction %= perSecond;
      }
      const wire = view.getUint32(at + 12, little);
      reading.packets++;
      sink.packet(bytes, dataAt, dataAt + length, Math.max(wire, length), seconds, fraction * unit, 0, 0);
      at = dataAt + length;
    }
    reading.wants = captured < 0 ? packetHeader : packetHeader + captured;
    return at - from;
  }

  function inside(leftover: number): string {
    if (!started) {
      return part('its header', leftover, FILE_HEADER);
    }
    const packet = `packet ${grouped(reading.packets + 1)}`;
    return captured < 0
      ? part(`the header of ${packet}`, leftover, packetHeader)
      : part(packet, leftover - packetHeader, captured);
  }

  return { push, inside };
}
