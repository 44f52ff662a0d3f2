/** For whom, when and for which messages a toxic holds: fields that Toxiproxy does not have, read and answered only if used. */
import { decoders, vocabulary } from '../wire/app/decoders.ts';
import { displayFilter } from '../wire/display/filter.ts';
import { badBody, Refusal } from './api/errors.ts';
import { type Fields, field, fieldsOf, numberField, textField, written } from './api/fields.ts';
import { parseConnections, parsePrefix } from './applies.ts';
import type { PlannedFault, When } from './fault.ts';

export type Conditions = Pick<PlannedFault, 'client' | 'connections' | 'at' | 'lasts' | 'when'>;

const NANOSECONDS = 1e6;
const FOREVER = Number.POSITIVE_INFINITY;
/** Characters; a filter's brackets are read by recursion. */
const MOST_FILTER = 4096;

/** What is not named stays as it was; null takes it away. */
export function readConditions(fields: Fields, before: Conditions): Conditions | Refusal {
  const given = {
    client: readClient(fields),
    connections: readConnections(fields),
    at: readMoment(fields, 'atMs'),
    lasts: readMoment(fields, 'lastsMs'),
    when: readWhen(fields),
  };
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value instanceof Refusal) {
      return value;
    }
    const holds = value === undefined ? before[name as keyof Conditions] : value;
    if (holds !== null && holds !== undefined) {
      read[name] = holds;
    }
  }
  return read as Conditions;
}

export function writeConditions({
  client,
  connections,
  at,
  lasts,
  when,
}: Conditions): Record<string, unknown> {
  return {
    ...(client === undefined ? {} : { client }),
    ...(connections === undefined ? {} : { connections }),
    ...(at === undefined ? {} : { atMs: at / NANOSECONDS }),
    ...(lasts === undefined ? {} : { lastsMs: lasts / NANOSECONDS }),
    ...(when === undefined ? {} : { when: writeWhen(when) }),
  };
}

/** Undefined when absent, null when it is to go. */
type Read<T> = T | null | undefined | Refusal;

function readClient(fields: Fields): Read<string> {
  const text = nullable(fields, 'client', () => textField(fields, 'client', undefined));
  return typeof text !== 'string' || parsePrefix(text) !== null
    ? text
    : badBody('client must be an address or a prefix: 10.0.0.0/8');
}

function readConnections(fields: Fields): Read<string> {
  const text = nullable(fields, 'connections', () => textField(fields, 'connections', undefined));
  return typeof text !== 'string' || parseConnections(text) !== null
    ? text
    : badBody('connections must be like 3, 2-5 or 10-, counted from 1');
}

function readMoment(fields: Fields, name: string): Read<number> {
  const value = nullable(fields, name, () => numberField(fields, name, 0, FOREVER, undefined));
  return typeof value === 'number' ? value * NANOSECONDS : value;
}

function readWhen(fields: Fields): Read<When> {
  const given = written(fields, 'when');
  if (given === undefined || given === null) {
    return given;
  }
  const inner = typeof given === 'string' ? { filter: given } : fieldsOf(given, 'when');
  if (inner instanceof Refusal) {
    return inner;
  }
  const filter = textField(inner, 'filter', '');
  if (typeof filter !== 'string') {
    return filter;
  }
  if (filter.length > MOST_FILTER) {
    return badBody(`when.filter has at most ${MOST_FILTER} characters`);
  }
  const made = displayFilter(filter, vocabulary(decoders));
  if ('message' in made) {
    return badBody(`when: ${made.message} (character ${made.at + 1})`);
  }
  const nth = readCount(inner, 'nth');
  const every = readCount(inner, 'every');
  const lasts = numberField(inner, 'lastsMs', 0, FOREVER, undefined);
  for (const value of [nth, every, lasts]) {
    if (typeof value === 'object') {
      return value;
    }
  }
  return {
    filter,
    ...(typeof nth === 'number' ? { nth } : {}),
    ...(typeof every === 'number' ? { every } : {}),
    ...(typeof lasts === 'number' ? { lasts: lasts * NANOSECONDS } : {}),
  };
}

function readCount(fields: Fields, name: string): number | undefined | Refusal {
  const value = field(fields, name);
  if (value === undefined) {
    return undefined;
  }
  return Number.isSafeInteger(value) && (value as number) >= 1
    ? (value as number)
    : badBody(`when.${name} must be a whole number of at least 1`);
}

function writeWhen({ lasts, ...rest }: When): Record<string, unknown> {
  return lasts === undefined ? rest : { ...rest, lastsMs: lasts / NANOSECONDS };
}

function nullable<T>(fields: Fields, name: string, read: () => T): T | null {
  return written(fields, name) === null ? null : read();
}
