/** The blocks of pcapng that are not packets: what they say goes to the sink. Rare, so made for reading, not for speed. */
import {
  BLOCK,
  COMMENT,
  COUNTER_OPTION,
  INTERFACE_OPTION,
  NAME_RECORD,
  SECTION_OPTION,
} from './pcapng-block-types.ts';
import { type Clock, clockOf } from './pcapng-clock.ts';
import { eachOption, label, padded, utf8Text, wide } from './pcapng-options.ts';
import { grouped } from './pcapng-reading.ts';
import type { InterfaceAbout, SectionAbout, Sink, Statistics } from './pcapng-sink.ts';

export interface Section {
  little: boolean;
  /** How many interfaces the sections before had. */
  firstInterface: number;
  clocks: Clock[];
  snapLengths: number[];
}

/** In the whole file. */
const MAX_INTERFACES = 65_536;
const MICROSECONDS = 6;
/** By the type of the record. */
const ADDRESS_LENGTHS: Readonly<Record<number, number>> = {
  [NAME_RECORD.ipv4]: 4,
  [NAME_RECORD.ipv6]: 16,
  [NAME_RECORD.eui48]: 6,
  [NAME_RECORD.eui64]: 8,
};
const COUNTERS: Readonly<Record<number, keyof Statistics>> = {
  [COUNTER_OPTION.received]: 'received',
  [COUNTER_OPTION.dropped]: 'dropped',
  [COUNTER_OPTION.accepted]: 'accepted',
  [COUNTER_OPTION.osDropped]: 'osDropped',
  [COUNTER_OPTION.delivered]: 'delivered',
};

/** The content of one block is bytes[from, end). What is wrong with it, or ''; unknown blocks are passed over. */
export function describe(
  sink: Sink,
  section: Section,
  type: number,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
): string {
  switch (type) {
    case BLOCK.section:
      return sectionHeader(sink, section, bytes, view, from, end);
    case BLOCK.interface:
      return interfaceDescription(sink, section, bytes, view, from, end);
    case BLOCK.names:
      return names(sink, section.little, bytes, view, from, end);
    case BLOCK.statistics:
      return statistics(sink, section, view, from, end);
    case BLOCK.secrets:
      return secrets(sink, section.little, bytes, view, from, end);
    case BLOCK.journal:
      sink.journal?.(bytes.slice(from, end));
      return '';
    default:
      return '';
  }
}

function sectionHeader(
  sink: Sink,
  section: Section,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
): string {
  const { little } = section;
  if (end - from < 16) {
    return 'a section header is too short';
  }
  const major = view.getUint16(from + 4, little);
  const minor = view.getUint16(from + 6, little);
  // Version 1.2 was written by mistake and means 1.0 (draft-ietf-opsawg-pcapng section 4.1).
  if (major !== 1 || (minor !== 0 && minor !== 2)) {
    return `a section is in pcapng version ${major}.${minor}; only 1.0 is known`;
  }
  const about: SectionAbout = { hardware: null, os: null, application: null, comment: null };
  const whole = eachOption(view, from + 16, end, little, (code, at, to) => {
    if (code === COMMENT) {
      const text = utf8Text(bytes, at, to);
      about.comment = about.comment === null ? text : `${about.comment}\n${text}`;
    } else if (code === SECTION_OPTION.hardware) {
      about.hardware = label(bytes, at, to);
    } else if (code === SECTION_OPTION.os) {
      about.os = label(bytes, at, to);
    } else if (code === SECTION_OPTION.application) {
      about.application = label(bytes, at, to);
    }
  });
  section.firstInterface += section.clocks.length;
  section.clocks.length = 0;
  section.snapLengths.length = 0;
  if (whole) {
    sink.section?.(about);
  }
  return whole ? '' : optionTrouble('a section header');
}

function interfaceDescription(
  sink: Sink,
  section: Section,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
): string {
  const { little } = section;
  if (end - from < 8) {
    return 'an interface description is too short';
  }
  const index = section.firstInterface + section.clocks.length;
  if (index >= MAX_INTERFACES) {
    return `the file describes more than ${grouped(MAX_INTERFACES)} interfaces`;
  }
  const about: InterfaceAbout = {
    linkType: view.getUint16(from, little),
    snapLength: view.getUint32(from + 4, little),
    checkLength: 0,
    name: null,
    description: null,
    filter: null,
    os: null,
  };
  let resolution = MICROSECONDS;
  let offset = 0;
  const whole = eachOption(view, from + 8, end, little, (code, at, to) => {
    if (code === INTERFACE_OPTION.name) {
      about.name = label(bytes, at, to);
    } else if (code === INTERFACE_OPTION.description) {
      about.description = label(bytes, at, to);
    } else if (code === INTERFACE_OPTION.resolution && to - at === 1) {
      resolution = bytes[at]!;
    } else if (code === INTERFACE_OPTION.filter && to > at && bytes[at] === 0) {
      // 0: the filter as it was typed; anything else is machine code.
      about.filter = label(bytes, at + 1, to);
    } else if (code === INTERFACE_OPTION.os) {
      about.os = label(bytes, at, to);
    } else if (code === INTERFACE_OPTION.checkLength && to - at === 1) {
      // Given in bits.
      about.checkLength = bytes[at]! >> 3;
    } else if (code === INTERFACE_OPTION.timeOffset && to - at === 8) {
      offset = signedWide(view, at, little);
    }
  });
  if (!whole) {
    return optionTrouble('an interface description');
  }
  section.clocks.push(clockOf(resolution, offset));
  section.snapLengths.push(about.snapLength);
  sink.interface?.(index, about);
  return '';
}

function names(
  sink: Sink,
  little: boolean,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
): string {
  let at = from;
  while (at < end) {
    const type = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (type === NAME_RECORD.end) {
      return '';
    }
    const valueAt = at + 4;
    if (length > end - valueAt) {
      return 'a record in a block of names runs past its end';
    }
    const addressLength = ADDRESS_LENGTHS[type] ?? 0;
    if (addressLength > 0 && length >= addressLength) {
      const nameAt = valueAt + addressLength;
      const list = label(bytes, nameAt, valueAt + length).split('\0');
      sink.name?.(bytes.slice(valueAt, nameAt), list);
    }
    at = valueAt + padded(length);
  }
  return '';
}

function statistics(sink: Sink, section: Section, view: DataView, from: number, end: number): string {
  const { little } = section;
  if (end - from < 12) {
    return 'a block of statistics is too short';
  }
  const id = view.getUint32(from, little);
  if (id >= section.clocks.length) {
    return `a block of statistics is about interface ${id}, which is not described`;
  }
  const about: Statistics = {
    received: null,
    dropped: null,
    accepted: null,
    osDropped: null,
    delivered: null,
  };
  const whole = eachOption(view, from + 12, end, little, (code, at, to) => {
    const key = COUNTERS[code];
    if (key !== undefined && to - at === 8) {
      about[key] = wide(view, at, little);
    }
  });
  if (!whole) {
    return optionTrouble('a block of statistics');
  }
  sink.statistics?.(section.firstInterface + id, about);
  return '';
}

function secrets(
  sink: Sink,
  little: boolean,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
): string {
  if (end - from < 8) {
    return 'a block of secrets is too short';
  }
  const length = view.getUint32(from + 4, little);
  if (length > end - from - 8) {
    return 'a block of secrets is shorter than its secrets';
  }
  sink.secret?.(view.getUint32(from, little), bytes.slice(from + 8, from + 8 + length));
  return '';
}

function signedWide(view: DataView, at: number, little: boolean): number {
  const high = view.getInt32(little ? at + 4 : at, little);
  const low = view.getUint32(little ? at : at + 4, little);
  return high * 0x100000000 + low;
}

function optionTrouble(block: string): string {
  return `the options of ${block} are damaged`;
}
