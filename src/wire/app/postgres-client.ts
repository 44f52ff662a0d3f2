/**
 * What a PostgreSQL client says (protocol documentation, "Message Formats"). Parse, Bind and Describe are gathered until
 * Execute, Flush or Sync and said as one request: that is what the program asked for.
 */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import {
  forgetStatement,
  i32,
  KEPT,
  nameAt,
  type Portal,
  rememberPortal,
  rememberStatement,
  type Sql,
  type State,
  type Statement,
  say,
  type Unit,
  u16,
  type Work,
  type WorkKind,
  zero,
} from './postgres-state.ts';
import { afterParameters, formatsAt, hex, parametersOf, typeName } from './postgres-values.ts';
import { commandOf, withoutPasswords } from './sql.ts';
import { text } from './text.ts';

const NO_SQL: Sql = { bytes: new Uint8Array(0), cut: false };
const PARAMETER_TYPES_KEPT = 256;
const SETTINGS_KEPT = 64;

/** One message of the client: bytes[from, to) is its body, or the first KEPT bytes of it. */
export function heardClient(
  state: State,
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  cut: boolean,
  said: Message[],
): void {
  switch (type) {
    case 0x51:
      finishUnit(state, said);
      query(state, bytes, from, to, cut, said);
      break;
    case 0x50:
      parse(state, bytes, from, to, cut, said);
      break;
    case 0x42:
      bind(state, bytes, from, to, said);
      break;
    case 0x44:
      describe(state, bytes, from, to);
      break;
    case 0x45:
      execute(state, bytes, from, to, said);
      break;
    case 0x43:
      finishUnit(state, said);
      close(state, bytes, from, to, said);
      break;
    case 0x48:
      finishUnit(state, said);
      break;
    case 0x53:
      finishUnit(state, said);
      // While it copies in, the server passes Sync over (protocol documentation, "COPY Operations").
      if (!state.copyIn) {
        state.queue.push(plainWork(state, 'sync', 'Sync'));
      }
      break;
    case 0x70:
      password(state, bytes, from, to, said);
      break;
    case 0x63:
    case 0x66:
      copyEnds(state, type === 0x66 ? text(bytes, from, zero(bytes, from, to)) : null, said);
      break;
    case 0x46: {
      finishUnit(state, said);
      const oid = to - from >= 4 ? i32(bytes, from) >>> 0 : 0;
      const work = plainWork(state, 'function', 'FunctionCall');
      said.push(say(state.client, 'request', 'FunctionCall', () => ({ function: oid }), { pair: work.pair }));
      state.queue.push(work);
      break;
    }
    default:
      finishUnit(state, said);
      said.push(say(state.client, 'notice', 'Terminate', () => ({})));
  }
}

function plainWork(state: State, kind: WorkKind, name: string, waits = 0): Work {
  return { kind, pair: ++state.pairs, name, waits, execute: false, statement: null, formats: null };
}

function query(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  cut: boolean,
  said: Message[],
): void {
  const end = zero(bytes, from, to);
  const sql: Sql = { bytes: bytes.slice(from, end), cut };
  const name = commandOf(bytes, from, end);
  const work = plainWork(state, 'query', name);
  said.push(say(state.client, 'request', name, () => sqlFields(sql), { pair: work.pair }));
  state.queue.push(work);
}

function unitOf(state: State): Unit {
  state.unit ??= { parse: null, bind: null, described: null, waits: 0 };
  return state.unit;
}

function parse(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  cut: boolean,
  said: Message[],
): void {
  if (state.unit !== null) {
    finishUnit(state, said);
  }
  const nameEnd = zero(bytes, from, to);
  const sqlFrom = Math.min(to, nameEnd + 1);
  const sqlEnd = zero(bytes, sqlFrom, to);
  const parameterTypes: number[] = [];
  if (to - sqlEnd >= 3) {
    const count = Math.min(PARAMETER_TYPES_KEPT, u16(bytes, sqlEnd + 1));
    for (let i = 0, at = sqlEnd + 3; i < count && to - at >= 4; i++, at += 4) {
      parameterTypes.push(i32(bytes, at));
    }
  }
  const statement: Statement = {
    name: nameAt(bytes, from, nameEnd),
    sql: { bytes: bytes.slice(sqlFrom, sqlEnd), cut: cut && sqlEnd === to },
    parameterTypes,
    columns: null,
  };
  rememberStatement(state, statement);
  const unit = unitOf(state);
  unit.parse = statement;
  unit.waits++;
}

function bind(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  if (state.unit?.bind) {
    finishUnit(state, said);
  }
  const portalEnd = zero(bytes, from, to);
  const nameFrom = Math.min(to, portalEnd + 1);
  const nameEnd = zero(bytes, nameFrom, to);
  const body = Math.min(to, nameEnd + 1);
  const after = afterParameters(bytes, body, to);
  const unit = unitOf(state);
  const portal: Portal = {
    name: nameAt(bytes, from, portalEnd),
    statement: statementNamed(state, nameAt(bytes, nameFrom, nameEnd)),
    parameters: bytes.slice(body, to),
    formats: after < 0 ? [] : formatsAt(bytes, after, to).formats,
  };
  unit.bind = portal;
  unit.waits++;
  rememberPortal(state, portal);
}

function statementNamed(state: State, name: string): Statement {
  const known = state.statements.get(name);
  return known ?? { name, sql: NO_SQL, parameterTypes: [], columns: null };
}

function describe(state: State, bytes: Uint8Array, from: number, to: number): void {
  const unit = unitOf(state);
  const name = nameAt(bytes, Math.min(to, from + 1), zero(bytes, from + 1, to));
  unit.described =
    bytes[from] === 0x50
      ? (state.portals.get(name)?.statement ?? statementNamed(state, ''))
      : statementNamed(state, name);
  unit.waits++;
}

function execute(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const nameEnd = zero(bytes, from, to);
  const name = nameAt(bytes, from, nameEnd);
  const limit = to - nameEnd >= 5 ? i32(bytes, nameEnd + 1) : 0;
  const waits = state.unit?.waits ?? 0;
  state.unit = null;
  const portal = state.portals.get(name);
  const statement = portal?.statement ?? statementNamed(state, '');
  const { sql } = statement;
  const command = commandOf(sql.bytes, 0, sql.bytes.length);
  const pair = ++state.pairs;
  const fields = (): Values => {
    const parameters = portal === undefined ? [] : parametersOf(portal.parameters, statement.parameterTypes);
    return {
      ...sqlFields(sql),
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(statement.name !== '' ? { statement: statement.name } : {}),
      ...(name !== '' ? { portal: name } : {}),
      ...(limit > 0 ? { limit } : {}),
    };
  };
  said.push(say(state.client, 'request', command, fields, { pair }));
  const formats = portal?.formats ?? null;
  const work = { kind: 'extended' as const, pair, name: command, waits, execute: true, statement, formats };
  state.queue.push(work);
}

function close(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const portal = bytes[from] === 0x50;
  const name = nameAt(bytes, Math.min(to, from + 1), zero(bytes, from + 1, to));
  if (portal) {
    state.portals.delete(name);
  } else {
    forgetStatement(state, name);
  }
  const work = plainWork(state, 'extended', 'Close', 1);
  const fields = () => (portal ? { portal: name } : { statement: name });
  said.push(say(state.client, 'request', 'Close', fields, { pair: work.pair }));
  state.queue.push(work);
}

/** Parse, Bind, Describe without Execute: a request of their own. */
function finishUnit(state: State, said: Message[]): void {
  const { unit } = state;
  if (unit === null) {
    return;
  }
  state.unit = null;
  const { parse: parsed, bind: bound, described } = unit;
  const statement = bound?.statement ?? parsed ?? described ?? statementNamed(state, '');
  const name = bound !== null ? 'Bind' : parsed !== null ? 'Parse' : 'Describe';
  const pair = ++state.pairs;
  const fields = (): Values => ({
    ...sqlFields((parsed ?? statement).sql),
    ...(bound !== null ? { parameters: parametersOf(bound.parameters, statement.parameterTypes) } : {}),
    ...(statement.parameterTypes.length > 0
      ? { 'parameter.types': statement.parameterTypes.map(typeName) }
      : {}),
    ...(statement.name !== '' ? { statement: statement.name } : {}),
    ...(bound !== null && bound.name !== '' ? { portal: bound.name } : {}),
  });
  said.push(say(state.client, 'request', name, fields, { pair }));
  const formats = bound?.formats ?? null;
  state.queue.push({ kind: 'extended', pair, name, waits: unit.waits, execute: false, statement, formats });
}

function password(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const work = plainWork(state, 'auth', '');
  const request = (name: string, fields: () => Values) =>
    said.push(say(state.client, 'request', name, fields, { pair: work.pair }));
  const end = zero(bytes, from, to);
  if (state.auth === 'sasl') {
    const mechanism = nameAt(bytes, from, end);
    const data = bytes.slice(Math.min(to, end + 5), to);
    request('SASLInitialResponse', () => ({ mechanism, 'sasl.data': text(data, 0, data.length) }));
  } else if (state.auth === 'sasl-more') {
    const data = bytes.slice(from, to);
    request('SASLResponse', () => ({ 'sasl.data': text(data, 0, data.length) }));
  } else if (state.auth === 'gss') {
    const data = bytes.slice(from, to);
    request('GSSResponse', () => ({ 'gss.data': hex(data, 0, Math.min(data.length, 256)) }));
  } else {
    const data = bytes.slice(from, end);
    request('Password', () => ({ password: text(data, 0, data.length) }));
  }
  state.queue.push(work);
}

function copyEnds(state: State, reason: string | null, said: Message[]): void {
  const { messages, bytes } = state.copied;
  state.copyIn = false;
  const fields = () => ({
    ...(reason !== null ? { reason } : {}),
    'copy.messages': messages,
    'copy.bytes': bytes,
  });
  said.push(say(state.client, 'notice', reason === null ? 'CopyDone' : 'CopyFail', fields));
}

/** The packet before all others, whole, with the length in front. False: none of those we know. */
export function heardStartup(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): boolean {
  const code = i32(bytes, from + 4);
  state.client.unsaid += to - from;
  if (code === 80877103 || code === 80877104) {
    state.phase = 'asked';
    state.asked = code === 80877103 ? 'SSLRequest' : 'GSSENCRequest';
    const pair = ++state.pairs;
    said.push(say(state.client, 'request', state.asked, () => ({}), { pair }));
    return true;
  }
  if (code === 80877102) {
    const process = i32(bytes, from + 8);
    const key = bytes.slice(from + 12, to);
    const fields = () => ({ process, 'backend.key': hex(key, 0, key.length) });
    said.push(say(state.client, 'notice', 'CancelRequest', fields));
    return true;
  }
  if (code >>> 16 !== 3) {
    return false;
  }
  state.phase = 'messages';
  const work = plainWork(state, 'startup', 'Startup');
  const protocol = `3.${code & 0xffff}`;
  const settings = bytes.slice(from + 8, to);
  said.push(
    say(state.client, 'request', 'Startup', () => startupFields(protocol, settings), { pair: work.pair }),
  );
  state.queue.push(work);
  return true;
}

const PLAIN_SETTINGS = new Set(['user', 'database', 'application_name']);

function startupFields(protocol: string, settings: Uint8Array): Values {
  const fields: { [name: string]: Value } = { protocol };
  for (let at = 0, count = 0; at < settings.length && settings[at] !== 0 && count < SETTINGS_KEPT; count++) {
    const nameEnd = zero(settings, at, settings.length);
    const valueFrom = Math.min(settings.length, nameEnd + 1);
    const valueEnd = zero(settings, valueFrom, settings.length);
    const name = nameAt(settings, at, nameEnd);
    fields[PLAIN_SETTINGS.has(name) ? name : `parameter.${name}`] = text(settings, valueFrom, valueEnd);
    at = valueEnd + 1;
  }
  return fields;
}

/** `query`, and with a password in it `query.raw`, which is secret. */
export function sqlFields(sql: Sql): Values {
  const raw = text(sql.bytes, 0, Math.min(sql.bytes.length, KEPT)) + (sql.cut ? '…' : '');
  const query = withoutPasswords(raw, 'postgres');
  return query === raw ? { query } : { query, 'query.raw': raw };
}
