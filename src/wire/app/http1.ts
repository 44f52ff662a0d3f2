/** HTTP/1.0 and 1.1 (RFC 9110, RFC 9112), with server-sent events, and the ways out of it: CONNECT, WebSocket, h2c. */
import { become, decoderOf, type Message, malformed, ok, type Side, type Step, skip } from './decoder.ts';
import { beginBody, type Lane, newLane, Phase, readBody, skippable } from './http1-body.ts';
import { newEvents } from './http1-events.ts';
import { type Content, httpFields, httpSecrets, httpSummary } from './http1-fields.ts';
import { clearHead, scanHead, unfolded, Warn } from './http1-head.ts';
import {
  type Asked,
  askedFor,
  HEAD_SHOWN,
  HttpMessage,
  newAsked,
  remember,
  statusName,
} from './http1-message.ts';
import { maskedUrl } from './http1-secrets.ts';
import { isToken, methodName, recognises, tokenLength } from './http1-start.ts';
import { switched } from './http1-upgrade.ts';
import { startsWith } from './text.ts';

/** Requests without a reply of which the path is remembered. Beyond it replies are still paired, by counting. */
const MAX_WAITING = 256;
/** Bytes that a client sends before the tunnel it asked for is open: a TLS hello at most. */
const MAX_HELD = 65_536;

const NO_MESSAGES: readonly Message[] = [];

interface State {
  readonly client: Lane;
  readonly server: Lane;
  /** The number of the next request, and of the next reply. */
  asked: number;
  answered: number;
  readonly waiting: Asked[];
  spare: Asked | null;
  /** The request whose body is coming, and the one whose reply is. */
  asking: Asked | null;
  answering: Asked | null;
  /** The number of a request that asked to leave HTTP/1: what the client says next is not HTTP/1 until that is refused. */
  leaving: number;
  leavingBy: 'connect' | 'upgrade';
}

export const decoder = decoderOf<State>({
  name: 'http1',
  transports: ['tcp'],
  secrets: httpSecrets,
  recognises,
  speaks: { http: httpFields },
  begin: () => ({
    client: newLane(),
    server: newLane(),
    asked: 0,
    answered: 0,
    waiting: [],
    spare: null,
    asking: null,
    answering: null,
    leaving: -1,
    leavingBy: 'connect',
  }),
  client: (bytes, from, to, state) => {
    if (state.leaving >= 0 && state.client.phase === Phase.head && held(state, bytes, from, to)) {
      return to - from > MAX_HELD ? malformed(0, 'the tunnel was never opened') : ok(NO_MESSAGES, 0);
    }
    return step(state, state.client, bytes, from, to);
  },
  server: (bytes, from, to, state) => step(state, state.server, bytes, from, to),
  end,
  summary: (message, fields) => httpSummary(message.kind, fields),
});

/** True while the client's bytes wait for the answer to CONNECT or Upgrade. A client may also go on in HTTP/1. */
function held(state: State, bytes: Uint8Array, from: number, to: number): boolean {
  if (state.leavingBy === 'connect') {
    return true;
  }
  if (to - from < 4) {
    return to > from;
  }
  return tokenLength(bytes, from, to, 4) < 3 || startsWith(bytes, from, to, 'PRI ');
}

function step(state: State, lane: Lane, bytes: Uint8Array, from: number, to: number): Step {
  return lane.phase === Phase.head
    ? readHead(state, lane, bytes, from, to)
    : readOn(state, lane, bytes, from, to);
}

function readHead(state: State, lane: Lane, bytes: Uint8Array, from: number, to: number): Step {
  const { head } = lane;
  if (head.seen === 0) {
    const blank = emptyLines(bytes, from, to);
    if (blank > 0 || from >= to) {
      return ok(NO_MESSAGES, blank);
    }
    if (!isToken(bytes[from]!)) {
      return malformed(0, 'neither a request nor a status line');
    }
  }
  const length = scanHead(head, bytes, from, to);
  if (length === 0) {
    return ok(NO_MESSAGES, 0);
  }
  if (length > 0 && (head.status === 0) !== (lane === state.client)) {
    return malformed(0, head.status === 0 ? 'a request from the server' : 'a reply from the client');
  }
  if (length > 0 && head.warnings & Warn.folded) {
    return readFolded(state, lane, unfolded(bytes, from, from + length));
  }
  if (length < 0) {
    return malformed(0, head.why);
  }
  return lane === state.client
    ? request(state, lane, bytes, from, to, length)
    : reply(state, lane, bytes, from, to, length);
}

/** RFC 9112 2.2: at least one empty line before a message is ignored. */
function emptyLines(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === 13 || bytes[at] === 10)) {
    at++;
  }
  return at - from;
}

/** The head again, its folded lines made one: only now does it say what decides. The body is then read in steps. */
function readFolded(state: State, lane: Lane, flat: Uint8Array): Step {
  clearHead(lane.head);
  if (scanHead(lane.head, flat, 0, flat.length) !== flat.length) {
    return malformed(0, lane.head.why || 'a head that is folded wrongly');
  }
  lane.head.warnings |= Warn.folded;
  return lane === state.client
    ? request(state, lane, flat, 0, flat.length, flat.length)
    : reply(state, lane, flat, 0, flat.length, flat.length);
}

function request(
  state: State,
  lane: Lane,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
): Step {
  const { head } = lane;
  oddities(lane);
  if (head.coded && !head.chunked) {
    return malformed(0, 'a request whose transfer coding is not chunked');
  }
  const method = methodName(bytes, from, from + head.methodEnd);
  const asked = state.spare ?? newAsked();
  state.spare = null;
  remember(asked, state.asked++, method, head, bytes, from);
  if (state.waiting.length < MAX_WAITING) {
    state.waiting.push(asked);
  }
  if (method === 'CONNECT' || head.upgrade) {
    state.leaving = asked.pair;
    state.leavingBy = method === 'CONNECT' ? 'connect' : 'upgrade';
  }
  const body = head.chunked ? -1 : Math.max(head.length, 0);
  if (body >= 0 && length + body <= to - from) {
    const message = whole(lane, method, bytes, from, length, body, null);
    asked.complete = true;
    message.pair = asked.pair;
    clearHead(head);
    return ok([message], length + body);
  }
  state.asking = asked;
  const copy = bytes.slice(from, from + Math.min(length, HEAD_SHOWN));
  beginBody(lane, head.chunked ? Phase.chunkSize : Phase.length, copy, length, Math.max(body, 0));
  return ok(NO_MESSAGES, length);
}

function reply(state: State, lane: Lane, bytes: Uint8Array, from: number, to: number, length: number): Step {
  const { head } = lane;
  const { status } = head;
  oddities(lane);
  const final = status >= 200 || status === 101;
  const solicited = state.answered < state.asked;
  const number = state.answered;
  const asked = state.waiting.length > 0 && state.waiting[0]!.pair === number ? state.waiting[0]! : null;
  if (final && solicited) {
    state.answered++;
    if (asked !== null) {
      state.waiting.shift();
      asked.answered = true;
    }
  }
  const paired = solicited && (asked === null || asked.complete);
  const tunnel = asked !== null && asked.method === 'CONNECT' && status >= 200 && status < 300;
  if (tunnel || status === 101) {
    const message = answer(
      lane,
      whole(lane, statusName(status), bytes, from, length, -1, asked),
      paired,
      number,
    );
    return tunnel
      ? become(null, [message], length)
      : switched(message, asked, bytes, from, from + length, length);
  }
  if (final && state.leaving === number) {
    state.leaving = -1;
  }
  const none =
    status < 200 || status === 204 || status === 304 || (asked !== null && asked.method === 'HEAD');
  const body = none ? -1 : head.chunked ? -2 : head.coded || head.length < 0 ? -3 : head.length;
  const events = head.eventStream && !head.encoded && !none;
  if (events || body === -1 || (body >= 0 && length + body <= to - from)) {
    const shown = events ? -1 : body;
    const message = answer(
      lane,
      whole(lane, statusName(status), bytes, from, length, shown, asked),
      paired,
      number,
    );
    release(state, asked, final);
    if (events) {
      const phase = bodyPhase(body);
      beginBody(lane, phase, bytes.subarray(0, 0), 0, Math.max(body, 0));
      lane.events = newEvents();
      lane.path = asked === null ? '' : maskedUrl(askedFor(asked).path);
      if (body === 0) {
        finished(lane);
      }
      return ok([message], length);
    }
    clearHead(head);
    return ok([message], length + Math.max(body, 0));
  }
  state.answering = asked;
  const copy = bytes.slice(from, from + Math.min(length, HEAD_SHOWN));
  beginBody(lane, bodyPhase(body), copy, length, Math.max(body, 0));
  lane.pair = paired ? number : -1;
  return ok(NO_MESSAGES, length);
}

function bodyPhase(body: number): number {
  return body === -2 ? Phase.chunkSize : body === -3 ? Phase.untilEnd : Phase.length;
}

/** RFC 9112 6.1 and 6.3: what two programs in a row may read differently. */
function oddities({ head }: Lane): void {
  if (head.coded) {
    if (head.length >= 0) {
      head.warnings |= Warn.both;
    }
    if (head.minor === 0) {
      head.warnings |= Warn.oldChunked;
    }
    if (!head.chunked) {
      head.warnings |= Warn.notChunked;
    }
  }
}

/** A message of which every byte is at hand. `body` -1: it has none. */
function whole(
  lane: Lane,
  name: string,
  bytes: Uint8Array,
  from: number,
  length: number,
  body: number,
  asked: Asked | null,
): HttpMessage {
  const start = from + length;
  const content: Content | null = body > 0 ? { bytes, from: start, to: start + body, length: body } : null;
  return new HttpMessage(
    name,
    length + Math.max(body, 0),
    lane.head,
    bytes,
    from,
    length,
    content,
    null,
    asked,
  );
}

function answer(lane: Lane, message: HttpMessage, paired: boolean, pair: number): HttpMessage {
  if (paired) {
    message.pair = pair;
  }
  const { status } = lane.head;
  if (status >= 400) {
    message.failed = true;
  } else if (status < 200 && status !== 101) {
    message.more = true;
  }
  return message;
}

/** Its reply is made: the next request may have its buffers. The reply's fields are read before that comes. */
function release(state: State, asked: Asked | null, final: boolean): void {
  if (asked?.complete && final) {
    state.spare = asked;
  }
}

function readOn(state: State, lane: Lane, bytes: Uint8Array, from: number, to: number): Step {
  const passed = skippable(lane, to - from);
  if (passed > 0) {
    return skip(passed);
  }
  const messages: Message[] = [];
  const at = readBody(lane, bytes, from, to, messages);
  if (at < 0) {
    return malformed(0, lane.why);
  }
  if (lane.phase === Phase.done) {
    if (lane.events === null) {
      messages.push(complete(state, lane, false));
    }
    finished(lane);
  }
  return ok(messages, at - from);
}

function finished(lane: Lane): void {
  clearHead(lane.head);
  lane.phase = Phase.head;
  lane.events = null;
}

/** The message whose body is over, or whose connection is. */
function complete(state: State, lane: Lane, cutShort: boolean): HttpMessage {
  const { head } = lane;
  const asks = lane === state.client;
  const asked = asks ? state.asking : state.answering;
  if (cutShort) {
    head.warnings |= Warn.cutShort;
  }
  const content: Content = {
    bytes: lane.kept,
    from: 0,
    to: lane.keptLength,
    length: cutShort ? -1 : lane.length,
  };
  const message = new HttpMessage(
    asks ? (asked?.method ?? '') : statusName(head.status),
    lane.framing + lane.length,
    head,
    lane.headBytes,
    0,
    lane.headBytes.length,
    content,
    lane.trailerLength > 2 ? lane.trailer.subarray(0, lane.trailerLength) : null,
    asks ? null : asked,
  );
  if (!asks) {
    release(state, asked, true);
    return answer(lane, message, lane.pair >= 0, lane.pair);
  }
  if (asked !== null) {
    asked.complete = true;
    // A reply that came before the request was over is not waited for any more.
    if (!asked.answered) {
      message.pair = asked.pair;
    }
  }
  return message;
}

function end(side: Side, state: State): readonly Message[] {
  const lane = state[side];
  if (lane.phase === Phase.head || lane.events !== null) {
    return NO_MESSAGES;
  }
  const message = complete(state, lane, lane.phase !== Phase.untilEnd);
  finished(lane);
  return [message];
}
