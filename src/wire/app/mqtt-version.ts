/** The version of a conversation whose CONNECT was missed, by what its packets look like. */
import type { Side } from './decoder.ts';
import {
  AUTH,
  CONNACK,
  DISCONNECT,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from './mqtt-names.ts';
import { isFilterList, readerOf, walk } from './mqtt-read.ts';
import type { State } from './mqtt-state.ts';

const OLD = 4;
/** MQTT 5.0 table 2-4. */
const OF_PUBLISH = new Set([1, 2, 3, 8, 9, 11, 35, 38]);
const OF_SUBSCRIBE = new Set([11, 38]);
const ANY_OPTIONS = 0xff;
const OLD_OPTIONS = 2;

/** By which version the packet is to be read: bytes[body, end), of `size` bytes. What it tells of all others goes to `state`. */
export function versionOf(
  type: number,
  flags: number,
  bytes: Uint8Array,
  body: number,
  end: number,
  size: number,
  state: State,
  side: Side,
): number {
  if (state.certain) {
    return state.version;
  }
  switch (type) {
    case PUBLISH:
      return state.version === 0 ? published(flags, bytes, body, end, size, state) : state.version;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      if (end - body === size) {
        const optioned = type === SUBSCRIBE;
        if (isFilterList(readerOf(bytes, body + 2, end), optioned, OLD_OPTIONS)) {
          state.version = OLD;
        } else if (isWhole(bytes, body, end, optioned, 5)) {
          state.version = 5;
        }
      }
      return state.version;
    case CONNACK:
      return guess(state, size > 2 ? 5 : OLD);
    case PUBACK:
    case PUBREC:
    case PUBREL:
    case PUBCOMP:
      return size > 2 ? known(state) : state.version;
    case UNSUBACK:
      return size > 2 ? known(state) : guess(state, OLD);
    case SUBACK:
      if (size === 3) {
        // Of MQTT 5 it has a length of properties and a code at least.
        return guess(state, OLD);
      }
      return newCodes(bytes, body + 2, end) ? known(state) : state.version;
    case AUTH:
      return known(state);
    case DISCONNECT:
      return size > 0 || side === 'server' ? known(state) : state.version;
    default:
      return state.version;
  }
}

function known(state: State): number {
  state.certain = true;
  state.version = 5;
  return 5;
}

function guess(state: State, version: number): number {
  if (state.version === 0) {
    state.version = version;
  }
  return state.version;
}

/** No properties are one zero, with which a payload may begin as well: that tells nothing of others. */
function published(
  flags: number,
  bytes: Uint8Array,
  body: number,
  end: number,
  size: number,
  state: State,
): number {
  const at = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!) + ((flags & 6) === 0 ? 0 : 2);
  if (at < end && bytes[at] === 0) {
    return 5;
  }
  const reader = readerOf(bytes, at, end);
  if (at < end && walk(reader, OF_PUBLISH) >= 0) {
    state.version = 5;
  } else if (end - body === size || !reader.short) {
    state.version = OLD;
  }
  return state.version;
}

/** Codes that a SUBACK has only in MQTT 5. */
function newCodes(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (bytes[at]! > 2 && bytes[at] !== 0x80) {
      return true;
    }
  }
  return false;
}

/** Whether the filters of a SUBSCRIBE or UNSUBSCRIBE fill it to its end. */
export function isWhole(
  bytes: Uint8Array,
  body: number,
  end: number,
  optioned: boolean,
  version: number,
): boolean {
  const reader = readerOf(bytes, body + 2, end);
  if (version === 5 && walk(reader, OF_SUBSCRIBE) < 0) {
    return false;
  }
  return isFilterList(reader, optioned, ANY_OPTIONS);
}
