/** What each control packet says. */
import type { Value, Values } from '../value.ts';
import { maskedUrl } from './http1-secrets.ts';
import { shown } from './lines-shown.ts';
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  PUBLISH,
  reason,
  refusal,
  SUBACK,
  SUBSCRIBE,
  TYPES,
  UNSUBACK,
  UNSUBSCRIBE,
} from './mqtt-names.ts';
import { properties, type Reader, readerOf, string, u8, u16 } from './mqtt-read.ts';

const PAYLOAD_SHOWN = 16 * 1024;
/** Topic filters, and their answers, of one packet that are listed. */
const MAX_LISTED = 200;

type Fields = { [name: string]: Value };

/** A packet whose body is bytes[body, end), of `size` bytes: `end` comes sooner where only its beginning was kept. */
export interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly body: number;
  readonly end: number;
  readonly size: number;
  /** 3, 4 or 5, as CONNECT says it. */
  readonly version: number;
  /** The topic that an alias stands for. */
  readonly topic: string | null;
}

export function fieldsOf(packet: Packet): Values {
  const { type } = packet;
  const fields: Fields = { packet: TYPES[type]! };
  const reader = readerOf(packet.bytes, packet.body, packet.end);
  switch (type) {
    case CONNECT:
      connect(reader, fields);
      break;
    case CONNACK:
      fields.session_present = (u8(reader) & 1) === 1;
      // Whoever knows no MQTT 5 answers a CONNECT of it in the old form: two bytes.
      fields.reason = packet.size > 2 ? reason(u8(reader), type) : refusal(u8(reader));
      more(reader, packet, fields);
      break;
    case PUBLISH:
      publish(reader, packet, fields);
      break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      subscribe(reader, packet, fields);
      break;
    case SUBACK:
    case UNSUBACK:
      granted(reader, packet, fields);
      break;
    case DISCONNECT:
    case AUTH:
      if (packet.version === 5) {
        fields.reason = reason(packet.size > 0 ? u8(reader) : 0, type);
        more(reader, packet, fields);
      }
      break;
    default:
      if (packet.size >= 2) {
        fields.id = u16(reader);
        if (packet.version === 5) {
          fields.reason = reason(packet.size > 2 ? u8(reader) : 0, type);
          more(reader, packet, fields);
        }
      }
  }
  if (reader.short) {
    fields[packet.end - packet.body < packet.size ? 'cut' : 'malformed'] = true;
  }
  return fields;
}

function more(reader: Reader, { version }: Packet, fields: Fields): void {
  if (version === 5 && reader.at < reader.end) {
    properties(reader, 'property.', fields);
  }
}

const VERSIONS: Readonly<Record<number, string>> = { 3: '3.1', 4: '3.1.1', 5: '5' };

function connect(reader: Reader, fields: Fields): void {
  string(reader);
  // The top bit marks a bridge (mosquitto).
  const level = u8(reader) & 0x7f;
  const flags = u8(reader);
  fields.version = VERSIONS[level] ?? String(level);
  fields.clean = (flags & 2) !== 0;
  fields.keep_alive = u16(reader);
  if (level === 5) {
    properties(reader, 'property.', fields);
  }
  fields.client_id = string(reader);
  if ((flags & 4) !== 0) {
    if (level === 5) {
      properties(reader, 'will.property.', fields);
    }
    fields['will.topic'] = string(reader);
    fields['will.payload'] = string(reader);
    fields['will.qos'] = (flags >> 3) & 3;
    fields['will.retain'] = (flags & 0x20) !== 0;
  }
  if ((flags & 0x80) !== 0) {
    // Cloud brokers take a token in the query of a user name.
    const user = string(reader);
    fields.user = maskedUrl(user);
    if (fields.user !== user) {
      fields['user.raw'] = user;
    }
  }
  if ((flags & 0x40) !== 0) {
    fields.password = string(reader);
  }
}

function publish(reader: Reader, packet: Packet, fields: Fields): void {
  const { flags, bytes, body, size } = packet;
  const qos = (flags >> 1) & 3;
  const topic = string(reader);
  fields.topic = packet.topic ?? topic;
  fields.qos = qos;
  if (qos > 0) {
    fields.id = u16(reader);
  }
  if ((flags & 1) !== 0) {
    fields.retain = true;
  }
  if ((flags & 8) !== 0) {
    fields.dup = true;
  }
  if (packet.version === 5) {
    properties(reader, 'property.', fields);
  }
  const length = Math.max(0, body + size - reader.at);
  const end = Math.min(packet.end, reader.at + PAYLOAD_SHOWN);
  fields.size = length;
  const said = shown(bytes, reader.at, Math.min(packet.end, reader.at + length), PAYLOAD_SHOWN);
  fields.payload = end - reader.at < length && !said.endsWith('…') ? `${said}…` : said;
}

function subscribe(reader: Reader, packet: Packet, fields: Fields): void {
  fields.id = u16(reader);
  if (packet.version === 5) {
    properties(reader, 'property.', fields);
  }
  const topics: string[] = [];
  while (reader.at < reader.end && !reader.short && topics.length < MAX_LISTED) {
    const topic = string(reader);
    topics.push(packet.type === SUBSCRIBE ? `${topic}${options(u8(reader))}` : topic);
  }
  fields.topics = topics;
}

/** Of a subscription (MQTT 5.0 section 3.8.3.1). */
function options(byte: number): string {
  const handling = (byte >> 4) & 3;
  return (
    ` qos ${byte & 3}` +
    ((byte & 4) === 0 ? '' : ', no local') +
    ((byte & 8) === 0 ? '' : ', retain as published') +
    (handling === 0 ? '' : handling === 1 ? ', retained if new' : ', nothing retained')
  );
}

function granted(reader: Reader, packet: Packet, fields: Fields): void {
  fields.id = u16(reader);
  if (packet.version === 5) {
    properties(reader, 'property.', fields);
  }
  const reasons: string[] = [];
  while (reader.at < reader.end && reasons.length < MAX_LISTED) {
    const code = u8(reader);
    reasons.push(packet.version === 5 || code < 3 ? reason(code, packet.type) : 'failure');
  }
  if (packet.type === SUBACK || packet.version === 5) {
    fields.reasons = reasons;
  }
}
