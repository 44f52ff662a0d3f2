/**
 * WebSocket (RFC 6455) with permessage-deflate (RFC 7692). It begins where HTTP/1 ends, so nothing is recognised here: only a
 * connection that was met midway is tried.
 */
import {
  decoderOf,
  type Hint,
  type Message,
  malformed,
  need,
  ok,
  type Side,
  type Step,
  skip,
} from './decoder.ts';
import type { WebSocketGiven } from './http1-upgrade.ts';
import { inflatedMessage } from './inflate.ts';
import {
  COMPRESSED_KEPT,
  clearPayload,
  headLength,
  type Lane,
  newLane,
  Opcode,
  PAYLOAD_KEPT,
  payloadLength,
  take,
  Warn,
} from './websocket-frame.ts';
import { type About, closeMessage, controlMessage, dataMessage, summary } from './websocket-message.ts';

/** Deflate reaches back no further (RFC 7692 7.1.2.1). */
const WINDOW = 32_768;
/** A compressed message that is larger than this is not undone, nor is what refers to it. */
const MAX_INFLATED = 4 * 1024 * 1024;
/** Pings that wait for their pong, per side. */
const MAX_PINGS = 16;

const NO_MESSAGES: readonly Message[] = [];
const NOTHING = new Uint8Array(0);

interface Ping {
  readonly pair: number;
  readonly payload: Uint8Array;
}

interface State {
  readonly client: Lane;
  readonly server: Lane;
  /** Compression was agreed on, or may have been. */
  readonly deflate: boolean;
  readonly about: About;
  /** Nobody saw the beginning: a continuation may come first. */
  readonly midway: boolean;
  pings: number;
  readonly clientPings: Ping[];
  readonly serverPings: Ping[];
}

export const decoder = decoderOf<State>({
  name: 'websocket',
  transports: ['tcp'],
  secrets: ['text.raw'],
  recognises,
  speaks: {
    websocket: [
      'opcode',
      'text',
      'text.raw',
      'length',
      'length.compressed',
      'frames',
      'code',
      'meaning',
      'reason',
      'path',
      'protocol',
      'warning',
    ],
  },
  begin: (hint, given) => {
    const known = given as WebSocketGiven | undefined;
    return {
      client: newLane(known?.deflate?.clientNoContextTakeover !== true),
      server: newLane(known?.deflate?.serverNoContextTakeover !== true),
      deflate: known === undefined || known.deflate !== null,
      about: known ?? { path: '', protocol: '' },
      midway: known === undefined && hint.midStream,
      pings: 0,
      clientPings: [],
      serverPings: [],
    };
  },
  client: (bytes, from, to, state) => step('client', bytes, from, to, state),
  server: (bytes, from, to, state) => step('server', bytes, from, to, state),
  end,
  summary,
});

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  if (!hint.midStream || to - from < 2) {
    return 0;
  }
  const first = bytes[from]!;
  const second = bytes[from + 1]!;
  const opcode = first & 15;
  const plausible = (first & 0x30) === 0 && (opcode === 1 || opcode === 2 || (opcode >= 8 && opcode <= 10));
  const masked = (second & 128) !== 0;
  const fits =
    to - from >= headLength(second) && payloadLength(bytes, from) === to - from - headLength(second);
  return plausible && first >= 128 && masked === (hint.side === 'client') && fits ? 0.3 : 0;
}

function step(side: Side, bytes: Uint8Array, from: number, to: number, state: State): Step {
  const lane = state[side];
  let at = from;
  if (lane.opcode < 0) {
    if (to - from < 2) {
      return to === from ? ok(NO_MESSAGES, 0) : need(2);
    }
    const head = headLength(bytes[from + 1]!);
    const why = wrong(side, bytes, from, state);
    if (why !== '') {
      return malformed(0, why);
    }
    if (to - from < head) {
      return need(head);
    }
    const length = payloadLength(bytes, from);
    if (length < 0) {
      return malformed(0, 'a length that is no number of bytes');
    }
    beginFrame(side, lane, bytes, from, head, length);
    at += head;
  }
  const { into } = lane;
  if (at === from && into.keptLength >= into.limit && lane.remaining - 1 > to - from) {
    // All but the last byte: with it the message ends.
    const passed = lane.remaining - 1;
    lane.remaining = 1;
    lane.maskAt = (lane.maskAt + passed) & 3;
    return skip(passed);
  }
  const stop = Math.min(to, at + lane.remaining);
  take(lane, bytes, at, stop);
  return ok(lane.remaining > 0 ? NO_MESSAGES : endFrame(side, lane, state), stop - from);
}

/** RFC 6455 5.2, 5.4, 5.5: what the first two bytes of a frame must not say; '' when all is well. */
function wrong(side: Side, bytes: Uint8Array, from: number, state: State): string {
  const first = bytes[from]!;
  const opcode = first & 15;
  const lane = state[side];
  const control = opcode >= 8;
  if (lane.closed) {
    return 'a frame after the close frame';
  }
  if ((opcode > 2 && opcode < 8) || opcode > 10) {
    return `the reserved opcode ${opcode}`;
  }
  const starts = opcode === Opcode.text || opcode === Opcode.binary;
  if ((first & 0x30) !== 0 || ((first & 0x40) !== 0 && !(starts && state.deflate))) {
    return 'reserved bits are set';
  }
  if (control && (first < 128 || (bytes[from + 1]! & 127) > 125)) {
    return 'a control frame that is long or in fragments';
  }
  if (starts && lane.type >= 0) {
    return 'a new message before the one under way is over';
  }
  return opcode === Opcode.continuation && lane.type < 0 && !state.midway ? 'a continuation of nothing' : '';
}

function beginFrame(
  side: Side,
  lane: Lane,
  bytes: Uint8Array,
  from: number,
  head: number,
  length: number,
): void {
  const first = bytes[from]!;
  const second = bytes[from + 1]!;
  lane.opcode = first & 15;
  lane.final = first >= 128;
  lane.remaining = length;
  lane.masked = second >= 128;
  lane.maskAt = 0;
  if (lane.masked) {
    for (let i = 0; i < 4; i++) {
      lane.mask[i] = bytes[from + head - 4 + i]!;
    }
  }
  if (lane.opcode >= 8) {
    lane.into = lane.control;
    clearPayload(lane.control, PAYLOAD_KEPT);
  } else {
    lane.into = lane.message;
    if (lane.type < 0) {
      lane.type = lane.opcode;
      lane.compressed = (first & 0x40) !== 0;
      lane.frames = 0;
      clearPayload(lane.message, lane.compressed ? COMPRESSED_KEPT : PAYLOAD_KEPT);
    }
    lane.frames++;
  }
  const { into } = lane;
  into.bytes += head + length;
  into.length += length;
  if (lane.masked !== (side === 'client')) {
    into.warnings |= side === 'client' ? Warn.unmasked : Warn.masked;
  }
  if (((second & 127) === 126 && length < 126) || ((second & 127) === 127 && length < 65_536)) {
    into.warnings |= Warn.longLength;
  }
}

function endFrame(side: Side, lane: Lane, state: State): readonly Message[] {
  const { opcode } = lane;
  lane.opcode = -1;
  if (opcode === Opcode.close) {
    lane.closed = true;
    return [closeMessage(lane.control, state.about)];
  }
  if (opcode === Opcode.ping) {
    return [ping(side, lane, state)];
  }
  if (opcode === Opcode.pong) {
    return [pong(side, lane, state)];
  }
  return lane.final ? [data(lane, state)] : NO_MESSAGES;
}

function ping(side: Side, { control }: Lane, state: State): Message {
  const waiting = side === 'client' ? state.clientPings : state.serverPings;
  if (waiting.length === MAX_PINGS) {
    waiting.shift();
  }
  const pair = state.pings++;
  // A control frame is kept whole, in an array of its own size that the next frame does not use.
  waiting.push({ pair, payload: control.kept });
  return controlMessage('ping', control, state.about, pair);
}

/** A pong repeats the payload of the ping it answers; earlier ones need no answer then, and one that answers nothing is fine. */
function pong(side: Side, { control }: Lane, state: State): Message {
  const waiting = side === 'client' ? state.serverPings : state.clientPings;
  const found = waiting.findIndex(({ payload }) => same(payload, control.kept, control.keptLength));
  const pair = found < 0 ? -1 : waiting[found]!.pair;
  waiting.splice(0, found + 1);
  return controlMessage('pong', control, state.about, pair);
}

function same(a: Uint8Array, b: Uint8Array, length: number): boolean {
  if (a.length !== length) {
    return false;
  }
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) {
      return false;
    }
  }
  return true;
}

function data(lane: Lane, state: State): Message {
  const { message, type, compressed, frames } = lane;
  lane.type = -1;
  let payload = message.kept.subarray(0, message.keptLength);
  let length = message.length;
  let why = '';
  if (compressed) {
    const plain = undone(lane, payload, length);
    payload = plain.bytes.length > PAYLOAD_KEPT ? plain.bytes.slice(0, PAYLOAD_KEPT) : plain.bytes;
    length = plain.why === '' ? plain.bytes.length : -1;
    why = plain.why;
  }
  const wire = message.length;
  return dataMessage({
    type,
    payload,
    length,
    wire: compressed ? wire : -1,
    frames,
    why,
    about: state.about,
    bytes: message.bytes,
    warnings: message.warnings,
  });
}

/** In order, and at once: what comes next may refer to it. */
function undone(lane: Lane, payload: Uint8Array, length: number): { bytes: Uint8Array; why: string } {
  if (payload.length < length) {
    lane.before = NOTHING;
    return { bytes: NOTHING, why: `more than ${COMPRESSED_KEPT} compressed bytes` };
  }
  const plain = inflatedMessage(payload, lane.before, MAX_INFLATED);
  if ('why' in plain) {
    lane.before = NOTHING;
    const missing = /too far back/.test(plain.why);
    return { bytes: NOTHING, why: missing ? 'an earlier message that it refers to is missing' : plain.why };
  }
  if (lane.takeover) {
    lane.before = recent(lane.before, plain.bytes);
  }
  return { bytes: plain.bytes, why: '' };
}

/** The last 32 KiB of `before` and `now`. */
function recent(before: Uint8Array, now: Uint8Array): Uint8Array {
  if (now.length >= WINDOW) {
    return now.slice(now.length - WINDOW);
  }
  const rest = before.subarray(Math.max(0, before.length + now.length - WINDOW));
  const both = new Uint8Array(rest.length + now.length);
  both.set(rest);
  both.set(now, rest.length);
  return both;
}

function end(side: Side, state: State): readonly Message[] {
  const lane = state[side];
  if (lane.type < 0 || lane.compressed) {
    return NO_MESSAGES;
  }
  lane.message.warnings |= Warn.cutShort;
  return [data(lane, state)];
}
