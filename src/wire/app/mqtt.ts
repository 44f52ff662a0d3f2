/** MQTT 3.1, 3.1.1 and 5.0. */
import { decoderOf, type Message, malformed, need, ok, type Side, type Step, skip } from './decoder.ts';
import { message } from './mqtt-message.ts';
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  propertyFields,
  SUBACK,
  SUBSCRIBE,
  TYPES,
  UNSUBACK,
  UNSUBSCRIBE,
} from './mqtt-names.ts';
import { readerOf, string, varint, walk } from './mqtt-read.ts';
import { recognises } from './mqtt-recognise.ts';
import { type Lane, newState, type State } from './mqtt-state.ts';
import { summary } from './mqtt-summary.ts';
import { isWhole, versionOf } from './mqtt-version.ts';

/** Of a larger packet this much is kept; of a PUBLISH, of its properties and of its payload. */
const KEPT = 16 * 1024;
const MAX_ALIASES = 256;

export const decoder = decoderOf<State>({
  name: 'mqtt',
  transports: ['tcp'],
  secrets: [
    'password',
    'user.raw',
    ...['property.', 'will.property.'].flatMap((prefix) => [
      `${prefix}user.raw`,
      `${prefix}authentication_data`,
    ]),
  ],
  speaks: {
    mqtt: [
      ...['packet', 'version', 'clean', 'keep_alive', 'client_id', 'user', 'user.raw', 'password'],
      ...['will.topic', 'will.payload', 'will.qos', 'will.retain', 'session_present', 'reason', 'reasons'],
      ...['topic', 'topics', 'qos', 'id', 'retain', 'dup', 'size', 'payload', 'cut', 'malformed'],
      ...propertyFields('property.'),
      ...propertyFields('will.property.'),
    ],
  },
  recognises,
  begin: newState,
  client: (bytes, from, to, state) => step(bytes, from, to, state, 'client'),
  server: (bytes, from, to, state) => step(bytes, from, to, state, 'server'),
  summary,
});

function step(bytes: Uint8Array, from: number, to: number, state: State, side: Side): Step {
  const lane = state[side];
  const messages: Message[] = [];
  let at = from;
  if (lane.large !== null) {
    const { large } = lane;
    if (!large.skipped) {
      large.skipped = true;
      return skip(large.total - large.bytes.length);
    }
    lane.large = null;
    const message = read(large.bytes, 0, large.headSize, large.bytes.length, large.total, state, side);
    if (typeof message === 'string') {
      return malformed(0, message);
    }
    messages.push(message);
  }
  for (;;) {
    const headSize = headOf(bytes, at, to, lane);
    const why =
      headSize < 0 ? 'a length of more than four bytes' : to > at ? wrong(bytes[at]!, state, side) : null;
    if (why !== null) {
      return messages.length > 0 || at > from ? ok(messages, at - from) : malformed(0, why);
    }
    if (headSize === 0) {
      return messages.length > 0 || at > from ? ok(messages, at - from) : need(Math.max(2, to - at + 1));
    }
    const total = headSize + lane.remaining;
    const wanted = total <= KEPT ? total : keptOf(bytes, at, to, headSize, total, state.version);
    if (to - at < wanted) {
      return messages.length > 0 || at > from ? ok(messages, at - from) : need(wanted);
    }
    if (wanted < total) {
      lane.large = { bytes: bytes.slice(at, at + wanted), headSize, total, skipped: false };
      return ok(messages, at + wanted - from);
    }
    const message = read(bytes, at, at + headSize, at + total, total, state, side);
    if (typeof message === 'string') {
      return messages.length > 0 || at > from ? ok(messages, at - from) : malformed(0, message);
    }
    messages.push(message);
    at += total;
  }
}

/** How long the fixed header is; 0: more bytes, -1: it cannot be one. What it says goes to `lane.remaining`. */
function headOf(bytes: Uint8Array, from: number, to: number, lane: Lane): number {
  lane.remaining = 0;
  for (let i = 1; i < 5; i++) {
    if (from + i >= to) {
      return 0;
    }
    const byte = bytes[from + i]!;
    lane.remaining += (byte & 127) * 2 ** (7 * (i - 1));
    if (byte < 128) {
      return i + 1;
    }
  }
  return -1;
}

/** How much is kept of a large packet; as long as that is more than what is there, it may become more. */
function keptOf(
  bytes: Uint8Array,
  from: number,
  to: number,
  headSize: number,
  total: number,
  version: number,
): number {
  if (bytes[from]! >> 4 !== PUBLISH) {
    return KEPT;
  }
  const body = from + headSize;
  if (to < body + 2) {
    return headSize + 2;
  }
  let head = headSize + 2 + ((bytes[body]! << 8) | bytes[body + 1]!) + ((bytes[from]! & 6) === 0 ? 0 : 2);
  if (version === 5) {
    if (to - from < head + 4) {
      return Math.min(total, head + 4);
    }
    const properties = readerOf(bytes, from + head, from + head + 4);
    const length = varint(properties);
    head = properties.at - from + Math.min(length, KEPT);
  }
  return Math.min(total, head + KEPT);
}

const BOTH = [PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH];
const SENT_BY: Readonly<Record<Side, ReadonlySet<number>>> = {
  client: new Set([CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, ...BOTH]),
  server: new Set([CONNACK, SUBACK, UNSUBACK, PINGRESP, ...BOTH]),
};

/** Why no packet of this side begins so; null: one may. */
function wrong(first: number, state: State, side: Side): string | null {
  const type = first >> 4;
  const flags = first & 15;
  if (!SENT_BY[side].has(type)) {
    return type === 0 ? 'no packet has type 0' : `no ${side} sends ${TYPES[type]!}`;
  }
  if (type === PUBLISH) {
    return (flags & 6) === 6 ? 'there is no QoS 3' : null;
  }
  // MQTT 5.0 section 2.1.3; version 3.1 let these three be sent again, with bit 3.
  const reserved = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
  if ((state.version === 3 ? flags & 7 : flags) !== reserved) {
    return `${TYPES[type]!} with flags it cannot have`;
  }
  return type === AUTH && state.certain && state.version < 5 ? 'AUTH before MQTT 5' : null;
}

/** One packet: bytes[from, end), body at `body`; `total` is more when only its beginning was kept. A string: why it is none. */
function read(
  bytes: Uint8Array,
  from: number,
  body: number,
  end: number,
  total: number,
  state: State,
  side: Side,
): Message | string {
  const type = bytes[from]! >> 4;
  const flags = bytes[from]! & 15;
  const size = total - (body - from);
  if (size < LEAST[type]!) {
    return `${TYPES[type]!} is too short`;
  }
  if (type === CONNECT) {
    const nameLength = (bytes[body]! << 8) | bytes[body + 1]!;
    const level = body + 2 + nameLength;
    if (nameLength > 6 || level >= end) {
      return 'CONNECT to another protocol';
    }
    state.version = bytes[level]! & 0x7f;
    state.certain = true;
    forget(state.client);
    forget(state.server);
  }
  if (type === PUBLISH && topicEnd(bytes, body, flags) > body + size) {
    return 'a topic longer than its PUBLISH';
  }
  const version = versionOf(type, flags, bytes, body, end, size, state, side);
  if ((type === SUBSCRIBE || type === UNSUBSCRIBE) && end - body === size) {
    if (!isWhole(bytes, body, end, type === SUBSCRIBE, version)) {
      return `the filters of ${TYPES[type]!} do not end where it does`;
    }
  }
  const topic = type === PUBLISH && version === 5 ? aliased(bytes, body, end, flags, state[side]) : null;
  return message({ type, flags, bytes, body, end, size, version, topic }, total, state, side);
}

function forget(lane: Lane): void {
  lane.aliases.clear();
  lane.open.clear();
}

/** Behind the topic of a PUBLISH and its number. */
function topicEnd(bytes: Uint8Array, body: number, flags: number): number {
  return body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!) + ((flags & 6) === 0 ? 0 : 2);
}

/** Bytes a body has at least. */
const LEAST: readonly number[] = [0, 10, 2, 2, 2, 2, 2, 2, 4, 2, 4, 2, 0, 0, 0, 0];

/** The topic that this packet's alias stands for, when it names none itself; a topic with an alias is remembered. */
function aliased(bytes: Uint8Array, body: number, end: number, flags: number, lane: Lane): string | null {
  const at = topicEnd(bytes, body, flags);
  const alias = at < end && bytes[at] !== 0 ? walk(readerOf(bytes, at, end), null) : 0;
  if (alias <= 0) {
    return null;
  }
  if (bytes[body] === 0 && bytes[body + 1] === 0) {
    return lane.aliases.get(alias) ?? null;
  }
  if (lane.aliases.size < MAX_ALIASES || lane.aliases.has(alias)) {
    lane.aliases.set(alias, string(readerOf(bytes, body, end)));
  }
  return null;
}
