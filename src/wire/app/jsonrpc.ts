/**
 * JSON-RPC 1.0 and 2.0 on a stream: objects one after the other, with lines or nothing between them, or each under a
 * Content-Length as in the Language Server Protocol. Both sides may ask.
 */
import type { Value, Values } from '../value.ts';
import { decoderOf, type Hint, type Message, malformed, ok, type Side, type Step } from './decoder.ts';
import { maskedJson } from './http1-secrets.ts';
import { type Member, type Members, newScan, type Scan, scanJson } from './jsonrpc-scan.ts';
import { latin1, lineEnd, shortened, startsWith, text } from './text.ts';

const MAX_NAME = 32;
/** A head has one or two lines. */
const MAX_HEAD = 1024;
const LOOKED_AT = 512;
const NO_MESSAGES: readonly Message[] = [];

interface Lane {
  readonly scan: Scan;
  /** What is left of what Content-Length announced; -1: nothing was. */
  framed: number;
}

interface State {
  readonly client: Lane;
  readonly server: Lane;
}

export const decoder = decoderOf<State>({
  name: 'jsonrpc',
  transports: ['tcp'],
  secrets: ['params.raw', 'result.raw', 'error.data.raw'],
  recognises,
  speaks: {
    jsonrpc: [
      'method',
      'params',
      'params.raw',
      'id',
      'result',
      'result.raw',
      'error.code',
      'error.message',
      'error.data',
      'error.data.raw',
      'version',
      'batch',
    ],
  },
  begin: () => ({ client: newLane(), server: newLane() }),
  client: (bytes, from, to, state) => step('client', bytes, from, to, state.client),
  server: (bytes, from, to, state) => step('server', bytes, from, to, state.server),
  summary,
});

function newLane(): Lane {
  return { scan: newScan(), framed: -1 };
}

function recognises(_: Hint, bytes: Uint8Array, from: number, to: number): number {
  if (startsWith(bytes, from, to, 'Content-Length: ')) {
    return 0.85;
  }
  let at = from;
  while (at < to && (bytes[at]! <= 32 || bytes[at] === 91)) {
    at++;
  }
  if (at >= to || bytes[at] !== 123 || at - from > 16) {
    return 0;
  }
  const seen = latin1(bytes, at, Math.min(to, at + LOOKED_AT));
  if (/^\{\s*\S/.test(seen) && !/^\{\s*"/.test(seen)) {
    return 0;
  }
  if (/"jsonrpc"\s*:\s*"2/.test(seen)) {
    return 0.95;
  }
  const method = /"method"\s*:\s*"/.test(seen);
  const id = /"id"\s*:/.test(seen);
  if ((method && (id || /"params"\s*:/.test(seen))) || (id && /"(result|error)"\s*:/.test(seen))) {
    return 0.85;
  }
  return method || id ? 0.5 : 0.2;
}

function step(side: Side, bytes: Uint8Array, from: number, to: number, lane: Lane): Step {
  const { scan } = lane;
  if (scan.depth === 0) {
    const blank = blanks(lane, bytes, from, to);
    if (blank > 0 || from === to) {
      return ok(NO_MESSAGES, blank);
    }
    if (lane.framed < 0 && (bytes[from]! | 32) === 99) {
      return readHead(lane, bytes, from, to);
    }
  }
  const stop = lane.framed > 0 ? Math.min(to, from + lane.framed) : to;
  const at = scanJson(scan, bytes, from, stop);
  if (at < 0) {
    return malformed(0, scan.why);
  }
  if (lane.framed > 0 && passed(lane, at - from) && scan.depth > 0) {
    return malformed(at - from, 'a Content-Length that ends inside the value');
  }
  if (!scan.complete) {
    return ok(NO_MESSAGES, at - from);
  }
  const message = spoken(side, scan);
  scan.bytes = 0;
  return message === null ? malformed(0, 'not a JSON-RPC message') : ok([message], at - from);
}

/** White space between messages. */
function blanks(lane: Lane, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at]! <= 32) {
    at++;
    if (lane.framed > 0) {
      passed(lane, 1);
    }
  }
  return at - from;
}

/** True when what was announced is over. */
function passed(lane: Lane, count: number): boolean {
  lane.framed -= count;
  if (lane.framed > 0) {
    return false;
  }
  lane.framed = -1;
  return true;
}

/** `Content-Length: N`, maybe `Content-Type: …`, and an empty line. */
function readHead(lane: Lane, bytes: Uint8Array, from: number, to: number): Step {
  const stop = Math.min(to, from + MAX_HEAD);
  let announced = -1;
  let line = from;
  for (;;) {
    const end = lineEnd(bytes, line, stop);
    if (end < 0) {
      return stop - from === MAX_HEAD ? malformed(0, 'a head without an end') : ok(NO_MESSAGES, 0);
    }
    const words = latin1(bytes, line, end).trim();
    line = end + 1;
    if (words === '') {
      break;
    }
    const length = /^content-length\s*:\s*(\d{1,15})$/i.exec(words);
    if (length !== null) {
      announced = Number(length[1]);
    } else if (!/^content-type\s*:/i.test(words)) {
      return malformed(0, 'not a head of JSON-RPC');
    }
  }
  if (announced < 0) {
    return malformed(0, 'a head without Content-Length');
  }
  lane.framed = announced > 0 ? announced : -1;
  lane.scan.bytes = line - from;
  return ok(NO_MESSAGES, line - from);
}

/** Null when it is no message: neither something to do nor what became of it. */
function spoken(side: Side, { members, bytes, batch }: Scan): Message | null {
  const { method, id, result, error } = members;
  const identified = id.length > 0 && !isNull(id);
  const fields = () => fieldsOf(members, batch);
  if (method.bytes[0] === 34 && method.length > 1) {
    const name = methodName(method);
    return identified
      ? { protocol: 'jsonrpc', kind: 'request', name, bytes, pair: pairOf(side, id), fields }
      : { protocol: 'jsonrpc', kind: 'notice', name, bytes, fields };
  }
  if (result.length === 0 && error.length === 0) {
    return null;
  }
  const failed = error.length > 0 && !isNull(error);
  const name = failed ? 'error' : 'result';
  const asker = side === 'client' ? 'server' : 'client';
  return identified
    ? { protocol: 'jsonrpc', kind: 'reply', name, bytes, failed, pair: pairOf(asker, id), fields }
    : { protocol: 'jsonrpc', kind: 'reply', name, bytes, failed, fields };
}

/** Both sides may use the same numbers, and 1 is not "1". */
function pairOf(asker: Side, id: Member): string {
  return `${asker} ${text(id.bytes, 0, id.kept)}`;
}

function isNull(member: Member): boolean {
  return member.length === 4 && startsWith(member.bytes, 0, 4, 'null');
}

function methodName(method: Member): string {
  const name = parsed(method);
  const plain = typeof name === 'string' ? name : text(method.bytes, 1, method.kept);
  return shortened(plain.replace(/[^\x20-\x7e]/g, '?'), MAX_NAME);
}

/** A member's value, or its text when it was cut or is broken. */
function parsed(member: Member): unknown {
  const json = text(member.bytes, 0, member.kept);
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

type Fields = { [name: string]: Value };

function fieldsOf({ jsonrpc, method, id, params, result, error }: Members, batch: boolean): Values {
  const fields: Fields = { version: jsonrpc.length > 0 ? String(parsed(jsonrpc)) : '1.0' };
  if (method.length > 0) {
    fields.method = String(parsed(method));
  }
  if (id.length > 0) {
    fields.id = idOf(id);
  }
  if (batch) {
    fields.batch = true;
  }
  addJson(fields, 'params', params);
  const failed = error.length > 0 && !isNull(error);
  if (failed) {
    addError(fields, error);
  } else {
    addJson(fields, 'result', result);
  }
  return fields;
}

/** A number beyond 2^53 stays exact. */
function idOf(id: Member): Value {
  const value = parsed(id);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    const written = text(id.bytes, 0, id.kept);
    return /^-?\d+$/.test(written) ? BigInt(written) : value;
  }
  return value === null || typeof value === 'number' || typeof value === 'string' ? value : String(value);
}

function addJson(fields: Fields, name: string, member: Member): void {
  if (member.length === 0) {
    return;
  }
  const raw = text(member.bytes, 0, member.kept);
  const shown = maskedJson(raw);
  fields[name] = shown;
  if (shown !== raw) {
    fields[`${name}.raw`] = raw;
  }
}

/** 2.0 has an object with a code and a message; 1.0 whatever it likes, mostly a string. */
function addError(fields: Fields, error: Member): void {
  const value = parsed(error);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fields['error.message'] = maskedJson(String(value));
    return;
  }
  const { code, message, data } = value as { code?: unknown; message?: unknown; data?: unknown };
  if (typeof code === 'number') {
    fields['error.code'] = code;
  }
  fields['error.message'] = typeof message === 'string' ? message : maskedJson(JSON.stringify(value));
  if (data !== undefined) {
    const raw = JSON.stringify(data);
    const shown = maskedJson(raw);
    fields['error.data'] = shown;
    if (shown !== raw) {
      fields['error.data.raw'] = raw;
    }
  }
}

/** `Arith.Add [1,2]`, `result 3`, `error -32601 Method not found`. */
function summary(message: Message, fields: Values): string {
  const what =
    message.kind !== 'reply'
      ? `${String(fields.method)} ${shortened(String(fields.params ?? ''), 120)}`
      : message.failed
        ? `error ${String(fields['error.code'] ?? '')} ${String(fields['error.message'])}`
        : `result ${shortened(String(fields.result ?? ''), 120)}`;
  return shortened(
    what
      .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
      .replace(/ {2,}/g, ' ')
      .trim(),
    200,
  );
}
