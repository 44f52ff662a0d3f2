/** The server's answers to statements: rows, tags and errors, each given to the request at the head of the queue. */
import type { Value, Values } from '../value.ts';
import type { Message } from './decoder.ts';
import { type Answer, newAnswer, type State, say, type Work, zero } from './postgres-state.ts';
import { rowOf, typeName } from './postgres-values.ts';
import type { Extra } from './said.ts';
import { withoutPasswords } from './sql.ts';
import { text } from './text.ts';

const ROWS_KEPT = 3;
const ROW_KEPT = 4096;
const TEXT_KEPT = 2048;

export function head(state: State): Work | undefined {
  return state.queue[0];
}

/** DataRow whose values nobody will see is only counted. */
export function keepsRows(state: State): boolean {
  return state.answer.kept.length < ROWS_KEPT;
}

export function row(state: State, bytes: Uint8Array, from: number, to: number): void {
  const { answer } = state;
  answer.rows++;
  if (answer.kept.length < ROWS_KEPT) {
    answer.kept.push(bytes.slice(from, Math.min(to, from + ROW_KEPT)));
  }
}

export function finished(state: State, end: Answer['end'], said: Message[]): void {
  const { answer } = state;
  answer.end = end;
  if (answer.copy === 'in') {
    answer.copyMessages = state.copied.messages;
    answer.copyBytes = state.copied.bytes;
    state.copyIn = false;
  }
  state.answer = newAnswer();
  const work = head(state);
  if (work?.kind === 'query') {
    state.held = answer;
    return;
  }
  if (work?.kind === 'extended') {
    state.queue.shift();
    answer.columns ??= work.execute ? (work.statement?.columns ?? null) : null;
    answer.formats = work.execute ? work.formats : null;
  }
  const known = work?.kind === 'extended' || work?.kind === 'function' ? work : undefined;
  sayAnswer(state, answer, known, said, false, null);
}

export function sayHeld(state: State, said: Message[], more: boolean): void {
  const { held } = state;
  if (held !== null) {
    state.held = null;
    sayAnswer(state, held, head(state), said, more, null);
  }
}

export function sayAnswer(
  state: State,
  answer: Answer,
  work: Work | undefined,
  said: Message[],
  more: boolean,
  transaction: string | null,
): void {
  const fields = () => answerFields(answer, transaction);
  const extra: Extra = { more, failed: answer.error !== null };
  if (work !== undefined) {
    extra.pair = work.pair;
  }
  const kind = work === undefined && answer.error !== null ? 'notice' : 'reply';
  said.push(say(state.server, kind, answerName(answer, work), fields, extra));
}

function answerName(answer: Answer, work: Work | undefined): string {
  switch (answer.end) {
    case 'tag':
      return answer.command;
    case 'error':
      return 'Error';
    case 'empty':
      return 'EmptyQuery';
    case 'suspended':
      return 'Suspended';
    default:
      return work?.name ?? 'Complete';
  }
}

function answerFields(answer: Answer, transaction: string | null): Values {
  const { columns, end } = answer;
  const fields: { [name: string]: Value } = {};
  if (end === 'tag') {
    fields.tag = answer.tag;
  } else if (end === 'suspended') {
    fields.suspended = true;
  }
  if (answer.parameterTypes !== null) {
    fields['parameter.types'] = answer.parameterTypes.map(typeName);
  }
  if (columns !== null) {
    fields.columns = columns.names;
    fields.types = columns.types.map(typeName);
  }
  if (answer.rows > 0 || (columns !== null && end !== 'described')) {
    fields.count = answer.rows;
    fields.rows = answer.kept.map((body) => rowOf(body, columns, answer.formats));
  }
  if (answer.copy !== '') {
    fields.copy = answer.copy;
    fields['copy.messages'] = answer.copyMessages;
    fields['copy.bytes'] = answer.copyBytes;
  }
  if (transaction !== null) {
    fields.transaction = transaction;
  }
  return answer.error === null ? fields : { ...fields, ...answer.error };
}

export function failed(state: State, bytes: Uint8Array, from: number, to: number, said: Message[]): void {
  const { answer, queue } = state;
  const error = errorFields(bytes, from, to, 'error');
  answer.error = error;
  const work = head(state);
  state.session = null;
  const last = error['error.severity'] === 'FATAL' || error['error.severity'] === 'PANIC';
  if (work?.kind === 'query' && !last) {
    finished(state, 'error', said);
    return;
  }
  answer.end = 'error';
  state.answer = newAnswer();
  state.copyIn = false;
  if (work === undefined || work.kind === 'sync') {
    sayAnswer(state, answer, undefined, said, false, null);
    return;
  }
  // A function call's ReadyForQuery still comes for it.
  if (work.kind !== 'function') {
    queue.shift();
  }
  state.skipping = work.kind === 'extended';
  sayAnswer(state, answer, work, said, false, null);
}

const ERROR_FIELDS = new Map<number, string>([
  [0x53, 'severity'],
  [0x56, 'severity'],
  [0x43, 'code'],
  [0x4d, 'message'],
  [0x44, 'detail'],
  [0x48, 'hint'],
  [0x50, 'position'],
  [0x70, 'internal.position'],
  [0x71, 'internal.query'],
  [0x57, 'where'],
  [0x73, 'schema'],
  [0x74, 'table'],
  [0x63, 'column'],
  [0x64, 'type'],
  [0x6e, 'constraint'],
  [0x46, 'file'],
  [0x4c, 'line'],
  [0x52, 'routine'],
]);

export const ERROR_NAMES = [...new Set(ERROR_FIELDS.values())];

/** `V` is the severity in English and comes after `S`, which is in the server's language. */
export function errorFields(bytes: Uint8Array, from: number, to: number, prefix: string): Values {
  const fields: { [name: string]: Value } = {};
  for (let at = from; at < to && bytes[at] !== 0; ) {
    const name = ERROR_FIELDS.get(bytes[at]!);
    const end = zero(bytes, at + 1, to);
    if (name !== undefined) {
      const value = withoutPasswords(text(bytes, at + 1, Math.min(end, at + 1 + TEXT_KEPT)), 'postgres');
      fields[`${prefix}.${name}`] =
        /position|^line$/.test(name) && /^\d{1,9}$/.test(value) ? Number(value) : value;
    }
    at = end + 1;
  }
  return fields;
}
