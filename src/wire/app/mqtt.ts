/** MQTT 3.1, 3.1.1 and 5.0. */
import type { Value, Values } from '../value.ts';
import { decoderOf, type Message, malformed, need, ok, type Side, type Step, skip } from './decoder.ts';
import { oneLine } from './lines-shown.ts';
import { fieldsOf, type Packet } from './mqtt-fields.ts';
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
  SUBACK,
  SUBSCRIBE,
  TYPES,
  UNSUBACK,
  UNSUBSCRIBE,
} from './mqtt-names.ts';
import { readerOf, string, topicAlias } from './mqtt-read.ts';
import { recognises } from './mqtt-recognise.ts';

/** Of a larger packet its beginning is kept; the longest topic and the packet's number are within it. */
const KEPT_MAX = 66 * 1024;
const MAX_ALIASES = 256;

/** A large packet whose rest is being skipped. */
interface Large {
  readonly bytes: Uint8Array;
  readonly headSize: number;
  readonly total: number;
  skipped: boolean;
}

interface Lane {
  /** The remaining length that the fixed header last read says. */
  remaining: number;
  large: Large | null;
  /** Topics by alias; each direction has its own (MQTT 5.0 section 3.3.2.3.4). */
  readonly aliases: Map<number, string>;
}

interface State {
  /** 0: CONNECT was not seen. */
  version: number;
  readonly client: Lane;
  readonly server: Lane;
}

export const decoder = decoderOf<State>({
  name: 'mqtt',
  transports: ['tcp'],
  secrets: ['password', 'property.authentication-data'],
  speaks: {
    mqtt: [
      'packet',
      'version',
      'clean',
      'keepalive',
      'client.id',
      'username',
      'password',
      'will.topic',
      'will.payload',
      'will.qos',
      'will.retain',
      'will.property.*',
      'session',
      'reason',
      'reasons',
      'topic',
      'topics',
      'qos',
      'id',
      'retain',
      'dup',
      'size',
      'payload',
      'property.*',
      'cut',
      'malformed',
    ],
  },
  recognises,
  begin: () => ({
    version: 0,
    client: { remaining: 0, large: null, aliases: new Map() },
    server: { remaining: 0, large: null, aliases: new Map() },
  }),
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
    const wanted = Math.min(total, KEPT_MAX);
    if (to - at < wanted) {
      return messages.length > 0 || at > from ? ok(messages, at - from) : need(wanted);
    }
    if (total > KEPT_MAX) {
      lane.large = { bytes: bytes.slice(at, at + KEPT_MAX), headSize, total, skipped: false };
      return ok(messages, at + KEPT_MAX - from);
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
  return type === AUTH && state.version !== 0 && state.version < 5 ? 'AUTH before MQTT 5' : null;
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
    state.client.aliases.clear();
    state.server.aliases.clear();
  }
  const topic =
    type === PUBLISH && state.version === 5 ? aliased(bytes, body, end, flags, state[side]) : null;
  const packet: Packet = { type, flags, bytes, body, end, size, version: state.version, topic };
  return message(packet, total, side);
}

/** Bytes a body has at least. */
const LEAST: readonly number[] = [0, 10, 2, 2, 2, 2, 2, 2, 4, 2, 4, 2, 0, 0, 0, 0];

/** The topic that this packet's alias stands for, when it names none itself; a topic with an alias is remembered. */
function aliased(bytes: Uint8Array, body: number, end: number, flags: number, lane: Lane): string | null {
  const topicLength = (bytes[body]! << 8) | bytes[body + 1]!;
  const at = body + 2 + topicLength + ((flags & 6) !== 0 ? 2 : 0);
  if (at >= end || bytes[at] === 0) {
    return null;
  }
  const alias = topicAlias(readerOf(bytes, at, end));
  if (alias === 0) {
    return null;
  }
  if (topicLength === 0) {
    return lane.aliases.get(alias) ?? null;
  }
  if (lane.aliases.size < MAX_ALIASES || lane.aliases.has(alias)) {
    lane.aliases.set(alias, string(readerOf(bytes, body, end)));
  }
  return null;
}

function message(packet: Packet, total: number, side: Side): Message {
  const { type, version, flags } = packet;
  const name = TYPES[type]!;
  const fields = () => fieldsOf(packet);
  const failed = failure(packet);
  const say = (kind: Message['kind'], pair?: number | string, more = false): Message =>
    pair === undefined
      ? { protocol: 'mqtt', kind, name, bytes: total, failed, fields }
      : { protocol: 'mqtt', kind, name, bytes: total, pair, more, failed, fields };
  switch (type) {
    case CONNECT:
      return say('request', 'connect');
    case CONNACK:
      return say('reply', 'connect');
    case PINGREQ:
      return say('request', 'ping');
    case PINGRESP:
      return say('reply', 'ping');
    case PUBLISH:
      return (flags & 6) === 0 ? say('notice') : say('request', numbered(packet, side));
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      return say('request', numbered(packet, side));
    case SUBACK:
    case UNSUBACK:
    case PUBACK:
    case PUBCOMP:
      return say('reply', numbered(packet, side === 'client' ? 'server' : 'client'));
    case PUBREC:
      // The second half, PUBREL and PUBCOMP, follows unless the receiver refuses.
      return say(
        'reply',
        numbered(packet, side === 'client' ? 'server' : 'client'),
        !(failed && version === 5),
      );
    default:
      return say('notice');
  }
}

/** Each side numbers what it sends: below zero is the server's. */
function numbered({ type, bytes, body, end }: Packet, asker: Side): number {
  let at = body;
  if (type === PUBLISH) {
    at += 2 + ((bytes[body]! << 8) | bytes[body + 1]!);
  }
  const id = at + 1 < end ? (bytes[at]! << 8) | bytes[at + 1]! : 0;
  return asker === 'client' ? id : -id;
}

/** A reason of 0x80 and above, or a refusal of CONNECT in the older versions. */
function failure({ type, bytes, body, end, version }: Packet): boolean {
  switch (type) {
    case CONNACK:
      return version === 5 ? bytes[body + 1]! >= 128 : bytes[body + 1] !== 0;
    case PUBACK:
    case PUBREC:
    case PUBCOMP:
      return end > body + 2 && bytes[body + 2]! >= 128;
    case DISCONNECT:
      return end > body && bytes[body]! >= 128;
    case SUBACK:
    case UNSUBACK:
      // The reasons are the last bytes, and a property is not below them all.
      return refused(bytes, body, end, version);
    default:
      return false;
  }
}

function refused(bytes: Uint8Array, body: number, end: number, version: number): boolean {
  let at = body + 2;
  if (version === 5 && at < end) {
    const reader = readerOf(bytes, at, end);
    topicAlias(reader);
    ({ at } = reader);
  }
  for (; at < end; at++) {
    if (bytes[at]! >= 128) {
      return true;
    }
  }
  return false;
}

function summary(message: Message, fields: Values): string {
  const { packet, topic, reason, id } = fields;
  const number = id === undefined ? '' : ` #${String(id)}`;
  switch (packet) {
    case 'CONNECT': {
      const user = fields.username === undefined ? '' : ` as ${String(fields.username)}`;
      return oneLine(
        `CONNECT ${String(fields['client.id']) || '(no id)'}${user}, MQTT ${String(fields.version)}`,
      );
    }
    case 'PUBLISH': {
      const how = [
        fields.qos === 0 ? null : `qos ${String(fields.qos)}`,
        fields.retain === true ? 'retained' : null,
        fields.dup === true ? 'again' : null,
      ].filter((word) => word !== null);
      const marks = how.length === 0 ? '' : ` (${how.join(', ')})`;
      const text = String(fields.payload).slice(0, 150);
      return oneLine(`PUBLISH ${String(topic)}${marks} ${String(fields.size)} B "${text}"`);
    }
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      return oneLine(`${packet} ${list(fields.topics)}`);
    case 'SUBACK':
    case 'UNSUBACK':
      return oneLine(`${packet}${number} ${list(fields.reasons)}`.trim());
    default: {
      const why = reason === undefined || reason === 'success' ? '' : ` ${String(reason)}`;
      const detail = fields['property.reason'] === undefined ? '' : `: ${String(fields['property.reason'])}`;
      return oneLine(`${message.name}${number}${why}${detail}`);
    }
  }
}

function list(value: Value | undefined): string {
  return Array.isArray(value) ? (value as readonly Value[]).slice(0, 20).join('; ') : '';
}
