/** OK, EOF and ERR: the end of an answer of MySQL, and what it says with all that came before. */

import type { Value } from '../value.ts';
import type { Message } from './decoder.ts';
import { type Answer, CAN, newAnswer, STATUS, type State, say, u16, type Work } from './mysql-state.ts';
import { lenenc, lenencText, reader, rowOf, short } from './mysql-values.ts';
import type { Extra } from './said.ts';
import { withoutPasswords } from './sql.ts';
import { latin1, text } from './text.ts';

export const TEXT_KEPT = 2048;
const COLUMN_TYPES = new Map<number, string>([
  [0, 'decimal'],
  [1, 'tinyint'],
  [2, 'smallint'],
  [3, 'int'],
  [4, 'float'],
  [5, 'double'],
  [6, 'null'],
  [7, 'timestamp'],
  [8, 'bigint'],
  [9, 'mediumint'],
  [10, 'date'],
  [11, 'time'],
  [12, 'datetime'],
  [13, 'year'],
  [15, 'varchar'],
  [16, 'bit'],
  [245, 'json'],
  [246, 'decimal'],
  [247, 'enum'],
  [248, 'set'],
  [249, 'tinyblob'],
  [250, 'mediumblob'],
  [251, 'longblob'],
  [252, 'blob'],
  [253, 'varchar'],
  [254, 'char'],
  [255, 'geometry'],
]);
const PROGRESS = 0xffff;
/** OK, also in the place of EOF. */
export function okay(
  state: State,
  work: Work,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): void {
  const { answer } = state;
  const packet = reader(bytes, from + 1, to);
  if (to - from === 5 && bytes[from] === 0xfe) {
    warnings(answer, short(packet));
    const status = short(packet);
    transaction(answer, status);
    finish(state, work, status, said);
    return;
  }
  const affected = lenenc(packet);
  const inserted = lenenc(packet);
  const status = short(packet);
  const warned = short(packet);
  if (answer.step !== 'rows') {
    answer.fields.affected = affected;
    if (inserted !== 0) {
      answer.fields['insert.id'] = inserted;
    }
  }
  warnings(answer, warned);
  transaction(answer, status);
  if (packet.at < to && !packet.bad) {
    const info =
      (state.can & CAN.sessionTrack) !== 0
        ? lenencText(packet, TEXT_KEPT)
        : text(bytes, packet.at, Math.min(to, packet.at + TEXT_KEPT));
    if (info !== '') {
      answer.fields.info = info;
    }
  }
  finish(state, work, status, said);
}

export function warnings(answer: Answer, count: number): void {
  if (count > 0) {
    answer.fields.warnings = count;
  }
}

export function transaction(answer: Answer, status: number): void {
  if ((status & STATUS.inTransaction) !== 0) {
    answer.fields.transaction = 'in transaction';
  }
}

export function error(
  state: State,
  work: Work,
  bytes: Uint8Array,
  from: number,
  to: number,
  said: Message[],
): void {
  const code = to - from >= 3 ? u16(bytes, from + 1) : 0;
  if (code === PROGRESS) {
    // MariaDB tells how far a long command is; nothing has failed.
    return;
  }
  let at = from + 3;
  const fields: { [name: string]: Value } = { 'error.code': code };
  if (bytes[at] === 0x23 && to - at >= 6) {
    fields['error.sqlstate'] = latin1(bytes, at + 1, at + 6);
    at += 6;
  }
  fields['error.message'] = withoutPasswords(
    text(bytes, Math.min(at, to), Math.min(to, at + TEXT_KEPT)),
    'mysql',
  );
  state.answer.fields = { ...state.answer.fields, ...fields };
  state.answer.failed = true;
  state.infile = false;
  finish(state, work, 0, said);
}

/** The answer is whole; with STATUS.moreResults another one to the same request follows. */
export function finish(state: State, work: Work, status: number, said: Message[]): void {
  const { answer } = state;
  const more = (status & STATUS.moreResults) !== 0;
  state.answer = newAnswer();
  if (!more) {
    state.queue.shift();
  }
  const unasked = work.pair === null && answer.failed;
  const extra: Extra = { more, failed: answer.failed };
  if (work.pair !== null) {
    extra.pair = work.pair;
  }
  const name = answer.failed ? 'Error' : work.name;
  said.push(say(state.server, unasked ? 'notice' : 'reply', name, () => answerFields(answer), extra));
}

function answerFields(answer: Answer) {
  const { columns, fields } = answer;
  if (columns.length === 0) {
    return fields;
  }
  const set: { [name: string]: Value } = {
    ...fields,
    columns: columns.map(({ name }) => name),
    types: columns.map(({ type }) => COLUMN_TYPES.get(type) ?? String(type)),
  };
  if (answer.step === 'rows') {
    set.count = answer.rows;
    set.rows = answer.kept.map((body) => rowOf(body, columns, answer.columnCount, answer.binary));
  }
  return set;
}
