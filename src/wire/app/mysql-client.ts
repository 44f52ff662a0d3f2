/** The commands of a MySQL client (the server's include/my_command.h, and MariaDB's own). */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { authResponse, changeUserFields, login } from './mysql-login.ts';
import {
  CAN,
  forgetStatement,
  newAnswer,
  type ParameterType,
  type Sql,
  type State,
  type Statement,
  say,
  u16,
  u32,
  type WorkKind,
} from './mysql-state.ts';
import { lenenc, parameterTypesOf, parameterValues, reader, take } from './mysql-values.ts';
import { commandOf, withoutPasswords } from './sql.ts';
import { text } from './text.ts';

const PARAMETERS_KEPT = 256;
const LAST_PREPARED = 0xffffffff;
const NO_SQL: Sql = { bytes: new Uint8Array(0), cut: false };

/** Command → its name here, its name in the sources, and how it is answered; null: not at all. */
const COMMANDS = new Map<number, [string, string, WorkKind | null]>([
  [0, ['Sleep', 'COM_SLEEP', 'simple']],
  [1, ['Quit', 'COM_QUIT', null]],
  [2, ['InitDB', 'COM_INIT_DB', 'simple']],
  [3, ['Query', 'COM_QUERY', 'query']],
  [4, ['FieldList', 'COM_FIELD_LIST', 'fields']],
  [5, ['CreateDB', 'COM_CREATE_DB', 'simple']],
  [6, ['DropDB', 'COM_DROP_DB', 'simple']],
  [7, ['Refresh', 'COM_REFRESH', 'simple']],
  [8, ['Shutdown', 'COM_SHUTDOWN', 'simple']],
  [9, ['Statistics', 'COM_STATISTICS', 'text']],
  [10, ['ProcessInfo', 'COM_PROCESS_INFO', 'query']],
  [11, ['Connect', 'COM_CONNECT', 'simple']],
  [12, ['ProcessKill', 'COM_PROCESS_KILL', 'simple']],
  [13, ['Debug', 'COM_DEBUG', 'simple']],
  [14, ['Ping', 'COM_PING', 'simple']],
  [15, ['Time', 'COM_TIME', 'simple']],
  [16, ['DelayedInsert', 'COM_DELAYED_INSERT', 'simple']],
  [17, ['ChangeUser', 'COM_CHANGE_USER', 'login']],
  [18, ['BinlogDump', 'COM_BINLOG_DUMP', 'binlog']],
  [19, ['TableDump', 'COM_TABLE_DUMP', 'binlog']],
  [20, ['ConnectOut', 'COM_CONNECT_OUT', 'simple']],
  [21, ['RegisterReplica', 'COM_REGISTER_SLAVE', 'simple']],
  [22, ['Prepare', 'COM_STMT_PREPARE', 'prepare']],
  [23, ['Execute', 'COM_STMT_EXECUTE', 'execute']],
  [24, ['SendLongData', 'COM_STMT_SEND_LONG_DATA', null]],
  [25, ['CloseStatement', 'COM_STMT_CLOSE', null]],
  [26, ['ResetStatement', 'COM_STMT_RESET', 'simple']],
  [27, ['SetOption', 'COM_SET_OPTION', 'simple']],
  [28, ['Fetch', 'COM_STMT_FETCH', 'fetch']],
  [29, ['Daemon', 'COM_DAEMON', 'simple']],
  [30, ['BinlogDump', 'COM_BINLOG_DUMP_GTID', 'binlog']],
  [31, ['ResetConnection', 'COM_RESET_CONNECTION', 'simple']],
  [0xfa, ['Execute', 'COM_STMT_BULK_EXECUTE', 'execute']],
]);

export function isCommand(code: number): boolean {
  return COMMANDS.has(code);
}

/** One packet of the client: bytes[from, to) is its body, or the first KEPT bytes of it. Null, or what is wrong. */
export function heardClient(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  cut: boolean,
  sequence: number,
  said: Message[],
): string | null {
  if (state.phase !== 'commands') {
    if (sequence !== 0) {
      return login(state, bytes, from, to, said);
    }
    if (!state.midStream) {
      return 'a command before the login';
    }
    state.phase = 'commands';
  }
  if (sequence !== 0) {
    if (state.queue[0]?.kind === 'login') {
      authResponse(state, bytes, from, to, said);
    }
    return null;
  }
  return from < to ? command(state, bytes, from, to, cut, said) : 'a command of no bytes';
}

function command(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  cut: boolean,
  said: Message[],
): string | null {
  const known = COMMANDS.get(bytes[from]!);
  if (known === undefined) {
    return `command ${bytes[from]} is unknown`;
  }
  const [plainName, source, kind] = known;
  let name = plainName;
  let statement: Statement | null = null;
  let fields = (): Values => ({ command: source });
  const body = from + 1;
  switch (bytes[from]) {
    case 3: {
      const { attributes, at } = queryAttributes(state, bytes, body, to);
      const sql = { bytes: bytes.slice(at, to), cut };
      name = commandOf(bytes, at, to);
      fields = () => ({ command: source, ...sqlFields(sql), ...attributes });
      break;
    }
    case 2:
    case 5:
    case 6:
      fields = told({ command: source, database: text(bytes, body, Math.min(to, body + 256)) });
      break;
    case 4:
      fields = told({
        command: source,
        table: text(bytes, body, zero(bytes, body, Math.min(to, body + 256))),
      });
      break;
    case 17:
      fields = told(changeUserFields(state, bytes, body, to));
      break;
    case 12:
    case 24:
    case 25:
    case 26:
    case 28:
      if (to - body >= 4) {
        const id = u32(bytes, body);
        statement = state.statements.get(id) ?? null;
        fields = told({ command: source, [bytes[from] === 12 ? 'connection' : 'statement']: id });
        aboutStatement(state, bytes, body, to, id, statement);
      }
      break;
    case 27:
      fields = told({
        command: source,
        option: to - body >= 2 && u16(bytes, body) === 0 ? 'multi-statements-on' : 'multi-statements-off',
      });
      break;
    case 22: {
      const sql = { bytes: bytes.slice(body, to), cut };
      statement = { sql, id: -1, parameters: -1, columns: [], types: [], long: new Set() };
      state.lastPrepared = statement;
      fields = () => ({ command: source, ...sqlFields(sql) });
      break;
    }
    case 23:
    case 0xfa: {
      const id = to - body >= 4 ? u32(bytes, body) : 0;
      statement = (id === LAST_PREPARED ? state.lastPrepared : state.statements.get(id)) ?? null;
      const { sql } = statement ?? { sql: NO_SQL };
      name = sql.bytes.length === 0 ? name : commandOf(sql.bytes, 0, sql.bytes.length);
      const parameters = bytes[from] === 23 ? executeParameters(state, statement, bytes, body, to) : null;
      fields = () => ({
        command: source,
        statement: id,
        ...(sql.bytes.length > 0 ? sqlFields(sql) : {}),
        ...(parameters === null ? {} : { parameters: parameters() }),
      });
      break;
    }
  }
  if (kind === null) {
    said.push(say(state.client, 'notice', name, fields));
    return null;
  }
  const pair = ++state.pairs;
  if (state.queue.length === 0) {
    // Whatever was half said is not going on any more.
    state.answer = newAnswer();
  }
  state.queue.push({ kind, pair, name, statement });
  said.push(say(state.client, 'request', name, fields, { pair }));
  return null;
}

function told(fields: Values): () => Values {
  return () => fields;
}

function zero(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== 0) {
    at++;
  }
  return at;
}

function aboutStatement(
  state: State,
  bytes: Uint8Array,
  body: number,
  to: number,
  id: number,
  statement: Statement | null,
): void {
  const code = bytes[body - 1];
  if (code === 25) {
    forgetStatement(state, id);
  } else if (code === 26) {
    statement?.long.clear();
  } else if (code === 24 && to - body >= 6 && statement !== null && statement.long.size < PARAMETERS_KEPT) {
    statement.long.add(u16(bytes, body + 4));
  }
}

/** Query attributes stand before the text (the manual's "Query Attributes"); a text never begins with a zero byte. */
function queryAttributes(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
): { attributes: Values; at: number } {
  const present = (state.can & CAN.queryAttributes) !== 0 || (state.midStream && bytes[from] === 0);
  if (!present || from >= to) {
    return { attributes: {}, at: from };
  }
  const packet = reader(bytes, from, to);
  const count = Number(lenenc(packet));
  lenenc(packet);
  const attributes: { [name: string]: Value } = {};
  if (count > 0 && count <= PARAMETERS_KEPT) {
    const bitmap = take(packet, (count + 7) >> 3);
    take(packet, 1);
    const types = parameterTypesOf(packet, count, true);
    const values = bitmap < 0 ? [] : parameterValues(packet, bytes.subarray(bitmap), types, new Set());
    for (let i = 0; i < values.length; i++) {
      attributes[`attribute.${types[i]!.name}`] = values[i]!;
    }
  }
  return { attributes, at: packet.bad ? from : packet.at };
}

/** Null when there are none, or it is not known how many. */
function executeParameters(
  state: State,
  statement: Statement | null,
  bytes: Uint8Array,
  from: number,
  to: number,
): (() => Value[]) | null {
  if (statement === null || statement.parameters < 0) {
    return null;
  }
  const packet = reader(bytes, from, to);
  const fixed = take(packet, 9);
  if (fixed < 0) {
    return null;
  }
  const attributes = (state.can & CAN.queryAttributes) !== 0;
  const PARAMETER_COUNT_AVAILABLE = 8;
  let count = statement.parameters;
  if (attributes && (bytes[fixed + 4]! & PARAMETER_COUNT_AVAILABLE) !== 0) {
    count = Number(lenenc(packet));
  }
  if (count === 0 || count > PARAMETERS_KEPT) {
    return null;
  }
  const bitmap = take(packet, (count + 7) >> 3);
  const bound = take(packet, 1);
  if (bitmap < 0 || bound < 0) {
    return null;
  }
  let types: readonly ParameterType[] = statement.types;
  if (bytes[bound] === 1) {
    statement.types = parameterTypesOf(packet, count, attributes);
    types = statement.types;
  }
  const sentAhead = new Set(statement.long);
  statement.long.clear();
  const nulls = bytes.slice(bitmap, bound);
  const rest = bytes.slice(packet.at, to);
  return () => parameterValues(reader(rest, 0, rest.length), nulls, types, sentAhead);
}

/** `query`, and with a password in it `query.raw`, which is secret. */
function sqlFields(sql: Sql): Values {
  const raw = text(sql.bytes, 0, sql.bytes.length) + (sql.cut ? '…' : '');
  const query = withoutPasswords(raw, 'mysql');
  return query === raw ? { query } : { query, 'query.raw': raw };
}

/** The end of a LOCAL INFILE: an empty packet. */
export function fileEnds(state: State, said: Message[]): void {
  const bytes = state.fileBytes;
  state.infile = false;
  state.fileBytes = 0;
  said.push(say(state.client, 'notice', 'LocalData', () => ({ 'file.bytes': bytes })));
}
