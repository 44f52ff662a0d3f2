/** What a PostgreSQL server says (protocol documentation, "Message Formats" and "Message Flow"). */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { errorFields, failed, finished, head, sayAnswer, sayHeld } from './postgres-answer.ts';
import { i32, nameAt, newAnswer, type State, say, u16, zero } from './postgres-state.ts';
import { columnsOf, hex } from './postgres-values.ts';
import { commandOf } from './sql.ts';
import { shortened, text } from './text.ts';

const TEXT_KEPT = 2048;
const PARAMETER_TYPES_KEPT = 256;
const SESSION_PARAMETERS_KEPT = 64;

/** One message of the server: bytes[from, to) is its body, or the first KEPT bytes of it. */
export function heardServer(
  state: State,
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): void {
  if (state.held !== null && type !== 0x5a && startsAnother(type)) {
    sayHeld(state, said, true);
  }
  const { answer } = state;
  switch (type) {
    case 0x52:
      authentication(state, bytes, from, to, said);
      break;
    case 0x53:
      parameterStatus(state, bytes, from, to, said);
      break;
    case 0x4b:
      if (state.session !== null && to - from >= 4) {
        state.session.pid = i32(bytes, from);
        state.session.key = bytes.slice(from + 4, to);
      }
      break;
    case 0x5a:
      ready(state, bytes[from] ?? 0, said);
      break;
    case 0x54:
      answer.columns = columnsOf(bytes, from, to);
      described(state, said);
      break;
    case 0x6e:
      described(state, said);
      break;
    case 0x74:
      answer.parameterTypes = parameterTypes(bytes, from, to);
      break;
    case 0x31:
    case 0x32:
    case 0x33:
      acknowledged(state, said);
      break;
    case 0x43:
      answer.tag = nameAt(bytes, from, zero(bytes, from, to));
      answer.command = commandOf(bytes, from, to);
      finished(state, 'tag', said);
      break;
    case 0x49:
      finished(state, 'empty', said);
      break;
    case 0x73:
      finished(state, 'suspended', said);
      break;
    case 0x56:
      finished(state, 'result', said);
      break;
    case 0x45:
      failed(state, bytes, from, to, said);
      break;
    case 0x4e: {
      const fields = errorFields(bytes, from, to, 'notice');
      said.push(say(state.server, 'notice', 'Notice', () => fields));
      break;
    }
    case 0x41:
      notification(state, bytes, from, to, said);
      break;
    case 0x47:
      answer.copy = 'in';
      copyInBegins(state);
      break;
    case 0x48:
      answer.copy = 'out';
      break;
    case 0x57:
      answer.copy = 'both';
      copyInBegins(state);
      break;
    case 0x76:
      negotiation(state, bytes, from, to, said);
      break;
    default:
    // CopyDone: CommandComplete follows.
  }
}

/** What can only begin the answer to the next statement of a simple query. */
function startsAnother(type: number): boolean {
  return type === 0x54 || type === 0x43 || type === 0x49 || type === 0x45 || type === 0x47 || type === 0x48;
}

function authentication(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const kind = to - from >= 4 ? i32(bytes, from) : -1;
  const work = head(state);
  if (kind === 0) {
    state.session = { parameters: {}, kept: 0, pid: null, key: null };
    return;
  }
  const [name, auth] = AUTHENTICATIONS.get(kind) ?? [`Authentication ${kind}`, 'password'];
  state.auth = auth;
  const fields: { [name: string]: Value } = { authentication: name };
  if (kind === 10) {
    fields.mechanisms = mechanisms(bytes, from + 4, to);
  } else if (kind === 8 || kind === 11 || kind === 12) {
    const data = kind === 8 ? hex(bytes, from + 4, Math.min(to, from + 260)) : text(bytes, from + 4, to);
    fields[kind === 8 ? 'gss.data' : 'sasl.data'] = data;
  }
  const waiting = work?.kind === 'startup' || work?.kind === 'auth' ? work : undefined;
  if (waiting !== undefined && kind !== 12) {
    state.queue.shift();
  }
  // SASLFinal has AuthenticationOk behind it: both answer the same request.
  const extra = waiting === undefined ? {} : { pair: waiting.pair, more: kind === 12 };
  said.push(say(state.server, 'reply', 'Authentication', () => fields, extra));
}

const AUTHENTICATIONS = new Map<number, [string, State['auth']]>([
  [2, ['KerberosV5', 'gss']],
  [3, ['CleartextPassword', 'password']],
  [5, ['MD5Password', 'password']],
  [6, ['SCMCredential', 'password']],
  [7, ['GSS', 'gss']],
  [8, ['GSSContinue', 'gss']],
  [9, ['SSPI', 'gss']],
  [10, ['SASL', 'sasl']],
  [11, ['SASLContinue', 'sasl-more']],
  [12, ['SASLFinal', 'sasl-more']],
]);

function mechanisms(bytes: Uint8Array, from: number, to: number): string[] {
  const found: string[] = [];
  for (let at = from; at < to && bytes[at] !== 0 && found.length < 16; ) {
    const end = zero(bytes, at, to);
    found.push(nameAt(bytes, at, end));
    at = end + 1;
  }
  return found;
}

function parameterStatus(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const nameEnd = zero(bytes, from, to);
  const name = nameAt(bytes, from, nameEnd);
  const valueFrom = Math.min(to, nameEnd + 1);
  const end = Math.min(zero(bytes, valueFrom, to), valueFrom + TEXT_KEPT);
  const value = text(bytes, valueFrom, end);
  const { session } = state;
  if (session === null) {
    said.push(say(state.server, 'notice', 'ParameterStatus', () => ({ [`parameter.${name}`]: value })));
  } else if (session.kept < SESSION_PARAMETERS_KEPT) {
    session.kept++;
    session.parameters[`parameter.${name}`] = value;
  }
}

function ready(state: State, status: number, said: Message[]): void {
  const transaction = status === 0x45 ? 'failed' : status === 0x54 ? 'in transaction' : 'idle';
  const { queue, session } = state;
  state.copyIn = false;
  if (session !== null) {
    sayReady(state, said);
    return;
  }
  let told = false;
  while (queue.length > 0) {
    const work = queue.shift()!;
    if (work.kind === 'sync') {
      break;
    }
    if (work.kind === 'query' && !state.skipping) {
      const answer = state.held ?? state.answer;
      state.held = null;
      sayAnswer(state, answer, work, said, false, transaction);
      told = true;
      break;
    }
    if (work.kind === 'function' && !state.skipping) {
      break;
    }
    const { pair } = work;
    const fields = () => ({ skipped: true });
    said.push(say(state.server, 'reply', 'Skipped', fields, { pair, failed: true }));
  }
  state.skipping = false;
  state.answer = newAnswer();
  if (state.held !== null) {
    sayHeld(state, said, false);
  }
  if (transaction === 'failed' && !told) {
    said.push(say(state.server, 'notice', 'TransactionFailed', () => ({ transaction })));
  }
}

/** The connection is open: what the server said of itself on the way. */
export function sayReady(state: State, said: Message[]): void {
  const { session, queue } = state;
  if (session === null) {
    return;
  }
  state.session = null;
  const work = head(state);
  const waiting = work?.kind === 'startup' || work?.kind === 'auth' ? work : undefined;
  if (waiting !== undefined) {
    queue.shift();
  }
  const { pid, key, parameters } = session;
  const fields = (): Values => ({
    authentication: 'Ok',
    ...(pid !== null ? { 'backend.pid': pid } : {}),
    ...(key !== null ? { 'backend.key': hex(key, 0, key.length) } : {}),
    ...parameters,
  });
  said.push(say(state.server, 'reply', 'Ready', fields, waiting === undefined ? {} : { pair: waiting.pair }));
}

function parameterTypes(bytes: Uint8Array, from: number, to: number): number[] {
  const types: number[] = [];
  const count = to - from >= 2 ? Math.min(PARAMETER_TYPES_KEPT, u16(bytes, from)) : 0;
  for (let i = 0, at = from + 2; i < count && to - at >= 4; i++, at += 4) {
    types.push(i32(bytes, at));
  }
  return types;
}

/** RowDescription or NoData: the end of Describe, or the head of a simple query's rows. */
function described(state: State, said: Message[]): void {
  const work = head(state);
  if (work?.kind !== 'extended') {
    return;
  }
  const { answer } = state;
  if (work.statement !== null) {
    work.statement.columns = answer.columns;
    work.statement.parameterTypes = answer.parameterTypes ?? work.statement.parameterTypes;
  }
  acknowledged(state, said);
}

function acknowledged(state: State, said: Message[]): void {
  const work = head(state);
  if (work?.kind === 'extended' && --work.waits <= 0 && !work.execute) {
    finished(state, 'described', said);
  }
}

/** The server is gone: what it had said. */
export function serverEnds(state: State, said: Message[]): void {
  sayReady(state, said);
  sayHeld(state, said, false);
}

function notification(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  if (to - from < 4) {
    return;
  }
  const process = i32(bytes, from);
  const channelEnd = zero(bytes, from + 4, to);
  const channel = nameAt(bytes, from + 4, channelEnd);
  const payloadFrom = Math.min(to, channelEnd + 1);
  const payload = shortened(text(bytes, payloadFrom, zero(bytes, payloadFrom, to)), TEXT_KEPT);
  said.push(say(state.server, 'notice', 'Notification', () => ({ process, channel, payload })));
}

/** The Syncs the client sent before it knew of the copying are passed over by the server, and answered by nothing. */
function copyInBegins(state: State): void {
  state.copyIn = true;
  state.copied = { messages: 0, bytes: 0 };
  if (head(state)?.kind === 'extended') {
    while (state.queue[1]?.kind === 'sync') {
      state.queue.splice(1, 1);
    }
  }
}

function negotiation(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  if (to - from < 8) {
    return;
  }
  const minor = i32(bytes, from);
  const unknown = mechanisms(bytes, from + 8, to);
  // The minor version came with the major one in front in early drafts; only the low half counts.
  const fields = () => ({ protocol: `3.${minor & 0xffff}`, unknown });
  said.push(say(state.server, 'notice', 'NegotiateProtocolVersion', fields));
}
