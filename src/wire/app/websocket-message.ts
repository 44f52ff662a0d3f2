/** What the messages of a WebSocket say. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { sized } from './http1-fields.ts';
import { maskedJson } from './http1-secrets.ts';
import { shortened, text } from './text.ts';
import { Opcode, type Payload, Warn, warningTexts } from './websocket-frame.ts';

type Fields = { [name: string]: Value };

/** RFC 6455 7.4.1 and the IANA registry. 1005, 1006 and 1015 are never sent. */
const closeNames: Readonly<Record<number, string>> = {
  1000: 'normal',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no status',
  1006: 'abnormal',
  1007: 'invalid payload',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
  1015: 'TLS handshake',
};

function closeName(code: number): string {
  const name = closeNames[code];
  if (name !== undefined) {
    return name;
  }
  return code >= 4000 ? 'private' : code >= 3000 ? 'registered' : 'reserved';
}

/** Where the connection comes from. */
export interface About {
  readonly path: string;
  readonly protocol: string;
}

export interface Data {
  readonly type: number;
  readonly payload: Uint8Array;
  /** Of the payload, uncompressed; -1: not known. */
  readonly length: number;
  /** Of the payload as it was sent, compressed; -1: it was not. */
  readonly wire: number;
  readonly frames: number;
  readonly why: string;
  readonly about: About;
  readonly bytes: number;
  readonly warnings: number;
}

export function dataMessage(data: Data): Message {
  const name = data.type === Opcode.text ? 'text' : data.type === Opcode.binary ? 'binary' : 'continuation';
  return {
    protocol: 'websocket',
    kind: 'notice',
    name,
    bytes: data.bytes,
    fields: () => dataFields(name, data),
  };
}

function dataFields(opcode: string, data: Data): Values {
  const fields = begin(opcode, data.about);
  const cutShort = (data.warnings & Warn.cutShort) !== 0;
  if (data.length >= 0 && !cutShort) {
    fields.length = data.length;
  }
  if (data.wire >= 0) {
    fields['length.compressed'] = data.wire;
  }
  if (data.frames > 1) {
    fields.frames = data.frames;
  }
  const wrong = data.why === '' ? [] : [`the message cannot be shown: ${data.why}`];
  if (data.type === Opcode.text && data.why === '') {
    const raw = decoded(data.payload, data.payload.length === data.length && !cutShort);
    if (raw === null) {
      wrong.push('the text is not UTF-8');
    }
    addText(fields, raw ?? text(data.payload, 0, data.payload.length));
  }
  addWarnings(fields, data.warnings, wrong);
  return fields;
}

/** Null when it is not UTF-8 (RFC 6455 8.1). A character that was cut in two at the end is left out. */
function decoded(bytes: Uint8Array, whole: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: !whole });
  } catch {
    return null;
  }
}

function addText(fields: Fields, raw: string): void {
  const shown = /^\s*[[{]/.test(raw) ? maskedJson(raw) : raw;
  fields.text = shown;
  if (shown !== raw) {
    fields['text.raw'] = raw;
  }
}

/** `pair` -1: a pong that nobody asked for. */
export function controlMessage(name: 'ping' | 'pong', control: Payload, about: About, pair: number): Message {
  const { kept, keptLength, warnings } = control;
  const fields = () => {
    const values = begin(name, about);
    values.length = keptLength;
    if (keptLength > 0) {
      values.text = text(kept, 0, keptLength);
    }
    addWarnings(values, warnings, []);
    return values;
  };
  const { bytes } = control;
  // Spelled out: spreading an object into another costs a microsecond, and pings come by the thousand.
  return pair < 0
    ? { protocol: 'websocket', kind: 'notice', name, bytes, fields }
    : { protocol: 'websocket', kind: name === 'ping' ? 'request' : 'reply', name, bytes, pair, fields };
}

export function closeMessage(control: Payload, about: About): Message {
  const { kept, keptLength, warnings } = control;
  const code = keptLength >= 2 ? kept[0]! * 256 + kept[1]! : 1005;
  const fields = () => {
    const values = begin('close', about);
    values.code = code;
    values.meaning = closeName(code);
    values.reason = keptLength > 2 ? text(kept, 2, keptLength) : '';
    const wrong: string[] = [];
    if (keptLength === 1 || (keptLength > 1 && !maySend(code))) {
      wrong.push('a close code that must not be sent');
    }
    if (keptLength > 2 && decoded(kept.subarray(2, keptLength), true) === null) {
      wrong.push('the reason is not UTF-8');
    }
    addWarnings(values, warnings, wrong);
    return values;
  };
  const failed = code !== 1000 && code !== 1001 && code !== 1005 && code < 3000;
  return { protocol: 'websocket', kind: 'notice', name: 'close', bytes: control.bytes, failed, fields };
}

function maySend(code: number): boolean {
  return code >= 1000 && code < 5000 && closeName(code) !== 'reserved' && ![1005, 1006, 1015].includes(code);
}

function begin(opcode: string, { path, protocol }: About): Fields {
  const fields: Fields = { opcode };
  if (path !== '') {
    fields.path = path;
  }
  if (protocol !== '') {
    fields.protocol = protocol;
  }
  return fields;
}

function addWarnings(fields: Fields, warnings: number, wrong: readonly string[]): void {
  const all = [...warningTexts.filter((_, bit) => warnings & (1 << bit)), ...wrong];
  if (all.length > 0) {
    fields.warning = all.join('; ');
  }
}

/** `text {"a": 1}`, `binary 512 B`, `close 1000 normal`. */
export function summary(message: Message, fields: Values): string {
  const odd = fields.warning === undefined ? '' : ` (${String(fields.warning)})`;
  let what = '';
  if (message.name === 'close') {
    what = ` ${String(fields.code)} ${String(fields.meaning)} ${String(fields.reason)}`;
  } else if (fields.text !== undefined) {
    what = ` ${shortened(String(fields.text), 140)}`;
  } else if (fields.length !== 0) {
    what = sized(fields.length);
  }
  const line = `${message.name}${what}${odd}`.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
  return shortened(line.replace(/ {2,}/g, ' ').trim(), 200);
}
