/** What asks and what answers among MQTT's packets. */
import type { Message, Side } from './decoder.ts';
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
import { readerOf, walk } from './mqtt-read.ts';
import { AUTHENTICATING, CONNECTING, pairOf, pinged, ponged, type State } from './mqtt-state.ts';

const CONTINUE = 0x18;
const AGAIN = 0x19;

export function message(packet: Packet, total: number, state: State, side: Side): Message {
  const { type, flags, bytes, body, size } = packet;
  const name = TYPES[type]!;
  const fields = () => fieldsOf(packet);
  const failed = failure(packet);
  const say = (kind: Message['kind'], pair?: number, more = false): Message =>
    pair === undefined
      ? { protocol: 'mqtt', kind, name, bytes: total, failed, fields }
      : { protocol: 'mqtt', kind, name, bytes: total, pair, more, failed, fields };
  const other = side === 'client' ? 'server' : 'client';
  const id = numberOf(packet);
  switch (type) {
    case CONNECT:
      state.connecting = true;
      return say('request', CONNECTING);
    case CONNACK:
      state.connecting = false;
      return say('reply', CONNECTING);
    case PINGREQ:
      return say('request', pinged(state));
    case PINGRESP:
      return say('reply', ponged(state));
    case PUBLISH:
      if ((flags & 6) === 0) {
        return say('notice');
      }
      if ((flags & 4) !== 0) {
        state[side].open.add(id);
      }
      return say('request', pairOf(side, id));
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      return say('request', pairOf(side, id));
    case SUBACK:
    case UNSUBACK:
    case PUBACK:
      return say('reply', pairOf(other, id));
    case PUBREC:
      if (failed) {
        state[other].open.delete(id);
      }
      // The second half, PUBREL and PUBCOMP, follows unless the receiver refuses.
      return say('reply', pairOf(other, id), !failed);
    case PUBREL:
      // Of a session that goes on, the PUBLISH may have been on an earlier connection (MQTT 5.0 section 4.4).
      return state[side].open.has(id) ? say('notice') : say('request', pairOf(side, id));
    case PUBCOMP:
      state[other].open.delete(id);
      return say('reply', pairOf(other, id));
    case AUTH: {
      const code = size > 0 ? bytes[body]! : 0;
      if (side === 'client') {
        return code === AGAIN ? say('request', AUTHENTICATING) : say('notice');
      }
      return say('reply', state.connecting ? CONNECTING : AUTHENTICATING, code === CONTINUE);
    }
    default:
      return say('notice');
  }
}

/** The number of the packet, where it has one. */
function numberOf({ type, bytes, body, end }: Packet): number {
  const at = type === PUBLISH ? body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!) : body;
  return at + 1 < end ? (bytes[at]! << 8) | bytes[at + 1]! : 0;
}

/** A reason of 0x80 and above, or a refusal of CONNECT in the older versions. */
function failure({ type, bytes, body, end, size, version }: Packet): boolean {
  switch (type) {
    case CONNACK:
      return size > 2 ? bytes[body + 1]! >= 128 : bytes[body + 1] !== 0;
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
      return end > body + 2 && bytes[body + 2]! >= 128;
    case DISCONNECT:
      return end > body && bytes[body]! >= 128;
    case SUBACK:
    case UNSUBACK:
      return refused(bytes, body + 2, end, version);
    default:
      return false;
  }
}

function refused(bytes: Uint8Array, from: number, end: number, version: number): boolean {
  let at = from;
  if (version === 5 && at < end) {
    const reader = readerOf(bytes, at, end);
    walk(reader, null);
    ({ at } = reader);
  }
  for (; at < end; at++) {
    if (bytes[at]! >= 128) {
      return true;
    }
  }
  return false;
}
