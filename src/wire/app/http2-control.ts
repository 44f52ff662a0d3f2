/** Frames about the connection, and the end of a stream by RST_STREAM (RFC 9113 sections 6.4, 6.5, 6.7, 6.8). */
import { type Message, malformed, need, ok, type Step } from './decoder.ts';
import type { Fields } from './http1-fields.ts';
import {
  ACK,
  errorName,
  FRAME_HEAD,
  GOAWAY,
  HEADER_TABLE_SIZE,
  LARGEST_FRAME,
  MAX_FRAME_SIZE,
  PING,
  RST_STREAM,
  SETTINGS,
  settingName,
  uint31,
  uint32,
} from './http2-frame.ts';
import { type Lane, passOver, type State } from './http2-lane.ts';
import { brokenReply, goawayNotice, pingMessage, resetNotice, settingsNotice } from './http2-message.ts';
import { closeStream, type Streams } from './http2-stream.ts';
import { text } from './text.ts';

const MAX_SETTINGS = 64;
const MAX_SETTINGS_BYTES = 64 * 1024;
const MAX_DEBUG = 1024;

export function control(
  bytes: Uint8Array,
  at: number,
  to: number,
  lane: Lane,
  state: State,
  type: number,
  length: number,
  flags: number,
  id: number,
): Step {
  if (type === SETTINGS && length > MAX_SETTINGS_BYTES) {
    return malformed(0, `SETTINGS of ${length} bytes`);
  }
  const wanted = FRAME_HEAD + (type === GOAWAY ? Math.min(length, 8 + MAX_DEBUG) : length);
  if (to - at < wanted) {
    return need(wanted);
  }
  const payload = at + FRAME_HEAD;
  const taken = FRAME_HEAD + length;
  if (type === RST_STREAM) {
    return ok([reset(state.streams, id, uint32(bytes, payload), taken)], taken);
  }
  if (type === SETTINGS) {
    const other = lane.side === 'client' ? state.server : state.client;
    return ok([settings(bytes, payload, length, flags, other)], taken);
  }
  if (type === PING) {
    const ack = (flags & ACK) !== 0;
    let hex = '';
    for (let i = payload; i < payload + 8; i++) {
      hex += bytes[i]!.toString(16).padStart(2, '0');
    }
    const asker = (lane.side === 'client') === ack ? 'server' : 'client';
    return ok([pingMessage(asker, ack, hex, taken)], taken);
  }
  const debug = text(bytes, payload + 8, at + wanted);
  const said = goawayNotice(uint31(bytes, payload), uint32(bytes, payload + 4), debug, taken);
  passOver(lane, taken - wanted);
  return ok([said], wanted);
}

function reset(streams: Streams, id: number, error: number, bytes: number): Message {
  const stream = streams.open.get(id);
  closeStream(streams, id);
  return stream === undefined || stream.reply.done
    ? resetNotice(id, error, bytes)
    : brokenReply(stream, errorName(error), bytes);
}

/** The settings of one side say what the other may send. */
function settings(bytes: Uint8Array, from: number, length: number, flags: number, other: Lane): Message {
  const named: Fields = {};
  for (let at = from; at < from + length; at += 6) {
    const setting = (bytes[at]! << 8) | bytes[at + 1]!;
    const value = uint32(bytes, at + 2);
    if (setting === HEADER_TABLE_SIZE) {
      other.table.allowed = Math.max(other.table.allowed, value);
    } else if (setting === MAX_FRAME_SIZE) {
      other.maxFrame = Math.min(LARGEST_FRAME, Math.max(other.maxFrame, value));
    }
    if (at - from < 6 * MAX_SETTINGS) {
      named[`settings.${settingName(setting)}`] = value;
    }
  }
  return settingsNotice((flags & ACK) !== 0, named, FRAME_HEAD + length);
}
