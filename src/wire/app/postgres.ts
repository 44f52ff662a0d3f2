/** PostgreSQL, protocol 3.0 to 3.2: a type byte, a length, a body; before that one packet without a type. */
import {
  become,
  decoderOf,
  type Hint,
  type Message,
  malformed,
  need,
  ok,
  type Step,
  skip,
} from './decoder.ts';
import { ERROR_NAMES, keepsRows, row } from './postgres-answer.ts';
import { heardClient, heardStartup } from './postgres-client.ts';
import { heardServer, serverEnds } from './postgres-server.ts';
import { begin, i32, KEPT, type Lane, MAX_WORK, type State, say } from './postgres-state.ts';
import { summary } from './postgres-summary.ts';
import { commandOf } from './sql.ts';

const PORT = 5432;
/** MAX_STARTUP_PACKET_LENGTH and PQ_LARGE_MESSAGE_LIMIT of the server's source. */
const LONGEST_STARTUP = 10_000;
const LONGEST = 0x3fffffff;
/** What a client that does not wait for the server's one byte may send ahead. */
const LONGEST_WAIT = 16 * 1024;

const CLIENT_TYPES = types('QPBEDCSHXFdcfp');
const SERVER_TYPES = types('RSKZTDCInNEAGHWdcstV123v');
/** Types with a body of fixed length: what does not have it is not this protocol. */
const CLIENT_EMPTY = types('SHXc');
const SERVER_EMPTY = types('123nsIc');

const MESSAGES_NONE: readonly Message[] = [];

function types(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const letter of letters) {
    table[letter.charCodeAt(0)] = 1;
  }
  return table;
}

function client(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (state.phase === 'sealed') {
    return ok(MESSAGES_NONE, to - from);
  }
  if (state.phase === 'asked') {
    return to - from < LONGEST_WAIT
      ? ok(MESSAGES_NONE, 0)
      : malformed(0, `the client did not wait for the answer to ${state.asked}`);
  }
  if (state.phase === 'messages' || (state.phase === 'start' && state.midStream && bytes[from] !== 0)) {
    state.phase = 'messages';
    return messages(state.client, bytes, from, to, state);
  }
  if (to - from < 8) {
    return need(8);
  }
  const length = i32(bytes, from);
  if (length < 8 || length > LONGEST_STARTUP) {
    return malformed(0, 'no PostgreSQL startup packet');
  }
  if (to - from < length) {
    return need(length);
  }
  const said: Message[] = [];
  if (!heardStartup(state, bytes, from, from + length, said)) {
    return malformed(4, `protocol version ${i32(bytes, from + 4) >>> 16} of PostgreSQL is not read`);
  }
  return ok(said, length);
}

function server(bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (state.phase === 'sealed') {
    return ok(MESSAGES_NONE, to - from);
  }
  if (state.phase === 'asked') {
    if (from >= to) {
      return need(1);
    }
    if (bytes[from] !== 0x45) {
      return encryptionAnswered(state, bytes[from]!);
    }
    // A server too old for the question answers with an error, and both start anew.
    state.phase = 'start';
    state.queue.push({
      kind: 'auth',
      pair: state.pairs,
      name: '',
      waits: 0,
      execute: false,
      statement: null,
      formats: null,
    });
  }
  return messages(state.server, bytes, from, to, state);
}

function encryptionAnswered(state: State, answer: number): Step {
  const accepted = answer === (state.asked === 'SSLRequest' ? 0x53 : 0x47);
  if (!accepted && answer !== 0x4e) {
    return malformed(0, `an answer to ${state.asked} that is neither yes nor no`);
  }
  state.server.unsaid++;
  const name = accepted ? 'Accepted' : 'Refused';
  const said = [say(state.server, 'reply', name, () => ({ encryption: accepted }), { pair: state.pairs })];
  if (accepted && state.asked === 'SSLRequest') {
    return become('tls', said, 1);
  }
  state.phase = accepted ? 'sealed' : 'start';
  return ok(said, 1);
}

/** As many messages as are there. */
function messages(lane: Lane, bytes: Uint8Array, from: number, to: number, state: State): Step {
  if (lane.rest > 1) {
    const bytesToPass = lane.rest - 1;
    lane.rest = 1;
    return skip(bytesToPass);
  }
  if (lane.rest === 1) {
    if (from >= to) {
      return need(1);
    }
    lane.rest = 0;
    const { late } = lane;
    lane.late = [];
    return ok(late, 1);
  }
  const fromClient = lane === state.client;
  const said: Message[] = [];
  let at = from;
  let wanted = 5;
  while (to - at >= 5) {
    const type = bytes[at]!;
    const length = i32(bytes, at + 1);
    const why =
      fromClient && state.queue.length >= MAX_WORK
        ? 'more requests wait for their answer than are followed'
        : wrong(type, length, fromClient);
    if (why !== null) {
      return at > from ? ok(said, at - from) : malformed(0, why);
    }
    const end = at + 1 + length;
    const unread = type === 0x64 || (type === 0x44 && !fromClient && !keepsRows(state));
    const seen = unread ? at + 5 : Math.min(end, at + 5 + KEPT);
    if (seen > to) {
      wanted = seen - at;
      break;
    }
    lane.unsaid += end - at;
    const before = said.length;
    heard(state, fromClient, type, bytes, at + 5, seen, length - 4, said);
    if (end > to) {
      lane.rest = end - seen;
      lane.late = said.splice(before);
      return ok(said, seen - from);
    }
    at = end;
  }
  return at > from ? ok(said, at - from) : need(wanted);
}

function wrong(type: number, length: number, fromClient: boolean): string | null {
  if ((fromClient ? CLIENT_TYPES : SERVER_TYPES)[type] !== 1) {
    return `no message of PostgreSQL begins with byte ${type}`;
  }
  const empty = (fromClient ? CLIENT_EMPTY : SERVER_EMPTY)[type] === 1;
  if (length < 4 || length > LONGEST || (empty && length !== 4) || (type === 0x5a && length !== 5)) {
    return `a length of ${length} in a message ${String.fromCharCode(type)}`;
  }
  return null;
}

/** `length` is that of the whole body, of which bytes[from, to) is the beginning. */
function heard(
  state: State,
  fromClient: boolean,
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  said: Message[],
): void {
  if (type === 0x64) {
    const { answer } = state;
    if (fromClient) {
      state.copied.messages++;
      state.copied.bytes += length;
    } else {
      answer.copyMessages++;
      answer.copyBytes += length;
    }
  } else if (fromClient) {
    heardClient(state, type, bytes, from, to, to - from < length, said);
  } else if (type === 0x44) {
    row(state, bytes, from, to);
  } else {
    heardServer(state, type, bytes, from, to, said);
  }
}

function recognises(hint: Hint, bytes: Uint8Array, from: number, to: number): number {
  const byPort = hint.serverPort === PORT ? 0.3 : 0;
  const size = to - from;
  if (size < 5) {
    return byPort;
  }
  if (hint.side === 'client' && bytes[from] === 0) {
    return size < 8 ? byPort : startupLikeness(bytes, from, byPort);
  }
  const type = bytes[from]!;
  const length = i32(bytes, from + 1);
  if (wrong(type, length, hint.side === 'client') !== null) {
    return 0;
  }
  if (hint.side === 'client') {
    return hint.midStream ? clientLikeness(type, bytes, from, to, length, byPort) : 0;
  }
  return serverLikeness(type, bytes, from, to, length, byPort, hint.midStream);
}

function startupLikeness(bytes: Uint8Array, from: number, byPort: number): number {
  const length = i32(bytes, from);
  const code = i32(bytes, from + 4);
  if (code === 80877103 || code === 80877104) {
    return length === 8 ? 0.95 : 0;
  }
  if (code === 80877102) {
    return length >= 16 && length <= 268 ? 0.95 : 0;
  }
  return code >>> 16 === 3 && (code & 0xffff) < 100 && length >= 9 && length <= LONGEST_STARTUP
    ? 0.9
    : Math.min(byPort, 0.1);
}

function clientLikeness(
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  byPort: number,
): number {
  if (type === 0x51 && commandOf(bytes, from + 5, Math.min(to, from + 64)) !== 'SQL') {
    return 0.85;
  }
  // Two messages in a row fit.
  const next = from + 1 + length;
  const fits = to - next >= 5 && wrong(bytes[next]!, i32(bytes, next + 1), true) === null;
  return fits ? 0.8 : byPort > 0 ? 0.5 : 0;
}

function serverLikeness(
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  byPort: number,
  midStream: boolean,
): number {
  const plausible = byPort > 0 ? 0.5 : 0;
  if (type === 0x52 && to - from >= 9) {
    const kind = i32(bytes, from + 5);
    return kind >= 0 && kind <= 12 && length >= 8 && length < 2048 ? 0.85 : 0;
  }
  if ((type === 0x45 || type === 0x4e) && to - from >= 7) {
    return length < 65536 && bytes[from + 5] === 0x53 && bytes[from + 6]! >= 0x41 ? 0.85 : 0;
  }
  const next = from + 1 + length;
  const fits = to - next >= 5 && wrong(bytes[next]!, i32(bytes, next + 1), false) === null;
  return midStream && fits ? 0.8 : plausible;
}

export const decoder = decoderOf<State>({
  name: 'postgres',
  transports: ['tcp'],
  secrets: ['password', 'sasl.data', 'gss.data', 'backend.key', 'query.raw'],
  recognises,
  speaks: {
    postgres: [
      ...[
        'query',
        'query.raw',
        'parameters',
        'statement',
        'portal',
        'limit',
        'columns',
        'types',
        'rows',
        'count',
      ],
      ...[
        'tag',
        'suspended',
        'skipped',
        'transaction',
        'parameter.types',
        'copy',
        'copy.messages',
        'copy.bytes',
      ],
      ...['user', 'database', 'application_name', 'protocol', 'parameter.*', 'unknown', 'encryption'],
      ...['authentication', 'mechanisms', 'mechanism', 'password', 'sasl.data', 'gss.data'],
      ...['backend.pid', 'backend.key', 'process', 'channel', 'payload', 'function', 'reason'],
      ...ERROR_NAMES.map((name) => `error.${name}`),
      ...ERROR_NAMES.map((name) => `notice.${name}`),
    ],
  },
  begin: (hint) => begin(hint.midStream),
  client,
  server,
  end(side, state) {
    const said: Message[] = [];
    if (side === 'server') {
      serverEnds(state, said);
    }
    return said;
  },
  summary,
});
