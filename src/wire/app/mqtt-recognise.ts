/** Whether first bytes are MQTT. */
import type { Hint } from './decoder.ts';
import { startsWith } from './text.ts';

const PORTS = new Set([1883, 8883, 1884]);

export function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const home = PORTS.has(hint.serverPort);
  if (from >= to) {
    return home ? 0.3 : 0;
  }
  let at = from + 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    if (shift > 21) {
      return 0;
    }
    if (at >= to) {
      return partial(hint, bytes[from]!, home);
    }
    const byte = bytes[at++]!;
    length += (byte & 127) * 2 ** shift;
    if (byte < 128) {
      break;
    }
  }
  const first = bytes[from]!;
  if (hint.side === 'client' && first === 0x10) {
    return connect(bytes, at, to, home);
  }
  if (hint.side === 'server' && first === 0x20) {
    return connack(bytes, at, to, length, home);
  }
  // In the middle of a conversation: a PUBLISH whose topic is text, or an answer as short as those are, to the last byte.
  if (hint.midStream && home && at + length <= to) {
    return middle(first, bytes, at, length) ? 0.8 : 0;
  }
  return 0;
}

function partial(hint: Hint, first: number, home: boolean): number {
  if (first !== (hint.side === 'client' ? 0x10 : 0x20)) {
    return 0;
  }
  return home ? 0.5 : 0.2;
}

function connect(bytes: Uint8Array, at: number, to: number, home: boolean): number {
  for (const name of ['\x00\x04MQTT', '\x00\x06MQIsdp']) {
    if (to - at > name.length) {
      if (startsWith(bytes, at, to, name)) {
        const level = bytes[at + name.length]! & 0x7f;
        return level >= 3 && level <= 5 ? 0.98 : 0.6;
      }
    } else if (startsWith(bytes, at, to, name.slice(0, to - at))) {
      return home ? 0.5 : 0.3;
    }
  }
  return 0;
}

function connack(bytes: Uint8Array, at: number, to: number, length: number, home: boolean): number {
  if (to - at < 2) {
    return home ? 0.5 : 0.2;
  }
  const flags = bytes[at]!;
  const code = bytes[at + 1]!;
  if (flags > 1 || length < 2) {
    return 0;
  }
  if (length === 2) {
    return code > 5 ? 0 : home ? 0.8 : 0.6;
  }
  // Version 5: the properties fill the rest.
  return to - at > 2 && length < 130 && bytes[at + 2] !== length - 3 ? 0 : home ? 0.8 : 0.6;
}

function middle(first: number, bytes: Uint8Array, at: number, length: number): boolean {
  const type = first >> 4;
  if (type === 3) {
    const topic = (bytes[at]! << 8) | bytes[at + 1]!;
    if (length < 2 || topic + 2 > length || topic === 0 || (first & 6) === 6) {
      return false;
    }
    for (let i = at + 2; i < at + 2 + topic; i++) {
      if (bytes[i]! < 32) {
        return false;
      }
    }
    return true;
  }
  const short = (first & 15) === (type === 6 ? 2 : 0);
  return (
    short &&
    ((type >= 4 && type <= 7 && length >= 2 && length <= 4) || ((type === 12 || type === 13) && length === 0))
  );
}
