/**
 * JSON-RPC 1.0 and 2.0 on a stream: objects one after the other, with lines or nothing between them, or each under a
 * Content-Length as in the Language Server Protocol. Both sides may ask.
 */
import type { Value, Values } from '../value.ts';
import { decoderOf, type Hint, type Message, malformed, ok, type Side, type Step, skip } from './decoder.ts';
import { maskedJson } from './http1-secrets.ts';
import { type Member, newScan, type Scan, scanJson } from './jsonrpc-scan.ts';
import { latin1, lineEnd, shortened, startsWith, text } from './text.ts';

const MAX_NAME = 32;
/** A head has one or two lines. */
const MAX_HEAD = 1024;
const LOOKED_AT = 512;
const NO_MESSAGES: readonly Message[] = [];

interface Lane {
  readonly scan: Scan;
  /** What is left of a message whose length was given; -1: none was. */
  framed: number;
  /** Inside a head: how much of it has gone by, and the length it gave. */
  head: number;
  announced: number;
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
  begin: () => ({ client: newLane(), server: newLane() }),
  client: (bytes, from, to, state) => step('client', bytes, from, to, state.client),
  server: (bytes, from, to, state) => step('server', bytes, from, to, state.server),
  summary,
});

function newLane(): Lane {
  return { scan: newScan(), framed: -1, head: 0, announced: -1 };
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
  let at = from;
  if (scan.depth === 0) {
    while (lane.head === 0 && at < to && bytes[at]! <= 32) {
      at++;
      lane.framed -= lane.framed > 0 ? 1 : 0;
    }
    if (at > from || at >= to) {
      return ok(NO_MESSAGES, at - from);
    }
    if (lane.framed === 0) {
      lane.framed = -1;
    }
    if (lane.framed < 0 && (lane.head > 0 || (bytes[at]! | 32) === 99)) {
      return readHead(lane, bytes, from, to);
    }
  }
  const stop = lane.framed >= 0 ? Math.min(to, from + lane.framed) : to;
  at = scanJson(scan, bytes, from, stop);
  if (at < 0) {
    return malformed(0, scan.why);
  }
  if (lane.framed >= 0) {
    lane.framed -= at - from;
    if (lane.framed === 0 && scan.depth > 0 && !(scan.complete && scan.batch)) {
      return malformed(0, 'a Content-Length that ends inside the value');
    }
    if (lane.framed === 0) {
      lane.framed = -1;
    }
  }
  if (!scan.complete) {
    return ok(NO_MESSAGES, at - from);
  }
  const message = spoken(side, scan);
  scan.bytes = 0;
  return message === null ? malformed(0, 'not a JSON-RPC message') : ok([message], at - from);
}
