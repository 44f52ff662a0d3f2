/** What is remembered of one MySQL or MariaDB connection, and the capabilities that change how its packets are read. */

import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { type Extra, sayOn } from './said.ts';

/** The most of one packet that is looked at; what is longer is passed by. */
export const KEPT = 16 * 1024;
export const MAX_WORK = 4096;
const STATEMENTS_KEPT = 1024;
const STATEMENT_BYTES_KEPT = 1024 * 1024;

/** Bits of the capability flags (the server's include/mysql_com.h). */
export const CAN = {
  mysql: 1,
  withDatabase: 1 << 3,
  compress: 1 << 5,
  protocol41: 1 << 9,
  ssl: 1 << 11,
  secureAuth: 1 << 15,
  pluginAuth: 1 << 19,
  attributes: 1 << 20,
  lenencAuth: 1 << 21,
  sessionTrack: 1 << 23,
  deprecateEof: 1 << 24,
  optionalMetadata: 1 << 25,
  zstd: 1 << 26,
  queryAttributes: 1 << 27,
} as const;

/** MariaDB's own, in the second word of flags. */
export const CAN_MARIADB = { extendedMetadata: 1 << 3, cachedMetadata: 1 << 4 } as const;

/** Bits of the status in OK and EOF. */
export const STATUS = { inTransaction: 1, moreResults: 8, cursor: 64 } as const;

/** One direction. */
export interface Lane {
  /** Of a packet longer than KEPT: bytes still to pass by, and what is said when they are through. */
  rest: number;
  late: Message[];
  /** The packet was as long as one can be: the next one goes on with it. */
  continues: boolean;
  /** Bytes that belong to no message yet go to the next one. */
  unsaid: number;
}

export interface Sql {
  readonly bytes: Uint8Array;
  readonly cut: boolean;
}

export interface Column {
  readonly name: string;
  readonly type: number;
  readonly unsigned: boolean;
  /** Character set 63: bytes, not text. */
  readonly binary: boolean;
}

/** A parameter's type and sign, as Execute sends them once. */
export interface ParameterType {
  readonly name: string;
  readonly type: number;
  readonly unsigned: boolean;
}

export interface Statement {
  readonly sql: Sql;
  id: number;
  /** -1: the server has not said yet. */
  parameters: number;
  columns: Column[];
  types: ParameterType[];
  /** Parameters sent ahead in pieces; Execute leaves them out. */
  readonly long: Set<number>;
}

export type WorkKind =
  | 'login'
  | 'query'
  | 'execute'
  | 'prepare'
  | 'fetch'
  | 'fields'
  | 'text'
  | 'simple'
  | 'binlog';

/** Something the server has to answer, in order. */
export interface Work {
  readonly kind: WorkKind;
  readonly pair: number | null;
  readonly name: string;
  readonly statement: Statement | null;
}

/** The answer as far as it is there. */
export interface Answer {
  step: 'start' | 'definitions' | 'columns' | 'rows' | 'infile' | 'stream';
  /** Of `definitions`: how many packets of the parameters, and of all, are to come. */
  parametersLeft: number;
  left: number;
  /** No row yet: an EOF may stand between columns and rows. */
  fresh: boolean;
  columns: Column[];
  columnCount: number;
  rows: number;
  kept: Uint8Array[];
  binary: boolean;
  fields: { [name: string]: Value };
  failed: boolean;
}

export interface State {
  phase: 'greeting' | 'login' | 'commands';
  readonly midStream: boolean;
  readonly client: Lane;
  readonly server: Lane;
  serverCan: number;
  serverCanMore: number;
  /** What both sides can. */
  can: number;
  canMore: number;
  compressed: boolean;
  pairs: number;
  readonly queue: Work[];
  answer: Answer;
  readonly statements: Map<number, Statement>;
  statementBytes: number;
  lastPrepared: Statement | null;
  /** The client sends a file. */
  infile: boolean;
  fileBytes: number;
}

export function begin(midStream: boolean): State {
  return {
    phase: 'greeting',
    midStream,
    client: { rest: 0, late: [], continues: false, unsaid: 0 },
    server: { rest: 0, late: [], continues: false, unsaid: 0 },
    serverCan: 0,
    serverCanMore: 0,
    // In the middle of a stream: what the clients of today agree on.
    can: CAN.protocol41 | CAN.deprecateEof,
    canMore: 0,
    compressed: false,
    pairs: 0,
    queue: [],
    answer: newAnswer(),
    statements: new Map(),
    statementBytes: 0,
    lastPrepared: null,
    infile: false,
    fileBytes: 0,
  };
}

export function newAnswer(): Answer {
  return {
    step: 'start',
    parametersLeft: 0,
    left: 0,
    fresh: true,
    columns: [],
    columnCount: 0,
    rows: 0,
    kept: [],
    binary: false,
    fields: {},
    failed: false,
  };
}

/** A message of this protocol; all bytes of the lane that nothing else has claimed are its own. */
export function say(
  lane: Lane,
  kind: Message['kind'],
  name: string,
  fields: () => Values,
  extra: Extra = {},
): Message {
  return sayOn(lane, 'mysql', kind, name, fields, extra);
}

export function rememberStatement(state: State, id: number, statement: Statement): void {
  forgetStatement(state, id);
  state.statements.set(id, statement);
  state.statementBytes += statement.sql.bytes.length;
  for (const oldest of state.statements.keys()) {
    if (state.statements.size <= STATEMENTS_KEPT && state.statementBytes <= STATEMENT_BYTES_KEPT) {
      break;
    }
    forgetStatement(state, oldest);
  }
}

export function forgetStatement(state: State, id: number): void {
  state.statementBytes -= state.statements.get(id)?.sql.bytes.length ?? 0;
  state.statements.delete(id);
}

export function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function u24(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
}

export function u32(bytes: Uint8Array, at: number): number {
  return (u24(bytes, at) | (bytes[at + 3]! << 24)) >>> 0;
}
