/** What is remembered of one PostgreSQL connection: who asked what, and what the server has said so far in answer. */

import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { type Extra, sayOn } from './said.ts';
import { text } from './text.ts';

/** The most of one message that is looked at; what is longer is passed by. */
export const KEPT = 16 * 1024;
const STATEMENTS_KEPT = 1024;
const STATEMENT_BYTES_KEPT = 1024 * 1024;
const PORTALS_KEPT = 64;
/** Requests the server has not answered. A pipeline longer than this is not followed. */
export const MAX_WORK = 16_384;

/** One direction. */
export interface Lane {
  /** Of a message longer than KEPT: bytes still to pass by, and what is said when they are through. */
  rest: number;
  late: Message[];
  /** Bytes not yet counted in a message: Sync, Flush, ReadyForQuery go to the next one. */
  unsaid: number;
}

/** `bytes` is a copy of our own; `cut` says that the statement went on. */
export interface Sql {
  readonly bytes: Uint8Array;
  readonly cut: boolean;
}

export interface Statement {
  readonly name: string;
  readonly sql: Sql;
  parameterTypes: readonly number[];
  columns: Columns | null;
}

/** What Bind made: a statement with its parameters. */
export interface Portal {
  readonly name: string;
  readonly statement: Statement;
  /** The body of Bind behind the two names. */
  readonly parameters: Uint8Array;
  readonly formats: readonly number[];
}

export interface Columns {
  readonly names: string[];
  readonly types: number[];
  readonly formats: number[];
  readonly total: number;
}

/** What the client sent of the extended protocol since its last request was said. */
export interface Unit {
  parse: Statement | null;
  bind: Portal | null;
  described: Statement | null;
  /** How many answers it will get: one for each Parse, Bind, Describe. */
  waits: number;
}

export type WorkKind = 'startup' | 'auth' | 'query' | 'extended' | 'function' | 'sync';

/** Something the server has to answer, in order. */
export interface Work {
  readonly kind: WorkKind;
  readonly pair: number;
  readonly name: string;
  waits: number;
  readonly execute: boolean;
  readonly statement: Statement | null;
  /** Bind's result formats; null when Bind was not seen. */
  readonly formats: readonly number[] | null;
}

/** The answer to one statement as far as it is there. */
export interface Answer {
  rows: number;
  kept: Uint8Array[];
  columns: Columns | null;
  /** Bind's result formats, when the columns come from an earlier Describe, which knows none. */
  formats: readonly number[] | null;
  parameterTypes: readonly number[] | null;
  tag: string;
  /** The tag's first word. */
  command: string;
  copy: '' | 'in' | 'out' | 'both';
  copyMessages: number;
  copyBytes: number;
  error: Values | null;
  end: '' | 'tag' | 'error' | 'empty' | 'suspended' | 'result' | 'described';
}

export interface Session {
  readonly parameters: { [name: string]: Value };
  kept: number;
  pid: number | null;
  key: Uint8Array | null;
}

export interface State {
  /** `asked`: the server owes one byte to SSLRequest or GSSENCRequest. `sealed`: GSSAPI encryption. */
  phase: 'start' | 'asked' | 'messages' | 'sealed';
  asked: 'SSLRequest' | 'GSSENCRequest';
  readonly midStream: boolean;
  readonly client: Lane;
  readonly server: Lane;
  pairs: number;
  /** What the server wants in the next `p` message. */
  auth: 'password' | 'sasl' | 'sasl-more' | 'gss';
  readonly queue: Work[];
  unit: Unit | null;
  readonly statements: Map<string, Statement>;
  /** The length of their SQL, all together. */
  statementBytes: number;
  readonly portals: Map<string, Portal>;
  answer: Answer;
  /** A finished statement of a simple query: whether another follows is known by the next message. */
  held: Answer | null;
  /** From AuthenticationOk to the first ReadyForQuery. */
  session: Session | null;
  /** The server passes over everything until Sync. */
  skipping: boolean;
  copyIn: boolean;
  copied: { messages: number; bytes: number };
}

export function begin(midStream: boolean): State {
  return {
    phase: 'start',
    asked: 'SSLRequest',
    midStream,
    client: { rest: 0, late: [], unsaid: 0 },
    server: { rest: 0, late: [], unsaid: 0 },
    pairs: 0,
    auth: 'password',
    queue: [],
    unit: null,
    statements: new Map(),
    statementBytes: 0,
    portals: new Map(),
    answer: newAnswer(),
    held: null,
    session: null,
    skipping: false,
    copyIn: false,
    copied: { messages: 0, bytes: 0 },
  };
}

export function newAnswer(): Answer {
  return {
    rows: 0,
    kept: [],
    columns: null,
    formats: null,
    parameterTypes: null,
    tag: '',
    command: '',
    copy: '',
    copyMessages: 0,
    copyBytes: 0,
    error: null,
    end: '',
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
  return sayOn(lane, 'postgres', kind, name, fields, extra);
}

/** The one not prepared anew for longest goes. */
export function rememberStatement(state: State, statement: Statement): void {
  const { statements } = state;
  forgetStatement(state, statement.name);
  statements.set(statement.name, statement);
  state.statementBytes += statement.sql.bytes.length;
  for (const oldest of statements.keys()) {
    if (statements.size <= STATEMENTS_KEPT && state.statementBytes <= STATEMENT_BYTES_KEPT) {
      break;
    }
    forgetStatement(state, oldest);
  }
}

export function forgetStatement(state: State, name: string): void {
  state.statementBytes -= state.statements.get(name)?.sql.bytes.length ?? 0;
  state.statements.delete(name);
}

export function rememberPortal(state: State, portal: Portal): void {
  const { portals } = state;
  portals.delete(portal.name);
  portals.set(portal.name, portal);
  if (portals.size > PORTALS_KEPT) {
    for (const oldest of portals.keys()) {
      portals.delete(oldest);
      break;
    }
  }
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function i32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Where the zero is that ends the string at `from`, or `to`. */
export function zero(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== 0) {
    at++;
  }
  return at;
}

/** A name of the other side's choosing: short enough to be a key. */
export function nameAt(bytes: Uint8Array, from: number, end: number): string {
  return text(bytes, from, Math.min(end, from + 128));
}
