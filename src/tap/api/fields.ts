/**
 * Fields of a JSON body, read as Go's encoding/json reads them, because Toxiproxy's clients were written against it: names in
 * any case, null is the same as absent.
 */
import { badBody, type Refusal } from './errors.ts';

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(body: unknown, what: string): Fields | Refusal {
  if (body === null || body === undefined) {
    return {};
  }
  if (typeof body !== 'object' || Array.isArray(body)) {
    return badBody(`${what} must be an object`);
  }
  return body as Fields;
}

/** Undefined when it is absent or null. */
export function field(fields: Fields, name: string): unknown {
  return written(fields, name) ?? undefined;
}

/** The same, but a null is told from an absent field. */
export function written(fields: Fields, name: string): unknown {
  if (Object.hasOwn(fields, name)) {
    return fields[name];
  }
  const same = Object.keys(fields).find((key) => key.toLowerCase() === name.toLowerCase());
  return same === undefined ? undefined : fields[same];
}

export function textField<T>(fields: Fields, name: string, otherwise: T): string | T | Refusal {
  const value = field(fields, name);
  if (value === undefined) {
    return otherwise;
  }
  return typeof value === 'string' ? value : badBody(`${name} must be a string`);
}

export function yesField<T>(fields: Fields, name: string, otherwise: T): boolean | T | Refusal {
  const value = field(fields, name);
  if (value === undefined) {
    return otherwise;
  }
  return typeof value === 'boolean' ? value : badBody(`${name} must be true or false`);
}

export function listField(fields: Fields, name: string): readonly unknown[] | Refusal {
  const value = field(fields, name);
  if (value === undefined) {
    return [];
  }
  return Array.isArray(value) ? value : badBody(`${name} must be a list`);
}

export function numberField<T>(
  fields: Fields,
  name: string,
  least: number,
  most: number,
  otherwise: T,
): number | T | Refusal {
  const value = field(fields, name);
  if (value === undefined) {
    return otherwise;
  }
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
    return badBody(`${name} must be a number ${range}`);
  }
  return value;
}
