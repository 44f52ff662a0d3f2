/** The answers of a MySQL server (the manual's "Client/Server Protocol"): OK, ERR, EOF and sets of rows. */
import type { Message } from './decoder.ts';
import { error, finish, okay, TEXT_KEPT, transaction, warnings } from './mysql-answer.ts';
import { authRequest, greeting } from './mysql-login.ts';
import {
  type Answer,
  CAN,
  CAN_MARIADB,
  type Column,
  rememberStatement,
  STATUS,
  type State,
  say,
  u16,
  u32,
  type Work,
} from './mysql-state.ts';
import { columnOf, lenenc, reader } from './mysql-values.ts';
import { text } from './text.ts';

const ROWS_KEPT = 3;
const ROW_KEPT = 4096;
const COLUMNS_KEPT = 256;
/** What answers when nothing was asked that we saw. */
const UNKNOWN: Work = { kind: 'query', pair: null, name: 'Query', statement: null };

/** A row nobody will see the values of: only its first byte is needed. */
export function countsOnly(state: State, first: number, length: number): boolean {
  const { answer } = state;
  return (
    (answer.step === 'rows' &&
      answer.kept.length >= ROWS_KEPT &&
      !endsRows(first, length) &&
      first !== 0xff) ||
    (answer.step === 'stream' && first === 0)
  );
}

/** EOF, or the OK that stands for it; a row that begins so is as long as a packet can be. */
function endsRows(first: number, length: number): boolean {
  return first === 0xfe && length < 0xffffff;
}

export function countRow(state: State): void {
  state.answer.rows++;
}

/** One packet of the server: bytes[from, to) is its body, or the first KEPT bytes of it. Null, or what is wrong. */
export function heardServer(
  state: State,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  said: Message[],
): string | null {
  const first = from < to ? bytes[from]! : -1;
  if (state.phase !== 'commands' && first !== 0xff && !begun(state, bytes, from)) {
    return state.phase === 'greeting' ? greeting(state, bytes, from, to, said) : 'an answer before the login';
  }
  if (first < 0) {
    return 'an answer of no bytes';
  }
  const work = state.queue[0] ?? UNKNOWN;
  if (first === 0xff && state.answer.step !== 'columns') {
    error(state, work, bytes, from, to, said);
    return null;
  }
  switch (state.answer.step) {
    case 'start':
    case 'infile':
      return starts(state, work, first, bytes, from, to, length, said);
    case 'definitions':
      definition(state, work, first, bytes, from, to, length, said);
      return null;
    case 'columns':
      column(state, work, bytes, from, to);
      return null;
    case 'rows':
      row(state, work, first, bytes, from, to, length, said);
      return null;
    case 'stream':
      if (endsRows(first, length) && length < 9) {
        finish(state, work, 0, said);
      }
      return null;
  }
}

/** In the middle of a stream anything but a greeting, which has the number 0, is an answer to what we did not see. */
function begun(state: State, bytes: Uint8Array, from: number): boolean {
  return state.midStream && state.phase === 'greeting' && bytes[from - 1] !== 0;
}

function starts(
  state: State,
  work: Work,
  first: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  said: Message[],
): string | null {
  const { answer } = state;
  switch (work.kind) {
    case 'login':
      if (first === 0) {
        okay(state, work, bytes, from, to, said);
        state.compressed = (state.can & (CAN.compress | CAN.zstd)) !== 0;
      } else {
        authRequest(state, bytes, from, to, said);
      }
      return null;
    case 'prepare':
      return first === 0 ? prepared(state, work, bytes, from, to, said) : 'no answer to Prepare';
    case 'text':
      answer.fields.statistics = text(bytes, from, Math.min(to, from + TEXT_KEPT));
      finish(state, work, 0, said);
      return null;
    case 'fields':
      answer.step = 'definitions';
      answer.left = -1;
      definition(state, work, first, bytes, from, to, length, said);
      return null;
    case 'fetch':
      answer.step = 'rows';
      answer.binary = true;
      answer.fresh = false;
      takeColumns(answer, work.statement?.columns ?? []);
      row(state, work, first, bytes, from, to, length, said);
      return null;
    case 'binlog': {
      answer.step = 'stream';
      const extra = work.pair === null ? {} : { pair: work.pair, more: true };
      said.push(say(state.server, 'reply', work.name, () => ({ stream: true }), extra));
      return null;
    }
    case 'simple':
    case 'query':
    case 'execute':
      if (first === 0 || (first === 0xfe && work.kind === 'simple')) {
        okay(state, work, bytes, from, to, said);
      } else if (first === 0xfe && length < 9) {
        // An EOF after the definitions, where we took the client for one that wants none.
        return work.pair === null || state.midStream ? null : 'an end of rows before their beginning';
      } else if (first === 0xfb) {
        localFile(state, work, bytes, from, to, said);
      } else {
        rowsBegin(state, work, bytes, from, to);
      }
      return null;
  }
}

function rowsBegin(state: State, work: Work, bytes: Uint8Array, from: number, to: number): void {
  const { answer } = state;
  const packet = reader(bytes, from, to);
  const count = Number(lenenc(packet));
  const known = work.statement?.columns ?? [];
  answer.binary = work.kind === 'execute';
  answer.fresh = true;
  answer.columns = [];
  answer.columnCount = count;
  answer.left = count;
  answer.step = count > 0 ? 'columns' : 'rows';
  // MariaDB's MARIADB_CLIENT_CACHE_METADATA: a byte that says whether the columns come again.
  const cached =
    (state.canMore & CAN_MARIADB.cachedMetadata) !== 0 && packet.at < to && bytes[packet.at] === 0;
  if (cached) {
    takeColumns(answer, known);
    answer.step = 'rows';
  }
}

function takeColumns(answer: Answer, columns: Column[]): void {
  answer.columns = columns;
  answer.columnCount = columns.length;
}

function column(state: State, work: Work, bytes: Uint8Array, from: number, to: number): void {
  const { answer } = state;
  if (answer.columns.length < COLUMNS_KEPT) {
    answer.columns.push(columnAt(state, bytes, from, to));
  }
  if (--answer.left <= 0) {
    answer.step = 'rows';
    if (work.statement !== null) {
      work.statement.columns = answer.columns;
    }
  }
}

function columnAt(state: State, bytes: Uint8Array, from: number, to: number): Column {
  const extended = (state.canMore & CAN_MARIADB.extendedMetadata) !== 0;
  return columnOf(bytes, from, to, extended) ?? { name: '?', type: 6, unsigned: false, binary: false };
}

function row(
  state: State,
  work: Work,
  first: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  said: Message[],
): void {
  const { answer } = state;
  if (!endsRows(first, length)) {
    answer.fresh = false;
    answer.rows++;
    if (answer.kept.length < ROWS_KEPT) {
      answer.kept.push(bytes.slice(from, Math.min(to, from + ROW_KEPT)));
    }
    return;
  }
  // Exactly five bytes are an EOF of old; the OK in its place has at least seven.
  const old = length === 5;
  const status = old && to - from >= 5 ? u16(bytes, from + 3) : 0;
  if (old && answer.fresh && (status & STATUS.cursor) === 0) {
    answer.fresh = false;
    return;
  }
  if (old) {
    warnings(answer, u16(bytes, from + 1));
    transaction(answer, status);
    finish(state, work, status, said);
  } else {
    okay(state, work, bytes, from, to, said);
  }
}

function prepared(
  state: State,
  work: Work,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): string | null {
  if (to - from < 9) {
    return 'an answer to Prepare that ends early';
  }
  const { answer } = state;
  const { statement } = work;
  const id = u32(bytes, from + 1);
  const columns = u16(bytes, from + 5);
  const parameters = u16(bytes, from + 7);
  answer.fields.statement = id;
  answer.fields['parameter.count'] = parameters;
  if (to - from >= 12) {
    warnings(answer, u16(bytes, from + 10));
  }
  if (statement !== null) {
    statement.id = id;
    statement.parameters = parameters;
    statement.columns = [];
    rememberStatement(state, id, statement);
  }
  const ends = (state.can & CAN.deprecateEof) === 0 ? 1 : 0;
  answer.step = 'definitions';
  answer.parametersLeft = parameters > 0 ? parameters + ends : 0;
  answer.left = answer.parametersLeft + (columns > 0 ? columns + ends : 0);
  answer.columnCount = columns;
  // MySQL: a thirteenth byte of zero says that the definitions are left out.
  const leftOut = (state.can & CAN.optionalMetadata) !== 0 && to - from >= 13 && bytes[from + 12] === 0;
  if (answer.left === 0 || leftOut) {
    finish(state, work, 0, said);
  }
  return null;
}

/** Of Prepare: the parameters' definitions, then the columns'. Of FieldList: columns until an end. */
function definition(
  state: State,
  work: Work,
  first: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  said: Message[],
): void {
  const { answer } = state;
  const ends = endsRows(first, length) && length < 64;
  if (answer.parametersLeft > 0) {
    answer.parametersLeft--;
  } else if (!ends && answer.columns.length < COLUMNS_KEPT) {
    answer.columns.push(columnAt(state, bytes, from, to));
  }
  if (answer.left < 0 ? !ends : --answer.left > 0) {
    return;
  }
  if (work.statement !== null) {
    work.statement.columns = answer.columns;
  }
  finish(state, work, 0, said);
}

function localFile(
  state: State,
  work: Work,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): void {
  const file = text(bytes, from + 1, Math.min(to, from + 1 + TEXT_KEPT));
  state.infile = true;
  state.fileBytes = 0;
  state.answer.step = 'infile';
  const extra = work.pair === null ? {} : { pair: work.pair, more: true };
  said.push(say(state.server, 'reply', 'LocalInfile', () => ({ file }), extra));
}
