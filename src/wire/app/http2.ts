/** HTTP/2 in the clear (RFC 9113): with prior knowledge, or after an upgrade from HTTP/1.1. gRPC calls are told apart. */
import {
  type Decoder,
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
import { httpSecrets } from './http1-fields.ts';
import { headers, hugeHeaders, MAX_BLOCK } from './http2-block.ts';
import { control } from './http2-control.ts';
import { spoken } from './http2-fields.ts';
import {
  CONTINUATION,
  DATA,
  END_STREAM,
  FRAME_HEAD,
  frameLength,
  framesInSight,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  startsWithSettings,
  uint31,
  wrongHead,
} from './http2-frame.ts';
import { complete } from './http2-headers.ts';
import { type Lane, newLane, passOver, type State } from './http2-lane.ts';
import { brokenReply, summary } from './http2-message.ts';
import { openStream, passBy, pour, unseen } from './http2-stream.ts';

function begin(hint: Hint, given?: unknown): State {
  const upgrade = upgradeOf(given);
  const whole = upgrade !== null || !hint.midStream;
  const state: State = {
    streams: { open: new Map(), held: 0 },
    client: newLane('client', whole, whole),
    // After an upgrade the client's first settings were in the HTTP/1 request (RFC 7540 section 3.2.1).
    server: newLane('server', whole, whole && upgrade === null),
    midStream: !whole,
  };
  if (upgrade !== null) {
    const stream = openStream(state.streams, 1, 'client');
    stream.request.done = true;
    stream.method = upgrade.method;
    stream.path = upgrade.path;
    stream.host = upgrade.host;
  }
  return state;
}

interface Upgrade {
  readonly method: string | null;
  readonly path: string | null;
  readonly host: string | null;
}

function upgradeOf(given: unknown): Upgrade | null {
  if (typeof given !== 'object' || given === null || !('upgrade' in given) || given.upgrade !== 'h2c') {
    return null;
  }
  const { method, path, host } = given as Record<string, unknown>;
  const word = (value: unknown) => (typeof value === 'string' ? value : null);
  return { method: word(method), path: word(path), host: word(host) };
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  if (hint.side === 'client') {
    const matching = prefaceLength(bytes, from, to);
    if (matching > 0) {
      return matching >= 5 ? 1 : matching >= 3 ? 0.5 : 0.1;
    }
  } else if (startsWithSettings(bytes, from, to)) {
    return 0.9;
  }
  if (!hint.midStream) {
    return 0;
  }
  const frames = framesInSight(bytes, from, to);
  return frames >= 2 ? 0.85 : frames === 1 ? 0.6 : 0;
}

/** How many bytes are there and agree with the preface; 0 when one does not. */
function prefaceLength(bytes: Uint8Array, from: number, to: number): number {
  const length = Math.min(PREFACE.length, to - from);
  for (let i = 0; i < length; i++) {
    if (bytes[from + i] !== PREFACE.charCodeAt(i)) {
      return 0;
    }
  }
  return length;
}

/** Reads frames until one makes a message. */
function read(bytes: Uint8Array, from: number, to: number, lane: Lane, state: State): Step {
  let at = from;
  if (lane.fresh) {
    const passed = start(bytes, from, to, lane, state);
    if (typeof passed !== 'number') {
      return passed;
    }
    at += passed;
  }
  for (;;) {
    if (lane.inside) {
      const step = goOn(bytes, at, to, lane, state, at === from);
      if (step.step !== 'ok') {
        return step;
      }
      at += step.consumed;
      if (lane.inside || step.messages.length > 0) {
        return ok(step.messages, at - from);
      }
    }
    const step = to - at < FRAME_HEAD ? need(FRAME_HEAD) : frame(bytes, at, to, lane, state);
    if (step.step === 'ok' && step.consumed > 0) {
      at += step.consumed;
      if (step.messages.length > 0) {
        return ok(step.messages, at - from);
      }
    } else if (step.step === 'malformed') {
      return malformed(at - from, step.why);
    } else {
      return at > from ? ok([], at - from) : step;
    }
  }
}

/** What comes before the first frame: its length, or a step. */
function start(bytes: Uint8Array, from: number, to: number, lane: Lane, state: State): number | Step {
  const matching = lane.side === 'client' ? prefaceLength(bytes, from, to) : 0;
  if (matching > 0 && matching < PREFACE.length) {
    return need(PREFACE.length);
  }
  if (matching === 0) {
    if (lane.side === 'client' && !state.midStream) {
      return malformed(0, 'no HTTP/2 preface');
    }
    if (to - from < FRAME_HEAD) {
      return need(FRAME_HEAD);
    }
    if (state.midStream && framesInSight(bytes, from, to) < 0) {
      return malformed(0, 'no HTTP/2 frame begins here');
    }
  } else {
    lane.table.complete = true;
    state.server.table.complete ||= state.server.fresh;
  }
  lane.fresh = false;
  return matching;
}

/**
 * Goes on inside a payload. Still inside afterwards when it did not end. Skips only when nothing was consumed before,
 * and all but the last byte: that one completes the payload, and what it completes has a byte to show for it.
 */
function goOn(bytes: Uint8Array, from: number, to: number, lane: Lane, state: State, first: boolean): Step {
  const { streams } = state;
  const { stream } = lane;
  let at = from;
  while (stream !== null && lane.left > 0 && streams.open.get(stream.id) === stream) {
    const half = lane.side === 'client' ? stream.request : stream.reply;
    const passing = half.done ? lane.left : Math.min(lane.left, unseen(half));
    if (passing > to - at) {
      if (at > from || !first || passing === 1) {
        return ok([], at - from);
      }
      lane.left -= passing - 1;
      passBy(half, passing - 1);
      return skip(passing - 1);
    }
    const count = passing > 0 ? passing : Math.min(lane.left, to - at);
    if (count === 0) {
      return ok([], at - from);
    }
    if (passing > 0) {
      passBy(half, passing);
    } else {
      pour(streams, half, bytes, at, at + count);
    }
    lane.left -= count;
    at += count;
  }
  const rest = lane.left + lane.padding;
  if (rest > to - at) {
    if (at > from || !first || rest === 1) {
      return ok([], at - from);
    }
    lane.left = 0;
    lane.padding = 1;
    return skip(rest - 1);
  }
  at += rest;
  lane.inside = false;
  lane.left = 0;
  lane.padding = 0;
  lane.stream = null;
  if (lane.ends && stream !== null && streams.open.get(stream.id) === stream) {
    const said = complete(streams, stream, lane.side === 'client' ? stream.request : stream.reply);
    return ok(said === null ? [] : [said], at - from);
  }
  return ok([], at - from);
}

/** A frame whose head is there. Consumes all of it, or its head when its payload is for `goOn`. */
function frame(bytes: Uint8Array, at: number, to: number, lane: Lane, state: State): Step {
  const length = frameLength(bytes, at);
  const type = bytes[at + 3]!;
  const flags = bytes[at + 4]!;
  const id = uint31(bytes, at + 5);
  const wrong = wrongHead(type, length, id);
  if (wrong !== null) {
    return malformed(0, wrong);
  }
  if (length > lane.maxFrame) {
    return malformed(0, `a frame of ${length} bytes where ${lane.maxFrame} are allowed`);
  }
  const { block } = lane;
  if (block.open && (type !== CONTINUATION || id !== block.stream)) {
    return malformed(0, 'another frame inside a header block');
  }
  if (type === DATA) {
    return data(bytes, at, to, lane, state, length, flags, id);
  }
  if (type === HEADERS || type === PUSH_PROMISE || type === CONTINUATION) {
    if (length > MAX_BLOCK) {
      return hugeHeaders(lane, state, type, length, flags, id);
    }
    if (to - at < FRAME_HEAD + length) {
      return need(FRAME_HEAD + length);
    }
    return headers(bytes, at, lane, state, type, length, flags, id);
  }
  if (type === RST_STREAM || type === SETTINGS || type === PING || type === GOAWAY) {
    return control(bytes, at, to, lane, state, type, length, flags, id);
  }
  return passOver(lane, length);
}

function data(
  bytes: Uint8Array,
  at: number,
  to: number,
  lane: Lane,
  state: State,
  length: number,
  flags: number,
  id: number,
): Step {
  const padded = (flags & PADDED) !== 0;
  if (padded && length > 0 && to - at < FRAME_HEAD + 1) {
    return need(FRAME_HEAD + 1);
  }
  const padding = padded ? 1 + (bytes[at + FRAME_HEAD] ?? 0) : 0;
  if (padding > length) {
    return malformed(0, 'more padding than DATA');
  }
  lane.inside = true;
  lane.left = length - padding;
  lane.padding = padded ? padding - 1 : 0;
  lane.ends = (flags & END_STREAM) !== 0;
  lane.stream = state.streams.open.get(id) ?? null;
  if (lane.stream !== null) {
    const half = lane.side === 'client' ? lane.stream.request : lane.stream.reply;
    half.bytes += FRAME_HEAD + length;
    half.length += lane.left;
  }
  return ok([], padded ? FRAME_HEAD + 1 : FRAME_HEAD);
}

/** Replies that had begun when the server stopped. */
function end(side: Side, state: State): readonly Message[] {
  const said: Message[] = [];
  if (side === 'server') {
    for (const stream of state.streams.open.values()) {
      if (stream.reply.headers !== null && !stream.reply.done) {
        said.push(brokenReply(stream, null, 0));
      }
    }
    state.streams.open.clear();
  }
  return said;
}

const http2: Decoder<State> = {
  name: 'http2',
  transports: ['tcp'],
  secrets: httpSecrets,
  recognises,
  speaks: spoken,
  begin,
  client: (bytes, from, to, state) => read(bytes, from, to, state.client, state),
  server: (bytes, from, to, state) => read(bytes, from, to, state.server, state),
  end,
  summary,
};

export const decoder = decoderOf(http2);
