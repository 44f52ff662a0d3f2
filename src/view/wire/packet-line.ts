/**
 * One line per packet, written straight into bytes. What repeats within a connection (both endpoints and their owners)
 * is made once and copied.
 */
import type { Out } from '../../wire/bytes-out.ts';
import { reserve } from '../../wire/bytes-out.ts';
import type { Flow } from '../../wire/flows.ts';
import type { Lane } from '../../wire/lane.ts';
import { summaryOf } from '../../wire/layers.ts';
import { writeAscii, writeDecimal } from '../../wire/net/text.ts';
import { noteNames, type PacketNote } from '../../wire/notes.ts';
import type { Painter } from '../colour.ts';
import { flowLabels, put } from './flow-labels.ts';
import type { WallClock } from './wall-clock.ts';

export interface PacketLineOptions {
  readonly clock: WallClock;
  readonly paint: Painter;
  /** Who holds a local end: `redis-cli[1234]`, or '' where nobody is known. Asked once per connection and end. */
  readonly owner: (flow: Flow, end: 0 | 1) => string;
  /** The interface a packet was seen on, when there are several; otherwise ''. */
  readonly device: () => string;
  /** Only time, endpoints and size. */
  readonly quiet: boolean;
}

/** Room that a line's numbers and separators may take beyond its texts. */
const ROOM = 400;
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

/** Spelled as people say them, in the order in which they matter. */
export const FLAG_WORDS: readonly [number, string][] = [
  [SYN, 'SYN'],
  [FIN, 'FIN'],
  [RST, 'RST'],
  [PSH, 'PSH'],
  [ACK, 'ACK'],
  [32, 'URG'],
  [64, 'ECE'],
  [128, 'CWR'],
  [256, 'AE'],
];

/** Notes that mean trouble are red, those that explain it yellow. */
export const GRAVE: readonly PacketNote[] = [
  'reset',
  'bad-checksum',
  'malformed',
  'zero-window',
  'gap-before',
];

export interface PacketLines {
  write(out: Out, lane: Lane): void;
}

const encoder = new TextEncoder();

export function packetLines(options: PacketLineOptions): PacketLines {
  const { clock, paint } = options;
  const labels = flowLabels(direction);
  const flagTexts: Uint8Array[] = [];
  const noteTexts = new Map<number, Uint8Array>();

  function direction(flow: Flow, sender: 0 | 1): string {
    const protocol = flow.protocol === 6 ? 'TCP' : 'UDP';
    return `  ${end(flow, sender)} → ${end(flow, (1 - sender) as 0 | 1)}  ${paint.dim(protocol)}`;
  }

  function end(flow: Flow, which: 0 | 1): string {
    const { text } = flow.ends[which];
    const owner = options.owner(flow, which);
    const painted = which === flow.clientEnd ? paint.cyan(text) : paint.green(text);
    return owner === '' ? painted : `${painted} ${paint.dim(owner)}`;
  }

  function flagsText(flags: number): Uint8Array {
    let text = flagTexts[flags];
    if (text === undefined) {
      const words = FLAG_WORDS.filter(([bit]) => (flags & bit) !== 0).map(([, word]) => word);
      const joined = words.length === 0 ? 'no flags' : words.join(' ');
      text = encoder.encode(`  ${(flags & (SYN | FIN | RST)) === 0 ? joined : paint.bold(joined)}`);
      flagTexts[flags] = text;
    }
    return text;
  }

  function notesText(bits: number): Uint8Array {
    let text = noteTexts.get(bits);
    if (text === undefined) {
      const names = noteNames(bits).map((name) => (GRAVE.includes(name) ? paint.red : paint.yellow)(name));
      text = encoder.encode(`  ${names.join(' ')}`);
      noteTexts.set(bits, text);
    }
    return text;
  }

  function writeTcp(out: Out, lane: Lane): void {
    const { headers, streams } = lane;
    const { bytes } = out;
    const { flags, payloadLength } = headers;
    put(out, flagsText(flags));
    let at = writeAscii(bytes, out.length, '  seq ');
    at = writeDecimal(bytes, at, streams.relativeSeq);
    if (payloadLength > 0) {
      bytes[at++] = 58;
      at = writeDecimal(bytes, at, streams.relativeSeq + payloadLength);
    }
    if ((flags & ACK) !== 0) {
      at = writeAscii(bytes, at, '  ack ');
      at = writeDecimal(bytes, at, streams.relativeAck);
    }
    at = writeAscii(bytes, at, '  win ');
    at = writeDecimal(bytes, at, streams.window >= 0 ? streams.window : headers.window);
    out.length = at;
  }

  function writeOther(out: Out, lane: Lane): void {
    const text = encoder.encode(`  ${summaryOf(lane.headers)}`);
    reserve(out, text.length + ROOM);
    put(out, text);
  }

  return {
    write(out, lane) {
      const { flow, headers, notes } = lane;
      const label = flow === null ? null : labels.of(flow, lane.streams.sender);
      reserve(out, ROOM + (label === null ? 0 : label.length));
      out.length = clock.write(out.bytes, out.length, headers.at);
      const device = options.device();
      if (device !== '') {
        out.length = writeAscii(out.bytes, writeAscii(out.bytes, out.length, '  '), device);
      }
      if (label === null) {
        writeOther(out, lane);
      } else {
        put(out, label);
        if (headers.protocol === 6 && !options.quiet) {
          writeTcp(out, lane);
        }
        if (headers.payloadLength > 0) {
          const { bytes } = out;
          bytes[out.length++] = 32;
          bytes[out.length++] = 32;
          out.length = writeAscii(bytes, writeDecimal(bytes, out.length, headers.payloadLength), ' B');
        }
      }
      if (notes !== 0) {
        put(out, notesText(notes));
      }
      out.bytes[out.length++] = 10;
    },
  };
}
