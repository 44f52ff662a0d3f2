/** Text that nobody else recognised: each line, either way, is a notice. A protocol of lines (mail, FTP, a toy server) can be read so. */
import type { Values } from '../value.ts';
import {
  become,
  decoderOf,
  type Hint,
  type Message,
  malformed,
  ok,
  type Side,
  type Step,
} from './decoder.ts';
import { oneLine, shown } from './lines-shown.ts';
import { find, latin1 } from './text.ts';

/** Of a line this much is kept. */
const LINE_KEPT = 16 * 1024;
/** What goes on for longer without a line feed is no protocol of lines. */
const LONGEST_LINE = 128 * 1024;
/** The first bytes of a side by which text is told. */
const LOOKED_AT = 64;
const SURE = 0.15;
const LONGEST_NAME = 16;

interface Lane {
  /** The beginning of a line whose end has not come: kept[0, min(length, LINE_KEPT)). */
  kept: Uint8Array;
  length: number;
  /** Bytes that the character at the end still lacks. */
  lacks: number;
  /** The last byte before these. */
  last: number;
}

interface State {
  readonly datagrams: boolean;
  readonly client: Lane;
  readonly server: Lane;
}

const NOTHING = new Uint8Array(0);
const newLane = (): Lane => ({ kept: NOTHING, length: 0, lacks: 0, last: 0 });

export const decoder = decoderOf<State>({
  name: 'lines',
  transports: ['tcp', 'udp'],
  secrets: [],
  speaks: { lines: ['text', 'unfinished'] },
  recognises,
  begin: (hint) => ({ datagrams: hint.transport === 'udp', client: newLane(), server: newLane() }),
  client: (bytes, from, to, state) => step(bytes, from, to, state.client, state.datagrams),
  server: (bytes, from, to, state) => step(bytes, from, to, state.server, state.datagrams),
  end: (side: Side, state) => unfinished(state[side]),
  summary: (_message: Message, fields: Values) => oneLine(String(fields.text)),
});

function recognises(_hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const lane = newLane();
  return to > from && textEnd(bytes, from, Math.min(to, from + LOOKED_AT), lane) < 0 ? SURE : 0;
}

function step(bytes: Uint8Array, from: number, to: number, lane: Lane, datagrams: boolean): Step {
  const broken = textEnd(bytes, from, to, lane);
  const end = broken < 0 ? to : broken;
  const messages: Message[] = [];
  let at = from;
  while (at < end) {
    const stop = Math.min(end, at + LONGEST_LINE - lane.length);
    const found = find(bytes, 10, at, stop);
    if (found < 0 && stop < end) {
      keep(bytes, at, stop, lane);
      return become('hex', [...messages, ...unfinished(lane)], stop - from);
    }
    if (found < 0) {
      break;
    }
    messages.push(lane.length === 0 ? line(bytes, at, found, lane) : completed(bytes, at, found, lane));
    at = found + 1;
  }
  if (broken >= 0) {
    return messages.length > 0 ? ok(messages, at - from) : malformed(broken - from, 'not text');
  }
  keep(bytes, at, to, lane);
  if (to > from) {
    lane.last = bytes[to - 1]!;
  }
  return ok(datagrams ? [...messages, ...unfinished(lane)] : messages, to - from);
}

/**
 * Where text ends in bytes[from, to), or -1: all of it is text. UTF-8 without control characters, but tab, CR, LF and escape. Of a
 * line only what is shown is looked at; beyond that its end is searched and nothing else.
 */
function textEnd(bytes: Uint8Array, from: number, to: number, lane: Lane): number {
  let { lacks, length: column } = lane;
  for (let i = from; i < to; i++, column++) {
    if (column >= LINE_KEPT) {
      const end = find(bytes, 10, i, to);
      lacks = 0;
      if (end < 0) {
        break;
      }
      i = end;
    }
    const byte = bytes[i]!;
    if (lacks > 0) {
      if ((byte & 0xc0) !== 0x80) {
        return i;
      }
      lacks--;
    } else if (byte < 32) {
      if (byte === 10) {
        column = -1;
      } else if (byte !== 13 && byte !== 9 && byte !== 27) {
        return i;
      }
    } else if (byte >= 127) {
      if (byte < 0xc2 || byte > 0xf4) {
        return i;
      }
      lacks = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    }
  }
  lane.lacks = lacks;
  return -1;
}

function keep(bytes: Uint8Array, from: number, to: number, lane: Lane): void {
  const count = Math.min(to - from, LINE_KEPT - lane.length);
  if (count > 0) {
    if (lane.length + count > lane.kept.length) {
      const larger = new Uint8Array(Math.min(LINE_KEPT, Math.max(256, 2 * (lane.length + count))));
      larger.set(lane.kept.subarray(0, lane.length));
      lane.kept = larger;
    }
    lane.kept.set(bytes.subarray(from, from + count), lane.length);
  }
  lane.length += to - from;
}

/** A line that lies whole in bytes[from, lineFeed). */
function line(bytes: Uint8Array, from: number, lineFeed: number, lane: Lane): Message {
  const to = lineFeed > from && bytes[lineFeed - 1] === 13 ? lineFeed - 1 : lineFeed;
  lane.last = 10;
  return notice(bytes, from, to, lineFeed + 1 - from, to - from, false);
}

/** A line of which a part came before. */
function completed(bytes: Uint8Array, from: number, lineFeed: number, lane: Lane): Message {
  const before = lineFeed > from ? bytes[lineFeed - 1]! : lane.last;
  keep(bytes, from, lineFeed, lane);
  const size = before === 13 ? lane.length - 1 : lane.length;
  const message = notice(lane.kept, 0, Math.min(size, LINE_KEPT), lane.length + 1, size, false);
  forget(lane);
  return message;
}

function unfinished(lane: Lane): readonly Message[] {
  if (lane.length === 0) {
    return [];
  }
  const message = notice(lane.kept, 0, Math.min(lane.length, LINE_KEPT), lane.length, lane.length, true);
  forget(lane);
  return [message];
}

function forget(lane: Lane): void {
  lane.kept = NOTHING;
  lane.length = 0;
  lane.lacks = 0;
  lane.last = 10;
}

function notice(
  source: Uint8Array,
  from: number,
  to: number,
  bytes: number,
  size: number,
  open: boolean,
): Message {
  return {
    protocol: 'lines',
    kind: 'notice',
    name: nameOf(source, from, to),
    bytes,
    fields: () => {
      const text = shown(source, from, to, LINE_KEPT);
      const whole = size > to - from && !text.endsWith('…') ? `${text}…` : text;
      return open ? { text: whole, unfinished: true } : { text: whole };
    },
  };
}

/** The first word in upper case, where it is one of letters; `line` otherwise. */
function nameOf(bytes: Uint8Array, from: number, to: number): string {
  let end = from;
  while (end < to && end - from < LONGEST_NAME && isLetter(bytes[end]!)) {
    end++;
  }
  const ends = end === to || !(isLetter(bytes[end]!) || isInWord(bytes[end]!)) || end - from === LONGEST_NAME;
  return end > from && ends ? latin1(bytes, from, end).toUpperCase() : 'line';
}

const isLetter = (byte: number): boolean => (byte | 32) >= 97 && (byte | 32) <= 122;
/** Digits and what is not ASCII: a word with these is not a command's name. */
const isInWord = (byte: number): boolean => (byte >= 48 && byte <= 57) || byte > 127;
